"""
Open-loop arrivals: people press "save" when they press it, not when the server has answered somebody else.

A closed loop (wait for the answer, then think, then send) slows down with the server and so hides the very stall it should
show. Here each arrival has a planned moment, drawn beforehand from a curve; latency counts from that moment; an arrival
for which there is no room is counted as dropped and never silently skipped.

Nothing in this file knows of gevent, of gRPC or of the wall clock: they are handed in, so that tests own the time.
"""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import sqrt


@dataclass(frozen=True, slots=True)
class Curve:
    """A rate of arrivals over time: straight lines between `points` of (seconds since the start, arrivals per second)."""

    points: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        times = [at for at, _ in self.points]
        if len(times) < 2 or times[0] != 0.0 or any(later <= earlier for earlier, later in pairwise(times)):
            raise ValueError(f"a curve needs two or more points, from second 0 on, in rising order of time; got {times}")
        if any(rate < 0 for _, rate in self.points) or not any(rate > 0 for _, rate in self.points):
            raise ValueError("a curve's rates are zero or more, and one of them more than zero")

    @property
    def seconds(self) -> float:
        """How long the curve lasts."""
        return self.points[-1][0]

    def rate_at(self, second: float) -> float:
        """Return the planned arrivals per second at `second`; zero outside the curve."""
        if not 0.0 <= second <= self.seconds:
            return 0.0
        index = min(bisect_right([at for at, _ in self.points], second), len(self.points) - 1)
        (t0, r0), (t1, r1) = self.points[index - 1], self.points[index]
        return r0 + (r1 - r0) * (second - t0) / (t1 - t0)

    def expected(self) -> float:
        """Return the expected number of arrivals over the whole curve (the area under it)."""
        return sum(self._areas())

    def shared(self, shares: int) -> Curve:
        """Return one share of this curve, for one of `shares` generators that run side by side."""
        if shares < 1:
            raise ValueError(f"shares must be 1 or more, got {shares}")
        return Curve(tuple((at, rate / shares) for at, rate in self.points))

    def second_of(self, area: float) -> float | None:
        """Return the second by which `area` arrivals are expected, or None when the curve ends before."""
        for (t0, r0), (t1, r1), size in zip(self.points, self.points[1:], self._areas(), strict=False):
            if area <= size and size > 0:
                slope = (r1 - r0) / (t1 - t0)
                # The root of r0*x + slope*x*x/2 = area, in the form that stays exact when the slope is near zero.
                return t0 + 2 * area / (r0 + sqrt(max(r0 * r0 + 2 * slope * area, 0.0)))
            area -= size
        return None

    def _areas(self) -> list[float]:
        return [(r0 + r1) / 2 * (t1 - t0) for (t0, r0), (t1, r1) in pairwise(self.points)]


def term_end(peak_per_second: float, seconds: float) -> Curve:
    """Return the last evening of a term, squeezed into `seconds`: calm, a steep rise, the deadline's plateau, a short tail.

    The rise is tenfold, as between an ordinary and the last day of a term; a third of the time is the plateau.
    """
    calm = peak_per_second / 10
    return Curve(
        (
            (0.0, calm),
            (seconds * 0.20, calm),
            (seconds * 0.50, peak_per_second),
            (seconds * 0.85, peak_per_second),
            (seconds, calm),
        )
    )


def poisson(curve: Curve, seed: int) -> Iterator[float]:
    """Yield the planned seconds of a Poisson process that follows `curve`; the same seed gives the same plan."""
    draw = random.Random(seed)  # noqa: S311 - arrivals, not secrets
    area = 0.0
    while True:
        area += draw.expovariate(1.0)
        second = curve.second_of(area)
        if second is None:
            return
        yield second


@dataclass(slots=True)
class Tally:
    """What became of the planned arrivals of one run."""

    planned: int = 0
    started: int = 0
    dropped: int = 0
    # How late the generator itself was, at worst. Lateness is in the latencies already; a large one means that
    # the load tool, and not the server, was the bottleneck, and that the run proves nothing.
    worst_lateness_seconds: float = 0.0


@dataclass(slots=True)
class OpenLoop:
    """Starts each planned arrival at its moment, whether or not earlier ones have been answered.

    `start(planned_at)` must begin the work and return at once; `in_flight()` says how many are unanswered now. When
    `capacity` are unanswered, the arrival is dropped and counted: a run with drops is not a run of the planned load.
    """

    now: Callable[[], float]
    sleep: Callable[[float], None]
    start: Callable[[float], object]
    in_flight: Callable[[], int]
    capacity: int
    tally: Tally = field(default_factory=Tally)

    def play(self, plan: Iterator[float] | Sequence[float]) -> Tally:
        """Play `plan` (seconds since this call, rising) to its end and return the tally; answers may still be under way."""
        began = self.now()
        for second in plan:
            planned_at = began + second
            while (early := planned_at - self.now()) > 0:
                self.sleep(early)
            self.tally.planned += 1
            self.tally.worst_lateness_seconds = max(self.tally.worst_lateness_seconds, -early)
            if self.in_flight() >= self.capacity:
                self.tally.dropped += 1
            else:
                self.tally.started += 1
                self.start(planned_at)
        return self.tally
