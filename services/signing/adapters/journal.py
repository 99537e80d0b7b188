"""Intents, announced signatures and the void register in PostgreSQL; staff and certificates beside them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from itertools import groupby

from services.chassis.database import Connection
from services.chassis.errors import Refused
from services.signing.adapters.certificates import facts_of
from services.signing.adapters.classes import QUERIES
from services.signing.adapters.rows import Row, keys_of, ref_of, staff_of
from services.signing.application.ports import Holder, PackWritten, Signed
from services.signing.domain.events import FinishedTranscript, SignatureMade
from services.signing.domain.intent import Intent
from services.signing.domain.orders import Order
from services.signing.domain.people import StaffMember
from services.signing.domain.roles import SHEET_ORDER, SignatureRole
from services.signing.domain.signature_image import Stencil
from services.signing.domain.transcripts import Ref


class PostgresJournal:
    """Fulfils ports.Journalled inside one transaction."""

    def __init__(self, connection: Connection, order: tuple[SignatureRole, ...]) -> None:
        self._connection, self._order = connection, order

    async def intend(self, order_id: str, intents: Sequence[Intent], now: datetime) -> dict[str, Intent]:
        """Record in bulk; what stood there already wins."""
        if not intents:
            return {}
        first = intents[0]
        await self._connection.execute(
            QUERIES["intend"],
            first.manifest_id,
            order_id,
            first.role.value,
            first.attempt,
            first.certificate_sha256,
            first.certificate_serial,
            first.signed_at,
            now,
            first.image_digest,
            [intent.intent_id for intent in intents],
            [intent.transcript_id for intent in intents],
            [intent.version for intent in intents],
            [intent.template_digest for intent in intents],
            [intent.before_digest for intent in intents],
            [intent.to_be_signed for intent in intents],
        )
        rows = await self._connection.fetch(QUERIES["intents"], [intent.intent_id for intent in intents])
        return {str(row["intent_id"]): _intent(row) for row in rows}

    async def intended(self, intent_ids: Sequence[str]) -> dict[str, bytes]:
        """Digests by intent."""
        rows = await self._connection.fetch(QUERIES["intended"], list(intent_ids))
        return {str(row["intent_id"]): bytes(row["to_be_signed"]) for row in rows}

    async def announce_signatures(self, signed: Sequence[Signed], pack: PackWritten, now: datetime, last: bool) -> None:
        """Note signatures and move the transcripts on."""
        first = signed[0].intent
        ids, versions = keys_of([each.waiting.ref for each in signed])
        digests = [each.result_digest for each in signed]
        await self._connection.execute(
            QUERIES["announce_signatures"],
            first.role.value,
            first.manifest_id,
            pack.name,
            pack.digest,
            first.certificate_serial,
            first.signed_at,
            now,
            last,
            ids,
            versions,
            [each.intent.intent_id for each in signed],
            digests,
            [each.size for each in signed],
        )
        await self._connection.execute(QUERIES["advance"], ids, digests, pack.name, last, versions)

    async def void(self, intents: Sequence[str], reason: str, now: datetime) -> None:
        """To the void register."""
        if intents:
            await self._connection.execute(QUERIES["void"], list(intents), reason, now)

    async def void_reasons(self, intent_ids: Sequence[str]) -> dict[str, str]:
        """Reasons out of the void register."""
        return {str(row["intent_id"]): row["reason"] for row in await self._connection.fetch(QUERIES["void_reasons"], list(intent_ids))}

    async def spent(self, order: Order) -> bool:
        """Whether the order's attempt has void intents."""
        role = order.role.value if order.role else None
        found: bool = await self._connection.fetchval(QUERIES["spent"], order.manifest_id, role, order.attempt, *keys_of(order.lines))
        return found

    async def void_orphans(self, class_id: str, now: datetime) -> None:
        """To the void register, whatever can lead to nothing."""
        await self._connection.execute(QUERIES["void_orphans"], class_id, now)

    async def finished(self, manifest_id: str, refs: Sequence[Ref]) -> list[FinishedTranscript]:
        """Transcripts with their signatures so far."""
        rows: Iterable[Row] = await self._connection.fetch(QUERIES["finished"], manifest_id, *keys_of(refs), [*SHEET_ORDER, *self._order])
        return [_finished(list(group)) for _, group in groupby(rows, key=ref_of)]


class PostgresPeople:
    """Fulfils ports.People inside one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def know_school(self, school_id: str, province_id: str, version: int, name: str) -> None:
        """Keep the newest facts."""
        await self._connection.execute(QUERIES["know_school"], school_id, province_id, version, name)

    async def know_staff(self, member: StaffMember) -> None:
        """Keep the newest appointments."""
        if await self.province_of(member.school_id) is None:
            raise Refused(f"staff {member.staff_id} of school {member.school_id}, which was never told of", code="school_unknown")
        appointments = json.dumps([asdict(held) for held in member.appointments])
        await self._connection.execute(
            QUERIES["know_staff"], member.staff_id, member.school_id, member.version, member.person_id, member.full_name, appointments
        )

    async def know_homeroom(self, class_id: str, staff_id: str | None, version: int) -> None:
        """Another homeroom teacher of a class that is here."""
        await self._connection.execute(QUERIES["know_homeroom"], class_id, staff_id, version)

    async def know_teaching(self, class_id: str, version: int, responsible: Mapping[str, str]) -> None:
        """Keep the newest list, whether the class is here yet or not."""
        await self._connection.execute(QUERIES["know_teaching"], class_id, version, json.dumps(dict(responsible)))

    async def province_of(self, school_id: str) -> str | None:
        """The school's province."""
        province: str | None = await self._connection.fetchval(QUERIES["province_of"], school_id)
        return province

    async def staff_of_person(self, school_id: str, person_id: str) -> list[StaffMember]:
        """A human being's staff rows."""
        return [staff_of(row) for row in await self._connection.fetch(QUERIES["staff_of_person"], school_id, person_id)]

    async def staff(self, staff_id: str) -> StaffMember | None:
        """One member."""
        row = await self._connection.fetchrow(QUERIES["staff"], staff_id)
        return staff_of(row) if row else None

    async def register(self, school_id: str, province_id: str, role: SignatureRole, staff_id: str | None, holder: Holder, by: str, now: datetime) -> None:
        """Keep a certificate once."""
        facts = holder.facts
        await self._connection.execute(
            QUERIES["register"],
            facts.sha256,
            school_id,
            province_id,
            role.value,
            staff_id,
            facts.serial,
            holder.certificate,
            list(holder.chain),
            holder.key_name,
            by,
            now,
            holder.image_digest,
        )

    async def keep_image(self, school_id: str, province_id: str, image: Stencil, now: datetime) -> None:
        """Keep a picture once."""
        await self._connection.execute(QUERIES["keep_image"], school_id, image.digest, province_id, image.width, image.height, image.dots, now)

    async def image(self, school_id: str, digest: bytes) -> Stencil | None:
        """A picture."""
        if not digest:
            return None
        row = await self._connection.fetchrow(QUERIES["image"], school_id, digest)
        if row is None:
            raise Refused(f"school {school_id} has no picture {digest.hex()}, which an approval names", code="image_missing")
        return Stencil(row["width"], row["height"], bytes(row["dots"]))

    async def holder_for(self, school_id: str, role: SignatureRole, staff_id: str | None) -> Holder | None:
        """The newest certificate."""
        return _holder(await self._connection.fetchrow(QUERIES["holder_for"], school_id, role.value, staff_id))

    async def holder(self, school_id: str, role: SignatureRole, sha256: bytes) -> Holder | None:
        """This certificate."""
        return _holder(await self._connection.fetchrow(QUERIES["holder"], school_id, role.value, sha256))

    async def signers(self, school_id: str, sha256s: Sequence[bytes]) -> list[tuple[bytes, tuple[bytes, ...]]]:
        """Certificates with their chains."""
        rows = await self._connection.fetch(QUERIES["signers"], school_id, list(sha256s))
        return [(bytes(row["certificate"]), tuple(bytes(der) for der in row["chain"])) for row in rows]

    async def revoked(self, sha256: bytes, since: datetime) -> None:
        """Revoked for good."""
        await self._connection.execute(QUERIES["revoked"], sha256, since)


class PostgresHalts:
    """Fulfils ports.Halts inside one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def find(self, unlock_id: str) -> tuple[int, int] | None:
        """The first answer."""
        row = await self._connection.fetchrow(QUERIES["find_halt"], unlock_id)
        return (row["manifests_halted"], row["already_announced"]) if row else None

    async def keep(self, unlock_id: str, class_id: str, halted: int, announced: int, now: datetime) -> None:
        """Keep the answer."""
        await self._connection.execute(QUERIES["keep_halt"], unlock_id, class_id, halted, announced, now)


def _intent(row: Row) -> Intent:
    return Intent(
        str(row["manifest_id"]),
        str(row["transcript_id"]),
        row["version"],
        SignatureRole(row["role"]),
        bytes(row["template_digest"]),
        bytes(row["before_digest"]),
        bytes(row["to_be_signed"]),
        bytes(row["certificate_sha256"]),
        row["certificate_serial"],
        row["signed_at"],
        row["attempt"],
        bytes(row["image_digest"]),
    )


def _finished(rows: Sequence[Row]) -> FinishedTranscript:
    last = rows[-1]
    signatures = tuple(SignatureMade(SignatureRole(row["role"]), row["certificate_serial"], row["signed_at"]) for row in rows)
    return FinishedTranscript(ref_of(last), bytes(last["current_digest"]), last["size"], last["template_version"], signatures)


def _holder(row: Row | None) -> Holder | None:
    if row is None:
        return None
    certificate = bytes(row["certificate"])
    return Holder(certificate, tuple(bytes(der) for der in row["chain"]), row["key_name"], facts_of(certificate), bytes(row["image_digest"]))
