"""Take a sealed class from grading: keep the contents, and have the pages made once all parts are here."""

from __future__ import annotations

from dataclasses import dataclass, replace

from services.chassis.clock import Clock
from services.signing.application.release import release
from services.signing.application.stores import Transactions
from services.signing.domain.class_sheet import read_class_sheet
from services.signing.domain.orders import Order, Step, order_name, whole_second
from services.signing.domain.record import UnreadableRecord, read_record
from services.signing.domain.transcripts import SealedClass, SealedPupil, SealedSheet


@dataclass(frozen=True, slots=True)
class TakeSealedClass:
    """Store each part once; a class version older than the one that is here changes nothing."""

    transactions: Transactions
    clock: Clock
    express_limit: int

    async def __call__(self, sealed: SealedClass) -> None:
        """Apply one part of a class version."""
        checked = replace(sealed, pupils=tuple(_checked(pupil) for pupil in sealed.pupils), sheets=tuple(_checked_sheet(sheet) for sheet in sealed.sheets))
        async with self.transactions() as work:
            held = await work.classes.take(checked)
            if held.class_version > checked.class_version:
                return
            new, parts = await work.classes.add_part(checked)
            if not new:
                return
            await work.classes.add_sheets(checked)
            await work.classes.add_pupils(checked)
            await work.journal.void_orphans(checked.place.class_id, self.clock.now())
            if parts < checked.parts:
                return
            pupils = await work.classes.to_prepare(checked.place.class_id)
            if pupils:
                now = self.clock.now()
                order_id = order_name(checked.place.class_id, checked.class_version, Step.PREPARE)
                order = Order(order_id, held.place, Step.PREPARE, None, None, 0, whole_second(now), "queued", pupils)
                await release(work, order, now, self.express_limit)


def _checked(pupil: SealedPupil) -> SealedPupil:
    """A pupil whose record isn't what it claims to be can't go on; the rest of the class can."""
    try:
        record = read_record(pupil.content)
        named = record.sheets
    except UnreadableRecord as error:
        return replace(pupil, failure=f"record_unreadable: {error}")
    if record.digest != pupil.ref.content_digest:
        return replace(pupil, failure="record_differs: the record doesn't hash to the digest that was sealed; seal the class again")
    if (record.transcript_id, record.version, record.public_id) != (pupil.ref.transcript_id, pupil.ref.version, pupil.ref.public_id):
        return replace(pupil, failure="record_misplaced: the record names another transcript; seal the class again")
    return replace(pupil, sheets=named)


def _checked_sheet(sealed: SealedSheet) -> SealedSheet:
    """The same for a class-subject sheet; the pupils whose records name it wait until it is mended."""
    try:
        sheet = read_class_sheet(sealed.content)
    except UnreadableRecord as error:
        return replace(sealed, failure=f"record_unreadable: {error}")
    if sheet.digest != sealed.ref.content_digest:
        return replace(sealed, failure="record_differs: the sheet doesn't hash to the digest that was sealed; seal the class again")
    if (sheet.sheet_id, sheet.version, sheet.public_id) != (sealed.ref.transcript_id, sealed.ref.version, sealed.ref.public_id):
        return replace(sealed, failure="record_misplaced: the content names another sheet; seal the class again")
    return sealed
