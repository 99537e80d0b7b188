"""Tell again how every registered certificate stands."""

from __future__ import annotations

from dataclasses import dataclass

from services.signing.application.stores import Transactions

PAGE = 200


@dataclass(frozen=True, slots=True)
class AnnounceCertificates:
    """For readers who came after the certificates, and after the topic was lost. Versions make it harmless at any time."""

    transactions: Transactions

    async def __call__(self) -> int:
        """How many certificates were told of."""
        told, after = 0, b""
        while True:
            async with self.transactions() as work:
                some = await work.people.certificates_after(after, PAGE)
                for sha256 in some:
                    await work.announce(*await work.people.certificate_moves(sha256))
            if not some:
                return told
            told, after = told + len(some), some[-1]
