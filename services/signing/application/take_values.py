"""Take what a home of keys answered later: keep the values, and send the order on its way again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from services.chassis.clock import Clock
from services.chassis.errors import Malformed, NotFound
from services.signing.application.ports import CheckValue
from services.signing.application.release import release, send_on
from services.signing.application.stores import Transactions, Work
from services.signing.domain.manifest import ManifestState
from services.signing.domain.orders import LineResult, order_name, whole_second
from services.signing.domain.people import Caller
from services.signing.domain.remote import MOST_ATTEMPTS, RemoteRequest, RequestState

WRONG_SIGNATURE = "wrong_signature"


def wrong_values(request: RemoteRequest, certificate: bytes, values: Mapping[str, bytes], check: CheckValue) -> list[str]:
    """Intents whose value isn't by the certificate's key over the intent's digest; Malformed unless there is one for each."""
    if set(values) != {item.intent_id for item in request.items}:
        raise Malformed(f"request {request.request_id} has {len(request.items)} digests; one value for each is needed", code="values_missing")
    return [item.intent_id for item in request.items if not check(certificate, item.digest, values[item.intent_id])]


@dataclass(frozen=True, slots=True)
class Resume:
    """The three ends of a request: values, a refusal, or nobody knows. Each is one transaction that holds the class."""

    transactions: Transactions
    check: CheckValue
    clock: Clock
    express_limit: int

    async def values(self, request: RemoteRequest, certificate: bytes, values: Mapping[str, bytes], caller: Caller | None = None) -> tuple[RequestState, int]:
        """Keep the first value of each intent; the request's state then, and how many were new.

        Values that the certificate's key didn't make end the request: whoever signed another digest signs nothing more for it.
        """
        wrong = wrong_values(request, certificate, values, self.check)
        if wrong:
            reason = f"{WRONG_SIGNATURE}: {len(wrong)} of {len(values)} values aren't by the certificate's key over what was asked; look at the key's home"
            return await self.refusal(request, reason, values), 0
        async with self.transactions(caller) as work:
            current = await self._held(work, request)
            now = self.clock.now()
            if not current.state.is_open:
                await work.remote.void_values(request.request_id, values, f"the request is {current.state.value}", now)
                return current.state, 0
            manifest = await work.manifests.get(request.manifest_id)
            if manifest is None or manifest.state is not ManifestState.READY:
                await work.remote.void_values(request.request_id, values, "the manifest isn't ready any more", now)
                await work.remote.close(request.request_id, RequestState.CANCELLED, "the manifest isn't ready any more", now)
                return RequestState.CANCELLED, 0
            before = await work.remote.stored(list(values))
            await work.remote.store(request.request_id, values, now)
            await work.remote.close(request.request_id, RequestState.DONE, "", now)
            await self._send_on(work, current)
            return RequestState.DONE, len(values) - len(before)

    async def refusal(self, request: RemoteRequest, reason: str, values: Mapping[str, bytes] | None = None) -> RequestState:
        """It won't be signed: its intents are void, and its pupils are told why when the order is done again."""
        async with self.transactions() as work:
            current = await self._held(work, request)
            now = self.clock.now()
            if values:
                await work.remote.void_values(request.request_id, values, reason, now)
            if not current.state.is_open:
                return current.state
            await work.journal.void([item.intent_id for item in request.items], reason, now)
            await work.remote.close(request.request_id, RequestState.FAILED, reason, now)
            await self._send_on(work, current)
            return RequestState.FAILED

    async def loss(self, request: RemoteRequest, reason: str, bounded: bool = True) -> RequestState:
        """Nobody can tell whether it was signed: its intents are void by rule, and only then another attempt is made."""
        async with self.transactions() as work:
            current = await self._held(work, request)
            now = self.clock.now()
            if not current.state.is_open:
                return current.state
            await work.journal.void([item.intent_id for item in request.items], reason, now)
            await work.remote.close(request.request_id, RequestState.LOST, reason, now)
            order = await work.orders.get(request.order_id)
            if order is not None and order.is_open and (not bounded or order.attempt + 1 < MOST_ATTEMPTS):
                mine = {(item.transcript_id, item.version) for item in request.items}
                lines = tuple(ref for ref in order.lines if (ref.transcript_id, ref.version) in mine)
                await work.orders.finish_lines(order.order_id, [LineResult(ref, reason) for ref in lines], now)
                name = order_name("again", request.request_id)
                again = replace(order, order_id=name, attempt=order.attempt + 1, fixed_at=whole_second(now), lines=lines)
                await release(work, again, now, self.express_limit, keep_time=True)
            await self._send_on(work, current)
            return RequestState.LOST

    async def cancel(self, request: RemoteRequest, reason: str) -> None:
        """The manifest ended; nobody waits for this any more."""
        async with self.transactions() as work:
            await self._held(work, request)
            await work.remote.close(request.request_id, RequestState.CANCELLED, reason, self.clock.now())

    @staticmethod
    async def _held(work: Work, request: RemoteRequest) -> RemoteRequest:
        await work.classes.hold(request.place.class_id)
        current = await work.remote.get(request.request_id)
        if current is None:
            raise NotFound(f"no request {request.request_id} for you", code="request_unknown")
        return current

    async def _send_on(self, work: Work, request: RemoteRequest) -> None:
        """Hand the order to the workers again once its last request has ended."""
        if await work.remote.open_of(request.order_id):
            return
        order = await work.orders.get(request.order_id)
        if order is not None and order.state == "released" and order.lines:
            await send_on(work, order, self.express_limit)
