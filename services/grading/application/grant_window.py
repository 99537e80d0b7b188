"""Keep a window as a lease, so that grading opens and closes sheets by itself even when locking is away."""

from __future__ import annotations

from dataclasses import dataclass

from services.grading.application.ports import Lease, Transactions
from services.grading.domain.errors import BadInput


@dataclass(frozen=True, slots=True)
class GrantWindow:
    """Keep the lease unless a newer version is there; answers with the version now held."""

    transactions: Transactions

    async def __call__(self, lease: Lease) -> int:
        if lease.opens_at >= lease.closes_at:
            raise BadInput("empty_window", f"window {lease.window_id} closes before it opens; give closes_at a later time")
        async with self.transactions() as work:
            return await work.put_window(lease)
