"""Hand out a document's proof that it stands in the log, and the log's newest final checkpoint."""

from dataclasses import dataclass

from services.archive.application.log_ports import LogHead, LogState, SignedCheckpoint
from services.archive.application.log_tiles import LogTiles, damaged
from services.archive.application.ports import Catalogue
from services.archive.domain.log_proof import LogProof
from services.archive.domain.merkle import inclusion_root, leaf_hash
from services.archive.domain.tiles import CHECKPOINT
from services.chassis.errors import NotFound

LONGEST_PUBLIC_ID = 64


@dataclass(frozen=True, slots=True)
class GetCheckpoint:
    """How far the log is final, and how much waits."""

    state: LogState

    async def __call__(self) -> tuple[SignedCheckpoint | None, LogHead]:
        """(the newest final checkpoint, None before the first; how far each phase has come)."""
        return await self.state.final(), await self.state.head()


@dataclass(frozen=True, slots=True)
class GetProof:
    """A proof is for everybody: it reveals nothing that the QR page doesn't."""

    catalogue: Catalogue
    tiles: LogTiles | None
    """None where this process has no way to the log's files."""
    state: LogState

    async def __call__(self, public_id: str) -> LogProof | None:
        """The proof under the newest final checkpoint, None while the log isn't there yet. NotFound for an unknown id."""
        leaf = await self.catalogue.leaf(public_id[:LONGEST_PUBLIC_ID])
        if leaf is None:
            raise NotFound("no document has this public id", code="no_document")
        statement, index = leaf
        final = await self.state.final()
        if self.tiles is None or final is None or index is None or index >= final.size:
            return None
        path = tuple(await self.tiles.inclusion(index, final.size))
        if inclusion_root(leaf_hash(statement), index, final.size, path) != final.root:
            # A wrong proof is worse than none.
            raise damaged(CHECKPOINT, f"not the head of a log with statement {index}")
        return LogProof(statement, index, path, final.note)
