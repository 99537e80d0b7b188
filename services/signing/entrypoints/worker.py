"""What a signing worker does: orders, from the mass topic and from the express topic."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from hocba.signing.v1.events_pb2 import ExpressSigningOrder, SigningOrder
from services.chassis.consumer import NOT_AT_FAULT, Received, on
from services.signing import contracts
from services.signing.application.finish_class import FinishClass
from services.signing.application.prepare_pages import PreparePages
from services.signing.application.release_queued import LetGo
from services.signing.application.sign_class import SignClass
from services.signing.domain.orders import Step


@dataclass(frozen=True)
class SigningWorker:
    """One order at a time: a second would only take the processor from the first. Mass and express take turns."""

    prepare_pages: PreparePages
    sign_class: SignClass
    finish_class: FinishClass
    let_go: LetGo
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    @on(SigningOrder)
    async def on_signing_order(self, events: Sequence[Received[SigningOrder]]) -> None:
        for received in events:
            await self._do(*contracts.order_of(received.event))

    @on(ExpressSigningOrder)
    async def on_express_signing_order(self, events: Sequence[Received[ExpressSigningOrder]]) -> None:
        for received in events:
            await self._do(*contracts.order_of(received.event.order))

    async def _do(self, order_id: str, step: Step) -> None:
        async with self.turn:
            try:
                await self.use_case(step)(order_id)
            except NOT_AT_FAULT:
                raise  # It is done again by and by, so it keeps its room.
            except Exception:
                await self.let_go(order_id)
                raise
            await self.let_go(order_id)

    def use_case(self, step: Step) -> Callable[[str], Awaitable[None]]:
        """What does an order of a step."""
        by_step: dict[Step, Callable[[str], Awaitable[None]]] = {
            Step.PREPARE: self.prepare_pages,
            Step.SIGN: self.sign_class,
            Step.FINISH: self.finish_class,
        }
        return by_step[step]
