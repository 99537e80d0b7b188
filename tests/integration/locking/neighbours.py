"""Stand-ins for grading and signing behind their real contracts: small, idempotent as promised, and troublesome on demand."""

from __future__ import annotations

import asyncio
import hashlib
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from hocba.common.v1 import common_pb2
from hocba.grading.v1 import events_pb2, grading_pb2, grading_pb2_grpc
from hocba.signing.v1 import signing_pb2, signing_pb2_grpc
from services.chassis.clock import Clock
from services.chassis.errors import Malformed, NotFound, Refused, Unavailable


@dataclass
class Scope:
    """A re-opening as grading holds it."""

    pupils: frozenset[str]
    until: datetime
    reason: str
    closed: bool = False
    corrections: int = 0


@dataclass
class Book:
    """One class in grading: its marks, what is sealed of them, and what may be written now."""

    marks: dict[str, str] = field(default_factory=dict)
    waiting: dict[str, str] = field(default_factory=dict)
    sealed: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    closed: bool = False
    version: int = 0
    corrections: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    scopes: dict[str, Scope] = field(default_factory=dict)
    answers: dict[str, grading_pb2.SealClassResponse] = field(default_factory=dict)
    mutex: asyncio.Lock = field(default_factory=asyncio.Lock)


class Trouble:
    """What goes wrong next, per method: `down` until told otherwise, or one-off `lost` (done, but no answer in time) and `no`; a gate holds a method."""

    def __init__(self) -> None:
        self.down = False
        self.next: dict[str, list[str]] = defaultdict(list)
        self.calls: list[tuple[str, str]] = []
        self.gates: dict[str, asyncio.Event] = {}

    async def before(self, method: str, subject: str) -> str:
        self.calls.append((method, subject))
        if self.down:
            raise Unavailable("down for a test")
        if method in self.gates:
            await self.gates[method].wait()
        kind = self.next[method].pop(0) if self.next[method] else ""
        if kind == "no":
            raise Refused("no, and asking again won't help", code="no")
        return kind

    async def after(self, kind: str) -> None:
        if kind == "lost":
            await asyncio.Event().wait()  # The caller's deadline ends this.

    def count(self, method: str) -> int:
        return sum(1 for called, _ in self.calls if called == method)

    def subjects(self, method: str) -> list[str]:
        return [subject for called, subject in self.calls if called == method]


class GradingStandIn(grading_pb2_grpc.GradingServicer):
    """What locking needs of grading, with its promises: versions of windows, seals by lock id, openings by unlock id."""

    def __init__(self, clock: Clock) -> None:
        self.clock, self.trouble = clock, Trouble()
        self.books: dict[str, Book] = defaultdict(Book)
        self.windows: dict[str, grading_pb2.GrantWindowRequest] = {}

    def window(self, class_id: UUID, term: int) -> grading_pb2.GrantWindowRequest | None:
        return next((w for w in self.windows.values() if w.scope.class_id == str(class_id) and w.term == term), None)

    async def GrantWindow(self, request: Any, context: Any) -> Any:
        kind = await self.trouble.before("GrantWindow", request.scope.class_id)
        if request.opens_at.ToDatetime(UTC) >= request.closes_at.ToDatetime(UTC):
            raise Malformed("empty window")
        held = self.windows.get(request.window_id)
        if held is None or held.version < request.version:
            self.windows[request.window_id] = request
        await self.trouble.after(kind)
        return grading_pb2.GrantWindowResponse(version=self.windows[request.window_id].version)

    async def SealClass(self, request: Any, context: Any) -> Any:
        kind = await self.trouble.before("SealClass", request.lock_id)
        book = self.books[request.class_id]
        async with book.mutex:
            if request.lock_id not in book.answers:
                book.answers[request.lock_id] = self._seal(book, request.term)
            answer = book.answers[request.lock_id]
        await self.trouble.after(kind)
        return answer

    def _seal(self, book: Book, term: int) -> grading_pb2.SealClassResponse:
        book.version += 1
        book.closed = True
        outcomes = []
        for pupil in sorted({*book.marks, *book.waiting}) if term == common_pb2.TERM_UNSPECIFIED else ():
            if pupil in book.waiting:
                ref = common_pb2.TranscriptRef(pupil_id=pupil)
                outcomes.append(events_pb2.PupilOutcome(transcript=ref, waiting_reasons=[book.waiting[pupil]]))
                continue
            digest = hashlib.sha256(f"{pupil}={book.marks[pupil]}".encode()).digest()
            version, before = book.sealed.get(pupil, (0, b""))
            changed = digest != before
            book.sealed[pupil] = (version + changed, digest)
            ref = common_pb2.TranscriptRef(pupil_id=pupil, version=version + changed, content_digest=digest)
            outcomes.append(events_pb2.PupilOutcome(transcript=ref, sealed=True, changed=changed, corrections=book.corrections[pupil]))
        digest = hashlib.sha256(b"".join(o.SerializeToString(deterministic=True) for o in outcomes)).digest()
        return grading_pb2.SealClassResponse(class_version=book.version, class_digest=digest, outcomes=outcomes)

    async def ReopenScope(self, request: Any, context: Any) -> Any:
        kind = await self.trouble.before("ReopenScope", request.unlock_id)
        book = self.books[request.class_id]
        until = request.open_until.ToDatetime(UTC)
        book.scopes.setdefault(request.unlock_id, Scope(frozenset(request.pupil_ids), until, request.reason))
        await self.trouble.after(kind)
        return grading_pb2.ReopenScopeResponse(class_version=book.version)

    async def CloseScope(self, request: Any, context: Any) -> Any:
        kind = await self.trouble.before("CloseScope", request.unlock_id)
        scope = self.books[request.class_id].scopes.get(request.unlock_id)
        if scope is None:
            raise NotFound("never opened")
        async with self.books[request.class_id].mutex:
            scope.closed = True
        await self.trouble.after(kind)
        return grading_pb2.CloseScopeResponse(marks_changed=scope.corrections)

    async def GetReadiness(self, request: Any, context: Any) -> Any:
        await self.trouble.before("GetReadiness", request.class_id)
        book = self.books[request.class_id]
        pupils = [grading_pb2.PupilReadiness(pupil_id=pupil, ready=pupil not in book.waiting) for pupil in {*book.marks, *book.waiting}]
        return grading_pb2.GetReadinessResponse(pupils=pupils)

    async def save(self, class_id: UUID, pupil: str, value: str) -> bool:
        """A teacher saves a mark: taken only if a lease or a re-opening allows it, judged under the class's own lock."""
        book = self.books[str(class_id)]
        async with book.mutex:
            now = self.clock.now()
            lease = self.window(class_id, common_pb2.TERM_2)
            if not book.closed and lease and not lease.withdrawn and lease.opens_at.ToDatetime(UTC) <= now < lease.closes_at.ToDatetime(UTC):
                book.marks[pupil] = value
                return True
            for scope in book.scopes.values():
                if pupil in scope.pupils and not scope.closed and now < scope.until:
                    book.marks[pupil] = value
                    book.corrections[pupil] += 1
                    scope.corrections += 1
                    return True
        return False


class SigningStandIn(signing_pb2_grpc.SigningServicer):
    """Remembers which classes were halted, and when."""

    def __init__(self) -> None:
        self.trouble = Trouble()

    async def HaltClass(self, request: Any, context: Any) -> Any:
        kind = await self.trouble.before("HaltClass", request.unlock_id)
        await self.trouble.after(kind)
        return signing_pb2.HaltClassResponse()
