"""Schools, staff and certificates in PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from services.chassis.database import Connection, Queries
from services.chassis.errors import Refused
from services.signing.adapters.certificates import facts_of
from services.signing.adapters.rows import Row, staff_of
from services.signing.application.ports import Holder
from services.signing.domain.events import CertificateMoved
from services.signing.domain.people import StaffMember
from services.signing.domain.roles import SignatureRole
from services.signing.domain.signature_image import Stencil

QUERIES = Queries(Path(__file__).with_suffix(".sql"))


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

    async def certificate_moves(self, sha256: bytes) -> list[CertificateMoved]:
        """From the row, so that every telling says the same."""
        return [_moved(row) for row in await self._connection.fetch(QUERIES["certificate_moves"], sha256)]

    async def certificates_after(self, sha256: bytes, limit: int) -> list[bytes]:
        """By digest."""
        return [bytes(row["sha256"]) for row in await self._connection.fetch(QUERIES["certificates_after"], sha256, limit)]


def _moved(row: Row) -> CertificateMoved:
    facts = facts_of(bytes(row["certificate"]))
    return CertificateMoved(
        school_id=str(row["school_id"]),
        province_id=row["province_id"],
        sha256=bytes(row["sha256"]),
        role=SignatureRole(row["role"]),
        staff_id=str(row["staff_id"]) if row["staff_id"] else None,
        valid_from=facts.not_before,
        valid_until=facts.not_after,
        registered_at=row["registered_at"],
        revoked_at=row["revoked_at"],
    )


def _holder(row: Row | None) -> Holder | None:
    if row is None:
        return None
    certificate = bytes(row["certificate"])
    return Holder(certificate, tuple(bytes(der) for der in row["chain"]), row["key_name"], facts_of(certificate), bytes(row["image_digest"]))
