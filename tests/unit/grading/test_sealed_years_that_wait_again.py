"""A correction may leave a sealed year waiting again; then the result or decision that it waits for must find a way in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from services.chassis.clock import SystemClock
from services.grading.application.enter_later_results import Command as LaterCommand
from services.grading.application.enter_later_results import Entered, EnterLaterResults, LaterResult
from services.grading.application.ports import Author, ClassFacts, PupilFile, Request, SheetRows
from services.grading.application.record_decisions import Command as DecisionCommand
from services.grading.application.record_decisions import PupilDecision, RecordDecisions, Recorded
from services.grading.domain.errors import NotAllowed
from services.grading.domain.gradebook import CellChange, SheetPupil
from services.grading.domain.pupil_year import Decision, PupilYear
from services.grading.domain.rulesets import rule_set_for
from services.grading.domain.subjects import HOMEROOM
from services.grading.domain.terms import Term
from tests.unit.grading.years import a_year, sealed, surroundings, with_average, with_cells

AUTHOR = Author("account", "person", frozenset({("principal", "school:school")}))
REQUEST = Request("request", "method", b"digest")


class OneSealedPupil:
    """A class of one pupil whose year was sealed as `before` and now stands as `now`; remembers what is written."""

    def __init__(self, before: PupilYear, now: PupilYear) -> None:
        outcome = sealed(before)
        assert outcome.sealed, outcome.reasons
        self.facts = ClassFacts("class", "school", "2025-79", 2025, now.grade, "A1", "staff", 1, term_1_sealed=True)
        self.file = PupilFile(now, surroundings(now), outcome.transcript_id, outcome.sealed, roll_number=1)
        self.written: list[CellChange | Decision] = []

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Any]:
        yield self

    async def answered(self, request: Request) -> None:
        return None

    async def keep_answer(self, request: Request, answer: bytes) -> None:
        pass

    async def get_class(self, class_id: str) -> ClassFacts:
        return self.facts

    async def hold_class(self, class_id: str) -> ClassFacts:
        return self.facts

    async def hold_sheet(self, class_id: str, subject: str, term: Term) -> ClassFacts:
        return self.facts

    async def read_sheet(self, facts: ClassFacts, subject: str, term: Term) -> SheetRows:
        year = self.file.year
        pupil = SheetPupil(year.pupil_id, 1, "Lê Thị An", year.choice, sealed=True)
        return SheetRows(0, {year.pupil_id: pupil}, {}, [], [], frozenset({AUTHOR.person_id}))

    async def read_years(self, *_: object) -> list[PupilFile]:
        return [self.file]

    async def save_cells(self, facts: ClassFacts, subject: str, term: Term, changes: Sequence[CellChange], *_: object, **__: object) -> None:
        self.written.extend(changes)

    async def save_fill(self, *_: object) -> None:
        pass

    async def add_decision(self, facts: ClassFacts, pupil_id: str, decision: Decision, *_: object) -> None:
        self.written.append(decision)


def enter(room: OneSealedPupil, subject: str, value: str) -> Entered:
    results = [LaterResult(room.file.year.pupil_id, subject, value, "Kiểm tra lại")]
    return asyncio.run(EnterLaterResults(room.open, SystemClock(), rule_set_for)(LaterCommand(REQUEST, AUTHOR, "class", results)))


def decide(room: OneSealedPupil, kind: str, value: str, *, everybody: bool = False) -> Recorded:
    decision = Decision(kind, value, 1, "12/QĐ-HT", "2026-08-25")
    wanted = [PupilDecision("" if everybody else room.file.year.pupil_id, decision)]
    return asyncio.run(RecordDecisions(room.open, SystemClock(), rule_set_for)(DecisionCommand(REQUEST, AUTHOR, "class", wanted)))


@pytest.mark.parametrize("everybody", [False, True])
def test_a_correction_that_opens_completion_lets_the_council_decide(everybody: bool) -> None:
    failed = with_cells(a_year(9), "gdtc", Term.TERM_2, nx_ck="CD")
    room = OneSealedPupil(failed, with_cells(failed, "gdtc", Term.TERM_2, nx_ck="D"))
    assert decide(room, "completion", "completed", everybody=everybody) == Recorded(1, [])


def test_a_correction_into_a_retake_takes_its_result() -> None:
    room = OneSealedPupil(a_year(8), with_average(with_average(a_year(8), "toan", "3.0"), "ngu_van", "3.0"))
    assert enter(room, "toan", "6").changed == 1
    assert decide(room, "promotion", "retained").changed == 1


def test_a_correction_into_summer_training_takes_its_result() -> None:
    room = OneSealedPupil(a_year(8), with_cells(a_year(8), HOMEROOM, Term.TERM_2, conduct="CD"))
    assert enter(room, "", "Đ").changed == 1


def test_a_sealed_year_that_waits_for_nothing_stays_closed() -> None:
    room = OneSealedPupil(a_year(8), with_cells(a_year(8), "toan", Term.TERM_2, ck="7.0"))
    with pytest.raises(NotAllowed, match="sealed"):
        enter(room, "toan", "6")
    assert "sealed" in decide(room, "promotion", "retained").faults[0].problem
    # A missing cell is for the unlock that emptied it, not for decisions.
    emptied = OneSealedPupil(a_year(8), with_cells(a_year(8), "toan", Term.TERM_2, ck=""))
    assert "sealed" in decide(emptied, "promotion", "retained").faults[0].problem
    assert room.written == emptied.written == []


@pytest.mark.parametrize("grade", [3, 8])
def test_nobody_is_kept_down_whom_the_rules_promote(grade: int) -> None:
    room = OneSealedPupil(a_year(grade), a_year(grade))
    room.file = replace(room.file, previous=None)
    assert "the rules settle" in decide(room, "promotion", "retained").faults[0].problem
    assert decide(room, "promotion", "promoted").changed == 1
