"""Hooks of modules: what is registered, and how gradients at a module's inputs and outputs are watched."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from ..core import Handle, Tensor, is_grad_enabled, register_hook
from ..core.tensor import tick
from ..errors import GraphError

__all__ = ["BackwardWatch", "Hook", "Hooked"]


class Hook(NamedTuple):
    """A function and when it is called: forward_pre, forward, backward_pre, backward, save_pre, save, load_pre or load."""

    kind: str
    function: Callable[..., Any]
    with_kwargs: bool = False


class Hooked:
    """What has hooks, in the order in which they were registered."""

    _hooks: Mapping[int, Hook] = {}

    def _hooks_of(self, kind: str) -> list[Hook]:
        return [hook for hook in self._hooks.values() if hook.kind == kind]

    def _add_hook(self, hook: Hook, prepend: bool = False) -> Handle:
        hooks = vars(self).setdefault("_hooks", {})
        key = tick()
        hooks[key] = hook
        if prepend:
            for other in [known for known in hooks if known != key]:
                hooks[other] = hooks.pop(other)
        return Handle(lambda: hooks.pop(key, None) and None)

    def register_forward_hook(self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False) -> Handle:
        """Call `hook(module, args, output)` after forward; what it returns, if not None, takes the output's place.

        `prepend`: before the hooks that are there. `with_kwargs`: call `hook(module, args, kwargs, output)`.
        """
        return self._add_hook(Hook("forward", hook, with_kwargs), prepend)

    def register_forward_pre_hook(self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False) -> Handle:
        """Call `hook(module, args)` before forward; what it returns, if not None, takes the arguments' place.

        `prepend`: before the hooks that are there. `with_kwargs`: call `hook(module, args, kwargs)`, which may return both.
        """
        return self._add_hook(Hook("forward_pre", hook, with_kwargs), prepend)

    def register_full_backward_pre_hook(self, hook: Callable[[Any, Any], Any], prepend: bool = False) -> Handle:
        """Call `hook(module, grad_output)` when the gradients of the outputs are there; what it returns takes their place."""
        return self._add_hook(Hook("backward_pre", hook), prepend)

    def register_full_backward_hook(self, hook: Callable[[Any, Any, Any], Any], prepend: bool = False) -> Handle:
        """Call `hook(module, grad_input, grad_output)` when the gradients of the inputs are there.

        Both are tuples, with None for what has no gradient. What the hook returns takes the place of grad_input.
        """
        return self._add_hook(Hook("backward", hook), prepend)

    def register_state_dict_pre_hook(self, hook: Callable[[Any, str, bool], None]) -> Handle:
        """Call `hook(module, prefix, keep_vars)` before `state_dict` looks at this module."""
        return self._add_hook(Hook("save_pre", hook))

    def register_state_dict_post_hook(self, hook: Callable[[Any, dict[str, Any], str, dict[str, Any]], None]) -> Handle:
        """Call `hook(module, state_dict, prefix, {})` when this module and those below it are in the state_dict; it may change that."""
        return self._add_hook(Hook("save", hook))

    def register_load_state_dict_pre_hook(self, hook: Callable[..., None]) -> Handle:
        """Call `hook(module, state_dict, prefix, {}, strict, missing_keys, unexpected_keys, error_msgs)` before anything is loaded.

        It may change the dictionary, which is a copy, and add to the lists.
        """
        return self._add_hook(Hook("load_pre", hook))

    def register_load_state_dict_post_hook(self, hook: Callable[[Any, Any], None]) -> Handle:
        """Call `hook(module, incompatible_keys)` after all is loaded; names that it takes out of the lists are no error."""
        return self._add_hook(Hook("load", hook))


class BackwardWatch:
    """One call of a module whose backward hooks want to see the gradients of its inputs and outputs.

    Every tensor that is watched goes through two views. Backward meets all the later ones before any of the earlier ones: at the
    former gradients are noted, at the latter they are complete, and what the hooks return takes their place.
    """

    def __init__(self, module: Any, before: Sequence[Hook], after: Sequence[Hook]):
        self.module, self.before, self.after = module, before, after
        self.seen: dict[tuple[str, int], Tensor] = {}
        self.grad_output: tuple[Any, ...] | None = None
        self.grad_input: tuple[Any, ...] | None = None
        self.count_in = self.count_out = 0
        self.watches_inputs = False

    def inputs(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """The arguments, watched."""
        if not self.after:
            return args
        self.count_in = len(args)
        watched = self._watched("in", args, lambda i: self._input_gradients()[i])
        self.watches_inputs = any(a is not b for a, b in zip(args, watched, strict=True))
        return watched

    def outputs(self, output: Any) -> Any:
        """What forward returned, watched."""
        if not (self.before or self.after):
            return output
        values = output if isinstance(output, tuple) else (output,)
        self.count_out = len(values)
        watched = self._watched("out", values, lambda i: self._output_gradients()[i])
        return watched if isinstance(output, tuple) else watched[0]

    def _watched(self, side: str, values: tuple[Any, ...], final: Callable[[int], Any]) -> tuple[Any, ...]:
        places = [i for i, x in enumerate(values) if isinstance(x, Tensor) and x.requires_grad and is_grad_enabled()]
        found = list(values)
        for hook in (lambda i, g: final(i), lambda i, g: self._note(side, i, g)):
            for i in places:
                found[i] = found[i].reshape(found[i].shape)
                register_hook(found[i], lambda g, i=i, hook=hook: hook(i, g))  # type: ignore[misc]
        return tuple(found)

    def _note(self, side: str, place: int, g: Tensor) -> None:
        if side == "out" and self.grad_output is not None:  # another pass over the same graph
            self.seen, self.grad_output, self.grad_input = {}, None, None
        self.seen[side, place] = g

    def _output_gradients(self) -> tuple[Any, ...]:
        if self.grad_output is None:
            self.grad_output = tuple(self.seen.get(("out", i)) for i in range(self.count_out))
            for hook in self.before:
                self.grad_output = _replaced("grad_output", self.grad_output, hook.function(self.module, self.grad_output))
            if not self.watches_inputs:
                for hook in self.after:
                    hook.function(self.module, (None,) * self.count_in, self.grad_output)
        return self.grad_output

    def _input_gradients(self) -> tuple[Any, ...]:
        if self.grad_input is None:
            self.grad_input = tuple(self.seen.get(("in", i)) for i in range(self.count_in))
            for hook in self.after:
                changed = hook.function(self.module, self.grad_input, self.grad_output)
                self.grad_input = _replaced("grad_input", self.grad_input, changed)
        return self.grad_input


def _replaced(what: str, gradients: tuple[Any, ...], changed: Any) -> tuple[Any, ...]:
    if changed is None:
        return gradients
    found: tuple[Any, ...] = changed if isinstance(changed, tuple) else (changed,)
    if len(found) != len(gradients):
        raise GraphError(f"backward hook: returned {len(found)} gradients in the place of {len(gradients)} ({what})")
    return found
