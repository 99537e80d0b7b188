"""Bring requests to remote homes of keys one step further: ask for the confirmation, send the digests, ask what became of them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from services.chassis.clock import Clock
from services.chassis.errors import OutcomeUnknown, Refused, ServiceError, Unavailable
from services.chassis.telemetry import log
from services.signing.application.ports import Activated, Declined, NotKnown, Pending, RemoteHome, Values
from services.signing.application.stores import Transactions
from services.signing.application.take_values import Resume, wrong_values
from services.signing.domain.key_names import Home
from services.signing.domain.remote import RemoteRequest, RequestState, pause

LEASE = timedelta(minutes=3)
"""A request that was taken is nobody else's for so long; longer than any one step with all its time-outs."""
ASK_AGAIN = timedelta(seconds=2)
AT_ONCE = 32

Answer = Values | Pending | Declined | NotKnown


@dataclass(frozen=True, slots=True)
class AdvanceRequests:
    """One round over what is due. A process that dies in between costs the lease; the state says what may be done after that."""

    transactions: Transactions
    homes: Mapping[Home, RemoteHome]
    resume: Resume
    clock: Clock
    ask_again: timedelta = ASK_AGAIN
    tries: dict[str, int] = field(default_factory=dict)

    async def __call__(self) -> int:
        """Take a step with each request that is due; gives how many there were."""
        now = self.clock.now()
        async with self.transactions() as work:
            # Agents come by themselves; their requests are due only when their time is over.
            due = await work.remote.take_due([*(home.value for home in self.homes), Home.AGENT.value], now, now + LEASE, AT_ONCE)
        await asyncio.gather(*(self._step(*one) for one in due))
        return len(due)

    async def _step(self, request: RemoteRequest, certificate: bytes, ready: bool) -> None:
        try:
            await self._one(request, certificate, ready)
        except ServiceError as error:
            # One request's trouble is not the others'; its lease brings it back.
            log.warning("remote request waits", request=request.request_id, error=error.code)

    async def _one(self, request: RemoteRequest, certificate: bytes, ready: bool) -> None:
        if not ready and request.state is not RequestState.SIGNING:
            await self.resume.cancel(request, "the manifest isn't ready any more")
        elif not certificate and request.state is not RequestState.SIGNING:
            await self.resume.refusal(request, "certificate_revoked: the certificate isn't registered any more; approve again with a new one")
        elif self.clock.now() >= request.expires_at and request.may_be_given_up(self.clock.now()):
            await self.resume.loss(request, "not_signed_in_time: nobody has signed within the intents' life", bounded=False)
        elif request.home in self.homes:
            await self._ask(request, certificate)

    async def _ask(self, request: RemoteRequest, certificate: bytes) -> None:
        home = self.homes[request.home]
        answer: Answer | None
        try:
            if request.state is RequestState.SIGNING:
                answer = await home.outcome(request)
            else:
                activation = await home.activate(request)
                answer = await self._sign(home, request, certificate, activation) if isinstance(activation, Activated) else activation
        except (Unavailable, OutcomeUnknown):
            # Nothing was done, or the state says that it may have been: either way it is asked about again, later each time.
            await self._later(request)
            return
        except Refused as error:
            answer = Declined(error.code, error.message)
        await self._take(request, certificate, answer)

    async def _sign(self, home: RemoteHome, request: RemoteRequest, certificate: bytes, activation: Activated) -> Answer | None:
        """The one place where digests go out: noted as sent before, so that whatever happens they go out once."""
        if not await self._move(request, RequestState.SIGNING, "", LEASE):
            return None
        try:
            return await home.sign(request, certificate, activation)
        except Unavailable:
            # The home says that it did nothing, so it may be asked anew; the confirmation is spent.
            await self._move(request, RequestState.WAITING, "", pause(self._tried(request)))
            return None
        except OutcomeUnknown:
            await self._move(request, RequestState.SIGNING, None, self.ask_again)
            return None

    async def _take(self, request: RemoteRequest, certificate: bytes, answer: Answer | None) -> None:
        if isinstance(answer, Values):
            self.tries.pop(request.request_id, None)
            if len(answer.values) != len(request.items):
                reason = f"wrong_signature: {len(answer.values)} values came for {len(request.items)} digests; look at the key's home"
                await self.resume.refusal(request, reason)
                return
            values = {item.intent_id: value for item, value in zip(request.items, answer.values, strict=True)}
            await self.resume.values(request, certificate, values)
        elif isinstance(answer, Declined):
            self.tries.pop(request.request_id, None)
            await self.resume.refusal(request, f"{answer.code}: {answer.message}")
        elif isinstance(answer, Pending):
            state = await self._state(request)
            confirming = state is not None and state is not RequestState.SIGNING
            await self._move(request, RequestState.CONFIRMING if confirming else RequestState.SIGNING, answer.reference or None, self.ask_again)
        elif isinstance(answer, NotKnown):
            if request.may_be_given_up(self.clock.now()):
                await self.resume.loss(request, "outcome_unknown: the provider can't tell what became of the request")
            else:
                await self._later(request)

    async def _state(self, request: RemoteRequest) -> RequestState | None:
        async with self.transactions() as work:
            current = await work.remote.get(request.request_id)
        return current.state if current is not None else None

    async def _move(self, request: RemoteRequest, state: RequestState, reference: str | None, wait: timedelta) -> bool:
        now: datetime = self.clock.now()
        async with self.transactions() as work:
            return await work.remote.move(request.request_id, state, reference, now + wait, now)

    async def _later(self, request: RemoteRequest) -> None:
        state = await self._state(request)
        if state is not None and state.is_open:
            await self._move(request, state, None, pause(self._tried(request)))

    def _tried(self, request: RemoteRequest) -> int:
        self.tries[request.request_id] = self.tries.get(request.request_id, 0) + 1
        return self.tries[request.request_id]


@dataclass(frozen=True, slots=True)
class TakeNotice:
    """A provider's webhook: values that are checked like any others, or a hint to ask at once."""

    transactions: Transactions
    resume: Resume
    clock: Clock

    async def __call__(self, provider: str, request_id: str, values: tuple[bytes, ...]) -> None:
        """Refused when there is no such request of this provider's. Wrong values end nothing: a notice isn't the provider's word, its
        answer to our question is."""
        async with self.transactions() as work:
            request = await work.remote.get(request_id)
            if request is None or not request.key_name.startswith(f"{Home.CSC.value}:{provider}/"):
                raise Refused(f"no request {request_id} of provider {provider}", code="request_unknown")
            holder = await work.people.holder(request.place.school_id, request.role, request.certificate_sha256)
        if holder is not None and len(values) == len(request.items):
            by_intent = {item.intent_id: value for item, value in zip(request.items, values, strict=True)}
            if not wrong_values(request, holder.certificate, by_intent, self.resume.check):
                await self.resume.values(request, holder.certificate, by_intent)
                return
        async with self.transactions() as work:
            await work.remote.hurry(request_id, self.clock.now())
