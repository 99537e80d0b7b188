"""Who may write which cell when: windows, seals, re-openings, and what one save comes to."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.grading.domain.errors import BadInput, NotAllowed
from services.grading.domain.gradebook import CellEntry, Entry, Gradebook, Reopening, SheetPupil, Window
from services.grading.domain.pupil_year import SubjectChoice
from services.grading.domain.rulesets import rule_set_for
from services.grading.domain.terms import Term

NOW = datetime(2026, 5, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
TICK = timedelta(microseconds=1)
OPEN = Window(NOW - HOUR, NOW + HOUR)


def book(*, sealed: tuple[str, ...] = (), windows: tuple[Window, ...] = (OPEN,), term: Term = Term.TERM_2, **fields: object) -> Gradebook:
    pupils = {p: SheetPupil(p, n, f"Lê {p}", SubjectChoice(), p in sealed) for n, p in enumerate(("an", "binh", "chi"), 1)}
    made = Gradebook("class", "toan", term, 8, rule_set_for(8, 2025), pupils, windows=windows)
    return replace(made, **fields)  # type: ignore[arg-type]  # Fields of the gradebook.


def reopening(**fields: object) -> Reopening:
    made = Reopening("u", "toan", Term.TERM_2, frozenset({"an"}), NOW + HOUR)
    return replace(made, **fields)  # type: ignore[arg-type]


def one(pupil: str = "an", column: str = "ck", value: str = "8") -> list[CellEntry]:
    return [CellEntry(pupil, column, value)]


@pytest.mark.parametrize(
    ("at", "open_"),
    [(NOW - HOUR - TICK, False), (NOW - HOUR, True), (NOW + HOUR - TICK, True), (NOW + HOUR, False)],
)
def test_a_window_is_open_from_its_first_instant_until_just_before_its_last(at: datetime, open_: bool) -> None:
    assert OPEN.open_at(at) is open_
    assert (book().closed_because(at) == "") is open_


def test_any_open_window_opens_and_none_closes() -> None:
    past = Window(NOW - 3 * HOUR, NOW - 2 * HOUR)
    assert len(book(windows=(past, OPEN)).enter(one(), NOW).changes) == 1
    with pytest.raises(NotAllowed, match="no window is open"):
        book(windows=(past,)).enter(one(), NOW)
    with pytest.raises(NotAllowed, match="no window"):
        book(windows=()).enter(one(), NOW)


def test_summer_needs_no_window() -> None:
    assert len(book(windows=(), term=Term.SUMMER).enter([CellEntry("an", "retake", "6")], NOW).changes) == 1


def test_a_sealed_term_is_closed_even_while_a_window_is_open() -> None:
    with pytest.raises(NotAllowed, match="sealed"):
        book(term_sealed=True).enter(one(), NOW)
    with pytest.raises(NotAllowed, match="sealed"):
        book(sealed=("an", "binh", "chi")).enter(one(), NOW)


def test_one_sealed_pupil_keeps_nobody_else_out() -> None:
    entry = book(sealed=("an",)).enter([*one("an"), *one("binh")], NOW)
    assert [c.pupil_id for c in entry.changes] == ["binh"]
    assert [(f.pupil_id, f.problem) for f in entry.faults] == [("an", "this pupil's year is sealed")]


@pytest.mark.parametrize(
    ("unlock", "at", "refusal"),
    [
        (reopening(subject="ngu_van"), NOW, "not this sheet"),
        (reopening(term=Term.TERM_1), NOW, "not this sheet"),
        (reopening(), NOW + HOUR, "ended at"),
        (reopening(unlock_id="other"), NOW, "not open for this class"),
    ],
)
def test_an_unlock_opens_its_own_scope_and_time_only(unlock: Reopening, at: datetime, refusal: str) -> None:
    with pytest.raises(NotAllowed, match=refusal):
        book(sealed=("an", "binh", "chi"), reopenings=(unlock,)).enter(one(), at, unlock_id="u", reason="Nhầm")


def test_an_unlock_needs_a_reason_and_covers_the_named_pupils() -> None:
    sealed = book(sealed=("an", "binh", "chi"), windows=(), reopenings=(reopening(),))
    with pytest.raises(BadInput, match="reason"):
        sealed.enter(one(), NOW, unlock_id="u", reason=" ")
    entry = sealed.enter([*one("an"), *one("binh")], NOW, unlock_id="u", reason="Nhầm")
    assert [(c.pupil_id, c.after_seal) for c in entry.changes] == [("an", True)]
    assert [f.pupil_id for f in entry.faults] == ["binh"]
    everybody = replace(sealed, reopenings=(reopening(pupils=frozenset()),))
    assert len(everybody.enter([*one("an"), *one("binh")], NOW, unlock_id="u", reason="Nhầm").changes) == 2


def test_a_correction_of_a_sealed_first_term_counts_and_a_late_mark_does_not() -> None:
    unlock = reopening(term=Term.TERM_1, pupils=frozenset())
    held = {"an": {"ck": ("5.0", "")}, "binh": {"ck": ("V", "")}}
    frozen = book(term=Term.TERM_1, term_sealed=True, windows=(), reopenings=(unlock,), held=held)
    entry = frozen.enter([*one("an"), *one("binh"), *one("chi")], NOW, unlock_id="u", reason="Nhầm")
    assert [(c.pupil_id, c.after_seal) for c in entry.changes] == [("an", True), ("binh", False), ("chi", False)]


def test_an_open_unlock_that_is_not_named_opens_nothing() -> None:
    with pytest.raises(NotAllowed, match="sealed"):
        book(sealed=("an", "binh", "chi"), reopenings=(reopening(),)).enter(one(), NOW)


def test_only_real_changes_are_changes_and_the_last_word_on_a_cell_counts() -> None:
    held = {"an": {"ck": ("8.0", ""), "gk": ("7.0", "make_up")}}
    cells = [CellEntry("an", "ck", "8"), CellEntry("an", "gk", "7"), CellEntry("an", "tx1", "5"), CellEntry("an", "tx1", "6")]
    entry = book(held=held).enter(cells, NOW)
    assert [(c.column, c.old_value, c.new_value, c.source, c.fresh) for c in entry.changes] == [("gk", "7.0", "7.0", "", False), ("tx1", "", "6.0", "", True)]
    assert entry.unchanged == 1
    assert book(held=held).enter([CellEntry("an", "ck", "9"), CellEntry("an", "ck", "8")], NOW).changes == []


def test_counts_are_of_what_is_required_from_those_who_take_part() -> None:
    exempt = SubjectChoice(exemptions={"toan": frozenset({Term.TERM_2})})
    plan = SubjectChoice(individual_plan=True)
    three = book().pupils
    made = book(pupils={**three, "binh": replace(three["binh"], choice=exempt), "chi": replace(three["chi"], choice=plan)})
    entry = made.enter([*one("an"), *one("an", "tx1", "V"), *one("an", "comment", "Tốt"), *one("binh")], NOW)
    assert (entry.expected, entry.filled) == (7, 2)
    assert "exempt" in entry.faults[0].cure


cells_of_an = st.lists(
    st.builds(
        CellEntry, st.sampled_from(["an", "binh", "nobody"]), st.sampled_from(["tx1", "tx2", "gk", "ck", "nx1"]), st.sampled_from(["5", "7,5", "V", "", "11"])
    ),
    max_size=12,
    unique_by=lambda cell: (cell.pupil_id, cell.column),
)


@settings(max_examples=60, deadline=None)
@given(cells_of_an, st.randoms())
def test_order_of_cells_in_a_save_does_not_matter(cells: list[CellEntry], dice: random.Random) -> None:
    shuffled = list(cells)
    dice.shuffle(shuffled)

    def told(entry: Entry) -> tuple[object, ...]:
        return frozenset(entry.changes), frozenset(entry.faults), entry.unchanged, entry.expected, entry.filled

    assert told(book().enter(cells, NOW)) == told(book().enter(shuffled, NOW))


@settings(max_examples=60, deadline=None)
@given(cells_of_an)
def test_every_cell_is_changed_unchanged_or_refused(cells: list[CellEntry]) -> None:
    entry = book().enter(cells, NOW)
    assert len(entry.changes) + entry.unchanged + len(entry.faults) == len(cells)
    assert entry.filled <= entry.expected
