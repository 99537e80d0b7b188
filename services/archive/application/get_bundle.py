"""Hand out a transcript with everything that proves it, in one file."""

from dataclasses import dataclass

from services.archive.application.get_evidence import GetEvidence
from services.archive.application.get_proof import GetProof
from services.archive.application.get_transcript import GetTranscript
from services.archive.application.ports import Entry, Viewer
from services.archive.domain.bundle import Bundle


@dataclass(frozen=True, slots=True)
class GetBundle:
    """For whoever may see the transcript. A bundle is whole or isn't given out."""

    transcripts: GetTranscript
    proofs: GetProof
    evidence: GetEvidence

    async def __call__(self, viewer: Viewer, transcript_id: str, version: int) -> tuple[Entry, Bundle | None, str]:
        """(the index entry, the bundle, what it still waits for: `log` or `evidence`). NotFound for what isn't there and for what isn't yours."""
        entry, document = await self.transcripts(viewer, transcript_id, version)
        proof = await self.proofs(entry.ref.public_id)
        status = await self.proofs.status(proof) if proof else None
        if proof is None or status is None:
            return entry, None, "log"
        _, evidence = await self.evidence.of_transcript(viewer, transcript_id, entry.ref.version)
        if not evidence.record:
            return entry, None, "evidence"
        return entry, Bundle(document, evidence.record, proof.encoded(), status.encoded()), ""
