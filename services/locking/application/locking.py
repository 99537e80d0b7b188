"""How an order to seal comes about and how it ends; shared by every use case that locks."""

from __future__ import annotations

import hashlib
from collections import Counter
from datetime import datetime, timedelta
from uuid import UUID, uuid5

from services.locking.application.ports import Work
from services.locking.domain.lease import LeaseState, ended
from services.locking.domain.lock import Answer, Cause, Lock, held
from services.locking.domain.people import Caller, school
from services.locking.domain.scope import Place
from services.locking.domain.terms import Period

LOCK_IDS = UUID("6f0c4bb2-3d0c-5d7c-9f0e-6f9a5a3f3c21")


def lock_id_for(place: Place, period: Period, cause: Cause, mark: object) -> UUID:
    """The lock's id, the same whenever the same order is made out again."""
    return uuid5(LOCK_IDS, f"{place.class_id}/{period}/{cause}/{mark}")


async def order(work: Work, lock: Lock, caller: Caller) -> Lock:
    """Store the intent to seal, end the leases that it overrides, and write it down. The class row is held."""
    for stored in await work.leases.of_class(lock.place.class_id):
        lease = stored.lease
        if lease.state == LeaseState.OPEN and lock.period in (Period.YEAR, Period.of(lease.term)):
            await work.leases.put([(ended(lease, lock.intended_at), stored.given_by)])
    await work.locks.intend(lock, caller.account_id)
    facts = {
        "lock_id": lock.lock_id,
        "class_id": lock.place.class_id,
        "period": lock.period.value,
        "cause": lock.cause.value,
        "unlock_id": lock.unlock_id,
        "account_id": caller.account_id,
        "reason_sha256": hashlib.sha256(lock.reason.encode()).hexdigest(),
    }
    await work.audit(school(lock.place.school_id), "lock_intended", facts, lock.intended_at, lock.place)
    return lock


async def record(work: Work, lock: Lock, answer: Answer, now: datetime) -> Lock:
    """Write grading's answer into the lock, the trail and the outbox. The class row is held."""
    lock = held(lock, answer, now)
    await work.locks.hold(lock)
    reasons = Counter(reason for outcome in answer.outcomes for reason in outcome.reasons)
    facts = {
        "lock_id": lock.lock_id,
        "class_id": lock.place.class_id,
        "period": lock.period.value,
        "class_version": answer.class_version,
        "class_digest": answer.digest,
        "sealed": answer.sealed,
        "waiting": answer.waiting,
        "waiting_reasons": dict(reasons),
        "corrections": sum(outcome.corrections for outcome in answer.outcomes),
        "unlock_id": lock.unlock_id,
    }
    line = await work.audit(school(lock.place.school_id), "lock_held", facts, now, lock.place)
    await work.announce_lock(lock, line)
    if lock.period == Period.YEAR:
        policy = await work.policies.of(lock.place.province_id)
        again = now + timedelta(hours=policy.late_seal_hours)
        await work.roster.check_late_at([lock.place.class_id], again if answer.waiting else None)
    return lock
