"""Time stamps, revocation answers and finished documents in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from services.chassis.database import Connection, Queries
from services.signing.adapters.rows import keys_of
from services.signing.application.ports import Finished, PackWritten
from services.signing.domain.transcripts import Ref
from services.signing.domain.validation import ValidationData

QUERIES = Queries(Path(__file__).with_suffix(".sql"))


class PostgresProofs:
    """Fulfils stores.Proofs inside one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def tokens(self, order_id: str, place: int) -> dict[str, tuple[bytes, bytes]]:
        """What is stored."""
        rows = await self._connection.fetch(QUERIES["tokens"], order_id, place)
        return {str(row["transcript_id"]): (bytes(row["imprint"]), bytes(row["token"])) for row in rows}

    async def keep_tokens(self, order_id: str, place: int, tokens: Sequence[tuple[Ref, bytes, bytes, datetime]], now: datetime) -> None:
        """Store in bulk."""
        refs, imprints, ders, times = zip(*tokens, strict=True)
        await self._connection.execute(QUERIES["keep_tokens"], order_id, place, now, *keys_of(refs), list(imprints), list(ders), list(times))

    async def data(self, order_id: str) -> tuple[datetime, ValidationData] | None:
        """What is stored."""
        row = await self._connection.fetchrow(QUERIES["validation_data"], order_id)
        if row is None:
            return None
        certificates, ocsps, crls = (tuple(bytes(der) for der in row[name]) for name in ("certificates", "ocsps", "crls"))
        return row["not_before"], ValidationData(certificates, ocsps, crls)

    async def keep_data(self, order_id: str, not_before: datetime, data: ValidationData, now: datetime) -> None:
        """Store once."""
        lists = (list(data.certificates), list(data.ocsps), list(data.crls))
        await self._connection.execute(QUERIES["keep_validation_data"], order_id, not_before, *lists, now)

    async def finish(self, manifest_id: str, finished: Sequence[Finished], pack: PackWritten, now: datetime) -> None:
        """Note the documents and complete their transcripts."""
        ids, versions = keys_of([each.waiting.ref for each in finished])
        digests, sizes = [each.result_digest for each in finished], [each.size for each in finished]
        await self._connection.execute(QUERIES["finish"], manifest_id, pack.name, pack.digest, now, ids, versions, digests, sizes)
        await self._connection.execute(QUERIES["complete"], ids, digests, pack.name, versions)
