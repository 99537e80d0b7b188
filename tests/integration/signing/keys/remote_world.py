"""A signing service whose principals sign at the stand-in provider and whose seal is with an agent; rounds are made by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from services.chassis.database import Database
from services.signing import app
from services.signing.adapters.keys.csc import CscHome, read_providers
from services.signing.application.advance_requests import AdvanceRequests, TakeNotice
from services.signing.domain.key_names import Home
from services.signing.domain.roles import DEFAULT_ORDER, SignatureRole
from services.stack.postgresql import Databases
from services.stack.signer_pki import KeyKind
from tests.integration.signing.world import TurnedClock, World, settings_for, wired
from tests.support.remote_signing import StandIn, a_stand_in
from tests.support.trust import Trust

HOMEROOM, PRINCIPAL, SEAL = DEFAULT_ORDER


@dataclass
class RemoteWorld:
    """The service, the provider, and what brings its requests on."""

    world: World
    stand_in: StandIn
    home: CscHome
    advance: AdvanceRequests
    notice: TakeNotice

    async def to_role(self, role: SignatureRole) -> None:
        """A sealed class with all approvals, worked as far as the role's first order."""
        await self.world.seal()
        await self.world.work()
        await self.world.approve_all()
        await self.world.work()
        assert await self.states() == ["waiting"], f"the order of {role} waits for its home"

    async def states(self) -> list[str]:
        return [row["state"] for row in await self.world.rows("SELECT state FROM remote_request ORDER BY created_at, request_id")]

    async def round(self, turn: float = 0.0) -> int:
        """One round after the clock was turned."""
        self.world.clock.turn(timedelta(seconds=turn))
        return await self.advance()

    async def until(self, reached: Callable[[], Awaitable[bool]], turns: int = 60, seconds: float = 3.0) -> None:
        """Rounds until something is so; the clock goes on with each."""
        for _ in range(turns):
            if await reached():
                return
            await self.round(seconds)
        raise AssertionError(f"not reached: {await self.states()}")

    async def redeliver(self) -> None:
        """Let the worker do every order again that was announced last."""
        self.world.done.clear()
        await self.world.work()

    async def values(self) -> dict[str, bytes]:
        return {str(row["intent_id"]): bytes(row["value"]) for row in await self.world.rows("SELECT intent_id, value FROM signature_value")}

    async def voids(self) -> list[str]:
        return [row["reason"] for row in await self.world.rows("SELECT reason FROM void_intent ORDER BY intent_id")]


@asynccontextmanager
async def a_remote_world(
    databases: Databases,
    folder: Path,
    trust: Trust,
    *options: str,
    homes: dict[SignatureRole, str] | None = None,
    kind: KeyKind = KeyKind.RSA_2048,
    **provider: Any,
) -> AsyncIterator[RemoteWorld]:
    """A service with people whose keys are where `homes` says, and a provider with the options given."""
    database = Database(databases.url, name="signing-test", pool=6)
    await database.open()
    try:
        async with a_stand_in(folder / "provider", trust.pki.keys, trust.pki.password_file, *options) as stand_in:
            file = stand_in.providers_file(folder, **{"asked_by": "clientData", "timeout_seconds": 3.0, **provider})
            clock, pki = TurnedClock(trust), trust.pki
            settings = settings_for(databases, folder, pki)
            world = wired(database, settings, clock, pki)
            world.homes = homes if homes is not None else {PRINCIPAL: "csc:standin/"}
            world.kinds = dict.fromkeys(SignatureRole, kind)
            await world.people()
            home = CscHome(read_providers(file))
            resume = app.resume_of(settings, world.transactions, clock)
            advance = AdvanceRequests(world.transactions, {Home.CSC: home}, resume, clock)
            yield RemoteWorld(world, stand_in, home, advance, TakeNotice(world.transactions, resume, clock))
            await home.close()
    finally:
        await database.close()
