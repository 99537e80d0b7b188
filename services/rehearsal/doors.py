"""The public doors: gRPC with the edge certificate, and a token for whoever acts."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import grpc

from hocba.archive.v1 import archive_pb2_grpc
from hocba.enrollment.v1 import enrollment_pb2_grpc
from hocba.grading.v1 import grading_pb2_grpc
from hocba.locking.v1 import locking_pb2_grpc
from hocba.reporting.v1 import reporting_pb2_grpc
from hocba.signing.v1 import signing_pb2_grpc
from services.chassis.errors import Conflict, NotFound, Refused, Unavailable
from services.chassis.rpc_client import open_channel

if TYPE_CHECKING:  # The asynchronous stubs have a name in the type files only.
    from hocba.archive.v1.archive_pb2_grpc import ArchiveAsyncStub
    from hocba.enrollment.v1.enrollment_pb2_grpc import EnrollmentAsyncStub
    from hocba.grading.v1.grading_pb2_grpc import GradingAsyncStub
    from hocba.locking.v1.locking_pb2_grpc import LockingAsyncStub
    from hocba.reporting.v1.reporting_pb2_grpc import ReportingAsyncStub
    from hocba.signing.v1.signing_pb2_grpc import SigningAsyncStub

T = TypeVar("T")
Metadata = tuple[tuple[str, str], ...]
AT_ONCE = 12
"""Calls under way at a time: a school's office, not a flood."""
SETTLE_SECONDS = 120.0


class Issuer(Protocol):
    """Whoever issues tokens."""

    def token(self, account: str, person: str, roles: tuple[str, ...] = ()) -> str: ...


@dataclass(frozen=True)
class Doors:
    """A stub per service, and identities."""

    enrollment: "EnrollmentAsyncStub"
    grading: "GradingAsyncStub"
    locking: "LockingAsyncStub"
    signing: "SigningAsyncStub"
    archive: "ArchiveAsyncStub"
    reporting: "ReportingAsyncStub"
    issuer: Issuer
    channels: tuple[grpc.aio.Channel, ...]

    def as_(self, person_id: str, *roles: str, account: str = "") -> Metadata:
        """Call metadata of a person holding `role@scope` roles."""
        return (("authorization", "Bearer " + self.issuer.token(account or person_id, person_id, roles)),)

    async def close(self) -> None:
        for channel in self.channels:
            await channel.close(None)


_STUBS: dict[str, Any] = {
    "enrollment": enrollment_pb2_grpc.EnrollmentStub,
    "grading": grading_pb2_grpc.GradingStub,
    "locking": locking_pb2_grpc.LockingStub,
    "signing": signing_pb2_grpc.SigningStub,
    "archive": archive_pb2_grpc.ArchiveStub,
    "reporting": reporting_pb2_grpc.ReportingStub,
}


def open_doors(addresses: Mapping[str, str], *, ca: Path, certificate: Path, key: Path, issuer: Issuer) -> Doors:
    """Channels to every service; nothing connects before the first call."""
    channels = {name: open_channel(addresses[name], name, ca=ca, certificate=certificate, key=key, patience_seconds=SETTLE_SECONDS) for name in _STUBS}
    return Doors(**{name: stub(channels[name]) for name, stub in _STUBS.items()}, issuer=issuer, channels=tuple(channels.values()))


def new_id() -> str:
    """A request id."""
    return str(uuid.uuid4())


async def settled(call: Callable[[], Awaitable[T]], *, within: float = SETTLE_SECONDS) -> T:
    """The answer of a call whose subject may not have arrived there yet: facts travel by events and take a moment."""
    deadline = asyncio.get_running_loop().time() + within
    while True:
        try:
            return await call()
        except (NotFound, Refused, Unavailable, Conflict):
            if asyncio.get_running_loop().time() > deadline:
                raise
        await asyncio.sleep(0.1)


async def all_of(work: Iterable[Coroutine[Any, Any, T]], *, at_once: int = AT_ONCE) -> list[T]:
    """Run all, a few at a time; the first error ends the rest."""
    gate, waiting = asyncio.Semaphore(at_once), list(work)

    async def one(coroutine: Coroutine[Any, Any, T]) -> T:
        async with gate:
            return await coroutine

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(coroutine)) for coroutine in waiting]
    except ExceptionGroup as several:
        raise several.exceptions[0] from several
    finally:
        for coroutine in waiting:
            coroutine.close()  # Those that never got their turn; for the others it is nothing.
    return [task.result() for task in tasks]
