"""Compiled functions: which program fits a call, and what to do where there is none yet."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import update_wrapper
from time import perf_counter
from types import MethodType
from typing import Any

import numpy as np

from ..autograd.recompute import tensors_in
from ..core import Tensor, get_default_dtype
from ..core.mode import ANOMALY, RECORD, WATCH, get_mode
from ..core.tensor import changes
from ..errors import ArgumentError, CompileError, InputTypeError
from .build import Builder
from .listing import Listing, Names, listing
from .outside import differing
from .patience import Patience
from .plan import Schedule
from .program import Program
from .record import Record, record
from .signature import Signature, layout_differs, token
from .timeline import timed
from .verify import Snapshot, compare

__all__ = ["Compiled"]

_MISS = object()
_MOST = 64  # programs that a function keeps, the youngest first
_WAIT, _PAUSE = 16, 0.25  # calls before the first look at the fused kernels, and seconds between the next


class Compiled:
    """What `mg.compile` returns: the function, recorded at the second call of a signature, and replayed from the third on."""

    def __init__(self, function: Callable[..., Any], verify: int = 0, fuse: bool | None = None):
        if not callable(function):
            raise InputTypeError(f"compile: function must be callable, got {type(function).__name__}")
        if isinstance(verify, bool) or not isinstance(verify, int) or verify < 0:
            raise ArgumentError(f"compile: verify must be a number of calls, 0 for never, got {verify!r}")
        if fuse not in (True, False, None):
            raise ArgumentError(f"compile: fuse must be True, False or None, got {fuse!r}")
        self.function, self.verify, self.fuse = function, verify, fuse
        self._name = getattr(function, "__name__", type(function).__name__)
        self._parameters = _parameters(function)
        self._replays: list[_Replay] = []
        self._patience = Patience(self._name)
        self._lock = threading.RLock()
        self._verified = self._records = 0
        self._calls = [0, 0]  # run as it is, replayed
        self._seconds = {"recording": 0.0, "planning": 0.0}
        update_wrapper(self, function, updated=())

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        mode = get_mode()
        for replay in self._replays:
            result = replay.run(mode, args, kwargs)
            if result is not _MISS:
                return result
        if mode & (RECORD | ANOMALY | WATCH):
            return self.function(*args, **kwargs)
        # Of a graph from outside, a replay would know nothing.
        if self._patience.resting() or any(tensor.step is not None for tensor in tensors_in((args, kwargs))):
            return self._as_it_is(args, kwargs)
        return self._without_program(mode, args, kwargs)

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else MethodType(self, instance)

    def __getattr__(self, name: str) -> Any:
        if "function" not in vars(self):
            raise AttributeError(name)  # while it is copied
        return getattr(self.function, name)

    def __repr__(self) -> str:
        return f"<compiled {self._name}: {len(self._programs())} programs>"

    def _without_program(self, mode: int, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run the function: as it is where such a call was never seen before, recorded the second time."""
        signature = Signature(self._name, self._parameters, self.function, args, kwargs)
        key = mode, signature.key
        with self._lock:
            new = self._patience.new(key, self._calls[1])
            fits = [] if new else [replay for replay in self._replays if replay.key == key and replay.refresh()]
        for replay in fits:
            result = replay.run(mode, args, kwargs)
            if result is not _MISS:
                return result
        if not new:
            return self._recorded(key, signature, args, kwargs)
        result = self._as_it_is(args, kwargs)
        with self._lock:
            if self._patience.miss(key, signature.changed()):
                self._replays = []  # none of them fitted for long
        return result

    def _as_it_is(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        with self._lock:
            self._calls[0] += 1
        return self.function(*args, **kwargs)

    def _recorded(self, key: Any, signature: Signature, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        begin = perf_counter()
        with record(signature.tensors) as found:
            result = self.function(*args, **kwargs)
            outputs = found.outputs(result)
            found.close()
        changed = signature.changed()
        told = Signature(self._name, self._parameters, self.function, args, kwargs).told
        if changed is None and told != signature.told:
            changed = f"{differing(told, signature.told)}, which it takes from outside"
        middle = perf_counter()
        with self._lock:
            self._records += 1
            if changed is not None:
                self._patience.changes(changed)
            else:
                self._replays = [_Replay(self, key, signature, found, outputs), *self._replays[: _MOST - 1]]
            self._seconds["recording"] += middle - begin
            self._seconds["planning"] += perf_counter() - middle
        return result

    # ---- what it shows

    def _programs(self) -> list[Program]:
        return [replay.program for replay in self._replays if replay.program is not None]

    def _latest(self, what: str) -> tuple[_Replay, Program]:
        for replay in self._replays:
            if replay.program is not None:
                return replay, replay.program
        why = self._replays[0].found.why_eager if self._replays else self._patience.why
        reason = f"it runs as it is, as {why}" if why else "the second call of a signature records one"
        raise CompileError(f"{what}: {self._name} has no program yet; {reason}")

    def program(self) -> Listing:
        """The youngest program as text: a line for each call, with names, shapes and bytes."""
        replay, program = self._latest("program")
        return listing(self._name, program, replay.names(program))

    def timeline(self, *args: Any, **kwargs: Any) -> Listing:
        """The youngest program with the time that each of its steps takes, for these Tensors as arguments (by default for made-up ones
        of the recorded shapes). Whatever the steps change is put back afterwards."""
        replay, program = self._latest("timeline")
        given = list(tensors_in((args, kwargs)))
        specs = [(array.shape, array.dtype) for array in (tensor.array for tensor in given)]
        if given and specs != replay.signature.specs:
            raise CompileError(f"timeline: the program of {self._name} takes Tensors of {replay.signature.specs}, got {specs}")
        with self._lock:
            tensors = given or [Tensor(np.zeros(shape, dtype)) for shape, dtype in replay.signature.specs]
            snapshot = Snapshot(replay.found, tensors)
            try:
                times = timed(program, tensors)
            finally:
                snapshot.restore()
        return listing(self._name, program, replay.names(program), times)

    def stats(self) -> dict[str, Any]:
        """Calls (run eagerly, recorded, replayed), programs, seconds, and for the programs together the bytes that the recorded calls
        allocated and those that the replays keep."""
        programs = self._programs()
        builders = [replay.built_by for replay in self._replays if replay.built_by is not None]
        return {
            "calls": sum(self._calls) + self._records,
            "eager": self._calls[0],
            "recorded": self._records,
            "replayed": self._calls[1],
            "programs": len(programs),
            "recording_seconds": self._seconds["recording"],
            "planning_seconds": self._seconds["planning"],
            "eager_bytes": sum(program.schedule.record.allocated for program in programs),
            "planned_bytes": sum(program.schedule.arena.size for program in programs),
            "fused_programs": sum(bool(program.schedule.built()) for program in programs),
            "compiling_seconds": sum((builder.seconds for builder in builders), 0.0),
            "verified": self._verified,
        }


def _parameters(function: Callable[..., Any]) -> tuple[str, ...]:
    """The names of the positional parameters."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return ()
    return tuple(p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD))


class _Replay:
    """A program, and what must be as it was for it to fit. Where a replay would not be the same (the result carries a graph that a
    backward pass may still want), there is no program, and the function runs as it is."""

    def __init__(self, owner: Compiled, key: Any, signature: Signature, found: Record, outputs: Any):
        self.owner, self.key, self.signature, self.found = owner, key, signature, found
        self._outside = [(tensor, tensor._requires_grad) for tensor in found.outside.values()]
        self._hooked = [*found.outside.values(), *found.optimizers()]
        self._hooks = list(map(_hooks_of, self._hooked))
        self._dtype = get_default_dtype()
        roots = (*found.modules.values(), *signature.modules)
        modules = {id(module): module for root in roots for module in root.modules()}.values()
        # An argument that is also reached from outside has to be the same Tensor again.
        held = [*signature.held, *(tensor for module in modules for tensor in (*module.parameters(), *module.buffers()))]
        arrays = {id(tensor.array) for tensor in held}
        self._same = [(n, tensor) for n, tensor in enumerate(signature.tensors) if id(tensor.array) in arrays]
        signature.tensors = []
        self._modules = [(module, token(vars(module)), list(vars(module).values())) for module in modules]
        self._looked, self._wait = perf_counter(), _WAIT
        self.loose: set[int] = set()  # ids of Tensors from outside that were given other arrays
        self.schedule = None if found.why_eager else Schedule(found, outputs)
        self._builder: Builder | None = None  # at work
        self.built_by: Builder | None = None
        if self.schedule is not None and owner.fuse is not False:
            fused = self.schedule.fused()
            if owner.fuse or all(kernel.ready() for kernel in fused.built()):
                self.schedule = fused
            else:
                self._builder = self.built_by = Builder(fused)
        self._build()

    def _build(self) -> None:
        """Write the program for the arrays that Tensors have now."""
        self._arrays = [tensor.array for tensor, _ in self._outside]
        self.known = [changes[0]]
        self.program = None if self.schedule is None else Program(self.schedule, self.loose)
        self.run = self._function(self._body())
        self._unverified: Callable[..., Any] | None = None

    def _body(self) -> list[str]:
        if self.program is None:
            return ["calls[0] += 1", "return function(*args, **kwargs)"]
        lines = []
        if self._builder is not None:
            lines += ["left[0] -= 1", "if not left[0] and swapped(left): return again(mode, args, kwargs)"]
        lines.append("calls[1] += 1")
        if self.owner.verify:
            lines.append(f"if calls[1] % {self.owner.verify} == 0: return verified(args, kwargs)")
        return ["with lock:", *(f"    {line}" for line in [*lines, *self.program.lines])]

    def _scope(self) -> dict[str, Any]:
        owner = self.owner
        mine = {"lock": owner._lock, "calls": owner._calls, "function": owner.function, "verified": self._verified}
        return {**mine, "left": [self._wait], "swapped": self._swapped, "again": lambda *call: self.run(*call)}

    def _function(self, lines: Sequence[str]) -> Callable[..., Any]:
        """A function of mode, args and kwargs that makes sure that the program fits, and runs these lines."""
        looks = "".join(
            f"        if {check}:\n            return MISS\n" for check in (f"mode != {self.key[0]}", *self.signature.checks)
        )
        # Where something is of another kind, a look at it may fail.
        text = f"def run(mode, args, kwargs):\n    try:\n{looks}    except Exception:\n        return MISS\n"
        for check in (*self._entry(), "changes[0] != known[0] and not holds()"):
            text += f"    if {check}:\n        return MISS\n"
        text += "".join(f"    {line}\n" for line in lines)
        scope = {**(self.program.scope if self.program else {}), **self.signature.scope, **self._scope()}
        scope |= {"MISS": _MISS, "changes": changes, "known": self.known, "holds": self._holds}
        exec(compile(text, f"<program of {self.owner._name}>", "exec"), scope)
        return scope["run"]  # type: ignore[no-any-return]

    def _entry(self) -> Iterator[str]:
        """What must be so of gradients when the call begins, and of Tensors whose arrays come and go."""
        program = self.program
        if program is None:
            return
        for n, tensor in self._same:
            yield f"t{n} is not {program.known(tensor)}"
        for leaf, form in self.found.entry.values():
            gradient = f"{program.tensor(leaf)}._grad"
            yield f"{gradient} is not None" if form is None else f"{gradient} is None or {gradient}.array.strides != {form[0]}"
            if form is not None:
                yield f"{gradient}.array.dtype != {program.known(form[1])}"
        for tensor, _ in self._outside:
            if id(tensor) in self.loose:
                name, array = program.tensor(tensor), tensor.array
                yield f"(a := {name}.array).shape != {array.shape} or a.dtype != {array.dtype.name!r} or {layout_differs('a', array)}"

    def _holds(self) -> bool:
        """Whether modules and Tensors are as they were when the program was written."""
        now = changes[0]
        if not self._settings_hold():
            return False
        for (tensor, _), array in zip(self._outside, self._arrays, strict=True):
            if tensor.array is not array and id(tensor) not in self.loose:
                return False
        if self.program is not None:
            self.program.look_again()
        self.known[0] = now
        return True

    def _settings_hold(self) -> bool:
        same = all(tensor._requires_grad is grad for tensor, grad in self._outside)
        same = same and list(map(_hooks_of, self._hooked)) == self._hooks and self._dtype is get_default_dtype()
        return same and all(token(vars(module)) == settings for module, settings, _ in self._modules)

    def _swapped(self, left: list[int]) -> bool:
        """See about the fused kernels, from time to time; if they are there, the program is written anew."""
        now, builder = perf_counter(), self._builder
        calls = self._wait
        self._wait = left[0] = max(1, min(4 * calls, int(_PAUSE * calls / max(now - self._looked, 1e-6))))
        self._looked = now
        if builder is None or self.schedule is None or not builder.done():
            return False
        self._builder, self.schedule = None, builder.schedule if builder.succeeded else self.schedule
        self._build()
        return True

    def refresh(self) -> bool:
        """Write the program anew, if nothing else stands in the way than that Tensors were given other arrays of the same form."""
        if not self._settings_hold():
            return False
        for (tensor, _), array in zip(self._outside, self._arrays, strict=True):
            new = tensor.array
            if (new.shape, new.dtype, new.strides) != (array.shape, array.dtype, array.strides):
                return False
            if new is not array:
                self.loose.add(id(tensor))
        self._build()
        return True

    def _verified(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Replay beside an eager run, and compare."""
        owner, mode = self.owner, self.key[0]
        owner._verified += 1
        snapshot = Snapshot(self.found, list(tensors_in((args, kwargs))))
        replay = self._unverified = self._unverified or self._function(self.program.lines)  # type: ignore[union-attr]
        return compare(
            owner._name, snapshot, self._tensor_names(), lambda: replay(mode, args, kwargs), lambda: owner.function(*args, **kwargs)
        )

    def names(self, program: Program) -> Names:
        """What to call the values of the program."""
        return Names(program, self.signature.names, self._tensor_names())

    def _tensor_names(self) -> dict[int, str]:
        """The names of Tensors from outside, by id: in the modules that were called, else of variables."""
        modules = list(self.found.modules.values())
        inner = {id(part) for module in modules for part in module.modules() if part is not module}
        roots = [module for module in modules if id(module) not in inner]
        names = dict(self.signature.outside)
        for module in roots:
            prefix = f"{self.signature.named.get(id(module), type(module).__name__)}." if len(roots) > 1 else ""
            names |= {id(tensor): prefix + name for name, tensor in (*module.named_buffers(), *module.named_parameters())}
        return names


def _hooks_of(thing: Any) -> list[int]:
    """The numbers of a Tensor's hooks; of an optimizer's, with the ids of its parameters."""
    if isinstance(thing, Tensor):
        return list(thing.hooks or ())
    return [*thing._hooks, *(id(p) for group in thing.param_groups for p in group["params"])]
