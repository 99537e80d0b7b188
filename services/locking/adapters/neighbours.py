"""Grading and signing by gRPC, and the database's clock as the second one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg
import grpc

from hocba.grading.v1 import grading_pb2 as grading_pb
from hocba.grading.v1 import grading_pb2_grpc
from hocba.signing.v1 import signing_pb2 as signing_pb
from hocba.signing.v1 import signing_pb2_grpc
from services.chassis.database import Database
from services.chassis.errors import Unavailable
from services.locking import contracts
from services.locking.adapters.statements import SQL
from services.locking.adapters.windows import lease_id
from services.locking.domain.lease import Lease
from services.locking.domain.lock import Answer, Lock
from services.locking.domain.scope import Place
from services.locking.domain.unlock import Unlock


class GradingClient:
    """Fulfils application.ports.Grading; the channel gives deadlines and turns gRPC's errors into the house's."""

    def __init__(self, channel: grpc.aio.Channel, seal_seconds: float) -> None:
        self._stub = grading_pb2_grpc.GradingStub(channel)
        self._seal_seconds = seal_seconds

    async def grant(self, lease: Lease, place: Place) -> int:
        answer = await self._stub.GrantWindow(contracts.grant_message(lease_id(lease.class_id, lease.term), lease, place), wait_for_ready=False)
        return int(answer.version)

    async def seal(self, lock: Lock) -> Answer:
        request = grading_pb.SealClassRequest(lock_id=str(lock.lock_id), class_id=str(lock.place.class_id), term=contracts.WIRE_TERMS[lock.period])
        return contracts.answer_of(await self._stub.SealClass(request, timeout=self._seal_seconds, wait_for_ready=False))

    async def reopen(self, unlock: Unlock) -> int:
        answer = await self._stub.ReopenScope(contracts.reopen_message(unlock), wait_for_ready=False)
        return int(answer.class_version)

    async def close(self, unlock: Unlock) -> int:
        request = grading_pb.CloseScopeRequest(unlock_id=str(unlock.unlock_id), class_id=str(unlock.target.place.class_id))
        return int((await self._stub.CloseScope(request, wait_for_ready=False)).marks_changed)

    async def ready_pupils(self, class_id: UUID) -> frozenset[UUID]:
        answer = await self._stub.GetReadiness(grading_pb.GetReadinessRequest(class_id=str(class_id)), wait_for_ready=False)
        return frozenset(UUID(pupil.pupil_id) for pupil in answer.pupils if pupil.ready)


class SigningClient:
    """Fulfils application.ports.Signing."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = signing_pb2_grpc.SigningStub(channel)

    async def halt(self, unlock: Unlock) -> None:
        request = signing_pb.HaltClassRequest(class_id=str(unlock.target.place.class_id), unlock_id=str(unlock.unlock_id))
        await self._stub.HaltClass(request, wait_for_ready=False)


@dataclass(frozen=True, slots=True)
class DatabaseClock:
    """Fulfils application.ports.Witness by PostgreSQL's clock, which is another machine's wherever that matters."""

    database: Database

    async def now(self) -> datetime | None:
        try:
            async with self.database.connection() as connection:
                seen: datetime = await connection.fetchval(SQL["database_clock"])
        except (Unavailable, asyncpg.PostgresError, OSError):
            return None
        return seen
