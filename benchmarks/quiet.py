"""Notice the other processes of the machine: they take cores, and threads that wait for each other lose far more than their share.

Linux only (it reads /proc/stat); elsewhere nothing is noticed, and every job counts as undisturbed.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

STATISTICS = Path("/proc/stat")
TOLERATED = 0.2  # cores in use by others
LOOK_SECONDS = 0.5


def busy_seconds() -> float | None:
    """Core seconds that the machine has worked since it was started."""
    try:
        fields = STATISTICS.read_text(encoding="ascii").split("\n", 1)[0].split()[1:9]
    except OSError:
        return None
    user, nice, system, _idle, _waiting, *rest = map(int, fields)
    return (user + nice + system + sum(rest)) / os.sysconf("SC_CLK_TCK")


class Watch:
    """How many cores others have used since it was made: all that was busy but this process and its finished children."""

    def __init__(self) -> None:
        self.busy, self.own, self.start = busy_seconds(), own_seconds(), time.perf_counter()

    def others(self) -> float:
        busy = busy_seconds()
        if busy is None or self.busy is None:
            return 0.0
        return (busy - self.busy - (own_seconds() - self.own)) / (time.perf_counter() - self.start)


def own_seconds() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def wait_for_quiet(limit: float) -> None:
    """Sleep until others have been still for half a second, `limit` seconds at most."""
    end = time.perf_counter() + limit
    while time.perf_counter() < end:
        watch = Watch()
        time.sleep(LOOK_SECONDS)
        if watch.others() <= TOLERATED:
            return
