"""Results by level: counted whatever the order of news, and told so that no small count can be read or computed."""

import random
from collections import Counter
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.chassis.errors import Denied, Malformed
from services.reporting.application.get_results import GetResults, told
from services.reporting.application.ports import Viewer
from services.reporting.domain.disclosure import Position, hidden_cells
from services.reporting.domain.results import BANDS, COMPLETIONS, STANDARDS, VERDICTS, ClassTally, ResultCell, moved, newest, scale

MINIMUM = 4
TABLES = st.integers(2, 3).flatmap(lambda columns: st.lists(st.lists(st.integers(0, 7), min_size=columns, max_size=columns), min_size=1, max_size=3))


def other_tables(table: Sequence[Sequence[int]], hidden: frozenset[Position]) -> Iterator[list[tuple[int, ...]]]:
    """Every table that agrees with all that is told: the cells that aren't hidden, the sums of rows, and the nation's cells that aren't hidden."""
    totals = [sum(column) for column in zip(*table, strict=True)]
    told_totals = [None if (len(table), column) in hidden else total for column, total in enumerate(totals)]

    def rows(number: int) -> Iterator[tuple[int, ...]]:
        counts = table[number]
        free = [column for column in range(len(counts)) if (number, column) in hidden]
        for shares in compositions(sum(counts[column] for column in free), len(free)):
            guess = list(counts)
            for column, share in zip(free, shares, strict=True):
                guess[column] = share
            yield tuple(guess)

    def from_row(number: int, so_far: list[tuple[int, ...]]) -> Iterator[list[tuple[int, ...]]]:
        if any(total is not None and sum(row[column] for row in so_far) > total for column, total in enumerate(told_totals)):
            return
        if number == len(table):
            if all(total is None or sum(row[column] for row in so_far) == total for column, total in enumerate(told_totals)):
                yield so_far
            return
        for row in rows(number):
            yield from from_row(number + 1, [*so_far, row])

    yield from from_row(0, [])


def compositions(whole: int, parts: int) -> Iterator[tuple[int, ...]]:
    if parts <= 1:
        yield from [(whole,)] if parts else [()] if not whole else []
        return
    for first in range(whole + 1):
        for rest in compositions(whole - first, parts - 1):
            yield first, *rest


def with_nation(table: Sequence[Sequence[int]]) -> list[list[int]]:
    return [*map(list, table), [sum(column) for column in zip(*table, strict=True)]]


def computable(table: Sequence[Sequence[int]], hidden: frozenset[Position]) -> set[Position]:
    """The hidden cells of which an attacker who tries everything learns the count."""
    certain = set(hidden)
    whole = with_nation(table)
    for other in other_tables(table, hidden):
        guess = with_nation(other)
        certain -= {(row, column) for row, column in certain if guess[row][column] != whole[row][column]}
        if not certain:
            break
    return certain


@settings(max_examples=150, deadline=None)
@given(TABLES)
def test_no_small_count_is_told_and_no_hidden_one_can_be_computed(table: list[list[int]]) -> None:
    hidden = hidden_cells(table, MINIMUM)
    for row, counts in enumerate(with_nation(table)):
        assert all((row, column) in hidden for column, count in enumerate(counts) if 0 < count < MINIMUM)
    assert computable(table, hidden) == set()


def test_hiding_the_small_counts_alone_would_give_them_away() -> None:
    table = [[20, 3], [30, 40]]
    assert computable(table, frozenset({(0, 1)})) == {(0, 1)}
    assert computable(table, frozenset({(0, 1), (0, 0)})) == {(0, 0), (0, 1)}
    hidden = hidden_cells(table, MINIMUM)
    assert {(0, 1), (0, 0)} < hidden
    assert computable(table, hidden) == set()


@settings(max_examples=100, deadline=None)
@given(TABLES)
def test_hidden_counts_of_a_line_sum_up_to_the_minimum_or_the_line_tells_nothing(table: list[list[int]]) -> None:
    hidden, whole, nation = hidden_cells(table, MINIMUM), with_nation(table), len(table)
    lines = [[(row, column) for column in range(len(table[0]))] for row in range(nation + 1)]
    lines += [[(row, column) for row in range(nation)] for column in range(len(table[0])) if (nation, column) not in hidden]
    for line in lines:
        together = sum(whole[row][column] for row, column in line if (row, column) in hidden)
        assert not 0 < together < MINIMUM or all((row, column) in hidden or not whole[row][column] for row, column in line)


def test_a_table_of_great_counts_hides_nothing_and_zero_is_told() -> None:
    assert hidden_cells([[10, 0, 12], [30, 11, 0]], 10) == frozenset()


def test_a_nations_table_hides_few_pupils() -> None:
    dice = random.Random(7)
    table = [[dice.randint(800, 9000), dice.randint(400, 5000), dice.randint(100, 900), dice.choice((3, 7, 12, 40, 90))] for _ in range(34)]
    hidden = hidden_cells(table, 10)
    small = {(row, column) for row, counts in enumerate(table) for column, count in enumerate(counts) if count < 10}
    assert small <= hidden
    pupils = sum(table[row][column] for row, column in hidden)
    assert pupils < sum(map(sum, table)) / 20


TALLIES = st.builds(
    ClassTally,
    st.integers(1, 4),
    st.just(2025),
    st.sampled_from(["2025-01", "2025-79"]),
    st.integers(6, 7),
    st.dictionaries(st.tuples(st.sampled_from(["learning", "conduct"]), st.sampled_from(STANDARDS)), st.integers(1, 40), max_size=5),
)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["a", "b"]), TALLIES), max_size=8, unique_by=lambda news: (news[0], news[1].version)), st.randoms(use_true_random=False)
)
def test_counters_are_the_sum_of_the_newest_tallies_in_any_order(news: list[tuple[str, ClassTally]], dice: random.Random) -> None:
    repeated = [*news, *dice.sample(news, len(news) // 2)]
    dice.shuffle(repeated)
    kept: dict[str, ClassTally] = {}
    counters: Counter[ResultCell] = Counter()
    while repeated:
        batch, repeated = repeated[:3], repeated[3:]
        known = {class_id: kept.get(class_id, ClassTally()) for class_id, _ in batch}
        replaced = newest(known, batch)
        counters.update(moved([known[class_id] for class_id in replaced], replaced.values()))
        kept |= replaced
    expected: Counter[ResultCell] = Counter()
    for class_id in {class_id for class_id, _ in news}:
        expected.update(max((tally for of, tally in news if of == class_id), key=lambda tally: tally.version).cells())
    assert {cell: count for cell, count in counters.items() if count} == dict(expected)


@pytest.mark.parametrize(
    ("item", "seen", "levels"),
    [
        ("learning", {"good"}, STANDARDS),
        ("subject:toan", {"from_5_0"}, BANDS),
        ("subject:gdtc", {"pass"}, VERDICTS),
        ("subject:gdtc", {"well", "complete"}, COMPLETIONS),
        ("subject:new", {"starred"}, ["pass", "fail", "starred"]),
    ],
)
def test_a_table_has_a_column_for_every_level_that_might_have_been(item: str, seen: set[str], levels: Sequence[str]) -> None:
    assert scale(item, seen) == levels


def cell(province: str, grade: int, level: str) -> ResultCell:
    return ResultCell(2025, province, grade, "learning", level)


CELLS = {
    cell("2025-01", 6, "good"): 30,
    cell("2025-01", 6, "fail"): 3,
    cell("2025-79", 6, "good"): 50,
    cell("2025-79", 6, "fair"): 20,
    cell("2025-01", 7, "good"): 31,
    cell("2025-79", 7, "good"): 51,
}


def test_figures_over_all_grades_tell_nothing_that_the_grades_hide() -> None:
    found = told(CELLS, 10)
    pupils, spread = found["learning", 6, "2025-01"]
    assert (pupils, spread["fail"], spread["good"]) == (33, None, None)
    assert found["learning", 7, "2025-01"] == (31, {"good": 31, "fair": 0, "pass": 0, "fail": 0})
    together, levels = found["learning", 0, "2025-01"]
    assert (together, levels["fail"], levels["good"]) == (64, None, None)
    for (item, grade, province), (_, by_level) in found.items():
        if not grade:
            for level, count in by_level.items():
                parts = [found[item, one, province][1][level] for one in (6, 7)]
                assert count == (None if None in parts else sum(part or 0 for part in parts))


class Counted:
    """Counters of results in memory."""

    async def latest_results_year(self) -> int:
        return 2025

    async def results(self, school_year: int, item: str) -> dict[ResultCell, int]:
        return {of: pupils for of, pupils in CELLS.items() if of.school_year == school_year and item in ("", of.item)}

    async def province_names(self) -> dict[str, str]:
        return {"2025-01": "Hà Nội"}


async def test_a_province_sees_its_part_of_the_very_tables_that_the_nation_sees() -> None:
    ask = GetResults(Counted(), 10)
    officer = Viewer(provinces=("2025-01",))
    mine, year, minimum = await ask(officer, 0, "2025-01", "")
    everywhere, _, _ = await ask(Viewer(everything=True), 2025, "", "learning", by_province=True)
    assert (year, minimum, {one.name for one in mine}) == (2025, 10, {"Hà Nội"})
    assert list(mine) == [one for one in everywhere if one.province_id == "2025-01"]
    assert [one.grade for one in mine] == [0, 6, 7]
    with pytest.raises(Denied):
        await ask(officer, 0, "2025-79", "")
    with pytest.raises(Denied):
        await ask(officer, 0, "", "")
    with pytest.raises(Malformed):
        await ask(Viewer(everything=True), 0, "2025-01", "", by_province=True)
