"""Take a sealed class from grading: keep the contents, and have the pages made once all parts are here."""

from __future__ import annotations

from dataclasses import dataclass, replace

from services.chassis.clock import Clock
from services.signing.application.release import release
from services.signing.application.stores import Transactions
from services.signing.domain.orders import Order, Step, order_name, whole_second
from services.signing.domain.record import UnreadableRecord, read_record
from services.signing.domain.transcripts import SealedClass, SealedPupil


@dataclass(frozen=True, slots=True)
class TakeSealedClass:
    """Store each part once; a class version older than the one that is here changes nothing."""

    transactions: Transactions
    clock: Clock
    express_limit: int

    async def __call__(self, sealed: SealedClass) -> None:
        """Apply one part of a class version."""
        checked = replace(sealed, pupils=tuple(_checked(pupil) for pupil in sealed.pupils))
        async with self.transactions() as work:
            held = await work.classes.take(checked)
            if held.class_version > checked.class_version:
                return
            new, parts = await work.classes.add_part(checked)
            if not new:
                return
            await work.classes.add_pupils(checked)
            await work.journal.void_orphans(checked.place.class_id, self.clock.now())
            if parts < checked.parts:
                return
            pupils = await work.classes.to_prepare(checked.place.class_id)
            if pupils:
                now = self.clock.now()
                order_id = order_name(checked.place.class_id, checked.class_version, Step.PREPARE)
                order = Order(order_id, held.place, Step.PREPARE, None, None, 0, whole_second(now), "released", pupils)
                await release(work, order, now, self.express_limit)


def _checked(pupil: SealedPupil) -> SealedPupil:
    """A pupil whose record isn't what it claims to be can't go on; the rest of the class can."""
    try:
        record = read_record(pupil.content)
    except UnreadableRecord as error:
        return replace(pupil, failure=f"record_unreadable: {error}")
    if record.digest != pupil.ref.content_digest:
        return replace(pupil, failure="record_differs: the record doesn't hash to the digest that was sealed; seal the class again")
    if (record.transcript_id, record.version, record.public_id) != (pupil.ref.transcript_id, pupil.ref.version, pupil.ref.public_id):
        return replace(pupil, failure="record_misplaced: the record names another transcript; seal the class again")
    return pupil
