"""What is missing before a class can be sealed, by pupil and by responsible teacher."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.chassis.errors import Denied
from services.grading.application.ports import Author, ClassFacts, Rules, Transactions, Work
from services.grading.domain.pupil_year import gaps
from services.grading.domain.readiness import reasons_to_wait
from services.grading.domain.subjects import HOMEROOM, form_rows
from services.grading.domain.terms import Term


@dataclass(frozen=True, slots=True)
class PupilReadiness:
    """A pupil and the reasons to wait; none means ready."""

    pupil_id: str
    reasons: Sequence[str]


@dataclass(frozen=True, slots=True)
class Missing:
    """How many cells of how many pupils a sheet lacks, and who is responsible ("" when nobody is assigned)."""

    subject: str
    term: Term
    staff_id: str
    cells: int
    pupils: int


@dataclass(frozen=True, slots=True)
class Readiness:
    """The whole class at a glance."""

    pupils: Sequence[PupilReadiness]
    missing: Sequence[Missing]


@dataclass(frozen=True, slots=True)
class CheckReadiness:
    """Judge a class as a seal would, and change nothing. `author` is None when a service asks."""

    transactions: Transactions
    rules: Rules

    async def __call__(self, class_id: str, author: Author | None) -> Readiness:
        async with self.transactions() as work:
            facts = await work.get_class(class_id)
            await _may_ask(work, facts, author)
            rules = self.rules(facts.grade, facts.school_year)
            years = [file.year for file in await work.read_years(facts, rules)]
            responsible = await work.responsible(facts)
        cells: dict[tuple[str, Term], list[str]] = {}
        for year in years:
            for gap in gaps(year):
                cells.setdefault((gap.subject, gap.term), []).append(year.pupil_id)
        order = [row.code for row in form_rows(rules.level)] + [HOMEROOM]
        missing = [
            Missing(subject, term, responsible.get(subject, ""), len(pupils), len(set(pupils)))
            for (subject, term), pupils in sorted(cells.items(), key=lambda item: (order.index(item[0][0]), item[0][1]))
        ]
        return Readiness([PupilReadiness(year.pupil_id, reasons_to_wait(year)) for year in years], missing)


async def _may_ask(work: Work, facts: ClassFacts, author: Author | None) -> None:
    if author is None or author.holds("principal", facts.school_id) or author.person_id in await work.class_persons(facts):
        return
    raise Denied(f"class {facts.class_id} is not yours to read; ask its homeroom teacher or the school", code="not_assigned")
