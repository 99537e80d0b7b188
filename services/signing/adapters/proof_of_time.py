"""Proof of time for many documents at once: processor work in a thread of its own, so that the event loop stays free for the broker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime

from services.chassis.errors import Refused
from services.signing.adapters.increments import NotOurs
from services.signing.adapters.long_term import TwoRevisions, signed
from services.signing.adapters.long_term_check import check_finished
from services.signing.application.ports import TimeAuthority
from services.signing.domain.transcripts import Ref
from services.signing.domain.validation import ValidationData
from services.signing.domain.verdict import NotAsIntended


@dataclass
class PadesLongTerm:
    """Fulfils ports.LongTerm with two revisions behind the last signature, each document checked when it is finished."""

    revisions: TwoRevisions
    authority: TimeAuthority
    _thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "long-term"))

    async def over_signatures(self, pdfs: Mapping[Ref, bytes]) -> dict[Ref, bytes | str]:
        """Imprints of the first stamps."""
        return await self._each(pdfs, lambda _, pdf: self.revisions.over_signatures(signed(pdf)).imprint)

    async def over_validation(self, pdfs: Mapping[Ref, bytes], first: Mapping[Ref, bytes], data: ValidationData) -> dict[Ref, bytes | str]:
        """Imprints of the second stamps."""

        def imprint(ref: Ref, pdf: bytes) -> bytes:
            stamped = self.revisions.over_signatures(signed(pdf)).stamped(first[ref])
            return self.revisions.over_validation(stamped, data).imprint

        return await self._each(pdfs, imprint)

    async def finished(
        self, pdfs: Mapping[Ref, bytes], first: Mapping[Ref, bytes], second: Mapping[Ref, bytes], data: ValidationData
    ) -> dict[Ref, bytes | str]:
        """Whole documents, checked."""

        def finish(ref: Ref, pdf: bytes) -> bytes:
            stamped = self.revisions.over_signatures(signed(pdf)).stamped(first[ref])
            made = self.revisions.over_validation(stamped, data).stamped(second[ref]).pdf
            check_finished(made, pdf, data, (first[ref], second[ref]), self._read_at)
            return made

        return await self._each(pdfs, finish)

    async def _each(self, pdfs: Mapping[Ref, bytes], make: Callable[[Ref, bytes], bytes]) -> dict[Ref, bytes | str]:
        loop = asyncio.get_running_loop()
        return {ref: await loop.run_in_executor(self._thread, _outcome, make, ref, pdf) for ref, pdf in pdfs.items()}

    def _read_at(self, token: bytes, digest: bytes) -> datetime:
        try:
            return self.authority.read(token, digest).at
        except Refused as error:
            raise NotAsIntended(error.message) from None


def _outcome(make: Callable[[Ref, bytes], bytes], ref: Ref, pdf: bytes) -> bytes | str:
    try:
        return make(ref, pdf)
    except NotAsIntended as error:
        return f"check_failed: {error}"
    except NotOurs as error:
        return f"not_finishable: {error}"
