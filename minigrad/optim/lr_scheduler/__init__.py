"""Schedules of the learning rate: `step()` once an epoch, after the optimizer's steps.

>>> optimizer = mg.optim.SGD([mg.zeros(2, requires_grad=True)], lr=0.5)
>>> schedule = mg.optim.lr_scheduler.StepLR(optimizer, step_size=2)
>>> for epoch in range(3):
...     optimizer.step()
...     schedule.step()
...     print(schedule.get_last_lr())
[0.5]
[0.05]
[0.05]
"""

from .base import LRScheduler
from .combined import ChainedScheduler, SequentialLR
from .cyclic import CosineAnnealingLR, CosineAnnealingWarmRestarts, CyclicLR, OneCycleLR
from .factors import ConstantLR, ExponentialLR, LambdaLR, LinearLR, MultiplicativeLR, MultiStepLR, PolynomialLR, StepLR
from .plateau import ReduceLROnPlateau

__all__ = [
    "ChainedScheduler",
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "CyclicLR",
    "ExponentialLR",
    "LRScheduler",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "MultiplicativeLR",
    "OneCycleLR",
    "PolynomialLR",
    "ReduceLROnPlateau",
    "SequentialLR",
    "StepLR",
]
