"""Record decisions of the principal or of a council round: promotion, completion of a level, commendation."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date

from services.chassis.clock import Clock
from services.grading.application.ports import Author, PupilFile, Request, Rules, Transactions
from services.grading.application.sheet_access import require_role
from services.grading.domain.completion import check_completion, obstacles
from services.grading.domain.errors import BadInput, RuleError
from services.grading.domain.gradebook import Fault
from services.grading.domain.primary import class_completed
from services.grading.domain.pupil_year import Decision
from services.grading.domain.readiness import settled_later
from services.grading.domain.results import primary_year, secondary_year
from services.grading.domain.terms import Level, PrimaryResult, YearEnd

VALUES = {"promotion": ("promoted", "retained"), "completion": ("completed", "not_completed"), "commendation": ("exemplary",)}


@dataclass(frozen=True, slots=True)
class PupilDecision:
    """A decision about one pupil, or about every pupil who fulfils its conditions when `pupil_id` is empty."""

    pupil_id: str
    decision: Decision


@dataclass(frozen=True, slots=True)
class Command:
    """Decisions about pupils of one class."""

    request: Request
    author: Author
    class_id: str
    decisions: Sequence[PupilDecision]


@dataclass(frozen=True, slots=True)
class Recorded:
    """How many decisions were recorded, and which were not."""

    changed: int
    faults: Sequence[Fault]

    def packed(self) -> bytes:
        """As bytes to keep."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def unpacked(cls, answer: bytes) -> Recorded:
        """The reverse of `packed`."""
        kept = json.loads(answer)
        return cls(kept["changed"], [Fault(**fault) for fault in kept["faults"]])


@dataclass(frozen=True, slots=True)
class RecordDecisions:
    """Record decisions that the rules allow; earlier ones of the same kind stay on file and stop counting."""

    transactions: Transactions
    clock: Clock
    rules: Rules

    async def __call__(self, command: Command) -> Recorded:
        async with self.transactions() as work:
            if before := await work.answered(command.request):
                return Recorded.unpacked(before)
            facts = await work.hold_class(command.class_id)
            require_role(command.author, facts, "principal")
            files = {file.year.pupil_id: file for file in await work.read_years(facts, self.rules(facts.grade, facts.school_year))}
            changed, faults = 0, list[Fault]()
            for wanted in command.decisions:
                for pupil_id in _meant(wanted, files):
                    try:
                        _check(wanted.decision, files.get(pupil_id))
                    except RuleError as error:
                        problem, _, cure = error.message.partition("; ")
                        faults.append(Fault(pupil_id, wanted.decision.kind, problem, cure))
                        continue
                    await work.add_decision(facts, pupil_id, wanted.decision, command.author, self.clock.now())
                    changed += 1
            recorded = Recorded(changed, faults)
            await work.keep_answer(command.request, recorded.packed())
            return recorded


def _meant(wanted: PupilDecision, files: dict[str, PupilFile]) -> list[str]:
    if wanted.pupil_id:
        return [wanted.pupil_id]
    if (wanted.decision.kind, wanted.decision.value) != ("completion", "completed"):
        raise BadInput("pupil_missing", f"a {wanted.decision.kind} decision is about one pupil; name the pupil")
    return [pupil_id for pupil_id, file in files.items() if not _closed(file) and not obstacles(file.year)]


def _closed(file: PupilFile) -> bool:
    """Sealed, and no correction since has left the year waiting for a decision or for the summer."""
    return file.previous is not None and not settled_later(file.year)


def _check(decision: Decision, file: PupilFile | None) -> None:
    if file is None:
        raise BadInput("not_in_class", "no such pupil in this class; check the pupil")
    if _closed(file):
        raise BadInput("sealed", "this pupil's year is sealed; ask for an unlock and decide anew after it")
    if decision.value not in VALUES.get(decision.kind, ()):
        known = "; ".join(f"{kind}: {', '.join(values)}" for kind, values in VALUES.items())
        raise BadInput("bad_decision", f"{decision.kind} {decision.value} is no decision; use {known}")
    if decision.kind == "completion":
        _check_paper(decision)
        if decision.value == "completed":
            check_completion(file.year)
    if decision.kind == "promotion":
        _check_promotion(decision, file)


def _check_paper(decision: Decision) -> None:
    try:
        date.fromisoformat(decision.decided_on)
    except ValueError:
        raise BadInput("bad_date", f"decided_on {decision.decided_on!r} is no date; write it as 2026-05-25") from None
    if decision.round < 1 or not decision.number.strip():
        raise BadInput("decision_number", "a completion needs the council's round and the decision's number; give both")


def _check_promotion(decision: Decision, file: PupilFile) -> None:
    """The principal may decide only what the rules leave open; saying once more what they say is harmless."""
    year = file.year
    if year.choice.individual_plan:
        return
    if year.rules.level is Level.PRIMARY:
        final = primary_year(year).final
        moves_up, left_open = final is not None and class_completed(final), final is PrimaryResult.INCOMPLETE
    else:
        moves_up, left_open = secondary_year(year).end is YearEnd.PROMOTED, False
    agrees = moves_up if decision.value == "promoted" else not moves_up
    if not agrees and not left_open:
        raise BadInput("promotion_by_rule", "the rules settle this pupil's promotion; record results instead of a decision")
