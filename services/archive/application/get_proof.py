"""Hand out a document's proof that it stands in the log, and the log's newest final checkpoint."""

from dataclasses import dataclass

from services.archive.application.log_ports import LogHead, LogState, SignedCheckpoint
from services.archive.application.log_status import LogStatus
from services.archive.application.log_tiles import LogTiles, damaged
from services.archive.application.ports import Catalogue
from services.archive.domain.checkpoint import Checkpoint
from services.archive.domain.log_proof import LogProof
from services.archive.domain.merkle import inclusion_root, leaf_hash
from services.archive.domain.signed_note import read_note
from services.archive.domain.statement import revokes
from services.archive.domain.status_list import StatusProof
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
        return await self._proven(*leaf, await self.state.final())

    async def status(self, proof: LogProof) -> StatusProof | None:
        """What shows the mark of the proof's leaf below the proof's checkpoint; None for a checkpoint from before there was a status list."""
        if self.tiles is None:
            return None
        return await LogStatus(self.state, self.tiles.store).proof(Checkpoint.read(read_note(proof.checkpoint).text), proof.index)

    async def revoked(self, public_id: str) -> bool:
        """Whether the document was revoked, whether or not the log has come so far."""
        return any(revokes(statement) for statement, _ in await self.catalogue.later_leaves(public_id[:LONGEST_PUBLIC_ID]))

    async def later(self, public_id: str) -> list[LogProof]:
        """Proofs of what was said of the document since, as far as the log has come: that it is superseded, that it is revoked."""
        leaves, final = await self.catalogue.later_leaves(public_id[:LONGEST_PUBLIC_ID]), await self.state.final()
        proofs = [await self._proven(statement, index, final) for statement, index in leaves]
        return [proof for proof in proofs if proof is not None]

    async def _proven(self, statement: bytes, index: int | None, final: SignedCheckpoint | None) -> LogProof | None:
        if self.tiles is None or final is None or index is None or index >= final.size:
            return None
        path = tuple(await self.tiles.inclusion(index, final.size))
        if inclusion_root(leaf_hash(statement), index, final.size, path) != final.root:
            # A wrong proof is worse than none.
            raise damaged(CHECKPOINT, f"not the head of a log with statement {index}")
        return LogProof(statement, index, path, final.note)
