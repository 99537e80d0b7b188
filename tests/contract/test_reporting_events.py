"""Reporting takes every committed example of an event that it consumes, and answers without names or marks."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.descriptor import Descriptor
from google.protobuf.json_format import ParseDict
from google.protobuf.message import Message

from hocba.archive.v1 import events_pb2 as archive_pb2
from hocba.common.v1 import common_pb2
from hocba.enrollment.v1 import events_pb2 as enrollment_pb2
from hocba.grading.v1 import events_pb2 as grading_pb2
from hocba.locking.v1 import events_pb2 as locking_pb2
from hocba.options.v1 import options_pb2
from hocba.reporting.v1 import reporting_pb2
from hocba.signing.v1 import events_pb2 as signing_pb2
from services.chassis.consumer import Received, handlers_of
from services.chassis.errors import Malformed
from services.chassis.identity import Actor, Role
from services.reporting import contracts
from services.reporting.application.ports import ClassNews, Coverage, Place, PupilNews
from services.reporting.application.result_ports import Distribution, Level
from services.reporting.domain.classes import SheetsSealed, SheetsSigned
from services.reporting.domain.counting import ClassFacts
from services.reporting.domain.facts import Acknowledged, Archived, Judged, NotSigned, Outcome, Placed, Revoked, Signed, Submitted, Trouble
from services.reporting.domain.readiness import Certified, Employed, Office
from services.reporting.domain.results import ClassTally
from services.reporting.domain.unlock_life import Step
from services.reporting.entrypoints.sealed_consumers import SealedConsumers
from services.reporting.entrypoints.tally_consumers import TallyConsumers

EXAMPLES = Path(__file__).resolve().parents[2] / "protos" / "examples"
AT = datetime(2026, 5, 31, 10, 0, tzinfo=UTC)
CLASS, SCHOOL = "00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000002"


class Recorder:
    """Stands for both use cases and keeps what they are given."""

    def __init__(self) -> None:
        self.calls: list[object] = []

    async def __call__(self, *arguments: object, **named: object) -> None:
        self.calls.append((arguments, named))


class OpenEnvelope:
    """Hands out the committed example; the real one is tested with the chassis."""

    def open(self, _: Any, as_type: type[grading_pb2.ResultTally]) -> grading_pb2.ResultTally:
        return ParseDict(json.loads((EXAMPLES / "ResultTally/one_class.json").read_text(encoding="utf-8")), as_type())


def all_handlers(recorder: Recorder) -> dict[tuple[str, type[Message]], Any]:
    """By consumers and event: some events have two readers."""
    consumers = (
        SealedConsumers(recorder, recorder, count=recorder, envelope=OpenEnvelope()),  # type: ignore[arg-type]  # Stands for the use cases.
        TallyConsumers(recorder, recorder, recorder),  # type: ignore[arg-type]  # Stands for the use cases.
    )
    return {(type(one).__name__, event): handler for one in consumers for event, handler in handlers_of(one).items()}


def examples() -> Iterator[tuple[str, str, Message]]:
    for reader, event in all_handlers(Recorder()):
        for file in sorted((EXAMPLES / event.DESCRIPTOR.name).glob("*.json")):
            yield reader, f"{event.DESCRIPTOR.name}/{file.stem}", ParseDict(json.loads(file.read_text(encoding="utf-8")), event())


@pytest.mark.parametrize(("reader", "name", "event"), list(examples()))
async def test_committed_example_is_taken(reader: str, name: str, event: Message) -> None:
    recorder = Recorder()
    await all_handlers(recorder)[reader, type(event)]([Received(event, "", "", AT, {})])
    assert recorder.calls, name


@pytest.mark.parametrize("name", ["ManifestMoved/of_a_sheet", "RoleSigned/of_a_sheet"])
def test_what_happens_to_a_sheet_is_no_pupils_step(name: str) -> None:
    told = json.loads((EXAMPLES / f"{name}.json").read_text(encoding="utf-8"))
    if name.startswith("ManifestMoved"):
        assert contracts.manifest_moved(ParseDict(told, signing_pb2.ManifestMoved()), AT) == ([], [])
    else:
        assert contracts.role_signed(ParseDict(told, signing_pb2.RoleSigned()), AT)[0] == []


def test_sealed_class_tells_outcomes_by_class_version() -> None:
    told = json.loads((EXAMPLES / "ClassSealed/one_sealed_one_waiting.json").read_text(encoding="utf-8"))
    news, classes = contracts.class_sealed(ParseDict(told, grading_pb2.ClassSealed()), AT)
    assert [item.news for item in news] == [
        Judged(CLASS, Outcome(2, True, 2, ())),
        Judged(CLASS, Outcome(2, False, 0, ("missing_marks", "no_personal_number"))),
    ]
    sheet_id = told["sheets"][0]["sheet"]["sheet_id"]
    assert classes == [ClassNews(CLASS, ClassFacts(0, "2025-79", SCHOOL, 2025, 8), SheetsSealed(2, frozenset({(sheet_id, 1)})), AT)]


def test_a_tally_is_a_classs_counts_by_item_and_level() -> None:
    told = json.loads((EXAMPLES / "ResultsTallied/one_class.json").read_text(encoding="utf-8"))
    counts = json.loads((EXAMPLES / "ResultTally/one_class.json").read_text(encoding="utf-8"))
    class_id, tally = contracts.class_tally(ParseDict(told, grading_pb2.ResultsTallied()), ParseDict(counts, grading_pb2.ResultTally()))
    assert class_id == CLASS
    assert tally == ClassTally(3, 2025, "2025-79", 8, {("learning", "good"): 20, ("subject:toan", "from_8_0"): 12})


def test_a_hidden_count_is_zero_and_says_so() -> None:
    answer = contracts.results_answer([Distribution("", "", 8, "learning", 30, [Level("good", 30), Level("fail", None)])], 2025, 10)
    assert [(of.level, of.pupils, of.hidden) for of in answer.distributions[0].levels] == [("good", 30, False), ("fail", 0, True)]


def test_signed_sheets_are_news_of_their_class() -> None:
    told = json.loads((EXAMPLES / "SheetsSigned/one_sheet.json").read_text(encoding="utf-8"))
    event = ParseDict(told, signing_pb2.SheetsSigned())
    news, (of_class,) = contracts.sheets_signed(event, AT)
    assert news == []
    assert of_class.sheets == SheetsSigned(frozenset((item.sheet.sheet_id, item.sheet.version) for item in event.sheets))
    assert (of_class.class_id, of_class.at) == (event.class_id, AT)


def test_teachers_signature_counts_without_the_sheets_proof_of_time() -> None:
    ref = common_pb2.SheetRef(sheet_id="s", version=2, subject="toan")
    other = common_pb2.SheetRef(sheet_id="o", version=1, subject="ngu_van")
    outcomes = [signing_pb2.PupilSigning(sheet=ref, signed=True), signing_pb2.PupilSigning(sheet=other, reason="certificate_revoked")]
    event = signing_pb2.RoleSigned(class_id=CLASS, role=common_pb2.SIGNATURE_ROLE_SUBJECT_TEACHER, outcomes=outcomes)
    news, (of_class,) = contracts.role_signed(event, AT)
    assert (news, of_class.sheets) == ([], SheetsSigned(frozenset({("s", 2)})))


def test_archived_transcripts_are_told_by_pupil() -> None:
    told = json.loads((EXAMPLES / "TranscriptsArchived/first_and_correction.json").read_text(encoding="utf-8"))
    news, _ = contracts.transcripts_archived(ParseDict(told, archive_pb2.TranscriptsArchived()), AT)
    assert [(item.school_year, item.news) for item in news] == [(2025, Archived(1)), (2025, Archived(3))]


def test_a_revoked_version_is_told_by_pupil() -> None:
    told = json.loads((EXAMPLES / "TranscriptRevoked/one.json").read_text(encoding="utf-8"))
    [item], _ = contracts.transcript_revoked(ParseDict(told, archive_pb2.TranscriptRevoked()), AT)
    assert (item.school_year, item.news) == (2025, Revoked(3))


def test_signatures_and_failures_are_told_apart_and_without_a_year() -> None:
    ref = common_pb2.TranscriptRef(pupil_id="p", version=2)
    event = signing_pb2.RoleSigned(
        class_id=CLASS,
        role=common_pb2.SIGNATURE_ROLE_PRINCIPAL,
        outcomes=[signing_pb2.PupilSigning(transcript=ref, signed=True), signing_pb2.PupilSigning(transcript=ref, reason="certificate_expired")],
    )
    news, _ = contracts.role_signed(event, AT)
    assert news == [
        PupilNews(CLASS, "p", 0, Signed("principal", 2), AT),
        PupilNews(CLASS, "p", 0, NotSigned("principal", Trouble(2, AT.isoformat(), "certificate_expired")), AT),
    ]


def test_the_seal_on_a_copy_is_no_step_of_a_transcript() -> None:
    event = ParseDict(json.loads((EXAMPLES / "RoleSigned/of_a_copy.json").read_text(encoding="utf-8")), signing_pb2.RoleSigned())
    assert contracts.role_signed(event, AT)[0] == []


def test_role_of_a_newer_producer_is_passed_over() -> None:
    event = signing_pb2.RoleSigned(class_id=CLASS, outcomes=[signing_pb2.PupilSigning(signed=True)])
    event.role = 99  # type: ignore[assignment]  # What a newer contract may hold.
    assert contracts.role_signed(event, AT) == ([], [])
    assert contracts.manifest_moved(signing_pb2.ManifestMoved(class_id=CLASS, state="halted"), AT) == ([], [])


@pytest.mark.parametrize(("to_class", "active"), [("c2", True), ("", False)])
def test_transfer_places_the_pupil_or_takes_him_out(to_class: str, active: bool) -> None:
    event = enrollment_pb2.PupilTransferred(
        pupil_id="p", version=3, school_year=2025, from_class_id="c1", from_school_id="s1", to_class_id=to_class, to_school_id="s2" if to_class else ""
    )
    (news,), _ = contracts.pupil_transferred(event, AT)
    assert news.news == (Placed(3, True, "c2", "s2") if active else Placed(3, False, "c1", "s1"))


def test_coverage_lists_the_most_frequent_reason_first_with_who_acts() -> None:
    counts = {"enrolled": 9, "archived": 3, "reason:rejected": 2, "reason:missing_marks": 4}
    told = contracts.coverage(Coverage(Place("2025-79", SCHOOL, "", "Trường"), counts))
    assert [(reason.code, reason.pupils, reason.who_acts) for reason in told.reasons] == [
        ("missing_marks", 4, "subject_teacher"),
        ("rejected", 2, "system_operator"),
    ]
    assert told.enrolled == told.archived + sum(reason.pupils for reason in told.reasons)


def test_no_answer_of_reporting_has_a_field_for_personal_data() -> None:
    def fields(message: Descriptor) -> Iterator[str]:
        for field in message.fields:
            assert not field.GetOptions().Extensions[options_pb2.personal], field.full_name
            yield field.name

    names = {name for message in reporting_pb2.DESCRIPTOR.message_types_by_name.values() for name in fields(message)}
    assert not names & {"full_name", "mark", "average", "birth_date", "personal_number", "rank"}


def test_viewer_keeps_every_scope_of_the_token() -> None:
    roles = (Role("principal", f"school:{SCHOOL}"), Role("homeroom_teacher", f"class:{CLASS}"))
    viewer = contracts.viewer_of(Actor("account", "person", roles))
    assert (viewer.everything, viewer.schools, viewer.classes) == (False, (SCHOOL,), (CLASS,))


def test_the_register_holds_what_it_applied_and_no_more() -> None:
    told = json.loads((EXAMPLES / "TranscriptsAcknowledged/applied_and_rejected.json").read_text(encoding="utf-8"))
    event = ParseDict(told, archive_pb2.TranscriptsAcknowledged())
    assert [item.news for item in contracts.transcripts_acknowledged(event, AT)[0]] == [Acknowledged(1)]
    event.transcripts[0].operation = "CANCEL"
    assert contracts.transcripts_acknowledged(event, AT)[0] == [], "a cancelled version is not held by that"


def test_submitted_versions_are_told_by_pupil() -> None:
    ref = common_pb2.TranscriptRef(pupil_id="p", version=2)
    event = archive_pb2.TranscriptsSubmitted(class_id=CLASS, school_year=2025, transcripts=[ref])
    assert contracts.transcripts_submitted(event, AT)[0] == [PupilNews(CLASS, "p", 2025, Submitted(2), AT)]


def test_who_signs_is_told_by_id_with_offices_and_certificates() -> None:
    told = json.loads((EXAMPLES / "StaffAppointed/deputy.json").read_text(encoding="utf-8"))
    member, employed = contracts.staff_appointed(ParseDict(told, enrollment_pb2.StaffAppointed()))
    assert (member, employed) == (
        told["staff_id"],
        Employed(4, told["school_id"], (Office("subject_teacher", "2020-09-01"), Office("vice_principal", "2026-09-01", "2027-05-31"))),
    )
    told = json.loads((EXAMPLES / "CertificateMoved/revoked.json").read_text(encoding="utf-8"))
    event = ParseDict(told, signing_pb2.CertificateMoved())
    certified = Certified(2, told["certificate_id"], "principal", "2026-06-02T01:00:00+00:00", "2029-06-02T01:00:00+00:00")
    assert contracts.certificate_moved(event) == [(told["staff_id"], certified)]
    event.role = 99  # type: ignore[assignment]  # What a newer contract may hold.
    assert contracts.certificate_moved(event) == []


def test_a_schools_seal_is_a_signer_of_its_own() -> None:
    told = json.loads((EXAMPLES / "CertificateMoved/of_a_seal.json").read_text(encoding="utf-8"))
    [(signer, certified)] = contracts.certificate_moved(ParseDict(told, signing_pb2.CertificateMoved()))
    assert (signer, certified.role) == (told["school_id"], "school_seal")
    event = enrollment_pb2.SchoolRegistered(school_id=SCHOOL, version=3, valid_from="2010-08-01")
    assert contracts.seal_of_school(event) == (SCHOOL, Employed(3, SCHOOL, (Office("school_seal", "2010-08-01"),)))


def test_a_step_of_an_unlock_is_told_without_who_took_it() -> None:
    told = json.loads((EXAMPLES / "UnlockMoved/granted.json").read_text(encoding="utf-8"))
    step = contracts.unlock_step(ParseDict(told, locking_pb2.UnlockMoved()))
    assert step == (told["unlock_id"], Step(6, "granted", "2026-05-25T10:00:00+00:00", SCHOOL, "wrong_entry"))


def test_months_are_a_year_up_to_now_in_viet_nam() -> None:
    assert contracts.months_of("", "", datetime(2026, 5, 31, 18, tzinfo=UTC)) == ("2025-07", "2026-06")
    assert contracts.months_of("", "2026-12", AT) == ("2026-01", "2026-12")
    assert contracts.months_of("2024-02", "", AT) == ("2024-02", "2026-05")
    with pytest.raises(Malformed, match="2026-13"):
        contracts.months_of("2026-13", "", AT)
