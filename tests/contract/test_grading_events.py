"""What grading announces, answers and consumes: producers must make the committed examples, consumers must take them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.message import Message

from hocba.common.v1 import common_pb2
from hocba.enrollment.v1 import events_pb2 as enrollment_pb
from hocba.grading.v1 import events_pb2, grading_pb2
from services.chassis.errors import Malformed, Refused
from services.chassis.identity import Actor, Role
from services.grading.application.ports import ClassFacts, Seal
from services.grading.contracts import answers, commands, events, roster
from services.grading.contracts.refusals import refusals_spoken
from services.grading.domain.class_sheets import SheetVersion
from services.grading.domain.errors import BadInput, NotAllowed
from services.grading.domain.gradebook import Reopening
from services.grading.domain.sealing import Outcome, SealedVersion, class_digest
from services.grading.domain.subjects import HOMEROOM
from services.grading.domain.terms import Term

EXAMPLES = Path(__file__).resolve().parents[2] / "protos" / "examples"
AT = datetime(2026, 5, 25, 10, 0, tzinfo=UTC)
CLASS, SCHOOL, STAFF, PUPIL, OTHER, LOCK, UNLOCK, TRANSCRIPT = (f"00000000-0000-0000-0000-{number:012}" for number in range(1, 9))
FACTS = ClassFacts(CLASS, SCHOOL, "2025-79", 2025, 8, "8A1", STAFF, 1, False)
SEALED = SealedVersion(TRANSCRIPT, 2, "mfrggzdfmztwq2lkmfrggzdfmy", "00" * 16, bytes(range(32)), b'{"schema":"hocba.record/1"}')
OUTCOMES = [Outcome(PUPIL, TRANSCRIPT, SEALED, (), True, 1), Outcome(OTHER, UNLOCK, None, ("missing_marks", "no_personal_number"), False, 0)]
SHEET = SheetVersion(
    "00000000-0000-0000-0000-000000000009",
    1,
    "toan",
    STAFF,
    "nbswy3dpnbswy3dpnbswy3dpnb",
    bytes(range(32, 64)),
    30,
    bytes(range(64, 96)),
    b'{"schema":"hocba.sheet/1"}',
)
SEAL = Seal(LOCK, CLASS, None, 2, class_digest(OUTCOMES), OUTCOMES, [SHEET])
TEACHER = Actor("account", "person", (Role("subject_teacher", f"school:{SCHOOL}"),))


def produced() -> dict[str, Message]:
    """Every event, by the example it must equal. The sealed part is encrypted anew each time, so it is left out."""
    return {
        "SheetSaved/subject": events.sheet_saved(FACTS, "toan", Term.TERM_1, 7, 240, 238),
        "SheetSaved/homeroom": events.sheet_saved(FACTS, HOMEROOM, Term.TERM_2, 3, 120, 120),
        "ClassSealed/one_sealed_one_waiting": events.class_sealed(FACTS, SEAL, AT)[0][0],
        "ResultsTallied/one_class": events.results_tallied(FACTS, 3, {("learning", "good"): 20})[0],
        "ResultTally/one_class": events.results_tallied(FACTS, 3, {("learning", "good"): 20, ("subject:toan", "from_8_0"): 12})[1],
        "ScopeReopened/one_pupil": events.scope_reopened(FACTS, Reopening(UNLOCK, "toan", Term.TERM_2, frozenset({PUPIL}), AT)),
    }


@pytest.mark.parametrize("name", list(produced()))
def test_produced_event_is_the_committed_example(name: str) -> None:
    event, told = produced()[name], json.loads((EXAMPLES / f"{name}.json").read_text(encoding="utf-8"))
    assert MessageToDict(event, preserving_proto_field_name=True) == told
    assert ParseDict(told, type(event)()) == event


def test_class_sealed_carries_contents_apart_and_in_order() -> None:
    ((event, records),) = events.class_sealed(FACTS, SEAL, AT)
    assert not event.HasField("records")
    assert list(records.records) == [SEALED.content]
    assert list(records.sheets) == [SHEET.content]
    assert [o.sealed for o in event.outcomes] == [True, False]


def test_parts_hold_every_sheet_and_outcome_once_and_keep_content_beside_its_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.grading.contracts.events.MESSAGE_BYTES", 30)
    parts = events.class_sealed(FACTS, SEAL, AT)
    assert [(event.part, event.parts, len(event.sheets), len(event.outcomes)) for event, _ in parts] == [(0, 2, 1, 0), (1, 2, 0, 2)]
    assert all(len(event.sheets) == len(records.sheets) for event, records in parts)


def test_a_locks_answer_survives_being_kept() -> None:
    kept = json.loads(json.dumps([events.outcome_to_json(outcome) for outcome in OUTCOMES]))
    again = Seal(LOCK, CLASS, None, 2, SEAL.class_digest, [events.outcome_from_json(one) for one in kept])
    assert answers.seal_response(again) == answers.seal_response(SEAL)


def test_no_answer_knows_ranks_or_class_averages() -> None:
    names = {
        field.name for file in (grading_pb2.DESCRIPTOR, events_pb2.DESCRIPTOR) for message in file.message_types_by_name.values() for field in message.fields
    }
    assert not [name for name in names if "rank" in name or "position" in name or "class_average" in name]


@pytest.mark.parametrize(
    ("raised", "becomes", "code"),
    [(BadInput("bad_value", "x"), Malformed, "bad_value"), (NotAllowed("sealed", "y"), Refused, "sealed")],
)
def test_refusals_of_the_rules_keep_code_and_sentence(raised: Exception, becomes: type[Exception], code: str) -> None:
    with pytest.raises(becomes) as caught, refusals_spoken():
        raise raised
    assert (getattr(caught.value, "code", ""), str(caught.value)) == (code, str(raised))


def test_one_request_id_says_different_things_from_different_accounts() -> None:
    request = grading_pb2.EnterSheetRequest(request_id=LOCK, class_id=CLASS, subject="toan", term=common_pb2.TERM_1)
    mine = commands.enter_sheet_command(request, TEACHER).request.digest
    assert commands.enter_sheet_command(request, Actor("other", "person", TEACHER.roles)).request.digest != mine
    assert commands.enter_sheet_command(request, TEACHER).request.digest == mine


def test_an_empty_subject_means_the_homeroom_sheet() -> None:
    query = grading_pb2.GetGradebookRequest(class_id=CLASS, term=common_pb2.TERM_2)
    assert commands.sheet_query(query, TEACHER).subject == HOMEROOM
    with pytest.raises(Malformed, match="EnterHomeroom"):
        commands.enter_sheet_command(grading_pb2.EnterSheetRequest(request_id=LOCK, class_id=CLASS, term=common_pb2.TERM_1), TEACHER)


def test_an_exemption_without_a_term_is_for_the_year() -> None:
    exemptions = [grading_pb2.Exemption(subject="gdtc", reason="a"), grading_pb2.Exemption(subject="tin_hoc", term=common_pb2.TERM_1, reason="b")]
    request = grading_pb2.SetSubjectsRequest(request_id=LOCK, class_id=CLASS, pupils=[grading_pb2.PupilSubjects(pupil_id=PUPIL, exemptions=exemptions)])
    (pupil,) = commands.set_subjects_command(request, TEACHER).pupils
    assert pupil.exemptions == {"gdtc": {Term.TERM_1, Term.TERM_2}, "tin_hoc": {Term.TERM_1}}


class OpenEnvelope:
    """Hands out what a test put in; the real one is tested with the chassis."""

    def __init__(self, content: Message) -> None:
        self._content = content

    def open(self, _: Any, __: Any) -> Any:
        return self._content


def test_roster_events_are_taken() -> None:
    school = enrollment_pb.SchoolRegistered(school_id=SCHOOL, version=2, code="7", name="A", commune_name="B", province_id="2025-79", province_name="C")
    assert roster.school(school).province_id == "2025-79"
    pupils = enrollment_pb.PupilsEnrolled(
        school_id=SCHOOL, class_id=CLASS, school_year=2025, pupils=[enrollment_pb.PupilRef(pupil_id=PUPIL, version=3, has_personal_number=True, roll_number=1)]
    )
    profile = enrollment_pb.PupilProfile(pupil_id=PUPIL, full_name="Lê An", gender="male", disability_not_assessed=True)
    (one,) = roster.enrolments(pupils, OpenEnvelope(enrollment_pb.PupilProfiles(profiles=[profile])))  # type: ignore[arg-type]  # It opens.
    assert (one.version, one.full_name, one.individual_plan, one.profile["gender"]) == (3, "Lê An", True, "male")
    with pytest.raises(Malformed, match="one order"):
        roster.enrolments(pupils, OpenEnvelope(enrollment_pb.PupilProfiles()))  # type: ignore[arg-type]
    left = enrollment_pb.PupilTransferred(pupil_id=PUPIL, school_year=2025, version=4, transferred_on="2026-01-15")
    assert roster.transfer(left).to_school_id == ""


if __name__ == "__main__":
    for name, event in produced().items():
        file = EXAMPLES / f"{name}.json"
        file.parent.mkdir(exist_ok=True)
        told = MessageToDict(event, preserving_proto_field_name=True)
        file.write_text(json.dumps(told, ensure_ascii=False, indent=2, sort_keys=True) + "\n", encoding="utf-8")
