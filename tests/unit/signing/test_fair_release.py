"""Deficit round robin over provinces: nobody starves, nobody gets more than a share, no room is left unused, and slices don't matter."""

from collections.abc import Mapping, Sequence

from hypothesis import given
from hypothesis import strategies as st

from services.signing.domain.fair_release import Queued, Turns, share_out

PROVINCES = ("2025-01", "2025-31", "2025-46", "2025-79")
MOST = 60
QUANTUM = st.integers(1, 120)
COSTS = st.integers(1, MOST)
QUEUES = st.dictionaries(st.sampled_from(PROVINCES), st.lists(COSTS, max_size=30)).map(
    lambda costs: {province: [Queued(f"{province}/{number}", cost) for number, cost in enumerate(each)] for province, each in costs.items()}
)


def province_of(order: Queued) -> str:
    return order.order_id.split("/")[0]


def without(queues: Mapping[str, Sequence[Queued]], released: Sequence[Queued]) -> dict[str, list[Queued]]:
    gone = set(released)
    return {province: [order for order in queue if order not in gone] for province, queue in queues.items()}


@given(QUEUES, st.integers(0, 3000), QUANTUM)
def test_all_the_room_is_used_as_long_as_anything_waits(queues: dict[str, list[Queued]], room: int, quantum: int) -> None:
    released, _ = share_out(queues, Turns(), room, quantum)
    used, waiting = sum(order.cost for order in released), sum(order.cost for queue in queues.values() for order in queue)
    assert used >= min(room, waiting), "room is left while orders wait"
    assert used < room + MOST, "the last order alone may reach beyond the room"


@given(QUEUES, QUANTUM)
def test_each_order_is_released_once_and_in_the_order_of_its_province(queues: dict[str, list[Queued]], quantum: int) -> None:
    released, turns = share_out(queues, Turns(), 10**9, quantum)
    for province, queue in queues.items():
        assert [order for order in released if province_of(order) == province] == queue
    assert not turns.unused, "who has nothing left keeps no credit"


@given(QUEUES, QUANTUM, st.lists(st.integers(1, 200), min_size=1, max_size=200))
def test_slices_of_room_give_the_same_order_as_all_room_at_once(queues: dict[str, list[Queued]], quantum: int, rooms: list[int]) -> None:
    at_once, _ = share_out(queues, Turns(), 10**9, quantum)
    sliced: list[Queued] = []
    turns = Turns()
    for room in [*rooms, 10**9]:
        released, turns = share_out(without(queues, sliced), turns, room, quantum)
        sliced += released
    assert sliced == at_once


@given(st.lists(COSTS, min_size=200, max_size=200), st.lists(COSTS, min_size=200, max_size=200), QUANTUM, st.integers(1, 3000))
def test_two_provinces_that_both_wait_differ_by_about_a_quantum(one: list[int], other: list[int], quantum: int, room: int) -> None:
    queues = {
        province: [Queued(f"{province}/{number}", cost) for number, cost in enumerate(costs)]
        for province, costs in zip(PROVINCES[:2], (one, other), strict=True)
    }
    released, _ = share_out(queues, Turns(), room, quantum)
    left = without(queues, released)
    if all(left.values()):
        first, second = (sum(order.cost for order in released if province_of(order) == province) for province in PROVINCES[:2])
        assert abs(first - second) <= quantum + 2 * MOST


@given(st.integers(1, MOST), QUANTUM, st.lists(st.integers(1, 100), max_size=20))
def test_one_class_waits_for_a_bounded_share_of_a_province_with_ten_thousand_pupils(cost: int, quantum: int, rooms: list[int]) -> None:
    huge = [Queued(f"{PROVINCES[0]}/{number}", 40) for number in range(250)]
    queues: dict[str, list[Queued]] = {PROVINCES[0]: huge}
    before: list[Queued] = []
    turns = Turns()
    for room in rooms:
        released, turns = share_out(without(queues, before), turns, room, quantum)
        before += released
    single = Queued(f"{PROVINCES[3]}/0", cost)
    released, _ = share_out(without(queues, before) | {PROVINCES[3]: [single]}, turns, 10**9, quantum)
    ahead = sum(order.cost for order in released[: released.index(single)])
    cycles = -(-cost // quantum)
    assert ahead <= (cycles + 1) * (quantum + 40), "released before it: what one turn a cycle gives, and what the running turn had left"


def test_the_round_goes_on_where_it_stopped() -> None:
    queues = {province: [Queued(f"{province}/{number}", 10) for number in range(6)] for province in PROVINCES[:2]}
    released, turns = share_out(queues, Turns(), 30, 20)
    assert [order.order_id for order in released] == ["2025-01/0", "2025-01/1", "2025-31/0"]
    assert turns == Turns({"2025-01": 0, "2025-31": 10}, "2025-31")
    released, _ = share_out(without(queues, released), turns, 20, 20)
    assert [order.order_id for order in released] == ["2025-31/1", "2025-01/2"]


def test_an_order_above_the_room_and_the_quantum_goes_too() -> None:
    assert share_out({"2025-01": [Queued("a", 5000)]}, Turns(), 1, 50)[0] == [Queued("a", 5000)]
