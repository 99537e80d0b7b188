"""What counts as accepted, and what counts as stored: the arithmetic behind "no accepted mark is lost"."""

from __future__ import annotations

from pathlib import Path

from loadtests.answers import Answer, Book, accepted_marks, measures, stored_as_accepted

KEY = ("class", "toan", 1, "pupil", "ck")


def sheet(value: str, version: int = 1, code: str = "OK", after_ms: float = 10.0) -> Answer:
    return Answer("sheet", 0.0, after_ms, code, 1, "class", "toan", 1, version, (("pupil", "ck", value),))


def test_last_version_wins_whatever_the_order_of_answers() -> None:
    for answers in ([sheet("7", 1), sheet("8", 2)], [sheet("8", 2), sheet("7", 1)]):
        assert accepted_marks(answers) == {KEY: frozenset({"8"})}


def test_save_with_an_unknown_end_may_stand_but_is_not_accepted() -> None:
    assert accepted_marks([sheet("9", 0, "DEADLINE_EXCEEDED")]) == {}
    assert accepted_marks([sheet("7", 1), sheet("9", 0, "DEADLINE_EXCEEDED")]) == {KEY: frozenset({"7", "9"})}


def test_refused_save_neither_counts_nor_widens() -> None:
    assert accepted_marks([sheet("7", 1), sheet("9", 0, "FAILED_PRECONDITION")]) == {KEY: frozenset({"7"})}


def test_lost_or_changed_mark_is_found() -> None:
    accepted = accepted_marks([sheet("7", 1)])
    assert stored_as_accepted(accepted, {KEY: "7"}) == (1, [])
    kept, wrong = stored_as_accepted(accepted, {})
    assert kept == 0
    assert "nothing is stored" in wrong[0]
    kept, wrong = stored_as_accepted(accepted, {KEY: "6"})
    assert kept == 0
    assert "another value" in wrong[0]
    told = wrong[0].split("column")[1]
    assert not {"6", "7"} & set(told), "a mark is personal data"


def test_book_survives_the_file_and_adds_up_over_processes(tmp_path: Path) -> None:
    one = Book([sheet("7")], [{"planned": 2, "dropped": 1, "worst_lateness_s": 0.1}])
    two = Book(
        [Answer("status", 1.0, 30.0, "OK", contradicts="said unknown"), Answer("approve", 1.0, 5.0, "OK")],
        [{"planned": 1, "dropped": 0, "worst_lateness_s": 0.4}],
    )
    one.write(tmp_path / "answers-1.jsonl")
    two.write(tmp_path / "answers-2.jsonl")
    book = Book.read(sorted(tmp_path.glob("answers-*.jsonl")))
    assert book.answers == one.answers + two.answers
    found = measures(book)
    assert (found["arrivals.planned"], found["arrivals.dropped"], found["arrivals.answered"]) == (3, 1, 2)
    assert found["arrivals.worst_lateness_s"] == 0.4
    assert found["status.wrong_answers"] == 1
    assert found["sheet.with_refused_cells"] == 0
    assert found["marks.sent"] == 1


def test_refused_cell_is_no_wrong_public_answer() -> None:
    found = measures(Book([Answer("sheet", 0.0, 1.0, "OK", contradicts="1 cells refused")], []))
    assert (found["sheet.with_refused_cells"], found["status.wrong_answers"]) == (1, 0)


def test_failures_and_percentiles_are_counted_per_kind() -> None:
    book = Book([sheet("7", after_ms=ms, code=code) for ms, code in [(10.0, "OK"), (20.0, "OK"), (400.0, "UNAVAILABLE")]])
    found = measures(book)
    assert found["sheet.p50_ms"] == 20.0
    assert found["sheet.p95_ms"] == 400.0
    assert found["sheet.failed_share"] == 1 / 3
