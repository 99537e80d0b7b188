"""Compare what the keys did with what was intended (design, decision 5)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from services.signing.application.stores import Transactions
from services.signing.domain.key_use import KeyUse, KeyUseReport, compared


@dataclass(frozen=True, slots=True)
class CheckKeyUse:
    """Read the workers' journals against the intents; reads only."""

    transactions: Transactions
    uses: Callable[[], Iterable[KeyUse]]

    async def __call__(self) -> KeyUseReport:
        """A journal that is broken itself raises Refused with the line."""
        uses = list(self.uses())
        async with self.transactions() as work:
            intended = await work.journal.intended(sorted({use.intent_id for use in uses}))
        return compared(uses, intended)
