"""Dossiers that came from elsewhere, in PostgreSQL."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from services.archive.adapters.catalogue import place_of, scope_of
from services.archive.adapters.statements import QUERIES
from services.archive.application.dossier_ports import ReceivedDossier, Recipient
from services.archive.application.ports import Location, Viewer
from services.chassis.database import Database
from services.chassis.errors import Refused


@dataclass(frozen=True)
class PostgresDossiers:
    """Fulfils the port ReceivedDossiers."""

    database: Database

    async def of_pupil(self, viewer: Viewer, pupil_id: str, school_id: str | None = None) -> Sequence[ReceivedDossier]:
        """By the table's row-level policy."""
        async with self.database.transaction(scope_of(viewer)) as connection:
            rows = await connection.fetch(QUERIES["received_dossiers"], uuid.UUID(pupil_id), uuid.UUID(school_id) if school_id else None)
        return [ReceivedDossier(str(row["school_id"]), place_of(row, str(row["pupil_id"]))) for row in rows]

    async def add(self, to: Recipient, place: Location, verdict: str, at: datetime) -> None:
        """One row."""
        ids = (uuid.UUID(to.school_id), to.province_id, uuid.UUID(to.pupil_id))
        who = (to.caller.person.account_id, to.caller.person.person_id)
        try:
            async with self.database.transaction(scope_of(to.caller.viewer)) as connection:
                await connection.execute(QUERIES["add_received_dossier"], place.sha256, *ids, place.pack_name, place.offset, place.size, verdict, *who, at)
        except asyncpg.InsufficientPrivilegeError as error:
            raise Refused(f"school {to.school_id} of province {to.province_id} isn't yours", code="not_your_school") from error
