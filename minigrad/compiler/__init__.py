"""Functions over Tensors, recorded once and replayed without a graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["compile"]


def compile(function: Callable[..., Any] | None = None, *, verify: int = 0, fuse: bool | None = None) -> Any:  # noqa: A001
    """The function, made fast by replay: the first call of a signature runs as it is, the second is recorded, from the third on a
    program runs in its place, without graph, allocation, or Python where compiled kernels serve. Results are the same, bit for bit.

    `function` takes Tensors and plain values (in tuples, lists and dictionaries), may compute anything with Tensors, run `backward()` and
    step optimizers, typically a whole training step, and returns Tensors (in the same) or None. It may also be a module or a method.
    Usable as a decorator.

    A signature is the shapes, dtypes and memory layouts of the Tensors among the arguments and whether they require grad, the values of
    the other arguments, grad mode, the settings of the modules called (train or eval), and the values that the function, or your
    functions, methods and modules that it calls, take from outside by name: globals, attributes, items of short lists and dictionaries.
    For each there is a program. What changes otherwise is followed: learning rates and other settings, schedules, random numbers,
    parameters that are given other values or other arrays.

    What Python does beside Tensors is done when the function is recorded, and not in replays: printing, counting in an attribute of a
    module, appending to what is not looked at (a deque). A function that changes what is looked at in every call (a list, a counter in
    an object that is no module) runs as it is, and a warning names what changes.
    Numbers that it computes are taken as they were. What looks at values (`.item()`, `.numpy()`, `bool()`, `if tensor:`) is refused, with
    the line. With `verify` = n every nth replay runs beside an eager call, and a difference raises.

    Where the result carries a graph that may still be walked (a forward pass in grad mode, without its backward pass), the function runs
    as it is: put the backward pass inside, or call it under `no_grad()`.

    Neighbouring elementwise rules go into one loop (`fuse`), which takes a kernel of the program's own. If it is not in the cache, a
    second process compiles it once the program has run for a second, and the program goes on without until it is there; with fuse=True
    it is compiled at once, with False never.

    The result has `program()`, `timeline()` and `stats()`, which show what became of the function. Two threads may call it; one waits
    for the other.
    Errors: CompileError for what a replay would not do again.

        @mg.compile
        def step(x, y):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            return loss
    """
    from .compiled import Compiled  # what it needs is nothing to a program that compiles nothing

    if function is None:
        return lambda function: Compiled(function, verify, fuse)
    return Compiled(function, verify, fuse)
