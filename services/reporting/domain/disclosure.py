"""Which cells of a table of counts must not be told, so that no small one can be read or computed.

A table has a row for each province and a column for each level of one item in one grade; below stands the nation, the sum of the provinces.
The sums of rows (how many pupils have a result at all) are told elsewhere and therefore taken as known to everybody.

1. *Primary suppression*: every count from 1 to below the minimum is hidden, in the nation's row too.
2. *Complementary suppression*: each hidden count must lie on a cycle of hidden cells along which ones can be moved (minus one here, plus one there, in turn
   by rows and by columns) without changing anything that is told, and without any count below zero. Whoever sees the table then can't tell it from
   the moved one, hence no hidden count follows from what is told. The cells are chosen by a cheapest path, so that as few pupils as possible are hidden.
3. What hidden cells of a row or column sum up to follows from the rest; where that sum is smaller than the minimum, one more cell is hidden.

Tables of different grades share no sum that is told: figures over all grades are sums of told cells, and hidden where one of those is.

Sources: D. Gusfield, A Graph Theoretic Approach to Statistical Data Security, SIAM J. Comput. 17 (1988): cells and cycles; A. Hundepool et al.,
Statistical Disclosure Control (2012), chapter 4: minimum frequency, primary and secondary suppression.
"""

import heapq
from collections.abc import Iterator, Sequence

Position = tuple[int, int]
"""(row, column), from 0; the row after the last province is the nation's."""
_Node = tuple[str, int]


def hidden_cells(provinces: Sequence[Sequence[int]], minimum: int) -> frozenset[Position]:
    """The cells that must not be told. Counts are 0 or more, at least two in a row; a count of 0 is told unless it hides another."""
    table = _Table(provinces)
    hidden = {place for place, count in table.counts.items() if 0 < count < minimum}
    safe: set[Position] = set()
    while True:
        for place in sorted(place for place in hidden - safe if table.counts[place]):
            cycle = {place, *table.way_round(place, hidden)}
            hidden |= cycle
            safe |= cycle
        more = table.smallest_beside_small_sums(hidden, minimum)
        if more is None:
            return frozenset(hidden)
        hidden.add(more)


class _Table:
    def __init__(self, provinces: Sequence[Sequence[int]]) -> None:
        totals = [sum(column) for column in zip(*provinces, strict=True)]
        self.counts = {(row, column): count for row, counts in enumerate((*provinces, totals)) for column, count in enumerate(counts)}
        self.nation, self.columns = len(provinces), len(totals)

    def way_round(self, place: Position, hidden: set[Position]) -> list[Position]:
        """The cheapest cells that make a cycle with this one, on which it can be one less; hidden cells cost nothing. Dijkstra's algorithm."""
        row, column = place
        start, goal = (("row", row), ("column", column)) if row != self.nation else (("column", column), ("row", row))
        costs: dict[_Node, tuple[int, int]] = {start: (0, 0)}
        came: dict[_Node, tuple[_Node, Position]] = {}
        queue = [((0, 0), start)]
        while queue:
            cost, node = heapq.heappop(queue)
            if node == goal:
                break
            for following, cell in self._moves(node):
                # Fewest pupils first, then fewest cells.
                further = cost if cell in hidden else (cost[0] + self.counts[cell], cost[1] + 1)
                if cell != place and (following not in costs or further < costs[following]):
                    costs[following], came[following] = further, (node, cell)
                    heapq.heappush(queue, (further, following))
        cells = []
        while goal != start:
            goal, cell = came[goal]
            cells.append(cell)
        return cells

    def _moves(self, node: _Node) -> Iterator[tuple[_Node, Position]]:
        """From a row to a column a province's cell becomes one more and the nation's one less; back again it is the other way.

        None may fall below zero. (The nation's never does: from a column without pupils no province's cell leads on.)
        """
        kind, index = node
        if kind == "row":
            for column in range(self.columns):
                yield ("column", column), (index, column)
        else:
            for row in range(self.nation + 1):
                if row == self.nation or self.counts[row, index]:
                    yield ("row", row), (row, index)

    def smallest_beside_small_sums(self, hidden: set[Position], minimum: int) -> Position | None:
        """The smallest cell still told in a line whose hidden cells sum up to a small number that can be computed; None when all is well."""
        rows = ([(row, column) for column in range(self.columns)] for row in range(self.nation + 1))
        columns = ([(row, column) for row in range(self.nation)] for column in range(self.columns) if (self.nation, column) not in hidden)
        for line in (*rows, *columns):
            together = sum(self.counts[place] for place in line if place in hidden)
            told = [place for place in line if place not in hidden and self.counts[place]]
            if 0 < together < minimum and told:
                return min(told, key=lambda place: (self.counts[place], place))
        return None
