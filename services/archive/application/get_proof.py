"""Hand out a document's proof that it stands in the log, and the log's newest final checkpoint."""

from dataclasses import dataclass
from typing import NamedTuple

from services.archive.application.log_ports import LogHead, LogState
from services.archive.application.log_tiles import LogTiles, damaged
from services.archive.application.ports import Catalogue
from services.archive.application.publish_log import final_note
from services.archive.domain.checkpoint import Checkpoint
from services.archive.domain.log_proof import LogProof, leads_to_root
from services.archive.domain.signed_note import read_note
from services.archive.domain.tiles import CHECKPOINT
from services.chassis.errors import NotFound

LONGEST_PUBLIC_ID = 64


class Final(NamedTuple):
    """The newest checkpoint that enough witnesses have cosigned."""

    checkpoint: Checkpoint
    note: bytes


@dataclass(frozen=True, slots=True)
class GetCheckpoint:
    """How far the log is final, and how much waits."""

    state: LogState

    async def __call__(self) -> tuple[Final | None, LogHead]:
        """(the newest final checkpoint, None before the first; how far each phase has come)."""
        head = await self.state.head()
        checkpoint = await self.state.checkpoint(head.published)
        if checkpoint is None:
            return None, head
        return Final(Checkpoint.read(read_note(checkpoint.note).text), final_note(checkpoint, await self.state.cosignatures(checkpoint.size))), head


@dataclass(frozen=True, slots=True)
class GetProof:
    """A proof is for everybody: it reveals nothing that the QR page doesn't."""

    catalogue: Catalogue
    tiles: LogTiles | None
    """None where this process has no way to the log's files."""
    checkpoint: GetCheckpoint

    async def __call__(self, public_id: str) -> LogProof | None:
        """The proof under the newest final checkpoint, None while the log isn't there yet. NotFound for an unknown id."""
        leaf = await self.catalogue.leaf(public_id[:LONGEST_PUBLIC_ID])
        if leaf is None:
            raise NotFound("no document has this public id", code="no_document")
        statement, index = leaf
        final, _ = await self.checkpoint()
        if self.tiles is None or final is None or index is None or index >= final.checkpoint.size:
            return None
        path = tuple(await self.tiles.inclusion(index, final.checkpoint.size))
        if not leads_to_root(statement, index, final.checkpoint, path):
            # A wrong proof is worse than none.
            raise damaged(CHECKPOINT, f"not the head of a log with statement {index}")
        return LogProof(statement, index, path, final.note)
