"""Renew evidence before what it rests on grows weak: an authority that ends, a digest algorithm that ages (RFC 4998 section 5)."""

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from services.archive.application.evidence_ports import DueTree, EvidenceLedger, Member
from services.archive.application.get_evidence import BatchRecords
from services.archive.application.ports import Vault
from services.archive.application.stamp_batches import StampBatches
from services.archive.domain.evidence import MOST_LEAVES, HashTree, digest, renewed_leaf
from services.chassis.clock import Clock
from services.chassis.errors import Refused

AT_ONCE = 200
"""Documents that are read between two records of how far a tree has come."""

Told = Callable[[int, int], None]
"""Hears (done, to do in all)."""


@dataclass(frozen=True, slots=True)
class Renewed:
    """How many batches were renewed, and with how many time stamps."""

    batches: int
    time_stamps: int


@dataclass(frozen=True, slots=True)
class RenewStamps:
    """Time-stamp renewal: one new time stamp over the tokens of up to MOST_LEAVES batches. May be stopped and begun again at any point."""

    ledger: EvidenceLedger
    stamp: StampBatches
    clock: Clock

    async def __call__(self, before: datetime, told: Told = lambda done, total: None) -> Renewed:
        """All batches whose last time stamp ends before a moment."""
        # What is stamped from now on isn't renewed again, even if its authority ends before that moment as well.
        begun = self.clock.now()
        total, done = await self.ledger.count_due_stamps(before, begun), 0
        while due := await self.ledger.due_stamps(before, begun, MOST_LEAVES):
            # A chain keeps its algorithm, and so does the tree over the ends of chains.
            for algorithm, each in groupby(due, key=lambda one: one.algorithm):
                members = [Member(one.batch_id, one.chain, one.position + 1, digest(algorithm, one.token)) for one in each]
                tree = await asyncio.to_thread(HashTree, algorithm, [[member.leaf] for member in members])
                if await self.ledger.want(algorithm, tree.root, members, self.clock.now()):
                    done += len(members)
                told(done, total)
        return Renewed(done, await self.stamp.stamp_wanted())


@dataclass(frozen=True, slots=True)
class RenewTrees:
    """Hash-tree renewal: reads every document again and binds it, with all its evidence so far, by another algorithm.

    May be stopped and begun again: leaves that were recorded are not made again.
    """

    ledger: EvidenceLedger
    records: BatchRecords
    vault: Vault
    stamp: StampBatches
    clock: Clock

    async def __call__(self, algorithm: str, told: Told = lambda done, total: None) -> Renewed:
        """All batches whose last chain is by another algorithm. `told` hears of documents."""
        total, done, batches = await self.ledger.count_due_documents(algorithm), 0, 0
        while due := await self.ledger.due_trees(algorithm, AT_ONCE):
            for one in due:
                leaves = list(await self.ledger.renewed_leaves(one.batch_id, one.stamp_id, algorithm))
                while len(leaves) < one.documents:
                    leaves += await self._more(one, algorithm, len(leaves))
                    told(done + len(leaves), total)
                tree = await asyncio.to_thread(HashTree, algorithm, [[leaf] for leaf in leaves])
                batches += await self.ledger.want(algorithm, tree.root, [Member(one.batch_id, one.chain + 1, 1, tree.root)], self.clock.now())
                done += one.documents
                told(done, total)
        return Renewed(batches, await self.stamp.stamp_wanted())

    async def _more(self, due: DueTree, algorithm: str, first: int) -> list[bytes]:
        places = range(first, min(first + AT_ONCE, due.documents))
        chains = await self.records.chains(due.batch_id, places)
        leaves = []
        for place, before in zip(await self.ledger.locations(due.batch_id, places.start, places.stop), chains, strict=True):
            data = await self.vault.read(place)
            if hashlib.sha256(data).digest() != place.sha256:
                # Evidence for other bytes would be worse than none.
                raise Refused(f"stored bytes in {place.pack_name} are damaged; restore the pack from a copy, then repeat", code="archive_damaged")
            leaves.append(renewed_leaf(algorithm, digest(algorithm, data), before))
        await self.ledger.add_leaves(due, algorithm, first, leaves)
        return leaves
