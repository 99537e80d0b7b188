"""A window is opened or its times are changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.chassis.clock import Clock
from services.locking.application import planning, standing
from services.locking.application.ports import Request, Transactions, Work
from services.locking.domain.people import Caller
from services.locking.domain.refusals import Refusal, Refused, Unknown
from services.locking.domain.scope import Scope
from services.locking.domain.terms import Term
from services.locking.domain.window import Span, Window, changed, opened, state_of


@dataclass(frozen=True, slots=True)
class Command:
    """`window_id` empty opens a new window, whose id is then that of the request."""

    request: Request
    caller: Caller
    window_id: UUID | None
    expected_version: int
    scope: Scope | None
    school_year: int
    term: Term | None
    span: Span
    frame: Span | None
    seals_year: bool
    reason: str


@dataclass(frozen=True, slots=True)
class SetWindow:
    """Open or change a window; every class in scope that isn't closed yet follows in the same transaction."""

    transactions: Transactions
    clock: Clock

    async def __call__(self, command: Command) -> Window:
        async with self.transactions(command.caller) as work:
            made = await work.answered(command.request)
            if made is None:
                window = await (self._open(work, command) if command.window_id is None else self._change(work, command, command.window_id))
                await work.keep_answer(command.request, window.window_id)
                return window
            kept = await work.windows.get(made)
            assert kept is not None, "windows are never deleted"
            return kept

    async def _open(self, work: Work, command: Command) -> Window:
        assert command.scope is not None
        assert command.term is not None
        standing.speaks_for(command.caller, command.scope)
        await work.windows.hold_plan(command.school_year, command.term)
        others = await work.windows.bearing_on(command.scope, command.school_year, command.term)
        window = Window(UUID(command.request.request_id), 1, command.scope, command.school_year, command.term, command.span, command.frame, command.seals_year)
        window = opened(window, others, self.clock.now())
        return await self._store(work, command, window, others, "window_opened")

    async def _change(self, work: Work, command: Command, window_id: UUID) -> Window:
        # The plan is held before the row, as when opening: one order for everybody, so nobody waits in a ring.
        seen = await work.windows.get(window_id)
        if seen is None:
            raise Unknown(f"window {window_id}")
        standing.speaks_for(command.caller, seen.scope)
        await work.windows.hold_plan(seen.school_year, seen.term)
        window = await work.windows.get(window_id)
        assert window is not None
        others = await work.windows.bearing_on(window.scope, window.school_year, window.term)
        later = changed(window, (command.span, command.frame), command.seals_year, others, self.clock.now(), command.expected_version)
        return await self._store(work, command, later, others, "window_changed")

    async def _store(self, work: Work, command: Command, window: Window, others: list[Window], action: str) -> Window:
        now = self.clock.now()
        await work.windows.put(window, command.caller, command.reason, now)
        all_windows = [*(other for other in others if other.window_id != window.window_id), window]
        places = await work.roster.places(window.scope, window.school_year)
        classes, closed = await planning.bring_in_line(work, places, window.term, all_windows, now)
        if classes and closed == classes:
            raise Refused(Refusal.SCOPE_IS_SEALED)
        await write_down(work, window, action, command.caller, classes - closed, now)
        return window


async def write_down(work: Work, window: Window, action: str, caller: Caller, classes: int, now: datetime) -> None:
    """Record and announce what became of a window."""
    state = state_of(window, now)
    facts = {
        "window_id": window.window_id,
        "version": window.version,
        "scope": window.scope.key,
        "school_year": window.school_year,
        "term": window.term.value,
        "opens_at": window.span.opens_at,
        "closes_at": window.span.closes_at,
        "frame": [window.frame.opens_at, window.frame.closes_at] if window.frame else None,
        "seals_year": window.seals_year,
        "state": state,
        "classes": classes,
        "account_id": caller.account_id,
    }
    line = await work.audit(window.scope.stream, action, facts, now, window.scope)
    await work.announce_window(window, state, line)
