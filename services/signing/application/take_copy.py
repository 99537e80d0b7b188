"""Take the order for a certified copy or an extract from the archive, and have its page made."""

from __future__ import annotations

from dataclasses import dataclass

from services.chassis.clock import Clock
from services.chassis.errors import Malformed, NotFound
from services.signing.application.release import release
from services.signing.application.stores import Transactions
from services.signing.domain.copy_of_document import read_copy
from services.signing.domain.orders import Order, Step, order_name, whole_second
from services.signing.domain.record import UnreadableRecord
from services.signing.domain.transcripts import Place, Ref


@dataclass(frozen=True, slots=True)
class TakeCopy:
    """Stores the copy once. From then on it goes as a transcript does: page, manifest, approval, seal."""

    transactions: Transactions
    clock: Clock
    express_limit: int

    async def __call__(self, place: Place, ref: Ref, content: bytes) -> None:
        """Malformed when the content isn't what was announced; NotFound for a class that was never sealed here."""
        try:
            copy = read_copy(content)
        except UnreadableRecord as error:
            raise Malformed(f"copy {ref.transcript_id}: {error}", code="record_unreadable") from None
        if (copy.copy_id, copy.public_id, copy.digest) != (ref.transcript_id, ref.public_id, ref.content_digest):
            raise Malformed(f"copy {ref.transcript_id}: the content is that of another copy", code="record_misplaced")
        async with self.transactions() as work:
            held = await work.classes.hold(place.class_id)
            if held is None:
                raise NotFound(f"class {place.class_id} was never sealed here; replay what grading sealed, then this", code="class_unknown")
            if await work.classes.add_copy(held, ref, content):
                now = self.clock.now()
                order_id = order_name(ref.transcript_id, Step.PREPARE)
                order = Order(order_id, held.place, Step.PREPARE, None, None, 0, whole_second(now), "queued", (ref,))
                await release(work, order, now, self.express_limit)
