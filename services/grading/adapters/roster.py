"""The copy of enrollment's facts in PostgreSQL. Every statement is guarded by the fact's version."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from services.chassis.database import Connection, Queries
from services.grading.application.ports import Enrolment, FormedClass, School, Staff, Teaching, Transfer

TRANSCRIPTS = UUID("6f1d3c1e-8f0b-5b0f-9d52-0c8a1f6f2b7e")
"""Name space of transcript ids: UUID version 5 over "<pupil>/<school year>", the same wherever it is computed."""


def transcript_id_of(pupil_id: str, school_year: int) -> UUID:
    """The id of a pupil's transcript of one school year."""
    return uuid.uuid5(TRANSCRIPTS, f"{pupil_id}/{school_year}")


class PostgresRoster:
    """The roster within one transaction."""

    def __init__(self, connection: Connection, sql: Queries) -> None:
        self._db, self._sql = connection, sql

    async def put_schools(self, schools: Sequence[School]) -> None:
        newest = {s.school_id: s for s in sorted(schools, key=lambda s: s.version)}.values()
        await self._db.execute(
            self._sql["put_schools"],
            [UUID(s.school_id) for s in newest],
            [s.version for s in newest],
            [s.code for s in newest],
            [s.name for s in newest],
            [s.commune for s in newest],
            [s.province_id for s in newest],
            [s.province for s in newest],
        )

    async def put_staff(self, staff: Sequence[Staff]) -> None:
        rows = [(UUID(s.staff_id), UUID(s.school_id), s.version, s.person_id, s.full_name, list(s.roles)) for s in staff]
        await self._db.executemany(self._sql["put_staff"], rows)

    async def put_classes(self, classes: Sequence[FormedClass]) -> None:
        newest = {c.class_id: c for c in sorted(classes, key=lambda c: c.version)}.values()
        await self._db.execute(
            self._sql["put_classes"],
            [UUID(c.class_id) for c in newest],
            [UUID(c.school_id) for c in newest],
            [c.province_id for c in newest],
            [c.version for c in newest],
            [c.school_year for c in newest],
            [c.grade for c in newest],
            [c.name for c in newest],
            [UUID(c.homeroom_staff_id) if c.homeroom_staff_id else None for c in newest],
        )
        class_ids = [UUID(c.class_id) for c in newest]
        await self._db.execute(self._sql["pupils_follow_class"], class_ids)
        await self._db.execute(self._sql["marks_follow_class"], class_ids)

    async def put_teaching(self, teaching: Teaching) -> None:
        class_id = UUID(teaching.class_id)
        if await self._db.fetchval(self._sql["put_teaching_list"], class_id, teaching.version) is None:
            return
        await self._db.execute(self._sql["clear_teaching"], class_id)
        subjects, staff, responsible = zip(*teaching.assignments, strict=True) if teaching.assignments else ((), (), ())
        await self._db.execute(self._sql["add_teaching"], class_id, list(subjects), [UUID(s) for s in staff], list(responsible))

    async def enrol(self, enrolments: Sequence[Enrolment]) -> None:
        newest = {(e.pupil_id, e.school_year): e for e in sorted(enrolments, key=lambda e: e.version)}
        # One order for everybody, so that two batches can't hold each other up.
        rows = [_pupil_row(newest[key]) for key in sorted(newest)]
        if not rows:
            return
        columns = [list(column) for column in zip(*rows, strict=True)]
        added = {(row["pupil_id"], row["school_year"]) for row in await self._db.fetch(self._sql["add_pupils"], *columns)}
        for key in sorted(set(newest) - added):
            await self._change(newest[key])

    async def _change(self, one: Enrolment) -> None:
        row = await self._hold(UUID(one.pupil_id), one.school_year)
        if row is None or row["version"] >= one.version:
            return
        pupil_id, school_year, _, version, school_id, class_id, *details = _pupil_row(one)
        if row["sealed_version"] > 0:
            class_id, school_id = UUID(row["class_id"]), UUID(row["school_id"])
        await self._db.execute(self._sql["change_pupil"], pupil_id, school_year, version, school_id, class_id, *details)
        await self._db.execute(self._sql["move_marks"], pupil_id, school_year, school_id)

    async def transfer(self, transfer: Transfer) -> None:
        pupil_id = UUID(transfer.pupil_id)
        row = await self._hold(pupil_id, transfer.school_year)
        if row is None or row["version"] >= transfer.version:
            return
        key = (pupil_id, transfer.school_year, transfer.version)
        if row["sealed_version"] > 0:
            await self._db.execute(self._sql["note_transfer"], *key)
            return
        leaves = not transfer.to_school_id
        unplaced = bool(transfer.to_school_id) and not transfer.to_class_id
        # Without a class at the new school the pupil stays where the marks are, and waits there visibly.
        school_id = UUID(row["school_id"]) if leaves or unplaced else UUID(transfer.to_school_id)
        class_id = UUID(row["class_id"]) if leaves or unplaced else UUID(transfer.to_class_id)
        left_on = transfer.transferred_on if leaves else None
        await self._db.execute(self._sql["move_pupil"], *key, school_id, class_id, transfer.roll_number, unplaced, left_on)
        await self._db.execute(self._sql["move_marks"], pupil_id, transfer.school_year, school_id)

    async def _hold(self, pupil_id: UUID, school_year: int) -> dict[str, Any] | None:
        """The pupil's year, locked; its class is locked before it, in the order that a seal takes, so that no save of
        the old class writes behind the move.
        """
        class_id = await self._db.fetchval(self._sql["class_of_pupil"], pupil_id, school_year)
        if class_id is None:
            return None
        await self._db.execute(self._sql["hold_class_row"], UUID(class_id))
        row = await self._db.fetchrow(self._sql["hold_pupil"], pupil_id, school_year)
        return None if row is None else dict(row)


def _pupil_row(one: Enrolment) -> tuple[Any, ...]:
    return (
        UUID(one.pupil_id),
        one.school_year,
        transcript_id_of(one.pupil_id, one.school_year),
        one.version,
        UUID(one.school_id),
        UUID(one.class_id),
        one.roll_number,
        one.full_name,
        json.dumps(dict(one.profile), ensure_ascii=False),
        one.has_personal_number,
        one.individual_plan,
    )
