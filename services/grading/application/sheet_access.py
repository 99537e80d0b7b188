"""Reading a sheet under lock or without, and who may write or read it; shared by the use cases around sheets."""

from __future__ import annotations

from services.chassis.errors import Denied
from services.grading.application.ports import Author, ClassFacts, Rules, SheetRows, Work
from services.grading.domain.gradebook import Gradebook
from services.grading.domain.subjects import HOMEROOM
from services.grading.domain.terms import Term

READERS = ("principal", "vice_principal", "registrar")


async def held_gradebook(work: Work, rules: Rules, class_id: str, subject: str, term: Term) -> tuple[ClassFacts, SheetRows, Gradebook]:
    """The sheet as it is, held until the end of the transaction.

    The lock comes first and the rows are read by later statements, so that they are as new as the lock.
    """
    facts = await work.hold_sheet(class_id, subject, term)
    rows = await work.read_sheet(facts, subject, term)
    return facts, rows, gradebook_of(facts, rows, rules, subject, term)


def gradebook_of(facts: ClassFacts, rows: SheetRows, rules: Rules, subject: str, term: Term) -> Gradebook:
    """The aggregate over rows that were read."""
    return Gradebook(
        class_id=facts.class_id,
        subject=subject,
        term=term,
        grade=facts.grade,
        rules=rules(facts.grade, facts.school_year),
        pupils=rows.pupils,
        held=rows.held,
        windows=rows.windows,
        reopenings=rows.reopenings,
        term_sealed=facts.term_1_sealed and term is Term.TERM_1,
    )


def require_writer(author: Author, rows: SheetRows, facts: ClassFacts, subject: str) -> None:
    """Denied unless the person is assigned to the sheet."""
    if author.person_id not in rows.writers:
        who = "the class's homeroom teacher" if subject == HOMEROOM else f"a teacher assigned to {subject}"
        raise Denied(f"only {who} of class {facts.class_id} may write here; have the school assign you", code="not_assigned")


def require_reader(author: Author, rows: SheetRows, facts: ClassFacts, homeroom_person: bool) -> None:
    """Denied unless the person writes the sheet, leads the class, or runs the school."""
    if author.person_id in rows.writers or homeroom_person or any(author.holds(role, facts.school_id) for role in READERS):
        return
    raise Denied(f"class {facts.class_id} is not yours to read; ask its homeroom teacher or the school", code="not_assigned")


def require_role(author: Author, facts: ClassFacts, *roles: str) -> None:
    """Denied unless the person holds one of the roles at the class's own school."""
    if not any(author.holds(role, facts.school_id) for role in roles):
        raise Denied(f"needs the role {' or '.join(roles)} at school {facts.school_id}", code="role_missing")
