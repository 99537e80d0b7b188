"""How an unlock takes a step: one transaction holds the new state, its history, its audit line, its event and what follows."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from services.locking.application import locking
from services.locking.application.ports import Work
from services.locking.domain.audit import Line
from services.locking.domain.lock import Cause, Lock
from services.locking.domain.people import SERVICE, Caller, Party, school
from services.locking.domain.terms import Period
from services.locking.domain.unlock import Step, Unlock, due_at, next_by_clock, stepped
from services.locking.domain.unlock_table import AWAITS_RESEAL, State, Verb

TURN_WAITS = timedelta(seconds=5)


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


async def move(work: Work, unlock: Unlock, step: Step, caller: Caller, reason: str = "") -> Unlock:
    """Take one step and everything that must be true with it. The class row and the unlock's row are held."""
    after = stepped(unlock, step)
    await work.unlocks.move(after, step, reason, due_at(after))
    line = await write_down(work, after, step.verb.value, caller, step.party, reason, step.now)
    await work.announce_unlock(after, caller, line, step.now)
    if after.state == State.GRANTING:
        await work.unlocks.intend_opening(after, step.now)
    if after.state in AWAITS_RESEAL:
        await _order_reseal(work, after, step.now)
    return after


async def advance(work: Work, unlock: Unlock, now: datetime) -> Unlock:
    """Take every step that the service itself owes by now; one that must wait its turn is put off."""
    while (verb := next_by_clock(unlock, now)) is not None:
        if verb == Verb.BEGIN_GRANT and not await _has_turn(work, unlock):
            await work.unlocks.put_off(unlock.unlock_id, now + TURN_WAITS)
            break
        unlock = await move(work, unlock, Step(verb, now), SERVICE)
    return unlock


async def write_down(work: Work, unlock: Unlock, verb: str, caller: Caller, party: Party | None, reason: str, now: datetime) -> Line:
    """Add the step to the school's audit stream: ids, states and digests, no text that somebody wrote."""
    target = unlock.target
    facts = {
        "unlock_id": unlock.unlock_id,
        "version": unlock.version,
        "verb": verb,
        "state": unlock.state.value,
        "account_id": caller.account_id,
        "person_id": caller.person_id,
        "role": party.role if party else "",
        "class_id": target.place.class_id,
        "term": target.term.value,
        "subject": target.subject,
        "pupils": sorted(str(pupil) for pupil in target.pupils),
        "reason_sha256": sha256(reason or unlock.reason),
        "evidence_sha256": sha256(unlock.evidence),
        "policy": f"{unlock.policy.province_id}/{unlock.policy.version}",
        "until": unlock.until,
        "document": unlock.report_number,
    }
    return await work.audit(school(target.place.school_id), f"unlock_{verb}", facts, now, target.place)


async def _has_turn(work: Work, unlock: Unlock) -> bool:
    """One opening per class at a time, and none while an order to seal it is on its way."""
    class_id = unlock.target.place.class_id
    return await work.unlocks.open_in(class_id) is None and not await work.locks.intended(class_id)


async def _order_reseal(work: Work, unlock: Unlock, now: datetime) -> None:
    place = unlock.target.place
    year = await work.locks.latest_held(place.class_id, Period.YEAR)
    period = Period.YEAR if year else Period.of(unlock.target.term)
    lock_id = locking.lock_id_for(place, period, Cause.RESEAL, unlock.unlock_id)
    await locking.order(work, Lock(lock_id, place, period, Cause.RESEAL, now, unlock.unlock_id), SERVICE)
