"""Whose orders go to the workers next: deficit round robin over provinces (Shreedhar and Varghese, SIGCOMM 1995).

Each province in turn is granted a quantum of documents and sends orders for as long as they fit into what it has been granted and
not used. A province with ten thousand pupils waiting therefore delays another one's single class by about one quantum per province,
not by ten thousand pupils.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Queued:
    """An order that waits for its province's turn; `cost` is its number of documents, at least one."""

    order_id: str
    cost: int


@dataclass(frozen=True, slots=True)
class Turns:
    """Where the round stands: what each province with waiting orders was granted and hasn't used, and whose turn was the last."""

    unused: Mapping[str, int] = field(default_factory=dict)
    last: str = ""


def share_out(queues: Mapping[str, Sequence[Queued]], turns: Turns, room: int, quantum: int) -> tuple[list[Queued], Turns]:
    """The orders to release now, in their order, and where the round stands afterwards.

    Goes on while there is room (documents) and anything waits, so that the last order may reach beyond the room by less than its
    own cost. A turn that the room cuts off is taken up again where it stopped: how often and in which slices room comes free
    doesn't change the order.
    """
    waiting = {province: deque(queue) for province, queue in sorted(queues.items()) if queue}
    unused = {province: turns.unused.get(province, 0) for province in waiting}
    released: list[Queued] = []
    last = turns.last
    while waiting and room > 0:
        queue = waiting.get(last, deque())
        while queue and room > 0 and queue[0].cost <= unused[last]:
            order = queue.popleft()
            unused[last] -= order.cost
            room -= order.cost
            released.append(order)
        if last in waiting and not queue:
            # Who has nothing to send keeps nothing: credit isn't saved up for later.
            del waiting[last], unused[last]
        if waiting and room > 0:
            provinces = list(waiting)
            last = provinces[bisect_right(provinces, last) % len(provinces)]
            unused[last] += quantum
    return released, Turns(unused, last)
