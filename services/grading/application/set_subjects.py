"""Set which subjects count for pupils this year: electives, topic clusters, exemptions."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from services.grading.application.ports import Author, PupilFile, Request, Rules, Transactions
from services.grading.application.sheet_access import require_role
from services.grading.domain.errors import BadInput
from services.grading.domain.gradebook import Fault
from services.grading.domain.pupil_year import SubjectChoice
from services.grading.domain.rulesets import RuleSet
from services.grading.domain.subjects import subjects_of
from services.grading.domain.terms import Term


@dataclass(frozen=True, slots=True)
class PupilSubjects:
    """One pupil's whole choice; it replaces what was there. `reasons` says why, by exempted subject."""

    pupil_id: str
    electives: frozenset[str]
    clusters: frozenset[str]
    exemptions: Mapping[str, frozenset[Term]]
    reasons: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Command:
    """Choices of pupils of one class."""

    request: Request
    author: Author
    class_id: str
    pupils: Sequence[PupilSubjects]


@dataclass(frozen=True, slots=True)
class SetAnswer:
    """The class version the choices were set on, and what was not taken."""

    version: int
    faults: Sequence[Fault]

    def packed(self) -> bytes:
        """As bytes to keep."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def unpacked(cls, answer: bytes) -> SetAnswer:
        """The reverse of `packed`."""
        kept = json.loads(answer)
        return cls(kept["version"], [Fault(**fault) for fault in kept["faults"]])


@dataclass(frozen=True, slots=True)
class SetSubjects:
    """Record the school's decision about a pupil's subjects; a sealed year stays as it is."""

    transactions: Transactions
    rules: Rules

    async def __call__(self, command: Command) -> SetAnswer:
        async with self.transactions() as work:
            if before := await work.answered(command.request):
                return SetAnswer.unpacked(before)
            facts = await work.hold_class(command.class_id)
            require_role(command.author, facts, "registrar", "principal")
            rules = self.rules(facts.grade, facts.school_year)
            files = {file.year.pupil_id: file for file in await work.read_years(facts, rules)}
            faults = []
            for pupil in command.pupils:
                try:
                    choice = _checked(pupil, files.get(pupil.pupil_id), rules, facts.grade)
                except BadInput as error:
                    problem, _, cure = error.message.partition("; ")
                    faults.append(Fault(pupil.pupil_id, "", problem, cure))
                    continue
                await work.set_choice(facts, pupil.pupil_id, choice, pupil.reasons)
            answer = SetAnswer(facts.class_version, faults)
            await work.keep_answer(command.request, answer.packed())
            return answer


def _checked(pupil: PupilSubjects, file: PupilFile | None, rules: RuleSet, grade: int) -> SubjectChoice:
    if file is None:
        raise BadInput("not_in_class", "no such pupil in this class; check the pupil, or enrol him or her first")
    if file.previous is not None:
        raise BadInput("sealed", "this pupil's year is sealed; subjects can't change any more")
    subjects = {code: row for code, row in subjects_of(rules.level).items() if row.taught_in(grade)}
    possible = sorted(code for code, row in subjects.items() if row.elective_in(grade))
    if wrong := sorted(pupil.electives - set(possible)):
        raise BadInput("no_such_elective", f"not elective in grade {grade}: {', '.join(wrong)}; choose from {', '.join(possible) or 'none'}")
    taken = {code for code, row in subjects.items() if not row.elective_in(grade)} | pupil.electives
    if wrong := sorted(pupil.clusters - taken):
        raise BadInput("no_such_cluster", f"clusters of subjects that aren't taken: {', '.join(wrong)}; choose the subject first")
    if wrong := sorted(set(pupil.exemptions) - taken):
        raise BadInput("no_such_subject", f"exempt from subjects that aren't taken: {', '.join(wrong)}; leave them out")
    if wrong := sorted(code for code in pupil.exemptions if not pupil.reasons.get(code, "").strip()):
        raise BadInput("reason_missing", f"exemption from {', '.join(wrong)} without a reason; say why")
    return SubjectChoice(pupil.electives, pupil.clusters, pupil.exemptions, file.year.choice.individual_plan)
