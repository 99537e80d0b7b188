"""A department with a log, a key and a certificate of its own, for tests of the national register."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from services.archive.adapters.note_keys import NoteSigner, new_key, read_signer
from services.archive.domain.checkpoint import Checkpoint
from services.archive.domain.merkle import inclusion_ranges, leaf_hash, root_of
from services.archive.domain.signed_note import ED25519, SignedNote
from services.archive.domain.statement import Kind, Statement
from services.archive.domain.submission import OPERATION_OF, Operation, Record, write_manifest
from services.archive.domain.witness_policy import WitnessPolicy, read_policy

AT = datetime(2026, 6, 30, 17, tzinfo=UTC)
SCHOOLS = tuple(str(uuid.UUID(int=number)) for number in (1, 2))


@dataclass
class Department:
    """Writes statements into its log, and makes batches of them."""

    name: str
    signer: NoteSigner
    entries: list[bytes] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)

    @classmethod
    def new(cls, folder: Path, name: str = "2025-79") -> Department:
        """One with an empty log."""
        file = folder / f"{name}.key"
        file.write_text(new_key(f"log.{name}.example", ED25519))
        return cls(name, read_signer(file))

    @property
    def policy_text(self) -> str:
        return f"log {self.signer.public.text}\nquorum none\n"

    @property
    def policy(self) -> WitnessPolicy:
        return read_policy(self.policy_text)

    def issue(self, transcript: int, version: int = 1, *, school: int = 0, number: str | None = None, kind: Kind | None = None) -> Record:
        """A version, or with `kind=REVOKE` its withdrawal, as the next leaf; its path is made when it is sent."""
        document = hashlib.sha256(f"{transcript}/{version}".encode()).digest()
        kind = kind or (Kind.ISSUE if version == 1 else Kind.SUPERSEDE)
        before = None if version == 1 else hashlib.sha256(f"{transcript}/{version - 1}".encode()).digest()
        statement = Statement(kind, f"public-{transcript}-{version}-{len(self.entries)}", version, document, bytes(32), before, SCHOOLS[school], AT)
        self.entries.append(statement.canonical())
        record = Record(
            operation=OPERATION_OF.get(kind, Operation.NEW),
            transcript_id=str(uuid.UUID(int=transcript)),
            revision=len(self.entries),
            school_year=2025,
            level="LOWER_SECONDARY",
            personal_number=f"{transcript:012d}" if number is None else number or None,
            ministry_code=f"C{transcript}",
            fetch="https://hocba.example/transcripts",
            statement=statement.canonical(),
            index=len(self.entries) - 1,
            path=(),
        )
        self.records.append(record)
        return record

    def note(self) -> bytes:
        """The log's head, signed."""
        text = Checkpoint(self.signer.public.name, len(self.entries), root_of([leaf_hash(one) for one in self.entries])).text
        return SignedNote(text, (self.signer.sign(text),)).encoded()

    def proven(self, record: Record) -> Record:
        """The record with its path under the log's head of now."""
        leaves, size = [leaf_hash(one) for one in self.entries], len(self.entries)
        return replace(record, path=tuple(root_of(leaves[start:end]) for start, end in inclusion_ranges(record.index, size)))

    def manifest(self, *records: Record) -> bytes:
        """A batch of these records, else of all."""
        return write_manifest(self.name, AT, self.note(), [self.proven(one) for one in records or self.records])
