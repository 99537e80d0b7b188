"""Ask the population database whether it knows the pupils as the school wrote them down."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from uuid import UUID

from services.chassis.clock import Clock
from services.enrollment.application.ports import IdentityAnswer, IdentityQuestion, Once, PopulationDatabase, Transactions
from services.enrollment.domain.authority import OFFICE, Caller
from services.enrollment.domain.facts import Standing, by_class
from services.enrollment.domain.pupil import IdentityState, identity_fingerprint
from services.enrollment.domain.refusals import Invalid


@dataclass(frozen=True, slots=True)
class Command:
    """Pupils of a class, or of the whole school."""

    once: Once
    caller: Caller
    school_id: UUID
    class_id: UUID | None


@dataclass(frozen=True, slots=True)
class Answer:
    """How many matched, differed, got no answer, and were not asked for (no number, or matched before)."""

    matched: int = 0
    mismatched: int = 0
    unknown: int = 0
    skipped: int = 0


@dataclass(frozen=True, slots=True)
class VerifyIdentities:
    """Check each pupil with a number that hasn't matched yet. No answer is UNKNOWN, and never overrules an answer."""

    transactions: Transactions
    population: PopulationDatabase
    clock: Clock
    at_once: int = 8

    async def __call__(self, command: Command) -> Answer:
        """Give the counts. No transaction is open while others are asked; an answer about data that changed meanwhile is dropped."""
        today = self.clock.now().date()
        async with self.transactions() as work:
            kept = await work.answered(command.once)
            if kept is not None:
                return Answer(**kept)
            school = await work.schools.get(command.school_id)
            command.caller.require(OFFICE, school.school_id, school.province_id, "xác minh danh tính học sinh của trường này")
            if command.class_id is not None and (await work.classes.get(command.class_id)).school_id != school.school_id:
                raise Invalid("class_of_other_school", "Lớp này không thuộc trường đã chọn: chọn lại lớp.")
            standings = await (work.pupils.of_class(command.class_id) if command.class_id else work.pupils.of_school(school.school_id, today))
        pupils = {s.pupil.pupil_id: s.pupil for s in standings}
        asked = [p for p in pupils.values() if p.has_personal_number and p.identity is not IdentityState.MATCHED]
        gate = asyncio.Semaphore(self.at_once)

        async def ask(question: IdentityQuestion) -> IdentityAnswer:
            async with gate:
                return await self.population.check(question)

        questions = [IdentityQuestion(p.personal_number, p.profile.full_name, p.profile.born_on, p.profile.gender) for p in asked]
        answers = await asyncio.gather(*(ask(question) for question in questions))
        about = {p.pupil_id: (identity_fingerprint(p.profile, p.personal_number), a) for p, a in zip(asked, answers, strict=True)}
        return await self._keep(command, about, skipped=len(pupils) - len(asked))

    async def _keep(self, command: Command, about: dict[UUID, tuple[bytes, IdentityAnswer]], skipped: int) -> Answer:
        now = self.clock.now()
        counts = dict.fromkeys(IdentityState, 0)
        async with self.transactions() as work:
            kept = await work.answered(command.once)
            if kept is not None:
                return Answer(**kept)
            await work.schools.hold(command.school_id)
            today = now.date()
            standings = await (work.pupils.of_class(command.class_id) if command.class_id else work.pupils.of_school(command.school_id, today))
            changed: list[Standing] = []
            checks: list[tuple[UUID, IdentityState, tuple[str, ...]]] = []
            recorded: set[UUID] = set()
            for standing in standings:
                pupil = standing.pupil
                fingerprint, answer = about.get(pupil.pupil_id, (b"", IdentityAnswer(IdentityState.UNKNOWN)))
                if fingerprint != identity_fingerprint(pupil.profile, pupil.personal_number):
                    continue
                if pupil.pupil_id not in recorded:
                    counts[answer.state] += 1
                    checks.append((pupil.pupil_id, answer.state, answer.fields))
                    recorded.add(pupil.pupil_id)
                silent = answer.state is IdentityState.UNKNOWN and pupil.identity is IdentityState.MISMATCHED
                if answer.state is not pupil.identity and not silent:
                    checked = replace(pupil, identity=answer.state, version=pupil.version + 1)
                    changed.append(Standing(checked, replace(standing.enrolment, version=standing.enrolment.version + 1)))
            await work.pupils.record_checks(checks, now)
            await work.pupils.change(list({s.pupil.pupil_id: s.pupil for s in changed}.values()))
            await work.pupils.place([s.enrolment for s in changed])
            await work.announce(*by_class(changed))
            answer_counts = Answer(counts[IdentityState.MATCHED], counts[IdentityState.MISMATCHED], counts[IdentityState.UNKNOWN], skipped)
            await work.keep_answer(
                command.once,
                "VerifyIdentities",
                {"matched": answer_counts.matched, "mismatched": answer_counts.mismatched, "unknown": answer_counts.unknown, "skipped": skipped},
            )
            return answer_counts
