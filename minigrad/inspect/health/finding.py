"""A finding of the doctor: what is wrong, where, by which number, and what to try."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["SEVERITIES", "Finding", "percent"]

SEVERITIES = ("error", "warning", "note")
"""error: it cannot be right as it stands; warning: learning suffers, or a figure misleads; note: worth knowing."""


@dataclass(frozen=True)
class Finding:
    """`code` names the illness, `place` the layer or the data, `message` is a sentence with the evidence; `value` was compared with
    `threshold` (NaN where there is no number to compare); `remedy` says what to try."""

    code: str
    severity: str
    place: str
    message: str
    remedy: str
    value: float = float("nan")
    threshold: float = float("nan")

    def to_dict(self) -> dict[str, Any]:
        """The finding as plain data."""
        return asdict(self)


def percent(share: float) -> str:
    """A share as a reader takes it in: no "100 %" for what is not all, and no "0 %" for what is not nothing."""
    if 0.99 <= share < 1 or 0 < share <= 0.01:
        return f"{100 * share:.1f} %" if 0.001 <= share <= 0.999 else ("nearly 100 %" if share > 0.5 else "under 0.1 %")
    return f"{100 * share:.0f} %"
