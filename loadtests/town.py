"""
The town that a surge comes to: schools, staff, classes, pupils, certificates and open windows, made through the public doors.

The cast and its first acts are the rehearsal's, so that a surge and a demo bear the same rules. What the rehearsal's
teachers would enter one after the other is left to the load.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hocba.grading.v1 import grading_pb2
from hocba.locking.v1 import locking_pb2
from loadtests.answers import Key
from loadtests.plan import Gradebook, Signer, Window
from services.chassis.errors import Refused
from services.grading.domain.terms import Level
from services.rehearsal import gradebook, plan, roster, signatures
from services.rehearsal.doors import Doors, all_of, settled
from services.rehearsal.plan import PROVINCE, School, SchoolClass, Staff
from services.rehearsal.progress import Stage
from services.rehearsal.term_end import OFFICER
from services.stack.signer_pki import SignerPki


@dataclass(frozen=True, slots=True)
class Town:
    """What a load plan is made of."""

    gradebooks: tuple[Gradebook, ...]
    signers: tuple[Signer, ...]
    windows: tuple[Window, ...]
    roles: Mapping[str, tuple[str, ...]]
    """Account -> its `role@scope`."""
    classes: int
    pupils: int


async def build(doors: Doors, pki: SignerPki, *, pupils: int, seed: int, stage: Stage) -> Town:
    """Found the town and return once every gradebook is open and knows its pupils."""
    cast = plan.make(pupils, seed)
    officer_roles = (f"doet_officer@province:{PROVINCE}",)
    officer = doors.as_(OFFICER, *officer_roles)
    with stage.act("schools, staff, classes") as step:
        await all_of(roster.register(doors, officer, school, step) for school in cast.schools)
    with stage.act("pupils") as step:
        await all_of(roster.enrol(doors, school, step) for school in cast.schools)
    with stage.act("signers' certificates") as step:
        await signatures.certify(doors, cast, pki, step)
    windows = await settled(lambda: gradebook.open_windows(doors, officer))
    upper = [(school, c) for school, c in cast.classes() if c.level is Level.UPPER_SECONDARY]
    await all_of(gradebook.choose_subjects(doors, school, c) for school, c in upper)
    with stage.act("gradebooks open"):
        books = await all_of(
            _open(doors, school, c, subject, term) for school, c in cast.classes() for subject in _sheets_of(c) for term in gradebook.TERMS.values()
        )
    return Town(
        gradebooks=tuple(books),
        signers=tuple(_signers(cast)),
        windows=tuple(_window(window) for window in windows),
        roles={OFFICER: officer_roles, **_roles(cast)},
        classes=len(list(cast.classes())),
        pupils=cast.pupils,
    )


async def stored(doors: Doors, town: Town) -> dict[Key, str]:
    """Return every cell that grading holds now, asked for through the same door as a teacher would."""

    async def one(book: Gradebook) -> dict[Key, str]:
        request = _question(book.class_id, book.subject, book.term)
        answer = await doors.grading.GetGradebook(request, metadata=doors.as_(book.account, *town.roles[book.account]), timeout=30)
        return {(book.class_id, book.subject, book.term, row.pupil_id, cell.column): cell.value for row in answer.rows for cell in row.cells if cell.value}

    found: dict[Key, str] = {}
    for cells in await all_of(one(book) for book in town.gradebooks):
        found |= cells
    return found


def _sheets_of(school_class: SchoolClass) -> list[str]:
    return [*(subject.code for subject in school_class.subjects()), ""]


async def _open(doors: Doors, school: School, school_class: SchoolClass, subject: str, term: int) -> Gradebook:
    """The gradebook once grading has heard of its pupils, its teacher and its window."""
    teacher = school_class.teaching[subject] if subject else school_class.homeroom
    metadata = doors.as_(teacher.person_id, *_teacher_roles(school, teacher))

    async def ask() -> grading_pb2.GetGradebookResponse:
        answer = await doors.grading.GetGradebook(_question(school_class.class_id, subject, term), metadata=metadata)
        if not answer.open or len(answer.rows) < len(school_class.pupils):
            raise Refused(f"{school_class.name} {subject or 'homeroom'}: {answer.closed_because or 'pupils are missing'}")
        return answer

    answer = await settled(ask)
    return Gradebook(school_class.class_id, subject, term, teacher.person_id, tuple(row.pupil_id for row in answer.rows), tuple(answer.columns))


def _question(class_id: str, subject: str, term: int) -> grading_pb2.GetGradebookRequest:
    request = grading_pb2.GetGradebookRequest(class_id=class_id, subject=subject)
    request.term = term  # type: ignore[assignment]  # An enum's number, as it came from the wire.
    return request


def _teacher_roles(school: School, member: Staff) -> tuple[str, ...]:
    return tuple(f"{role}@school:{school.school_id}" for role in member.roles)


def _roles(cast: plan.Plan) -> dict[str, tuple[str, ...]]:
    return {member.person_id: _teacher_roles(school, member) for school in cast.schools for member in school.staff()}


def _signers(cast: plan.Plan) -> list[Signer]:
    """Homeroom teachers look at their own class, principals and clerks at their school, subject teachers at their own sheets."""
    found = []
    for school in cast.schools:
        for school_class in school.classes:
            found.append(Signer(school_class.homeroom.person_id, int(signatures.HOMEROOM), school.school_id, school_class.class_id))
        found.append(Signer(school.principal.person_id, int(signatures.PRINCIPAL), school.school_id))
        found.append(Signer(school.clerk.person_id, int(signatures.SEAL), school.school_id))
        found += [Signer(teacher.person_id, int(signatures.SUBJECT), school.school_id) for teacher in school.sheet_teachers()]
    return found


def _window(window: locking_pb2.Window) -> Window:
    return Window(window.window_id, OFFICER)
