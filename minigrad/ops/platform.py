"""What programs written for several devices and dtypes ask: whether there is a GPU (there is none), and the limits of dtypes."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import check_device, checked_dtype, get_default_dtype
from ..core.tensor import Device
from ..errors import InputTypeError


class Absent:
    """A kind of device that there is none of."""

    @staticmethod
    def is_available() -> bool:
        """False: all tensors are on the CPU."""
        return False

    @staticmethod
    def device_count() -> int:
        """0."""
        return 0


cuda = accelerator = Absent()


class backends:
    """The places where PyTorch's programs look for other devices."""

    mps = cuda


def set_default_device(device: Any) -> None:
    """Accepts the one device there is: None or "cpu"."""
    check_device("set_default_device", device)


def get_default_device() -> Device:
    """The device of new tensors: "cpu"."""
    return Device()


class iinfo:
    """The limits of an integer dtype: `bits`, `min`, `max`; `dtype` is its name."""

    def __init__(self, type: Any):
        wanted = checked_dtype("iinfo", type)
        if wanted.kind not in "iu":
            raise InputTypeError(f"iinfo: expected an integer dtype, got {wanted}")
        limits = np.iinfo(wanted)
        self.bits, self.min, self.max, self.dtype = limits.bits, int(limits.min), int(limits.max), wanted.name


class finfo:
    """The limits of a floating-point dtype (by default that of new tensors): `bits`, `eps`, `min`, `max`, `tiny`, `smallest_normal`,
    `resolution`, as Python floats; `dtype` is its name."""

    def __init__(self, type: Any = None):
        wanted = get_default_dtype() if type is None else checked_dtype("finfo", type)
        if wanted.kind != "f":
            raise InputTypeError(f"finfo: expected a floating-point dtype, got {wanted}")
        limits = np.finfo(wanted)
        self.bits, self.dtype = limits.bits, wanted.name
        self.eps, self.min, self.max = float(limits.eps), float(limits.min), float(limits.max)
        self.tiny = self.smallest_normal = float(limits.smallest_normal)
        self.resolution = float(str(limits.resolution))
