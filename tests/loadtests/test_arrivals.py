"""The scheduler that plans and starts the load: it may not slow down with the server, and may not lose an arrival unseen."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtests.arrivals import Curve, OpenLoop, poisson, term_end

FLAT = Curve(((0.0, 10.0), (20.0, 10.0)))


@dataclass
class Hall:
    """Time and work for a scheduler under test: sleeping moves the clock, and each piece of work lasts `service_seconds`."""

    service_seconds: float = 0.0
    time: float = 1000.0
    starts: list[tuple[float, float]] = field(default_factory=list)
    stall: tuple[float, float] | None = None

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds
        if self.stall and self.stall[0] <= self.time < self.stall[1]:
            self.time = self.stall[1]

    def start(self, planned_at: float) -> None:
        self.starts.append((planned_at, self.time))

    def in_flight(self) -> int:
        return sum(1 for _, began in self.starts if began + self.service_seconds > self.time)

    def loop(self, capacity: int = 10_000) -> OpenLoop:
        return OpenLoop(self.now, self.sleep, self.start, self.in_flight, capacity)


def test_every_arrival_starts_at_its_planned_moment() -> None:
    hall = Hall()
    tally = hall.loop().play([0.5, 1.0, 4.0])
    assert [planned - 1000.0 for planned, _ in hall.starts] == [0.5, 1.0, 4.0]
    assert all(began == pytest.approx(planned) for planned, began in hall.starts)
    assert (tally.planned, tally.started, tally.dropped) == (3, 3, 0)


def test_slow_answers_do_not_slow_the_arrivals() -> None:
    quick, slow = Hall(service_seconds=0.0), Hall(service_seconds=30.0)
    plan = list(poisson(FLAT, seed=7))
    quick.loop().play(plan)
    slow.loop().play(plan)
    assert slow.starts == quick.starts


def test_arrival_without_room_is_dropped_and_counted() -> None:
    hall = Hall(service_seconds=100.0)
    tally = hall.loop(capacity=2).play([0.1, 0.2, 0.3, 0.4])
    assert (tally.planned, tally.started, tally.dropped) == (4, 2, 2)


def test_stalled_generator_catches_up_and_confesses_its_lateness() -> None:
    hall = Hall(stall=(1002.0, 1005.0))
    tally = hall.loop().play([1.0, 2.0, 3.0, 4.0, 6.0])
    assert tally.started == 5, "arrivals planned during the stall are started late, not forgotten"
    assert tally.worst_lateness_seconds == pytest.approx(3.0)
    assert [planned - 1000.0 for planned, _ in hall.starts] == [1.0, 2.0, 3.0, 4.0, 6.0], "latency counts from the intended start"


def test_same_seed_gives_the_same_plan() -> None:
    assert list(poisson(FLAT, seed=3)) == list(poisson(FLAT, seed=3)) != list(poisson(FLAT, seed=4))


def test_poisson_plan_follows_the_curve() -> None:
    curve = term_end(peak_per_second=50.0, seconds=100.0)
    plan = list(poisson(curve, seed=11))
    assert len(plan) == pytest.approx(curve.expected(), rel=0.1)
    calm = sum(1 for second in plan if second < 20) / 20
    plateau = sum(1 for second in plan if 50 <= second < 85) / 35
    assert calm == pytest.approx(5.0, rel=0.35)
    assert plateau == pytest.approx(50.0, rel=0.15)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.floats(0.1, 50.0), st.floats(0.0, 200.0)), min_size=1, max_size=6),
    st.floats(1.0, 100.0),
    st.floats(0.0, 1.0),
)
def test_second_of_inverts_the_area_under_the_curve(steps: list[tuple[float, float]], first_rate: float, part: float) -> None:
    at, points = 0.0, [(0.0, first_rate)]
    for width, rate in steps:
        at += width
        points.append((at, rate))
    curve = Curve(tuple(points))
    area = curve.expected() * part
    second = curve.second_of(area)
    if second is None:
        assert part == pytest.approx(1.0), "only the very end may fall off the curve, by rounding"
        return
    cut = [(t, r) for t, r in points if t < second] + [(second, curve.rate_at(second))]
    below = sum((r0 + r1) / 2 * (t1 - t0) for (t0, r0), (t1, r1) in pairwise(cut))
    assert below == pytest.approx(area, rel=1e-6, abs=1e-6)


@settings(deadline=None)
@given(st.integers(1, 16))
def test_shares_add_up_to_the_whole_curve(shares: int) -> None:
    assert FLAT.shared(shares).expected() * shares == pytest.approx(FLAT.expected())


@pytest.mark.parametrize(
    "points",
    [
        ((0.0, 1.0),),
        ((1.0, 1.0), (2.0, 1.0)),
        ((0.0, 1.0), (0.0, 2.0)),
        ((0.0, 0.0), (1.0, 0.0)),
        ((0.0, -1.0), (1.0, 1.0)),
    ],
)
def test_impossible_curve_is_refused(points: tuple[tuple[float, float], ...]) -> None:
    with pytest.raises(ValueError):
        Curve(points)
