"""Second act: windows open, teachers enter a year of marks, windows close, every class is sealed; and one mark is corrected."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from google.protobuf.timestamp_pb2 import Timestamp

from hocba.common.v1 import common_pb2
from hocba.grading.v1 import grading_pb2
from hocba.locking.v1 import locking_pb2
from services.chassis.errors import NotFound, Refused
from services.grading.domain.subjects import Subject
from services.grading.domain.terms import Level, Term
from services.rehearsal import marks
from services.rehearsal.doors import SETTLE_SECONDS, Doors, Metadata, all_of, new_id, settled
from services.rehearsal.plan import CLUSTERS, ELECTIVES, PROVINCE, SCHOOL_YEAR, Plan, Pupil, School, SchoolClass, Staff
from services.rehearsal.progress import Step

TERMS = {Term.TERM_1: common_pb2.TERM_1, Term.TERM_2: common_pb2.TERM_2}


def stamp(at: datetime) -> Timestamp:
    made = Timestamp()
    made.FromDatetime(at)
    return made


def as_teacher(doors: Doors, school: School, teacher: Staff) -> Metadata:
    return doors.as_(teacher.person_id, *(f"{role}@school:{school.school_id}" for role in teacher.roles))


def as_principal(doors: Doors, school: School) -> Metadata:
    return doors.as_(school.principal.person_id, f"principal@school:{school.school_id}")


async def open_windows(doors: Doors, officer: Metadata) -> list[locking_pb2.Window]:
    """Both terms, province-wide, confirmed by grading; closing the second one seals the year."""
    now = datetime.now(UTC)
    windows = []
    for term in TERMS.values():
        request = locking_pb2.SetWindowRequest(
            request_id=new_id(),
            scope=locking_pb2.WindowScope(province_id=PROVINCE),
            school_year=SCHOOL_YEAR,
            term=term,
            opens_at=stamp(now - timedelta(minutes=1)),
            closes_at=stamp(now + timedelta(hours=8)),
            seals_year=term == common_pb2.TERM_2,
        )
        windows.append((await doors.locking.SetWindow(request, metadata=officer)).window)
    return windows


async def choose_subjects(doors: Doors, school: School, school_class: SchoolClass) -> None:
    """Electives and topic clusters of upper-secondary pupils."""
    chosen = [grading_pb2.PupilSubjects(pupil_id=pupil.pupil_id, electives=ELECTIVES, clusters=CLUSTERS) for pupil in school_class.pupils]
    office = doors.as_(school.registrar.person_id, f"registrar@school:{school.school_id}")
    request = grading_pb2.SetSubjectsRequest(request_id=new_id(), class_id=school_class.class_id, pupils=chosen)
    answer = await settled(lambda: doors.grading.SetSubjects(request, metadata=office))
    if answer.faults:
        raise Refused(f"{school_class.name}: {answer.faults[0].problem}; {answer.faults[0].cure}")


async def enter_marks(doors: Doors, plan: Plan, step: Step) -> int:
    """Every sheet of the year by whoever answers for it; returns the cells that were accepted."""
    upper = [(school, c) for school, c in plan.classes() if c.level is Level.UPPER_SECONDARY]
    await all_of(choose_subjects(doors, school, school_class) for school, school_class in upper)
    school_of = {id(school_class): school for school, school_class in plan.classes()}
    accepted = await all_of(_sheet(doors, school_of[id(c)], c, subject, term, cells, step) for c, subject, term, cells in marks.sheets(plan))
    return sum(accepted)


async def _sheet(doors: Doors, school: School, school_class: SchoolClass, subject: Subject | None, term: Term, cells: marks.Cells, step: Step) -> int:
    wire = [grading_pb2.Cell(pupil_id=pupil.pupil_id, column=column, value=value) for pupil, column, value in cells]
    if subject is None:
        homeroom = grading_pb2.EnterHomeroomRequest(request_id=new_id(), class_id=school_class.class_id, term=TERMS[term], cells=wire)
        by = as_teacher(doors, school, school_class.homeroom)
        answer: grading_pb2.EnterHomeroomResponse | grading_pb2.EnterSheetResponse = await settled(lambda: doors.grading.EnterHomeroom(homeroom, metadata=by))
    else:
        sheet = grading_pb2.EnterSheetRequest(request_id=new_id(), class_id=school_class.class_id, subject=subject.code, term=TERMS[term], cells=wire)
        by = as_teacher(doors, school, school_class.teaching[subject.code])
        answer = await settled(lambda: doors.grading.EnterSheet(sheet, metadata=by))
    if answer.faults:
        fault = answer.faults[0]
        raise Refused(f"{school_class.name} {subject.code if subject else 'homeroom'} {fault.column}: {fault.problem}; {fault.cure}")
    step.advance(len(wire))
    return answer.changed + answer.unchanged


def decided_by_council(plan: Plan) -> list[tuple[School, SchoolClass]]:
    """Classes whose pupils finish a level: a council decides before their transcript can be sealed."""
    return [(school, c) for school, c in plan.classes() if c.grade in marks.rules(c).switches.completion_decision_grades]


async def decide_completion(doors: Doors, plan: Plan, step: Step) -> int:
    """The councils of grades 5 and 9 recognise all who fulfil the conditions; returns how many."""

    async def one(school: School, school_class: SchoolClass) -> int:
        decision = grading_pb2.Decision(kind="completion", value="completed", round=1, number=f"86/QĐ-{school.code}", decided_on=f"{SCHOOL_YEAR + 1}-05-25")
        request = grading_pb2.RecordDecisionRequest(request_id=new_id(), class_id=school_class.class_id, decisions=[decision])
        answer = await doors.grading.RecordDecision(request, metadata=as_principal(doors, school))
        step.advance()
        return answer.changed

    return sum(await all_of(one(school, school_class) for school, school_class in decided_by_council(plan)))


async def close_windows(doors: Doors, officer: Metadata, windows: list[locking_pb2.Window]) -> None:
    """The department ends the time of entry."""
    for window in windows:
        request = locking_pb2.CloseWindowRequest(request_id=new_id(), window_id=window.window_id, reason="Kết thúc năm học")
        await doors.locking.CloseWindow(request, metadata=officer)


async def locks(doors: Doors, officer: Metadata, plan: Plan, step: Step) -> dict[str, locking_pb2.Lock]:
    """Wait until every class is locked; class id -> lock."""
    done: dict[str, locking_pb2.Lock] = {}
    waiting = [school_class.class_id for _, school_class in plan.classes()]
    deadline = asyncio.get_running_loop().time() + SETTLE_SECONDS
    while len(done) < len(waiting):
        for class_id in waiting:
            if class_id in done:
                continue
            try:
                lock = (await doors.locking.GetLock(locking_pb2.GetLockRequest(class_id=class_id), metadata=officer)).lock
            except NotFound:
                continue
            if lock.state == "locked":
                done[class_id] = lock
                step.advance()
        if asyncio.get_running_loop().time() > deadline:
            raise Refused(f"{len(waiting) - len(done)} classes are not locked after {SETTLE_SECONDS:.0f} s")
        await asyncio.sleep(0.1)
    return done


@dataclass(frozen=True)
class Correction:
    """A mark that was wrong."""

    school: School
    school_class: SchoolClass
    subject: str
    pupil: Pupil
    column: str
    value: str


async def correct(doors: Doors, officer: Metadata, wrong: Correction, step: Step) -> int:
    """Asked by the teacher, confirmed by the principal, reported to the department; mended, sealed again. The new class version."""
    school, class_id = wrong.school, wrong.school_class.class_id
    teacher = as_teacher(doors, school, wrong.school_class.teaching[wrong.subject])
    request = locking_pb2.RequestUnlockRequest(
        request_id=new_id(),
        class_id=class_id,
        subject=wrong.subject,
        term=common_pb2.TERM_2,
        pupil_ids=[wrong.pupil.pupil_id],
        reason="Nhập nhầm điểm kiểm tra cuối kì, đối chiếu bài làm đã chấm",
        reason_code="wrong_entry",
        evidence="Bài kiểm tra cuối học kì II, túi số 7",
        minutes=60,
    )
    unlock_id = (await settled(lambda: doors.locking.RequestUnlock(request, metadata=teacher))).unlock_id
    step.advance()
    move = locking_pb2.MoveUnlockRequest(request_id=new_id(), unlock_id=unlock_id, reason="Đã đối chiếu bài làm của học sinh")
    await doors.locking.ConfirmUnlock(move, metadata=as_principal(doors, school))
    step.advance()
    note = locking_pb2.MoveUnlockRequest(request_id=new_id(), unlock_id=unlock_id, reason="Sở đã nhận báo cáo", document="45/BC-THPT")
    await settled(lambda: _unless_past(doors, officer, note))
    await _state(doors, officer, unlock_id, "granted")
    step.advance()
    cell = grading_pb2.Cell(pupil_id=wrong.pupil.pupil_id, column=wrong.column, value=wrong.value)
    sheet = grading_pb2.EnterSheetRequest(
        request_id=new_id(), class_id=class_id, subject=wrong.subject, term=common_pb2.TERM_2, cells=[cell], reason=request.reason, unlock_id=unlock_id
    )
    answer = await settled(lambda: doors.grading.EnterSheet(sheet, metadata=teacher))
    if answer.changed != 1:
        raise Refused(f"the correction changed {answer.changed} cells: {answer.faults}")
    step.advance()
    finish = locking_pb2.MoveUnlockRequest(request_id=new_id(), unlock_id=unlock_id, reason="Đã sửa xong")
    await settled(lambda: doors.locking.FinishUnlock(finish, metadata=teacher))
    sealed = await _state(doors, officer, unlock_id, "sealed")
    step.advance()
    return sealed.sealed_class_version


async def _unless_past(doors: Doors, officer: Metadata, note: locking_pb2.MoveUnlockRequest) -> None:
    """Acknowledge, in whichever state between report and end the policy has taken the unlock to."""
    await doors.locking.AcknowledgeUnlock(note, metadata=officer)


async def _state(doors: Doors, officer: Metadata, unlock_id: str, wanted: str) -> locking_pb2.UnlockResponse:
    async def there() -> locking_pb2.UnlockResponse:
        answer = await doors.locking.GetUnlock(locking_pb2.GetUnlockRequest(unlock_id=unlock_id), metadata=officer)
        if answer.state != wanted:
            raise Refused(f"unlock {unlock_id} is {answer.state}, not {wanted}")
        return answer

    return await settled(there)
