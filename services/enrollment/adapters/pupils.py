"""Pupils, their places, transfers and imports in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import asyncpg

from services.chassis.database import Connection, Queries
from services.enrollment.adapters import rows
from services.enrollment.application.ports import ImportJob, Lookup
from services.enrollment.domain.enrolment import Enrolment, Transfer, TransferState
from services.enrollment.domain.facts import Standing
from services.enrollment.domain.pupil import IdentityState, NumberRecord, Pupil
from services.enrollment.domain.refusals import Forbidden, Missing, Overtaken
from services.enrollment.domain.roster_plan import Known
from services.enrollment.domain.roster_row import RowFault
from services.enrollment.domain.school import School
from services.enrollment.domain.school_year import SchoolYear

_TAKEN = {
    "one_pupil_per_personal_number": "Số định danh cá nhân này vừa được ghi cho một học sinh khác.",
    "one_pupil_per_ministry_code": "Mã định danh Bộ GD&ĐT này vừa được ghi cho một học sinh khác.",
}


@dataclass(frozen=True, slots=True)
class PostgresPupils:
    """Pupils and places."""

    connection: Connection
    queries: Queries

    async def known(self, year: SchoolYear, lookup: Lookup) -> list[Known]:
        found = await self.connection.fetch(
            self.queries["known_pupils"],
            year.first,
            [school_id for school_id, _, _ in lookup.names],
            [name for _, name, _ in lookup.names],
            [born_on for _, _, born_on in lookup.names],
            list(lookup.codes),
            list(lookup.numbers),
            list(lookup.ids),
        )
        return [rows.known(row) for row in found]

    async def take_in(self, pupils: Sequence[tuple[UUID, School]], year: SchoolYear) -> set[UUID]:
        homes = ([p for p, _ in pupils], [s.school_id for _, s in pupils], [s.province_id for _, s in pupils])
        return {row[0] for row in await self.connection.fetch(self.queries["take_in"], *homes, year.first)}

    async def add(self, standings: Sequence[Standing]) -> None:
        if not standings:
            return
        places = [s.enrolment.place for s in standings]
        await self._write(
            "add_pupils",
            len(standings),
            [s.pupil.pupil_id for s in standings],
            [place.school_id for place in places],
            [place.province_id for place in places],
            *rows.pupil_columns([s.pupil for s in standings]),
        )
        await self.place([s.enrolment for s in standings])

    async def change(self, pupils: Sequence[Pupil]) -> None:
        if pupils:
            await self._write("change_pupils", len(pupils), [p.pupil_id for p in pupils], *rows.pupil_columns(pupils))

    async def place(self, enrolments: Sequence[Enrolment]) -> None:
        if enrolments:
            await self._write("put_enrolments", len(enrolments), *rows.enrolment_columns(enrolments))

    async def _write(self, statement: str, expected: int, *columns: Any) -> None:
        """Write so many rows, or tell that somebody else was first."""
        try:
            status = await self.connection.execute(self.queries[statement], *columns)
        except asyncpg.UniqueViolationError as error:
            message = _TAKEN.get(str(error.constraint_name), "Danh sách vừa được người khác thay đổi.")
            raise Overtaken("taken_meanwhile", f"{message} Xem lại danh sách rồi quyết định lại.") from error
        if int(status.rsplit(" ", 1)[1]) != expected:
            raise Overtaken("changed_meanwhile", "Danh sách vừa được người khác thay đổi. Xem lại rồi quyết định lại.")

    async def record_numbers(self, records: Sequence[tuple[NumberRecord, UUID, str]]) -> None:
        if records:
            await self.connection.execute(
                self.queries["record_numbers"],
                [r.pupil_id for r, _, _ in records],
                [school_id for _, school_id, _ in records],
                [province_id for _, _, province_id in records],
                [r.personal_number for r, _, _ in records],
                [r.valid_from for r, _, _ in records],
                [r.reason for r, _, _ in records],
                [r.recorded_by for r, _, _ in records],
            )

    async def standing(self, pupil_id: UUID, year: SchoolYear) -> Standing:
        row = await self.connection.fetchrow(self.queries["standing"], pupil_id, year.first)
        if row is None:
            raise Missing("pupil_unknown", f"Không có học sinh này trong năm học {year.label}: kiểm tra lại mã và năm học.")
        return rows.standing(row)

    async def open_standings(self, pupil_id: UUID, today: date) -> list[Standing]:
        found = await self.connection.fetch(self.queries["open_standings"], pupil_id, _oldest_open_year(today))
        return [rows.standing(row) for row in found]

    async def home_of(self, pupil_id: UUID) -> UUID | None:
        row = await self.connection.fetchrow(self.queries["get_pupil"], pupil_id)
        return row["school_id"] if row else None

    async def of_class(self, class_id: UUID) -> list[Standing]:
        return [rows.standing(row) for row in await self.connection.fetch(self.queries["standings_of_class"], [class_id])]

    async def of_school(self, school_id: UUID, today: date) -> list[Standing]:
        found = await self.connection.fetch(self.queries["standings_of_school"], school_id, _oldest_open_year(today))
        return [rows.standing(row) for row in found]

    async def history(self, pupil_id: UUID) -> tuple[list[tuple[Enrolment, date | None]], list[NumberRecord], Pupil]:
        row = await self.connection.fetchrow(self.queries["get_pupil"], pupil_id)
        if row is None:
            raise Missing("pupil_unknown", "Không có học sinh này tại trường của tài khoản.")
        places = await self.connection.fetch(self.queries["places_of_pupil"], pupil_id)
        numbers = await self.connection.fetch(self.queries["numbers_of_pupil"], pupil_id)
        stays = [(rows.enrolment({**place, "pupil_id": pupil_id}), place["left_on"]) for place in places]
        return stays, [NumberRecord(*number) for number in numbers], rows.pupil(row)

    async def leave_place(self, enrolment: Enrolment, left_on: date) -> None:
        place = enrolment.place
        await self.connection.execute(
            self.queries["leave_place"],
            enrolment.pupil_id,
            enrolment.school_year.first,
            enrolment.version,
            place.school_id,
            place.province_id,
            place.class_id,
            enrolment.roll_number,
            enrolment.joined_on,
            left_on,
        )

    async def move_home(self, pupil_id: UUID, school: School) -> None:
        await self.connection.execute(self.queries["hand_over_homes"], [pupil_id], school.school_id, school.province_id)

    async def record_checks(self, checks: Sequence[tuple[UUID, IdentityState, tuple[str, ...]]], now: datetime) -> None:
        if checks:
            await self.connection.execute(
                self.queries["record_checks"],
                [pupil_id for pupil_id, _, _ in checks],
                [state.value for _, state, _ in checks],
                [",".join(fields) for _, _, fields in checks],
                now,
            )


@dataclass(frozen=True, slots=True)
class PostgresTransfers:
    """Transfers."""

    connection: Connection
    queries: Queries

    async def open_one(self, pupil_id: UUID, year: SchoolYear) -> Transfer | None:
        row = await self.connection.fetchrow(self.queries["open_transfer"], pupil_id, year.first)
        return rows.transfer(row) if row else None

    async def hold(self, transfer_id: UUID) -> tuple[Transfer, TransferState] | None:
        row = await self.connection.fetchrow(self.queries["hold_transfer"], transfer_id)
        return (rows.transfer(row), TransferState(row["state"])) if row else None

    async def put(self, transfer: Transfer, state: TransferState, target_province: str | None) -> None:
        source, target = transfer.source_agreed, transfer.target_agreed
        try:
            await self.connection.execute(
                self.queries["put_transfer"],
                transfer.transfer_id,
                transfer.pupil_id,
                transfer.school_year.first,
                transfer.source.school_id,
                transfer.source.class_id,
                transfer.source.province_id,
                transfer.target_school_id,
                transfer.target_class_id,
                target_province,
                transfer.transferred_on,
                transfer.reason,
                source.account_id if source else None,
                source.given_at if source else None,
                target.account_id if target else None,
                target.given_at if target else None,
                state.value,
            )
        except asyncpg.UniqueViolationError as error:
            raise Forbidden("transfer_open_elsewhere", "Học sinh vừa có một đề nghị chuyển trường khác: xem lại rồi quyết định lại.") from error


@dataclass(frozen=True, slots=True)
class PostgresImports:
    """Import jobs and the faults they found."""

    connection: Connection
    queries: Queries

    async def start(self, job: ImportJob) -> ImportJob:
        told = (job.job_id, job.school_id, job.province_id, job.school_year, job.file_sha256, job.started_by, job.started_at)
        await self.connection.execute(self.queries["start_import"], *told)
        row = await self.connection.fetchrow(self.queries["hold_import"], job.job_id)
        if row is None:
            # The id exists, but under a school that the caller doesn't see.
            raise Forbidden("request_id_reused", "Mã yêu cầu này đã dùng cho tệp của đơn vị khác: dùng mã mới.")
        values = {name: row[name] for name in ImportJob.__dataclass_fields__}
        return ImportJob(**{**values, "file_sha256": bytes(row["file_sha256"])})

    async def settle(self, job: ImportJob, faults: Sequence[RowFault], now: datetime) -> None:
        counts = (job.last_row, job.rows_read, job.rows_taken, job.rows_unchanged, job.rows_refused)
        await self.connection.execute(self.queries["settle_import"], job.job_id, *counts, job.done, now)
        if faults:
            await self.connection.execute(
                self.queries["add_faults"],
                job.job_id,
                job.school_id,
                job.province_id,
                [f.row for f in faults],
                [f.column for f in faults],
                [f.code for f in faults],
                [f.problem for f in faults],
                [f.cure for f in faults],
                [f.warning for f in faults],
            )

    async def faults(self, job_id: UUID) -> list[RowFault]:
        return [RowFault(*row) for row in await self.connection.fetch(self.queries["faults_of_import"], job_id)]


def _oldest_open_year(today: date) -> int:
    """Give the first year of the oldest school year whose summer isn't over."""
    return today.year - 1 if (today.month, today.day) <= (8, 31) else today.year
