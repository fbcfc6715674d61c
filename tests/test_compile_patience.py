"""mg.compile: a function that finds other values outside at every call is left as it is, after some calls, and a warning says why."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from compiling import replays

import minigrad as mg
from minigrad import nn, optim, train
from minigrad.compiler import compiled
from minigrad.compiler.signature import Signature
from minigrad.errors import CompileError

count = 0


class Stats:
    def __init__(self) -> None:
        self.n = 0

    def add(self, number: int) -> None:
        self.n += number


class Counting(nn.Module):
    def __init__(self) -> None:
        self.stats = Stats()

    def forward(self, x: mg.Tensor) -> mg.Tensor:
        self.stats.add(1)
        return x * self.stats.n


class Caching(nn.Module):
    def __init__(self) -> None:
        self.cache: dict[str, mg.Tensor] = {}

    def forward(self, x: mg.Tensor) -> mg.Tensor:
        last = self.cache.get("h", x)
        self.cache["h"] = (x + last).detach()
        return x * last


def counts(x: mg.Tensor) -> mg.Tensor:
    global count
    count += 1
    return x * count


def of_counts() -> Callable[[mg.Tensor], mg.Tensor]:
    global count
    count = 0
    return counts


def calls(function: Callable[..., mg.Tensor], x: mg.Tensor, n: int) -> list[float]:
    return [function(x).item() for _ in range(n)]


CASES = [
    (Counting, "what it takes from outside is another one at every call: Counting.stats.n;"),
    (of_counts, "what it takes from outside is another one at every call: count;"),
    (Caching, "it changes Caching.cache, a list or dictionary from outside, and a replay would not;"),
]


@pytest.fixture
def signatures(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The signatures that are built."""
    built: list[Any] = []

    def build(*args: Any) -> Signature:
        built.append(Signature(*args))
        return built[-1]

    monkeypatch.setattr(compiled, "Signature", build)
    return built


@pytest.mark.parametrize(("make", "why"), CASES)
def test_what_changes_at_every_call_runs_as_it_is_soon(make: Callable[[], Any], why: str, signatures: list[Any]) -> None:
    x, function = mg.tensor([0.5]), make()
    expected = calls(function, x, 200)
    fast = mg.compile(make())
    with pytest.warns(UserWarning, match=f"runs as it is, as {why}") as warned:
        assert expected == calls(fast, x, 200)
    assert 1 == len(warned)
    assert (0, 0) == (replays(fast), fast.stats()["programs"])
    assert fast.stats()["recorded"] <= 1
    assert len(signatures) <= 33
    with pytest.raises(CompileError, match=f"it runs as it is, as {why[:-1]}"):
        fast.program()


def test_it_is_looked_at_again_from_time_to_time(signatures: list[Any]) -> None:
    module, x = Counting(), mg.ones(1)
    fast = mg.compile(module)
    with pytest.warns(UserWarning, match="Counting.stats.n"):
        assert [*range(1, 34)] == calls(fast, x, 33)
    assert [*range(34, 1034)] == calls(fast, x, 1000)
    assert 33 == len(signatures)
    assert [*range(1034, 2038)] == calls(fast, x, 1004)  # four of them are looked at; nobody is warned twice
    assert 37 == len(signatures)


def test_a_function_that_becomes_steady_gets_a_program() -> None:
    class Settling(nn.Module):
        def __init__(self) -> None:
            self.stats = Stats()

        def forward(self, x: mg.Tensor) -> mg.Tensor:
            if self.stats.n < 100:
                self.stats.add(1)
            return x * self.stats.n

    fast, x = mg.compile(Settling()), mg.ones(1)
    with pytest.warns(UserWarning, match="Settling.stats.n"):
        assert [*range(1, 101), *[100] * 1000] == calls(fast, x, 1100)
    assert 1100 - 33 - 1000 - 2 == replays(fast)


def test_values_that_change_now_and_then_are_no_reason() -> None:
    settings = {"scale": 1.0}
    fast, x = mg.compile(lambda x: x * settings["scale"]), mg.ones(1)
    for n in range(50):
        settings["scale"] = float(n)
        assert [n] * 3 == calls(fast, x, 3)
    assert 50 == replays(fast)


def test_shapes_that_come_between_do_not_matter() -> None:
    module = Counting()
    fast, whole, rest = mg.compile(module), mg.ones(4), mg.ones(2)
    with pytest.warns(UserWarning, match="Counting.stats.n"):
        assert [*range(1, 101)] == [fast(rest if n % 3 else whole)[0].item() for n in range(100)]
    assert 0 == replays(fast)


def test_what_a_recording_shows_to_change_something_is_not_recorded_again() -> None:
    seen = [0] * 100  # too long to be looked at
    fast = mg.compile(lambda x: (seen.append(1), x * 2)[1])
    with pytest.warns(UserWarning, match="it changes seen"):
        calls(fast, mg.ones(1), 500)
    assert (600, 1, 499) == (len(seen), fast.stats()["recorded"], fast.stats()["eager"])


class Switch:
    on = False


def test_what_goes_to_and_fro_is_not_replayed() -> None:
    switch, side = Switch(), 1

    def of_an_object(x: mg.Tensor) -> mg.Tensor:
        switch.on = not switch.on
        return x * (2 if switch.on else 3)

    def of_a_variable(x: mg.Tensor) -> mg.Tensor:
        nonlocal side
        side = 5 - side
        return x * side

    for function, expected, name in ((of_an_object, [2, 3], "switch.on"), (of_a_variable, [4, 1], "side")):
        fast = mg.compile(function)
        with pytest.warns(UserWarning, match=f"it changes {name}, which it takes from outside, and a replay would not;"):
            assert expected * 10 == calls(fast, mg.ones(1), 20)
        assert (1, 0) == (fast.stats()["recorded"], replays(fast))


def test_programs_that_were_there_before_are_still_used() -> None:
    seen = [0] * 100

    def function(x: mg.Tensor, keep: bool) -> mg.Tensor:
        if keep:
            seen.append(1)
        return x * 2  # type: ignore[no-any-return]

    fast, x = mg.compile(function), mg.ones(1)
    assert [2] * 3 == [fast(x, False).item() for _ in range(3)]
    with pytest.warns(UserWarning, match="it changes seen"):
        assert [2] * 3 == [fast(x, True).item() for _ in range(3)]
    assert [2] * 3 == [fast(x, False).item() for _ in range(3)]
    assert 1 + 3 == replays(fast)


class CountingLoss:
    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, output: mg.Tensor, target: mg.Tensor) -> mg.Tensor:
        self.calls += 1
        return nn.functional.mse_loss(output, target) * self.calls  # type: ignore[no-any-return]


def fitted(compiled: bool) -> list[float]:
    mg.manual_seed(0)
    model, loss = nn.Linear(2, 1), CountingLoss()
    optimizer = optim.SGD(model.parameters(), lr=1e-4)
    data = mg.randn(64, 2), mg.randn(64, 1)
    history = train.fit(model, loss, optimizer, data, 30, progress=False, compile=compiled)
    assert 60 == loss.calls
    return history.step_losses


def test_fit_with_a_loss_that_counts_its_calls_learns_the_same() -> None:
    expected = fitted(compiled=False)
    with pytest.warns(UserWarning, match="learn runs as it is, as .* at every call: loss.calls;"):
        assert expected == fitted(compiled=True)
