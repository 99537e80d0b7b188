"""Locks and errands in PostgreSQL."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from services.chassis.database import Connection
from services.locking.adapters.statements import SQL, place_of
from services.locking.application.ports import Errand
from services.locking.domain.lock import Answer, Cause, Lock, LockState, Outcome
from services.locking.domain.terms import Period


@dataclass(frozen=True, slots=True)
class PostgresLocks:
    """Fulfils application.ports.Locks on one connection's transaction."""

    connection: Connection

    async def get(self, lock_id: UUID) -> Lock | None:
        row = await self.connection.fetchrow(SQL["get_lock"], lock_id)
        return _lock(row) if row else None

    async def latest_held(self, class_id: UUID, period: Period) -> Lock | None:
        row = await self.connection.fetchrow(SQL["latest_held"], class_id, period.value)
        return _lock(row) if row else None

    async def intended(self, class_id: UUID) -> list[Lock]:
        return [_lock(row) for row in await self.connection.fetch(SQL["intended_locks"], class_id)]

    async def intend(self, lock: Lock, account_id: str) -> None:
        place = lock.place
        await self.connection.execute(
            SQL["intend_lock"],
            lock.lock_id,
            place.class_id,
            place.school_id,
            place.province_id,
            place.school_year,
            place.grade,
            lock.period.value,
            lock.cause.value,
            lock.unlock_id,
            account_id,
            lock.intended_at,
            lock.reason,
        )
        await self.connection.execute(SQL["add_errand"], "seal", place.class_id, lock.lock_id, 1, lock.intended_at)

    async def hold(self, lock: Lock) -> None:
        assert lock.answer is not None
        answer = lock.answer
        await self.connection.execute(SQL["hold_lock"], lock.lock_id, lock.held_at, answer.class_version, answer.digest, _outcomes_text(answer))


@dataclass(frozen=True, slots=True)
class PostgresErrands:
    """Fulfils application.ports.Errands on one connection's transaction."""

    connection: Connection

    async def claim(self, now: datetime) -> Errand | None:
        row = await self.connection.fetchrow(SQL["claim_errand"], now)
        if row is None:
            await self.connection.execute(SQL["recall_errands"], now)
            return None
        return Errand(**row)

    async def done(self, errand: Errand) -> None:
        await self.connection.execute(SQL["errand_done"], errand.errand_id)

    async def postpone(self, errand: Errand, until: datetime, error: str) -> None:
        await self.connection.execute(SQL["postpone_errand"], errand.errand_id, until, error[:200])


def _outcomes_text(answer: Answer) -> str:
    return json.dumps(
        [
            {
                "pupil": str(outcome.pupil_id),
                "version": outcome.version,
                "digest": outcome.digest.hex(),
                "sealed": outcome.sealed,
                "reasons": outcome.reasons,
                "corrections": outcome.corrections,
            }
            for outcome in answer.outcomes
        ]
    )


def _outcome(item: dict[str, Any]) -> Outcome:
    return Outcome(UUID(item["pupil"]), item["version"], bytes.fromhex(item["digest"]), item["sealed"], tuple(item["reasons"]), item["corrections"])


def _lock(row: Any) -> Lock:
    answer = None
    if row["state"] == LockState.HELD:
        answer = Answer(row["class_version"], bytes(row["class_digest"]), tuple(map(_outcome, json.loads(row["outcomes"]))))
    return Lock(
        lock_id=row["lock_id"],
        place=place_of(row),
        period=Period(row["period"]),
        cause=Cause(row["cause"]),
        intended_at=row["intended_at"],
        unlock_id=row["unlock_id"],
        state=LockState(row["state"]),
        answer=answer,
        held_at=row["held_at"],
        reason=row["reason"],
    )
