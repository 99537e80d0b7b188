"""Intents, announced signatures and the void register in PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import groupby
from pathlib import Path

from services.chassis.database import Connection, Queries
from services.signing.adapters.rows import Row, keys_of, ref_of
from services.signing.application.ports import PackWritten, Signed
from services.signing.domain.events import FinishedTranscript, SignatureMade
from services.signing.domain.intent import Intent
from services.signing.domain.orders import Order
from services.signing.domain.roles import SignatureRole
from services.signing.domain.transcripts import Ref

QUERIES = Queries(Path(__file__).with_suffix(".sql"))


class PostgresJournal:
    """Fulfils ports.Journalled inside one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

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
        rows: Iterable[Row] = await self._connection.fetch(QUERIES["finished"], manifest_id, *keys_of(refs))
        return [_finished(list(group)) for _, group in groupby(rows, key=ref_of)]


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
