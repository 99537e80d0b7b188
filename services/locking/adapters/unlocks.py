"""Unlocks with their history, and policies, in PostgreSQL."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from services.chassis.database import Connection
from services.locking.adapters.statements import SQL, place_of
from services.locking.application.ports import Filters, StepTaken, UnlockView
from services.locking.domain.people import Caller, Party
from services.locking.domain.policy import Policy, policy_from_data, policy_to_data
from services.locking.domain.refusals import Superseded
from services.locking.domain.terms import Term
from services.locking.domain.unlock import ReasonCode, Step, Target, Unlock
from services.locking.domain.unlock_table import State


@dataclass(frozen=True, slots=True)
class PostgresUnlocks:
    """Fulfils application.ports.Unlocks on one connection's transaction."""

    connection: Connection

    async def get(self, unlock_id: UUID, *, hold: bool = False) -> Unlock | None:
        row = await self.connection.fetchrow(SQL["hold_unlock" if hold else "get_unlock"], unlock_id)
        return _unlock(row) if row else None

    async def add(self, unlock: Unlock, now: datetime, due_at: datetime | None) -> None:
        place, requester = unlock.target.place, unlock.requester
        await self.connection.execute(
            SQL["add_unlock"],
            unlock.unlock_id,
            place.class_id,
            place.school_id,
            place.province_id,
            place.school_year,
            place.grade,
            unlock.target.term.value,
            unlock.target.subject,
            list(unlock.target.pupils),
            unlock.reason,
            unlock.evidence,
            json.dumps(policy_to_data(unlock.policy) | {"province_id": unlock.policy.province_id}),
            unlock.policy.version,
            unlock.requested_at,
            int(unlock.open_for.total_seconds()),
            requester.account_id,
            requester.person_id,
            requester.role,
            unlock.state.value,
            unlock.version,
            due_at,
            unlock.reason_code.value,
        )
        await self._add_step(unlock, "request", requester, unlock.reason, unlock.evidence, now)

    async def move(self, unlock: Unlock, step: Step, reason: str, due_at: datetime | None) -> None:
        approver, officer = unlock.approver, unlock.officer
        done = await self.connection.execute(
            SQL["move_unlock"],
            unlock.unlock_id,
            unlock.state.value,
            unlock.version,
            *((approver.account_id, approver.person_id, approver.role) if approver else (None, None, None)),
            *((officer.account_id, officer.person_id, officer.role) if officer else (None, None, None)),
            unlock.reported_at,
            unlock.report_number,
            unlock.until,
            due_at,
        )
        if done != "UPDATE 1":
            raise Superseded(f"unlock {unlock.unlock_id}")
        await self._add_step(unlock, step.verb.value, step.party, reason, step.report_number, step.now)

    async def _add_step(self, unlock: Unlock, verb: str, party: Party | None, reason: str, document: str, now: datetime) -> None:
        place = unlock.target.place
        who = (party.account_id, party.person_id, party.role) if party else ("", "", "")
        args = (unlock.unlock_id, unlock.version, place.school_id, place.province_id, verb, unlock.state.value, *who, reason, document, now)
        await self.connection.execute(SQL["add_step"], *args)

    async def resealed_as(self, unlock_id: UUID, class_version: int) -> None:
        await self.connection.execute(SQL["resealed_as"], unlock_id, class_version)

    async def open_in(self, class_id: UUID) -> UUID | None:
        found: UUID | None = await self.connection.fetchval(SQL["open_in"], class_id)
        return found

    async def due(self, now: datetime, limit: int) -> list[tuple[UUID, UUID]]:
        return [(row["unlock_id"], row["class_id"]) for row in await self.connection.fetch(SQL["due_unlocks"], now, limit)]

    async def intend_opening(self, unlock: Unlock, now: datetime) -> None:
        await self.connection.execute(SQL["add_errand"], "open", unlock.target.place.class_id, unlock.unlock_id, unlock.version, now)

    async def put_off(self, unlock_id: UUID, until: datetime) -> None:
        await self.connection.execute(SQL["put_off_unlock"], unlock_id, until)

    async def view(self, unlock_id: UUID) -> UnlockView | None:
        row = await self.connection.fetchrow(SQL["get_unlock"], unlock_id)
        return (await self._views([row]))[0] if row else None

    async def listed(self, filters: Filters, limit: int) -> list[UnlockView]:
        return await self._views(
            await self.connection.fetch(SQL["list_unlocks"], filters.school_id, filters.province_id, filters.class_id, filters.state, limit)
        )

    async def _views(self, rows: Sequence[Any]) -> list[UnlockView]:
        steps: defaultdict[UUID, list[StepTaken]] = defaultdict(list)
        for row in await self.connection.fetch(SQL["steps_of"], [row["unlock_id"] for row in rows]):
            taken = StepTaken(row["state"], row["account_id"], row["role"], row["reason"], row["document"], row["moved_at"])
            steps[row["unlock_id"]].append(taken)
        return [UnlockView(_unlock(row), tuple(steps[row["unlock_id"]]), row["sealed_class_version"] or 0) for row in rows]


@dataclass(frozen=True, slots=True)
class PostgresPolicies:
    """Fulfils application.ports.Policies on one connection's transaction."""

    connection: Connection

    async def of(self, province_id: str) -> Policy:
        row = await self.connection.fetchrow(SQL["newest_policy"], province_id)
        return policy_from_data(row["province_id"], row["version"], json.loads(row["data"])) if row else Policy()

    async def put(self, policy: Policy, caller: Caller, now: datetime) -> Policy:
        await self.connection.execute(SQL["hold_policies"], policy.province_id)
        version = await self.connection.fetchval(SQL["next_policy_version"], policy.province_id)
        data = json.dumps(policy_to_data(policy))
        await self.connection.execute(SQL["put_policy"], policy.province_id, version, data, caller.account_id, now)
        return replace(policy, version=version)


def _party(row: Any, who: str) -> Party | None:
    if row[f"{who}_account"] is None:
        return None
    return Party(row[f"{who}_account"], row[f"{who}_person"], row[f"{who}_role"])


def _unlock(row: Any) -> Unlock:
    requester = _party(row, "requester")
    assert requester is not None
    policy = json.loads(row["policy"])
    return Unlock(
        unlock_id=row["unlock_id"],
        target=Target(place_of(row), Term(row["term"]), row["subject"], tuple(row["pupils"])),
        requester=requester,
        reason=row["reason"],
        evidence=row["evidence"],
        requested_at=row["requested_at"],
        policy=policy_from_data(policy.pop("province_id"), row["policy_version"], policy),
        state=State(row["state"]),
        version=row["version"],
        approver=_party(row, "approver"),
        officer=_party(row, "officer"),
        reported_at=row["reported_at"],
        report_number=row["report_number"],
        until=row["until"],
        open_for=timedelta(seconds=row["open_for_seconds"]),
        reason_code=ReasonCode(row["reason_code"]),
    )
