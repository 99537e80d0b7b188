"""Windows and leases in PostgreSQL."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from services.chassis.database import Connection
from services.locking.adapters.roster import columns
from services.locking.adapters.statements import SQL
from services.locking.application.ports import HeldLease
from services.locking.domain.audit import canonical
from services.locking.domain.lease import Lease, LeaseState
from services.locking.domain.people import Caller
from services.locking.domain.scope import Area, Scope
from services.locking.domain.terms import Term
from services.locking.domain.window import Span, Window, state_of, turns_at

LEASE_IDS = UUID("1f8ea3c5-6f2b-5b0e-8f44-0f6a9d1c7b11")


def lease_id(class_id: UUID, term: Term) -> UUID:
    """The id under which grading knows the lease of a class and term."""
    return uuid5(LEASE_IDS, f"{class_id}/{term}")


@dataclass(frozen=True, slots=True)
class PostgresWindows:
    """Fulfils application.ports.Windows on one connection's transaction."""

    connection: Connection

    async def get(self, window_id: UUID) -> Window | None:
        row = await self.connection.fetchrow(SQL["get_window"], window_id)
        return _window(row) if row else None

    async def hold_plan(self, school_year: int, term: Term) -> None:
        await self.connection.execute(SQL["hold_plan"], str(school_year), term.value)

    async def bearing_on(self, scope: Scope, school_year: int, term: Term) -> list[Window]:
        rows = await self.connection.fetch(SQL["bearing_on"], school_year, term.value, scope.province_id, scope.school_id)
        return [_window(row) for row in rows if _window(row).scope.overlaps(scope)]

    async def put(self, window: Window, caller: Caller, reason: str, now: datetime) -> None:
        scope, frame = window.scope, window.frame
        await self.connection.execute(
            SQL["put_window"],
            window.window_id,
            window.version,
            int(scope.area),
            scope.province_id,
            scope.school_id,
            scope.class_id,
            scope.grade,
            scope.key,
            window.school_year,
            window.term.value,
            window.span.opens_at,
            window.span.closes_at,
            frame.opens_at if frame else None,
            frame.closes_at if frame else None,
            window.seals_year,
            window.withdrawn,
            state_of(window, now),
            turns_at(window, now),
        )
        body = canonical(
            {
                "scope": scope.key,
                "school_year": window.school_year,
                "term": window.term.value,
                "span": [window.span.opens_at, window.span.closes_at],
                "frame": [frame.opens_at, frame.closes_at] if frame else None,
                "seals_year": window.seals_year,
                "withdrawn": window.withdrawn,
            }
        )
        await self.connection.execute(SQL["put_window_version"], window.window_id, window.version, body, caller.account_id, reason, now)

    async def listed(self, scope: Scope, school_year: int) -> list[tuple[Window, bool]]:
        rows = await self.connection.fetch(SQL["bearing_on"], school_year, None, scope.province_id, scope.school_id)
        windows = [window for row in rows if (window := _window(row)).scope.overlaps(scope)]
        waiting = await self.connection.fetch(SQL["unconfirmed_windows"], [window.window_id for window in windows])
        unconfirmed = {row["given_by"] for row in waiting}
        windows.sort(key=lambda window: (window.term, window.scope.specificity, window.scope.key))
        return [(window, window.window_id not in unconfirmed) for window in windows]

    async def due_to_turn(self, now: datetime, limit: int) -> list[Window]:
        return [_window(row) for row in await self.connection.fetch(SQL["due_to_turn"], now, limit)]

    async def turned(self, window: Window, state: str, turns_at: datetime | None) -> None:
        await self.connection.execute(SQL["turned"], window.window_id, state, turns_at)


@dataclass(frozen=True, slots=True)
class PostgresLeases:
    """Fulfils application.ports.Leases on one connection's transaction."""

    connection: Connection
    now: datetime

    async def of(self, class_ids: Sequence[UUID], term: Term) -> dict[UUID, HeldLease]:
        rows = await self.connection.fetch(SQL["leases_of"], list(class_ids), term.value)
        return {row["class_id"]: _lease(row) for row in rows}

    async def of_class(self, class_id: UUID) -> list[HeldLease]:
        return [_lease(row) for row in await self.connection.fetch(SQL["leases_of_class"], class_id)]

    async def put(self, leases: Sequence[tuple[Lease, UUID | None]]) -> None:
        if not leases:
            return
        rows = [
            (
                lease.class_id,
                lease.term.value,
                lease.version,
                lease.span.opens_at if lease.span else None,
                lease.span.closes_at if lease.span else None,
                lease.seals_year,
                lease.state.value,
                given_by,
            )
            for lease, given_by in leases
        ]
        await self.connection.execute(SQL["put_leases"], *columns(rows, 8))
        errands = [(lease.class_id, lease_id(lease.class_id, lease.term), lease.term.value, lease.version) for lease, _ in leases]
        await self.connection.execute(SQL["lease_errands"], *columns(errands, 4), self.now)

    async def claim_due_to_close(self, now: datetime, but: Collection[UUID]) -> tuple[UUID, Term] | None:
        row = await self.connection.fetchrow(SQL["claim_due_to_close"], now, list(but))
        return (row["class_id"], Term(row["term"])) if row else None

    async def find(self, class_id: UUID, wanted: UUID) -> HeldLease | None:
        return next((held for held in await self.of_class(class_id) if lease_id(class_id, held.lease.term) == wanted), None)

    async def confirm(self, class_id: UUID, term: Term, version: int) -> None:
        await self.connection.execute(SQL["confirm_lease"], class_id, term.value, version)


def _window(row: Any) -> Window:
    scope = Scope(Area(row["area"]), row["province_id"], row["school_id"], row["class_id"], row["grade"])
    frame = Span(row["frame_opens_at"], row["frame_closes_at"]) if row["frame_opens_at"] else None
    span = Span(row["opens_at"], row["closes_at"])
    return Window(row["window_id"], row["version"], scope, row["school_year"], Term(row["term"]), span, frame, row["seals_year"], row["withdrawn"])


def _lease(row: Any) -> HeldLease:
    span = Span(row["opens_at"], row["closes_at"]) if row["opens_at"] else None
    lease = Lease(row["class_id"], Term(row["term"]), row["version"], span, row["seals_year"], LeaseState(row["state"]))
    return HeldLease(lease, row["given_by"], row["confirmed_version"])
