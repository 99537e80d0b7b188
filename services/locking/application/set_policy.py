"""A province (or the Ministry, for all who say nothing) sets its policy on unlocking."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from services.chassis.clock import Clock
from services.locking.application import standing
from services.locking.application.ports import Request, Transactions
from services.locking.domain.people import Caller
from services.locking.domain.policy import Policy, policy_to_data
from services.locking.domain.scope import Area, Scope


@dataclass(frozen=True, slots=True)
class Command:
    request: Request
    caller: Caller
    policy: Policy


@dataclass(frozen=True, slots=True)
class SetPolicy:
    """Store the next version; unlocks that are under way keep the version they were requested under."""

    transactions: Transactions
    clock: Clock

    async def __call__(self, command: Command) -> Policy:
        province_id = command.policy.province_id
        scope = Scope(Area.PROVINCE, province_id) if province_id else Scope(Area.NATION)
        standing.speaks_for(command.caller, scope)
        async with self.transactions(command.caller) as work:
            made = await work.answered(command.request)
            if made is not None:
                return await work.policies.of(province_id)
            now = self.clock.now()
            policy = await work.policies.put(command.policy, command.caller, now)
            facts = {"account_id": command.caller.account_id, "version": policy.version, "policy": policy_to_data(policy)}
            await work.audit(scope.stream, "policy_set", facts, now, scope)
            await work.keep_answer(command.request, UUID(command.request.request_id))
            return policy
