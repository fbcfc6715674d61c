"""Grading an answer that is a plain function, by what it returns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from ..core.tensor import Array
from .comparing import Case, Mistake, agree, compare_values, copied, numbers, running, untouched
from .exercises import Stage, Wrong

__all__ = ["Function"]


@dataclass(frozen=True)
class Function:
    """What an answer that is a function is held to: what `truth` returns in trials, which are looked at in groups.

    Several results are compared one by one; `results` names them.
    """

    truth: Callable[..., Any]
    groups: Sequence[tuple[str, Sequence[Case]]]
    mistakes: Sequence[Mistake] = ()
    results: Sequence[str] = ("result",)

    def stages(self, answer: Any) -> Iterator[Stage]:
        """What is looked at, in order."""
        yield "a function", partial(_callable, answer)
        for name, cases in self.groups:
            yield name, partial(self._look, answer, cases)

    def _look(self, answer: Callable[..., Any], cases: Sequence[Case]) -> None:
        for case in cases:
            given = copied(case.arguments)
            got = self._several(running(lambda given=given: answer(*given.values()), "The function"))  # type: ignore[misc]
            untouched(case.arguments, given, "The function changes its argument {name} in place; it should return new arrays.")
            mine = [numbers(part, f"The {name}") for name, part in zip(self.results, got, strict=True)]
            right = self._arrays(self.truth, case)
            if all(map(agree, mine, right)):
                continue
            for mistake in self.mistakes:
                if all(map(agree, mine, self._arrays(mistake.wrong, case))):
                    raise Wrong(mistake.says)
            for name, part, want in zip(self.results, mine, right, strict=True):
                self._compare(name, part, want, case)

    def _compare(self, name: str, part: Array, want: Array, case: Case) -> None:
        try:
            compare_values(part, want, case, ())
        except Wrong as wrong:
            if len(self.results) == 1:
                raise
            said = wrong.explanation
            raise Wrong(f"The {name}: {said[0].lower()}{said[1:]}", wrong.evidence) from None

    def _arrays(self, function: Callable[..., Any], case: Case) -> list[Array]:
        return [np.asarray(part, np.float64) for part in self._several(function(*case.arguments.values()))]

    def _several(self, result: Any) -> Sequence[Any]:
        if len(self.results) == 1:
            return (result,)
        if not isinstance(result, (tuple, list)) or len(result) != len(self.results):
            got = f"{len(result)} things" if isinstance(result, (tuple, list)) else f"a {type(result).__name__}"
            raise Wrong(f"The function should return {', '.join(self.results)}, and returns {got}.")
        return result


def _callable(answer: Any) -> None:
    if not callable(answer):
        raise Wrong(f"This is a {type(answer).__name__}; hand in the function itself, without calling it.")
