"""What the log proves of a document: that it stands there, and whether something was said of it later."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from services.archive.domain.checkpoint import Checkpoint
from services.archive.domain.log_proof import LogProof, ProvenLeaf, check_proof
from services.archive.domain.signed_note import KeyText, NoteError, NoteVerifier, read_note
from services.archive.domain.statement import document_of
from services.archive.domain.status_list import Mark, StatusProof, document_in
from services.archive.domain.witness_policy import WitnessPolicy


class Standing(StrEnum):
    """What a document is worth as of its proof's checkpoint."""

    LATEST = "latest"
    SUPERSEDED = "superseded"
    REVOKED = "revoked"
    UNKNOWN = "unknown"
    """The proof doesn't say."""


@dataclass(frozen=True, slots=True)
class LogVerdict:
    """What was proven, or the problem in words."""

    leaf: ProvenLeaf | None
    standing: Standing
    problem: str | None = None

    @property
    def good(self) -> bool:
        """Whether the document stands in the log and nothing is known against it."""
        return self.problem is None and self.standing in (Standing.LATEST, Standing.UNKNOWN)


@dataclass(frozen=True, slots=True)
class CheckStanding:
    """Offline, by the policies of the logs that are trusted: a proof is judged by that of the log that it names."""

    policies: Sequence[WitnessPolicy]
    verifier_of: Callable[[KeyText], NoteVerifier]

    def __call__(self, proof: bytes, status: bytes | None, sha256: bytes) -> LogVerdict:
        """The verdict on the document with this digest. Never raises for what the bytes hold."""
        leaf = None
        try:
            told = LogProof.read(proof)
            leaf = check_proof(told, self._policy(told), self.verifier_of)
            if document_of(leaf.statement) != sha256.hex():
                return LogVerdict(leaf, Standing.UNKNOWN, "the proof is of another document")
            if status is None:
                return LogVerdict(leaf, Standing.UNKNOWN)
            mark = StatusProof.read(status).mark(leaf.index, leaf.checkpoint)
        except NoteError as error:
            return LogVerdict(leaf, Standing.UNKNOWN, str(error))
        if mark is not Mark.NOTHING:
            return LogVerdict(leaf, Standing.REVOKED if Mark.REVOKED in mark else Standing.SUPERSEDED)
        # What took the place of a document that the register knew may have said so in the register's form, which marks nothing.
        return LogVerdict(leaf, Standing.LATEST if document_in(leaf.statement) else Standing.UNKNOWN)

    def _policy(self, proof: LogProof) -> WitnessPolicy:
        origin = Checkpoint.read(read_note(proof.checkpoint).text).origin
        for policy in self.policies:
            if policy.log.name == origin:
                return policy
        raise NoteError(f"the log {origin} is none of those that are trusted; add its policy (NAME.policy) to the trust directory")
