"""
A leaf's proof as one file that needs no network (C2SP tlog-proof@v1): the statement, its index, its path, the signed checkpoint.

    c2sp.org/tlog-proof@v1
    extra <base64>
    index <number>
    <base64 hash>...
                                  a blank line
    <signed checkpoint>

Hocba's extra line carries the leaf's statement, so that whoever holds document and proof needs nothing else but the policy.
"""

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from services.archive.domain.checkpoint import Checkpoint, read_hash, read_size
from services.archive.domain.merkle import LONGEST_PATH, inclusion_root, leaf_hash
from services.archive.domain.signed_note import KeyText, NoteError, NoteVerifier, SignedNote, decoded, read_note, verified
from services.archive.domain.witness_policy import WitnessPolicy

_FORM = "c2sp.org/tlog-proof@v1"

_LAST_SECOND = int(datetime(9999, 12, 31, tzinfo=UTC).timestamp())
"""Of the last day that a calendar of ours has: a witness that names a later time names none."""


@dataclass(frozen=True, slots=True)
class LogProof:
    """That a statement is leaf number `index` of the log with this checkpoint."""

    statement: bytes
    index: int
    path: tuple[bytes, ...]
    checkpoint: bytes
    """The signed note."""

    def encoded(self) -> bytes:
        """The file."""
        head = [_FORM, f"extra {base64.b64encode(self.statement).decode()}", f"index {self.index}"]
        lines = [*head, *(base64.b64encode(node).decode() for node in self.path), ""]
        return "".join(f"{line}\n" for line in lines).encode() + self.checkpoint

    @classmethod
    def read(cls, data: bytes) -> "LogProof":
        """The proof in a file; NoteError when it holds none."""
        head, blank, checkpoint = data.partition(b"\n\n")
        try:
            form, extra, index, *path = head.decode("ascii").split("\n")
            statement = decoded(extra.removeprefix("extra "))
        except ValueError as error:
            raise NoteError("the proof is none that hocba gives out") from error
        if not blank or form != _FORM or not extra.startswith("extra ") or not index.startswith("index ") or len(path) > LONGEST_PATH:
            raise NoteError("the proof is none that hocba gives out")
        return cls(statement, read_size(index.removeprefix("index ")), tuple(map(read_hash, path)), checkpoint)


@dataclass(frozen=True, slots=True)
class ProvenLeaf:
    """What a proof shows: the statement stands in the log, whose head these witnesses have cosigned."""

    statement: bytes
    index: int
    checkpoint: Checkpoint
    witnesses: tuple[str, ...]
    at: datetime | None = None
    """When the first of them has seen it; None where no witness is asked for."""


def check_checkpoint(note: SignedNote, policy: WitnessPolicy, verifier_of: Callable[[KeyText], NoteVerifier]) -> tuple[Checkpoint, tuple[str, ...]]:
    """(the checkpoint, its witnesses by name); NoteError unless the log has signed it and enough witnesses have cosigned it."""
    keys = [policy.log, *(witness.key for witness in policy.witnesses)]
    signatures = verified(note, [verifier_of(key) for key in keys])
    if not any((one.name, one.key_id) == (policy.log.name, policy.log.key_id) for one in signatures):
        raise NoteError(f"the log {policy.log.name} has not signed this checkpoint")
    checkpoint = Checkpoint.read(note.text)
    if checkpoint.origin != policy.log.name:
        raise NoteError(f"the checkpoint is one of {checkpoint.origin}, not of {policy.log.name}")
    found = (policy.witness_of(one.name, one.key_id) for one in signatures)
    names = tuple(sorted({witness.name for witness in found if witness is not None}))
    if not policy.satisfied(set(names)):
        raise NoteError(f"the checkpoint isn't final: cosigned by {', '.join(names) or 'nobody'}, the quorum is {policy.quorum}")
    return checkpoint, names


def check_proof(proof: LogProof, policy: WitnessPolicy, verifier_of: Callable[[KeyText], NoteVerifier]) -> ProvenLeaf:
    """What the proof shows; NoteError says why it shows nothing."""
    checkpoint, names = check_checkpoint(read_note(proof.checkpoint), policy, verifier_of)
    if not leads_to_root(proof.statement, proof.index, checkpoint, proof.path):
        raise NoteError(f"the path doesn't lead from statement {proof.index} to the root of the checkpoint")
    return ProvenLeaf(proof.statement, proof.index, checkpoint, names, _cosigned_at(read_note(proof.checkpoint), policy, verifier_of))


def _cosigned_at(note: SignedNote, policy: WitnessPolicy, verifier_of: Callable[[KeyText], NoteVerifier]) -> datetime | None:
    """The earliest time that a witness's signature names: a cosignature begins with it (C2SP tlog-cosignature)."""
    made = verified(note, [verifier_of(witness.key) for witness in policy.witnesses])
    times = [int.from_bytes(one.signature[:8], "big") for one in made]
    return min((datetime.fromtimestamp(time, UTC) for time in times if time <= _LAST_SECOND), default=None)


def leads_to_root(statement: bytes, index: int, checkpoint: Checkpoint, path: Sequence[bytes]) -> bool:
    """Whether the statement is the leaf at `index` below this checkpoint."""
    return inclusion_root(leaf_hash(statement), index, checkpoint.size, path) == checkpoint.root
