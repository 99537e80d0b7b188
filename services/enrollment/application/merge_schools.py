"""Merge schools into one: ends, links, and the classes that are still to be taught."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from services.chassis.clock import Clock
from services.enrollment.application.ports import Once, Transactions
from services.enrollment.domain.authority import PROVINCE_OFFICE, Caller
from services.enrollment.domain.facts import ClassFormed, SchoolRegistered, by_class
from services.enrollment.domain.provinces import Catalogue
from services.enrollment.domain.refusals import Missing
from services.enrollment.domain.school import merged
from services.enrollment.domain.school_year import SchoolYear


@dataclass(frozen=True, slots=True)
class Command:
    """Which schools end in which other one, on its first day with everything in it; no year: no class moves."""

    once: Once
    caller: Caller
    successor_id: UUID
    predecessor_ids: Sequence[UUID]
    merged_on: date
    moves_from: SchoolYear | None


@dataclass(frozen=True, slots=True)
class Answer:
    """The successor's version and how much moved."""

    version: int
    classes_moved: int
    pupils_moved: int


@dataclass(frozen=True, slots=True)
class MergeSchools:
    """End schools in favour of a successor. Years before the one named stay with the schools that taught and signed them."""

    transactions: Transactions
    catalogue: Catalogue
    clock: Clock

    async def __call__(self, command: Command) -> Answer:
        """Give what moved. A repeat of the request gives the first answer."""
        now = self.clock.now()
        # Predecessors may lie in another province than the successor, hence the caller's right is checked for each of them.
        async with self.transactions(every_school=True) as work:
            kept = await work.answered(command.once)
            if kept is not None:
                return Answer(**kept)
            wanted = [command.successor_id, *command.predecessor_ids]
            held = {school.school_id: school for school in await work.schools.hold(*wanted)}
            for school_id in wanted:
                if school_id not in held:
                    raise Missing("school_unknown", f"Không có trường {school_id}: kiểm tra lại mã.")
                command.caller.require(PROVINCE_OFFICE, None, held[school_id].province_id, "sáp nhập trường của tỉnh này")
            before = tuple(held[school_id] for school_id in command.predecessor_ids)
            successor, ended = merged(held[command.successor_id], before, command.merged_on)
            for school in (*ended, successor):
                await work.schools.put(school, command.caller.account_id, now)
                name = self.catalogue.get(school.province_id).style_on(now.date()).name
                await work.announce(SchoolRegistered(school, name))
            classes_moved = pupils_moved = 0
            if command.moves_from is not None:
                for school in ended:
                    classes, standings = await work.schools.hand_over(school, successor, command.moves_from)
                    await work.announce(*(ClassFormed(each, successor.province_id) for each in classes), *by_class(standings))
                    classes_moved, pupils_moved = classes_moved + len(classes), pupils_moved + len(standings)
            answer = Answer(successor.version, classes_moved, pupils_moved)
            kept_answer = {"version": answer.version, "classes_moved": classes_moved, "pupils_moved": pupils_moved}
            await work.keep_answer(command.once, "MergeSchools", kept_answer)
            return answer
