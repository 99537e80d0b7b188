"""Documents with everything that proves them: a log with its witness, a status list, time-stamped evidence, one directory of trust."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives import serialization

from services.archive.adapters.evidence_records import encode
from services.archive.adapters.note_keys import NoteSigner, new_key, read_signer
from services.archive.domain.bundle import Bundle
from services.archive.domain.checkpoint import Checkpoint
from services.archive.domain.document import TRANSCRIPT
from services.archive.domain.examine import examine
from services.archive.domain.log_proof import LogProof
from services.archive.domain.merkle import inclusion_ranges, leaf_hash, root_of
from services.archive.domain.signed_note import COSIGNATURE_ED25519, ED25519, SignedNote
from services.archive.domain.statement import Kind, Statement
from services.archive.domain.status_list import EMPTY_CHUNK, Mark, StatusList, StatusProof, marked
from tests.support.signed_documents import digest, shared_pki
from tests.support.stamping import Root, Stamping, first_chains

NOW = datetime.now(UTC).replace(microsecond=0)
STAMPED = NOW - timedelta(days=1)
COSIGNED = NOW - timedelta(hours=1)


@cache
def _stamping() -> tuple[Root, Stamping]:
    root = Root.make(NOW - timedelta(days=4000), NOW + timedelta(days=4000))
    return root, root.authority(NOW - timedelta(days=200), NOW + timedelta(days=2000))


@dataclass(frozen=True)
class Proving:
    """A log with one witness, in a folder whose `trust` is the directory of trust anchors."""

    folder: Path
    origin: str = "log.example"

    @property
    def trust(self) -> Path:
        """What a verifier needs: roots of signers and time stamps, the log's policy."""
        trust = self.folder / "trust"
        trust.mkdir(parents=True, exist_ok=True)
        _stamping()[0].write(trust)
        (trust / "root.pem").write_bytes(shared_pki().root.certificate.public_bytes(serialization.Encoding.PEM))
        lines = (f"log {self._key('log', ED25519).public.text}", f"witness W {self._key('witness', COSIGNATURE_ED25519).public.text}", "quorum W")
        (trust / f"{self.origin}.policy").write_text("\n".join(lines))
        return trust

    def bundles(self, documents: Sequence[bytes], marks: Mapping[int, Mark] | None = None, kind: Kind = Kind.ISSUE) -> list[Bundle]:
        """The bundles of these documents, the leaves of one log, each marked as given."""
        statements = [
            Statement(kind, f"PUBLIC{number}", 1, digest(document), record_digest(document), None, "school", STAMPED).canonical()
            for number, document in enumerate(documents)
        ]
        leaves = [leaf_hash(statement) for statement in statements]
        chunk = marked(EMPTY_CHUNK, marks or {})
        listed = StatusList().grown(len(leaves), {0: chunk})
        head = Checkpoint(self.origin, len(leaves), root_of(leaves), (listed.line,))
        log, witness = self._key("log", ED25519), self._key("witness", COSIGNATURE_ED25519)
        note = SignedNote(head.text, (log.sign(head.text), witness.cosign(head, int(COSIGNED.timestamp())))).encoded()
        records = [encode(chains) for chains in first_chains([[document] for document in documents], _stamping()[1], STAMPED)]
        status = StatusProof(chunk, listed.path(0)).encoded()
        return [
            Bundle(document, record, LogProof(statement, index, _path(leaves, index), note).encoded(), status)
            for index, (document, record, statement) in enumerate(zip(documents, records, statements, strict=True))
        ]

    def _key(self, name: str, kind: int) -> NoteSigner:
        file = self.folder / f"{self.origin}-{name}.key"
        if not file.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            file.write_text(new_key(self.origin if name == "log" else f"{name}.{self.origin}", kind))
        return read_signer(file)


def record_digest(document: bytes) -> bytes:
    """SHA-256 of the record in a document."""
    return digest(examine(document, TRANSCRIPT).record or b"")


def _path(leaves: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    return tuple(root_of(leaves[start:end]) for start, end in inclusion_ranges(index, len(leaves)))
