"""Enrollment makes exactly the examples that its consumers promise to take (protos/examples/<Message>/<case>.json)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from google.protobuf.json_format import Parse
from google.protobuf.message import Message

from hocba.enrollment.v1 import events_pb2
from hocba.options.v1 import options_pb2
from services.enrollment.contracts.events import PUPILS_PER_EVENT, events
from services.enrollment.contracts.refusals import REFUSALS
from services.enrollment.domain import facts, refusals
from services.enrollment.domain.enrolment import Enrolment, Place
from services.enrollment.domain.personal_number import Absence, Gender
from services.enrollment.domain.pupil import IdentityState, Profile, Pupil
from services.enrollment.domain.school import Level, School
from services.enrollment.domain.school_class import SchoolClass
from services.enrollment.domain.school_year import SchoolYear
from services.enrollment.domain.staff import Appointment, Assignment, StaffMember, StaffRole, Term

EXAMPLES = Path(__file__).resolve().parents[2] / "protos" / "examples"


@dataclass
class Recorder:
    """An envelope that keeps what it is asked to seal instead of sealing it."""

    sealed: list[Message] = field(default_factory=list)

    def seal(self, event: Message, sealed_field: str, content: Message) -> None:
        options = event.DESCRIPTOR.fields_by_name[sealed_field].GetOptions().Extensions
        assert options[options_pb2.seals] == content.DESCRIPTOR.full_name
        self.sealed.append(content)


def _id(number: int) -> UUID:
    return UUID(f"00000000-0000-4000-8000-{number:012d}")


_SCHOOL, _OTHER, _CLASS, _CLASS_THERE = _id(1), _id(2), _id(11), _id(12)
_HEAD, _DEPUTY, _TEACHER = _id(21), _id(22), _id(23)
_YEAR = SchoolYear(2026)
_PLACE = Place(_SCHOOL, _CLASS, "2025-79")
_WITH_NUMBER = Pupil(
    _id(31),
    Profile(
        full_name="Lê Thị Hòa",
        gender=Gender.FEMALE,
        born_on=date(2015, 9, 5),
        birth_place="Thành phố Hồ Chí Minh",
        ethnicity="Kinh",
        nationality="Việt Nam",
        father_name="Lê Văn Nam",
        mother_name="Trần Thị Lan",
        ministry_code="7900000001",
        register_number="12/2026",
        enrolled_on=date(2026, 9, 5),
    ),
    "079315123456",
    None,
    IdentityState.MATCHED,
    3,
)
_WITHOUT_NUMBER = Pupil(
    _id(32), Profile(full_name="Kim Min Ho", gender=Gender.MALE, born_on=date(2015, 3, 1)), "", Absence.FOREIGNER, IdentityState.UNCHECKED, 1
)

CASES: dict[str, tuple[facts.Fact]] = {
    "merged": (
        facts.SchoolRegistered(
            School(
                _SCHOOL,
                "79000001",
                "Trường Tiểu học và THCS Số Một",
                "2025-79",
                "Phường Bến Thành",
                frozenset({Level.LOWER_SECONDARY, Level.PRIMARY}),
                date(2026, 8, 13),
                None,
                frozenset({_OTHER}),
                True,
                2,
            ),
            "Hồ Chí Minh",
        ),
    ),
    "with_homeroom": (facts.ClassFormed(SchoolClass(_CLASS, _SCHOOL, _YEAR, 6, "6A1", _TEACHER, 2), "2025-79"),),
    "deputy": (
        facts.StaffAppointed(
            StaffMember(
                _DEPUTY,
                _SCHOOL,
                "person-22",
                "Trần Văn Bình",
                (
                    Appointment(StaffRole.VICE_PRINCIPAL, date(2026, 9, 1), date(2027, 5, 31), _HEAD, "12/QĐ-UQ"),
                    Appointment(StaffRole.SUBJECT_TEACHER, date(2020, 9, 1)),
                ),
                4,
            )
        ),
    ),
    "shared_subject": (
        facts.TeachingAssigned(
            _SCHOOL,
            _CLASS,
            3,
            (
                Assignment("khtn", _TEACHER, True),
                Assignment("khtn", _DEPUTY, False),
                Assignment("toan", _TEACHER, True, Term.FIRST),
                Assignment("toan", _DEPUTY, True, Term.SECOND),
            ),
        ),
    ),
    "two_pupils": (
        facts.PupilsEnrolled(
            _SCHOOL,
            _CLASS,
            2026,
            (
                facts.Standing(_WITH_NUMBER, Enrolment(_WITH_NUMBER.pupil_id, _YEAR, _PLACE, 1, date(2026, 9, 5), None, 2)),
                facts.Standing(_WITHOUT_NUMBER, Enrolment(_WITHOUT_NUMBER.pupil_id, _YEAR, _PLACE, 2, date(2026, 9, 5), None, 1)),
            ),
        ),
    ),
    "across_provinces": (
        facts.PupilTransferred(
            _OTHER,
            Enrolment(_WITH_NUMBER.pupil_id, _YEAR, Place(_OTHER, _CLASS_THERE, "2025-48"), 31, date(2026, 11, 16), None, 3),
            _PLACE,
            Place(_OTHER, _CLASS_THERE, "2025-48"),
            date(2026, 11, 16),
        ),
    ),
    "left": (
        facts.PupilTransferred(
            _SCHOOL, Enrolment(_WITH_NUMBER.pupil_id, _YEAR, _PLACE, 1, date(2026, 9, 5), date(2027, 1, 15), 3), _PLACE, None, date(2027, 1, 15)
        ),
    ),
}


def example(message: Message, case: str) -> Message:
    """The committed example of a message's kind."""
    return Parse((EXAMPLES / message.DESCRIPTOR.name / f"{case}.json").read_text(encoding="utf-8"), type(message)())


@pytest.mark.parametrize("case", sorted(CASES))
def test_the_event_is_the_committed_example(case: str) -> None:
    recorder: Any = Recorder()
    (event,) = events(CASES[case][0], recorder)
    assert event == example(event, case)
    for content in recorder.sealed:
        assert content == example(content, case)


def test_every_event_has_an_example() -> None:
    made = {events(fact, Recorder())[0].DESCRIPTOR.name for (fact,) in CASES.values()}  # type: ignore[arg-type]  # Only `seal` is used.
    declared = {name for name, m in events_pb2.DESCRIPTOR.message_types_by_name.items() if m.GetOptions().Extensions[options_pb2.stream].topic}
    assert made == declared


def test_a_big_batch_is_several_messages_that_stay_in_order() -> None:
    (fact,) = CASES["two_pupils"]
    assert isinstance(fact, facts.PupilsEnrolled)
    many = facts.PupilsEnrolled(fact.school_id, fact.class_id, 2026, fact.standings * PUPILS_PER_EVENT)
    parts = events(many, Recorder())  # type: ignore[arg-type]  # Only `seal` is used.
    assert [len(part.pupils) for part in parts] == [PUPILS_PER_EVENT, PUPILS_PER_EVENT]  # type: ignore[attr-defined]  # PupilsEnrolled.


def test_every_refusal_of_a_rule_has_a_status() -> None:
    kinds = {kind for kind in vars(refusals).values() if isinstance(kind, type) and issubclass(kind, refusals.RuleBroken)}
    assert set(REFUSALS) == kinds - {refusals.RuleBroken}
