"""The record of operations, the Tensor and the engine."""

from .backward import backward, grad, is_one
from .check import broadcasts_to, check_device, check_number, check_probability, check_reduction, checked_dtype
from .elementwise import Elementwise, elementwise
from .engine import Step, apply
from .hooks import Handle, register_hook, register_post_accumulate_grad_hook, replace, retain_grad, retaining
from .mode import detect_anomaly, enable_grad, is_grad_enabled, no_grad, set_grad_enabled, user_depth
from .op import Op, get_default_dtype, op, set_default_dtype
from .recorder import array_of, by_replay, derived, of_constants
from .tensor import Operand, Tensor, stamp_of, touch
from .watch import Watcher, watching

__all__ = [
    "Elementwise",
    "Handle",
    "Op",
    "Operand",
    "Step",
    "Tensor",
    "Watcher",
    "apply",
    "array_of",
    "backward",
    "broadcasts_to",
    "by_replay",
    "check_device",
    "check_number",
    "check_probability",
    "check_reduction",
    "checked_dtype",
    "derived",
    "detect_anomaly",
    "elementwise",
    "enable_grad",
    "get_default_dtype",
    "grad",
    "is_grad_enabled",
    "is_one",
    "no_grad",
    "of_constants",
    "op",
    "register_hook",
    "register_post_accumulate_grad_hook",
    "replace",
    "retain_grad",
    "retaining",
    "set_default_dtype",
    "set_grad_enabled",
    "stamp_of",
    "touch",
    "user_depth",
    "watching",
]
