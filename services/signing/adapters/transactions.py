"""Transactions of signing: the stores over one connection, with the caller's rows."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from services.chassis import outbox, requests
from services.chassis.database import SYSTEM, Connection, Database, RowScope, scope_of
from services.chassis.identity import Actor, Role
from services.signing.adapters.classes import QUERIES, PostgresClasses
from services.signing.adapters.halts import PostgresHalts
from services.signing.adapters.journal import PostgresJournal
from services.signing.adapters.manifests import PostgresManifests
from services.signing.adapters.orders import PostgresOrders
from services.signing.adapters.people import PostgresPeople
from services.signing.adapters.progress import PostgresProgress
from services.signing.adapters.proofs import PostgresProofs
from services.signing.adapters.queue import PostgresQueue
from services.signing.adapters.remote_requests import PostgresRemote
from services.signing.application.ports import Request
from services.signing.application.stores import Classes, Halts, Journalled, Manifests, Orders, People, ProgressCounts, Proofs, Queue, Remote, Work
from services.signing.contracts import messages_of
from services.signing.domain.events import Event
from services.signing.domain.people import Caller


class PostgresWork:
    """Fulfils ports.Work."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._classes, self._progress = PostgresClasses(connection), PostgresProgress(connection)
        self.classes: Classes = self._classes
        self.progress: ProgressCounts = self._progress
        self.manifests: Manifests = PostgresManifests(connection)
        self._orders = PostgresOrders(connection)
        self.orders: Orders = self._orders
        self.queue: Queue = PostgresQueue(connection)
        self.journal: Journalled = PostgresJournal(connection)
        self.people: People = PostgresPeople(connection)
        self.proofs: Proofs = PostgresProofs(connection)
        self.halts: Halts = PostgresHalts(connection)
        self.remote: Remote = PostgresRemote(connection)

    @property
    def has_queued(self) -> bool:
        """Whether an order was queued."""
        return self._orders.queued

    async def recount(self) -> None:
        """Count again what was held: nobody changes a class without that."""
        for class_id in sorted(self._classes.held):
            await self._progress.recount(class_id)

    async def announce(self, *events: Event) -> None:
        """Into the outbox."""
        await outbox.announce(self._connection, *(message for event in events for message in messages_of(event)))

    async def answered(self, request: Request) -> Mapping[str, str] | None:
        """The first answer to a request."""
        kept = await requests.answered(self._connection, request.request_id, request.digest)
        return None if kept is None else dict(json.loads(kept))

    async def keep_answer(self, request: Request, answer: Mapping[str, str]) -> None:
        """Keep it for repeats."""
        await requests.keep_answer(self._connection, request.request_id, request.method, request.digest, json.dumps(dict(answer)).encode())


class PostgresTransactions:
    """Fulfils ports.Transactions."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.queued = asyncio.Event()
        """Set when this process has queued an order."""

    def __call__(self, caller: Caller | None = None) -> AbstractAsyncContextManager[Work]:
        return self._open(caller)

    @asynccontextmanager
    async def _open(self, caller: Caller | None) -> AsyncIterator[Work]:
        scope = SYSTEM if caller is None else await self._scope(caller)
        async with self._database.transaction(scope) as connection:
            work = PostgresWork(connection)
            yield work
            await work.recount()
        if work.has_queued:
            self.queued.set()

    async def _scope(self, caller: Caller) -> RowScope:
        actor = Actor(caller.account_id, caller.person_id, tuple(Role(*role) for role in caller.roles), caller.service)
        scope = scope_of(actor)
        classes = actor.scoped("class")
        if scope.kind != "none" or not classes:
            return scope
        # A homeroom teacher's role may name the class alone; rows are guarded by school.
        async with self._database.transaction() as connection:
            rows = await connection.fetch(QUERIES["schools_of_classes"], list(classes))
        return RowScope("school", schools=tuple(str(row["school_id"]) for row in rows)) if rows else scope
