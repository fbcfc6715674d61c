"""Schedules of schedules: one after the other, or all at once."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any

from ...core import by_replay
from ...errors import ArgumentError, InputTypeError
from ..optimizer import Optimizer
from .base import LRScheduler, rate_of, set_rate
from .plateau import ReduceLROnPlateau

__all__ = ["ChainedScheduler", "SequentialLR"]


class _Combined(LRScheduler):
    """A schedule that runs others, all over the same optimizer."""

    def _take(self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None) -> None:
        if len(schedulers) < 1:
            raise ArgumentError(f"{self.name}: expected at least one schedule, got none")
        for n, scheduler in enumerate(schedulers):
            if not isinstance(scheduler, LRScheduler):
                raise InputTypeError(f"{self.name}: schedulers[{n}] must be a schedule, got {type(scheduler).__name__}")
            if isinstance(scheduler, ReduceLROnPlateau):
                raise ArgumentError(f"{self.name}: schedulers[{n}] is a ReduceLROnPlateau, whose step needs a metric")
            if scheduler.optimizer is not (optimizer or schedulers[0].optimizer):
                raise ArgumentError(f"{self.name}: schedulers[{n}], a {scheduler.name}, belongs to another optimizer")
        self._schedulers, self.optimizer = list(schedulers), schedulers[0].optimizer

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "_schedulers": [scheduler.state_dict() for scheduler in self._schedulers]}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        schedulers = self._schedulers
        super().load_state_dict(state_dict)
        self._schedulers = schedulers
        for scheduler, state in zip(schedulers, state_dict["_schedulers"], strict=True):
            scheduler.load_state_dict(state)

    def undo(self) -> None:
        """Take back the first step of every schedule."""
        for scheduler in self._schedulers:
            if isinstance(scheduler, _Combined):
                scheduler.undo()
            else:
                scheduler.last_epoch -= 1


class SequentialLR(_Combined):
    """One schedule after the other: the n-th starts, at its epoch 0, at the epoch milestones[n − 1]."""

    def __init__(
        self,
        optimizer: Optimizer,
        schedulers: Sequence[LRScheduler],
        milestones: Sequence[int],
        last_epoch: int = -1,
    ):
        self._take(schedulers, optimizer)
        if len(milestones) != len(schedulers) - 1:
            raise ArgumentError(
                f"SequentialLR: {len(schedulers)} schedules need {len(schedulers) - 1} milestones between them, got {len(milestones)}"
            )
        self._milestones = list(milestones)
        self.last_epoch = last_epoch + 1
        for group in optimizer.param_groups:
            set_rate(group, group["initial_lr"])
        self.undo()
        first = self._schedulers[bisect_right(self._milestones, 0)]
        first._initial_step()
        self._last_lr = first.get_last_lr()

    @by_replay("barrier")
    def step(self) -> None:  # type: ignore[override]
        """Go on to the next epoch."""
        self.last_epoch += 1
        n = bisect_right(self._milestones, self.last_epoch)
        scheduler = self._schedulers[n]
        if n > 0 and self._milestones[n - 1] == self.last_epoch:
            scheduler._update_lr(0)
        else:
            scheduler.step()
        self._last_lr = scheduler.get_last_lr()


class ChainedScheduler(_Combined):
    """All schedules at once, each on what the one before it set."""

    def __init__(self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None = None):
        self._take(schedulers, optimizer)
        self._last_lr = [rate_of(group) for group in self.optimizer.param_groups]

    @by_replay("barrier")
    def step(self) -> None:  # type: ignore[override]
        """Go on to the next epoch."""
        for scheduler in self._schedulers:
            scheduler.step()
        self._last_lr = [rate_of(group) for group in self.optimizer.param_groups]
