"""Protobuf <-> domain: the one file of reporting that knows both."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from hocba.archive.v1 import events_pb2 as archive_pb2
from hocba.common.v1 import common_pb2
from hocba.enrollment.v1 import events_pb2 as enrollment_pb2
from hocba.grading.v1 import events_pb2 as grading_pb2
from hocba.locking.v1 import events_pb2 as locking_pb2
from hocba.reporting.v1 import reporting_pb2
from hocba.signing.v1 import events_pb2 as signing_pb2
from services.chassis.errors import Malformed
from services.chassis.identity import Actor
from services.reporting.application.get_projection import Outlook
from services.reporting.application.ports import ClassNews, Coverage, Difference, Missing, Point, PupilNews, Viewer
from services.reporting.application.result_ports import Distribution
from services.reporting.application.tally_ports import Tally
from services.reporting.domain.classes import School, Sheet, SheetsSealed, SheetsSigned, SheetVersion, Unlock
from services.reporting.domain.counting import REASON_PREFIX, Age, ClassFacts
from services.reporting.domain.facts import (
    HOMEROOM_TEACHER,
    PRINCIPAL,
    SCHOOL_SEAL,
    Acknowledged,
    Approved,
    Archived,
    Identified,
    Judged,
    News,
    NotSigned,
    Outcome,
    Placed,
    Rejected,
    Revoked,
    Signed,
    Submitted,
    Trouble,
)
from services.reporting.domain.history import LEGAL_TIME
from services.reporting.domain.quality import flaws_of
from services.reporting.domain.readiness import (
    ANY_OFFICE,
    EXPIRED,
    EXPIRING,
    HOLDS,
    NONE,
    OFFICES,
    REVOKED,
    STATES,
    Certified,
    Employed,
    Office,
)
from services.reporting.domain.readiness import SCHOOL_SEAL as SEAL_OFFICE
from services.reporting.domain.results import ClassTally
from services.reporting.domain.standing import who_acts
from services.reporting.domain.tallying import Count
from services.reporting.domain.unlock_life import MEASURES as UNLOCK_MEASURES
from services.reporting.domain.unlock_life import REASONS as UNLOCK_REASONS
from services.reporting.domain.unlock_life import Step

ROLE_NAMES = {
    common_pb2.SIGNATURE_ROLE_HOMEROOM_TEACHER: HOMEROOM_TEACHER,
    common_pb2.SIGNATURE_ROLE_PRINCIPAL: PRINCIPAL,
    common_pb2.SIGNATURE_ROLE_SCHOOL_SEAL: SCHOOL_SEAL,
}
CERTIFICATE_ROLES = {
    common_pb2.SIGNATURE_ROLE_SUBJECT_TEACHER: "subject_teacher",
    common_pb2.SIGNATURE_ROLE_HOMEROOM_TEACHER: "homeroom_teacher",
    common_pb2.SIGNATURE_ROLE_PRINCIPAL: "principal",
    common_pb2.SIGNATURE_ROLE_SCHOOL_SEAL: "school_seal",
}
MONTH = re.compile(r"2[0-9]{3}-(0[1-9]|1[0-2])")
APPROVED_STATE = "approved"
HELD = ("applied", "ignored")
CANCEL = "CANCEL"
BatchNews = tuple[list[PupilNews], list[ClassNews]]


def class_formed(event: enrollment_pb2.ClassFormed) -> ClassNews:
    """A class as enrollment tells it."""
    facts = ClassFacts(event.version, event.province_id, event.school_id, event.school_year, event.grade, event.name)
    return ClassNews(event.class_id, facts)


def pupils_enrolled(event: enrollment_pb2.PupilsEnrolled, at: datetime) -> BatchNews:
    """Placement and identity of each pupil."""
    hint = ClassNews(event.class_id, ClassFacts(0, "", event.school_id, event.school_year))
    news = []
    for pupil in event.pupils:
        identified = Identified(pupil.version, pupil.has_personal_number, pupil.identity_state, tuple(pupil.missing_fields))
        for item in (Placed(pupil.version, True, event.class_id, event.school_id), identified):
            news.append(PupilNews(event.class_id, pupil.pupil_id, event.school_year, item, at))
    return news, [hint]


def pupil_transferred(event: enrollment_pb2.PupilTransferred, at: datetime) -> BatchNews:
    """The new place, or none."""
    moves = bool(event.to_class_id)
    class_id = event.to_class_id if moves else event.from_class_id
    school_id = event.to_school_id if moves else event.from_school_id
    province_id = event.to_province_id if moves else event.from_province_id
    placed = Placed(event.version, moves, class_id, school_id)
    hint = ClassNews(class_id, ClassFacts(0, province_id, school_id, event.school_year))
    return [PupilNews(class_id, event.pupil_id, event.school_year, placed, at)], [hint]


def class_sealed(event: grading_pb2.ClassSealed, at: datetime) -> BatchNews:
    """Each pupil's outcome; nothing of the sealed records is opened here."""
    sealed = SheetsSealed(event.class_version, _sheet_versions(item.sheet for item in event.sheets))
    hint = ClassNews(event.class_id, ClassFacts(0, event.province_id, event.school_id, event.school_year, event.grade), sealed, at)
    news = [
        PupilNews(
            event.class_id,
            item.transcript.pupil_id,
            event.school_year,
            Judged(
                event.class_id,
                Outcome(event.class_version, item.sealed, item.transcript.version if item.sealed else 0, tuple(item.waiting_reasons)),
            ),
            at,
        )
        for item in event.outcomes
    ]
    return news, [hint]


def manifest_moved(event: signing_pb2.ManifestMoved, at: datetime) -> BatchNews:
    """Approvals; the other moves of a manifest don't change what a role has agreed to."""
    role = ROLE_NAMES.get(event.role)
    if event.state != APPROVED_STATE or role is None:
        return [], []
    return _news_of_class(event, ((ref, Approved(role, ref.version)) for ref in event.transcripts), at)


def role_signed(event: signing_pb2.RoleSigned, at: datetime) -> BatchNews:
    """Signatures, and failures with their reasons."""
    if event.role == common_pb2.SIGNATURE_ROLE_SUBJECT_TEACHER:
        # Transcripts wait for the signature alone, and not for the sheet's proof of time.
        return _sheets_signed(event, _sheet_versions(item.sheet for item in event.outcomes if item.signed), at)
    role = ROLE_NAMES.get(event.role)
    if role is None:
        return [], []
    news: list[tuple[common_pb2.TranscriptRef, News]] = []
    for item in event.outcomes:
        if not item.HasField("transcript"):
            continue  # The seal on a certified copy, which is no step of a transcript.
        version = item.transcript.version
        news.append((item.transcript, Signed(role, version) if item.signed else NotSigned(role, Trouble(version, at.isoformat(), item.reason))))
    return _news_of_class(event, news, at)


def sheets_signed(event: signing_pb2.SheetsSigned, at: datetime) -> BatchNews:
    """Class-subject sheets are complete."""
    return _sheets_signed(event, _sheet_versions(item.sheet for item in event.sheets), at, event.school_year)


def transcripts_signed(event: signing_pb2.TranscriptsSigned, at: datetime) -> BatchNews:
    """Every role has signed."""
    news = ((item.transcript, Signed(role, item.transcript.version)) for item in event.transcripts for role in ROLE_NAMES.values())
    return _news_of_class(event, news, at, event.school_year)


def transcripts_archived(event: archive_pb2.TranscriptsArchived, at: datetime) -> BatchNews:
    """Issued."""
    news = ((item.transcript, Archived(item.transcript.version)) for item in event.transcripts)
    return _news_of_class(event, news, at, event.school_year)


def transcript_revoked(event: archive_pb2.TranscriptRevoked, at: datetime) -> BatchNews:
    """Withdrawn."""
    return _news_of_class(event, [(event.transcript, Revoked(event.transcript.version))], at, event.school_year)


def transcripts_rejected(event: archive_pb2.TranscriptsRejected, at: datetime) -> BatchNews:
    """Refused."""
    news = ((item.transcript, Rejected(Trouble(item.transcript.version, at.isoformat(), item.reason))) for item in event.transcripts)
    return _news_of_class(event, news, at, event.school_year)


def transcripts_submitted(event: archive_pb2.TranscriptsSubmitted, at: datetime) -> BatchNews:
    """Handed over to the national register."""
    return _news_of_class(event, ((ref, Submitted(ref.version)) for ref in event.transcripts), at, event.school_year)


def transcripts_acknowledged(event: archive_pb2.TranscriptsAcknowledged, at: datetime) -> BatchNews:
    """Held by the national register: applied, or ignored since it holds as much already. Of a cancelled version the archive itself has told."""
    held = (item.transcript for item in event.transcripts if item.result in HELD and item.operation != CANCEL)
    return _news_of_class(event, ((ref, Acknowledged(ref.version)) for ref in held), at, event.school_year)


def school(event: enrollment_pb2.SchoolRegistered) -> School:
    """A school's name and province."""
    return School(event.school_id, event.version, event.name, event.province_id, event.province_name)


def sheet(event: grading_pb2.SheetSaved) -> Sheet:
    """A sheet's fill."""
    return Sheet(event.class_id, event.subject, int(event.term), event.version, event.expected, event.filled)


def unlock(event: locking_pb2.UnlockMoved) -> Unlock:
    """Where an unlock stands."""
    return Unlock(event.unlock_id, event.class_id, event.version, event.state, event.moved_at.ToDatetime(UTC).isoformat())


def seal_of_school(event: enrollment_pb2.SchoolRegistered) -> tuple[str, Employed]:
    """The school's seal, which signs as long as the school is there."""
    return event.school_id, Employed(event.version, event.school_id, (Office(SEAL_OFFICE, event.valid_from, event.valid_to),))


def staff_appointed(event: enrollment_pb2.StaffAppointed) -> tuple[str, Employed]:
    """A member of staff by id; the profile with the name stays closed."""
    offices = tuple(sorted(Office(held.role, held.valid_from, held.valid_to) for held in event.appointments))
    return event.staff_id, Employed(event.version, event.school_id, offices)


def certificate_moved(event: signing_pb2.CertificateMoved) -> list[tuple[str, Certified]]:
    """A certificate of a member of staff, or of the school's seal; none of a role that a newer producer knows."""
    role = CERTIFICATE_ROLES.get(event.role)
    if role is None:
        return []
    registered, until = (at.ToDatetime(UTC).isoformat() for at in (event.registered_at, event.valid_until))
    return [(event.staff_id or event.school_id, Certified(event.version, event.certificate_id, role, registered, until))]


def unlock_step(event: locking_pb2.UnlockMoved) -> tuple[str, Step]:
    """A step of an unlock, without who took it."""
    return event.unlock_id, Step(event.version, event.state, event.moved_at.ToDatetime(UTC).isoformat(), event.school_id, event.reason_code)


def class_tally(event: grading_pb2.ResultsTallied, tally: grading_pb2.ResultTally) -> tuple[str, ClassTally]:
    """(class id, how its results are spread)."""
    counts = {(count.item, count.level): count.pupils for count in tally.counts}
    return event.class_id, ClassTally(event.version, event.school_year, event.province_id, event.grade, counts)


def viewer_of(actor: Actor) -> Viewer:
    """Whose numbers the actor may see."""
    everything = bool(actor.service) or any(role.scope == "nation" for role in actor.roles)
    return Viewer(everything, actor.scoped("province"), actor.scoped("school"), actor.scoped("class"))


def parts_of(request: reporting_pb2.GetCoverageRequest) -> str:
    """The parts that are asked for, the finest when there are several; grades before all."""
    if request.by_grade:
        return "grade"
    return "class" if request.by_class else "school" if request.by_school else "province" if request.by_province else ""


def coverage(item: Coverage) -> reporting_pb2.Coverage:
    """Counters for the wire; reasons by number of pupils, the most frequent first."""
    counts = item.counts
    reasons = sorted(((count, measure) for measure, count in counts.items() if measure.startswith(REASON_PREFIX)), reverse=True)
    return reporting_pb2.Coverage(
        province_id=item.place.province_id,
        school_id=item.place.school_id,
        class_id=item.place.class_id,
        name=item.place.name,
        grade=item.place.grade,
        reasons=[_reason(measure.removeprefix(REASON_PREFIX), count, item.ages) for count, measure in reasons],
        enrolled=counts.get("enrolled", 0),
        ready=counts.get("ready", 0),
        sealed=counts.get("sealed", 0),
        approved_homeroom=counts.get("approved_homeroom", 0),
        approved_principal=counts.get("approved_principal", 0),
        approved_seal=counts.get("approved_seal", 0),
        signed_homeroom=counts.get("signed_homeroom", 0),
        signed_principal=counts.get("signed_principal", 0),
        signed_seal=counts.get("signed_seal", 0),
        archived=counts.get("archived", 0),
        rejected=counts.get("rejected", 0),
        identity_verified=counts.get("identity_verified", 0),
        identity_contradictory=counts.get("identity_contradictory", 0),
        identity_unknown=counts.get("identity_unknown", 0),
        without_personal_number=counts.get("without_number", 0),
        submitted=counts.get("submitted", 0),
        acknowledged=counts.get("acknowledged", 0),
        flaws=[reporting_pb2.Flaw(code=code, pupils=pupils, cure=flaw.cure_vi, cure_en=flaw.cure_en) for code, pupils, flaw in flaws_of(counts)],
    )


def coverage_answer(total: Coverage, parts: Sequence[Coverage], school_year: int, as_of: datetime) -> reporting_pb2.GetCoverageResponse:
    """The whole and its parts."""
    told = [coverage(part) for part in parts]
    return reporting_pb2.GetCoverageResponse(total=coverage(total), parts=told, as_of=_timestamp(as_of), school_year=school_year)


def span(request: reporting_pb2.GetHistoryRequest, now: datetime) -> tuple[datetime | None, datetime]:
    """(since, until)."""
    since = request.since.ToDatetime(UTC) if request.HasField("since") else None
    return since, request.until.ToDatetime(UTC) if request.HasField("until") else now


def history_answer(school_year: int, points: Iterable[Point]) -> reporting_pb2.GetHistoryResponse:
    """Points in order of time."""
    told = [reporting_pb2.HistoryPoint(taken_at=_timestamp(point.taken_at), coverage=coverage(point.coverage)) for point in points]
    return reporting_pb2.GetHistoryResponse(school_year=school_year, points=told)


def missing_answer(found: Iterable[Missing]) -> reporting_pb2.ListMissingResponse:
    """Pupils by id."""
    return reporting_pb2.ListMissingResponse(
        pupils=[
            reporting_pb2.MissingTranscript(
                pupil_id=item.pupil_id,
                class_id=item.class_id,
                reason=item.reason,
                who_acts=who_acts(item.reason),
                since=_timestamp(item.since) if item.since else None,
            )
            for item in found
        ]
    )


def class_status_answer(of_class: Coverage, sheets: Iterable[Sheet], unlocks: Iterable[Unlock]) -> reporting_pb2.GetClassStatusResponse:
    """One class."""
    return reporting_pb2.GetClassStatusResponse(
        coverage=coverage(of_class),
        sheets=[reporting_pb2.SheetFill(subject=item.subject, term=item.term, expected=item.expected, filled=item.filled) for item in sheets],
        unlocks=[
            reporting_pb2.OpenUnlock(unlock_id=item.unlock_id, state=item.state, moved_at=_timestamp(datetime.fromisoformat(item.moved_at))) for item in unlocks
        ],
    )


def reconcile_answer(found: Iterable[Difference]) -> reporting_pb2.ReconcileResponse:
    """Every difference."""
    return reporting_pb2.ReconcileResponse(
        differences=[reporting_pb2.Difference(check=item.check, left=item.left, right=item.right, detail=item.detail) for item in found]
    )


def by_of(request: reporting_pb2.GetStaffReadinessRequest | reporting_pb2.GetUnlockStatisticsRequest) -> str:
    """The parts that are asked for, the finest when there are several."""
    return "school" if request.by_school else "province" if request.by_province else ""


def staff_answer(total: Tally, parts: Iterable[Tally], expiring_days: int, as_of: datetime) -> reporting_pb2.GetStaffReadinessResponse:
    """The whole and its parts."""
    told = [readiness(part) for part in parts]
    return reporting_pb2.GetStaffReadinessResponse(total=readiness(total), parts=told, as_of=_timestamp(as_of), expiring_days=expiring_days)


def readiness(tally: Tally) -> reporting_pb2.StaffReadiness:
    """Who can sign in one scope; offices that nobody holds aren't named."""
    offices = []
    for office in (ANY_OFFICE, *OFFICES):
        states = {state: tally.counts.get(Count("", office, state), 0) for state in STATES}
        if signers := sum(states.values()):
            offices.append(
                reporting_pb2.OfficeReadiness(
                    office=office,
                    signers=signers,
                    holding=sum(states[state] for state in HOLDS),
                    expiring=states[EXPIRING],
                    expired=states[EXPIRED],
                    revoked=states[REVOKED],
                    without=states[NONE],
                )
            )
    place = tally.place
    return reporting_pb2.StaffReadiness(province_id=place.province_id, school_id=place.school_id, name=place.name, offices=offices)


def months_of(since: str, until: str, now: datetime) -> tuple[str, str]:
    """(first month, last month); a year up to now when nothing is said. Malformed for what is no month."""
    for name, given in (("since_month", since), ("until_month", until)):
        if given and not MONTH.fullmatch(given):
            raise Malformed(f"{name} is a month such as 2026-05, not {given[:20]!r}", code="month")
    last = until or now.astimezone(LEGAL_TIME).strftime("%Y-%m")
    year, month = int(last[:4]), int(last[5:])
    return since or (f"{year - 1}-{month + 1:02}" if month < 12 else f"{year}-01"), last


def unlock_answer(total: Tally, parts: Iterable[Tally], months: tuple[str, str], as_of: datetime) -> reporting_pb2.GetUnlockStatisticsResponse:
    """The whole, by reason and month, and its parts, by reason."""
    told = [unlock_statistics(part) for part in parts]
    return reporting_pb2.GetUnlockStatisticsResponse(
        total=unlock_statistics(total), parts=told, as_of=_timestamp(as_of), since_month=months[0], until_month=months[1]
    )


def unlock_statistics(tally: Tally) -> reporting_pb2.UnlockStatistics:
    """What became of the unlocks of one scope, a line for each month and reason."""
    lines: dict[tuple[str, str], dict[str, int]] = {}
    for count, amount in tally.counts.items():
        lines.setdefault((count.period, count.kind), {})[count.measure] = amount
    counts = []
    for month, reason in sorted(
        lines, key=lambda line: (line[0], UNLOCK_REASONS.index(line[1]) if line[1] in UNLOCK_REASONS else len(UNLOCK_REASONS), line[1])
    ):
        measures = {measure: lines[month, reason].get(measure, 0) for measure in UNLOCK_MEASURES}
        counts.append(reporting_pb2.UnlockCounts(month=month, reason=reason, **measures))
    place = tally.place
    return reporting_pb2.UnlockStatistics(province_id=place.province_id, school_id=place.school_id, name=place.name, counts=counts)


def results_answer(found: Iterable[Distribution], school_year: int, minimum: int) -> reporting_pb2.GetResultsResponse:
    """Distributions; a hidden count is zero and says so."""
    return reporting_pb2.GetResultsResponse(
        school_year=school_year,
        minimum=minimum,
        distributions=[
            reporting_pb2.Distribution(
                province_id=one.province_id,
                name=one.name,
                grade=one.grade,
                item=one.item,
                pupils=one.pupils,
                levels=[reporting_pb2.LevelCount(level=of.level, pupils=of.pupils or 0, hidden=of.pupils is None) for of in one.levels],
            )
            for one in found
        ],
    )


def projection_answer(outlook: Outlook) -> reporting_pb2.GetProjectionResponse:
    """Known years, ratios and projection."""
    return reporting_pb2.GetProjectionResponse(
        province_id=outlook.province_id,
        known=[reporting_pb2.Enrolment(school_year=year, grade=grade, pupils=pupils) for year, grade, pupils in outlook.known],
        progressions=[
            reporting_pb2.Progression(grade=one.grade, school_year=one.school_year, ratio=common_pb2.Decimal(value=f"{one.ratio:.4f}"))
            for one in outlook.ratios
        ],
        projected=[
            reporting_pb2.Enrolment(
                school_year=one.school_year,
                grade=one.grade,
                pupils=one.pupils,
                low=one.low or 0,
                high=one.high or 0,
                has_interval=one.low is not None,
            )
            for one in outlook.projected
        ],
    )


def _news_of_class(
    event: signing_pb2.ManifestMoved
    | signing_pb2.RoleSigned
    | signing_pb2.TranscriptsSigned
    | archive_pb2.TranscriptsArchived
    | archive_pb2.TranscriptRevoked
    | archive_pb2.TranscriptsRejected
    | archive_pb2.TranscriptsSubmitted
    | archive_pb2.TranscriptsAcknowledged,
    news: Iterable[tuple[common_pb2.TranscriptRef, News]],
    at: datetime,
    school_year: int = 0,
) -> BatchNews:
    hint = ClassNews(event.class_id, ClassFacts(0, event.province_id, event.school_id, school_year))
    return [PupilNews(event.class_id, ref.pupil_id, school_year, item, at) for ref, item in news], [hint]


def _sheets_signed(event: signing_pb2.RoleSigned | signing_pb2.SheetsSigned, sheets: frozenset[SheetVersion], at: datetime, school_year: int = 0) -> BatchNews:
    return [], [ClassNews(event.class_id, ClassFacts(0, event.province_id, event.school_id, school_year), SheetsSigned(sheets), at)]


def _sheet_versions(sheets: Iterable[common_pb2.SheetRef]) -> frozenset[SheetVersion]:
    return frozenset((sheet.sheet_id, sheet.version) for sheet in sheets)


def _reason(code: str, pupils: int, ages: Mapping[str, Age]) -> reporting_pb2.Reason:
    age = ages.get(code)
    since = {"oldest_since": age.oldest.isoformat(), "median_since": age.median.isoformat()} if age else {}
    return reporting_pb2.Reason(code=code, pupils=pupils, who_acts=who_acts(code), **since)


def _timestamp(at: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(at)
    return stamp


def merged(parts: Iterable[BatchNews]) -> BatchNews:
    """Several events' news as one batch."""
    pupils: list[PupilNews] = []
    classes: list[ClassNews] = []
    for of_pupils, of_classes in parts:
        pupils += of_pupils
        classes += of_classes
    return pupils, classes
