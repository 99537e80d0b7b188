"""The rule of a witness (C2SP tlog-witness): cosign what continues the last checkpoint, refuse everything else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from services.archive.adapters.note_keys import NoteSigner, verifier_of
from services.archive.domain.checkpoint import Checkpoint, read_hash, read_size
from services.archive.domain.merkle import LONGEST_PATH, is_consistent
from services.archive.domain.signed_note import KeyText, NoteError, read_note, verified
from services.witness.ledger import Ledger


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP status, a body, and whether the body is a tree's size."""

    status: int
    body: str = ""
    is_size: bool = False


@dataclass(frozen=True)
class Witnessing:
    """Cosigns for the logs whose keys it was given, by origin."""

    logs: Mapping[str, KeyText]
    signer: NoteSigner
    ledger: Ledger
    now: Callable[[], datetime]

    def add_checkpoint(self, body: bytes) -> Answer:
        """The answer to `POST /add-checkpoint`. Not to be run twice at once: look, decide, write down and cosign are one step."""
        try:
            old, path, told = _read(body)
            note = read_note(told)
            checkpoint = Checkpoint.read(note.text)
        except NoteError as error:
            return Answer(400, f"{error}\n")
        key = self.logs.get(checkpoint.origin)
        if key is None:
            return Answer(404, "this witness doesn't follow that log\n")
        try:
            if not verified(note, [verifier_of(key)]):
                return Answer(403, "the log has not signed this checkpoint\n")
        except NoteError as error:
            return Answer(403, f"{error}\n")
        if old > checkpoint.size:
            return Answer(400, "the old size is above the checkpoint's\n")
        last = self.ledger.last(checkpoint.origin)
        if old != last.size:
            return Answer(409, f"{last.size}\n", is_size=True)
        if not is_consistent(last.size, last.root, checkpoint.size, checkpoint.root, path):
            if checkpoint.size == last.size:
                self.ledger.keep_contradiction(checkpoint, told)
            return Answer(422, "the proof doesn't lead from the last checkpoint to this one\n")
        if checkpoint.size == last.size and last.size and checkpoint.extensions != last.extensions:
            # One tree says one thing of its leaves: a log with two status lists of one size is as bad as a fork.
            self.ledger.keep_contradiction(checkpoint, told)
            return Answer(422, "the log has signed other extension lines for this size before\n")
        if checkpoint.size > last.size:
            self.ledger.advance(checkpoint)
        return Answer(200, self.signer.cosign(checkpoint, int(self.now().timestamp())).line)


def _read(body: bytes) -> tuple[int, list[bytes], bytes]:
    head, blank, note = body.partition(b"\n\n")
    try:
        first, *hashes = head.decode("ascii").split("\n")
    except UnicodeDecodeError as error:
        raise NoteError("not a question of tlog-witness") from error
    if not blank or not first.startswith("old ") or len(hashes) > LONGEST_PATH:
        raise NoteError("not a question of tlog-witness: `old <size>`, up to 63 hashes, a blank line and a checkpoint")
    return read_size(first.removeprefix("old ")), [read_hash(line) for line in hashes], note
