"""Time one call, in a worker process."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from time import perf_counter

SAMPLE_SECONDS = 0.02  # long enough for the clock, short enough that most samples see no other process
FEWEST_SAMPLES = 3
WARM_UP_CALLS = 3  # the first compiles, the second and third may still fill caches


def measure(call: Callable[[], object], seconds: float, finish: Callable[[], object] | None = None) -> float:
    """Seconds a call takes: the median over samples of at least 20 ms each, taken for `seconds` in all.

    finish: waits for what `call` started but did not wait for; it is called, and timed, at the end of each sample.
    """

    def sample(calls: int) -> float:
        start = perf_counter()
        for _ in range(calls):
            call()
        if finish is not None:
            finish()
        return perf_counter() - start

    for _ in range(WARM_UP_CALLS):
        sample(1)
    calls = calibrate(sample)
    end = perf_counter() + seconds
    samples: list[float] = []
    while len(samples) < FEWEST_SAMPLES or perf_counter() < end:
        samples.append(sample(calls) / calls)
    return median(samples)


def calibrate(sample: Callable[[int], float]) -> int:
    """How many calls a sample needs to last `SAMPLE_SECONDS`."""
    calls = 1
    while (elapsed := sample(calls)) < SAMPLE_SECONDS:
        # Never more than tenfold at once: one short sample says little about the next.
        calls = max(calls + 1, min(10 * calls, int(1.1 * calls * SAMPLE_SECONDS / max(elapsed, 1e-9))))
    return calls
