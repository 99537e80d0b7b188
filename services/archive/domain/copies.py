"""
Certified copies (sao y từ bản điện tử sang bản điện tử, decree 30/2020, articles 25 to 27), and what extracts (extracts.py) have in common with them.

A copy is a page with the words SAO Y, number, school and place under the school's seal, with the original attached unchanged. It says whose
original it is by digest and lookup code alone: who asked for it, and for whom, is nobody's business.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from services.archive.domain.findings import Finding, Reason
from services.archive.domain.revocation import IssuedVersion
from services.archive.domain.statement import Kind, Statement

SCHEMA = "hocba.copy/1"
_VIETNAM = timezone(timedelta(hours=7))


@dataclass(frozen=True, slots=True)
class CopyRef:
    """One copy; it is made once."""

    copy_id: str
    content_digest: bytes
    public_id: str


@dataclass(frozen=True, slots=True)
class CertifiedCopy:
    """A copy that was ordered; it is issued from `issued_at` on."""

    ref: CopyRef
    number: int
    year: int
    source: IssuedVersion
    content: bytes
    account_id: str
    ordered_at: datetime
    parts: tuple[str, ...] = ()
    """Of an extract (trích sao); a copy of the whole (sao y) has none."""
    sha256: bytes | None = None
    """Of the issued file."""
    issued_at: datetime | None = None

    @property
    def is_extract(self) -> bool:
        """Whether it has chosen parts of the original, and not all of it."""
        return bool(self.parts)

    @property
    def number_text(self) -> str:
        """Its number as it is printed."""
        return number_text(self.number, self.year, is_extract=self.is_extract)

    @property
    def pack_name(self) -> str:
        """Where staging holds its original for signing; of an extract its part."""
        return f"copies/{self.ref.copy_id}.zip"

    @property
    def file_name(self) -> str:
        """Its name inside a pack, the original's as well as its own."""
        return file_name(self.ref)

    def statement(self, sha256: bytes, at: datetime) -> bytes:
        """The leaf: this file was issued as a copy or an extract of that document."""
        ref = self.ref
        kind = Kind.EXTRACT if self.is_extract else Kind.COPY
        return Statement(kind, ref.public_id, 1, sha256, ref.content_digest, self.source.sha256, self.source.school_id, at).canonical()


@dataclass(frozen=True, slots=True)
class SignedCopy:
    """A copy that signing finished, as announced."""

    ref: CopyRef
    sha256: bytes
    size: int
    serials: tuple[tuple[str, str], ...]

    @property
    def file_name(self) -> str:
        """Its name inside a pack."""
        return file_name(self.ref)


@dataclass(frozen=True, slots=True)
class SignedCopies:
    """Finished copies and the pack in staging that holds them."""

    pack: str
    documents: tuple[SignedCopy, ...]


def file_name(ref: CopyRef) -> str:
    """The name of a copy's file."""
    return f"{ref.copy_id}-v1.pdf"


def year_of(at: datetime) -> int:
    """The calendar year in which a copy is numbered, as the school's own clock has it."""
    return at.astimezone(_VIETNAM).year


def number_text(number: int, year: int, *, is_extract: bool = False) -> str:
    """A number as it is printed, with the symbol of its kind (decree 30/2020, annex III); all kinds are numbered in one row."""
    return f"{number}/{year}/{'TrS' if is_extract else 'SY'}"


def content_of(copy_id: str, public_id: str, number: str, source: IssuedVersion, record: bytes) -> bytes:
    """What a copy says, as canonical JSON; `record` is the one attached to the original."""
    return canonical(said_of_copy(copy_id, public_id, number, source, record))


def said_of_copy(copy_id: str, public_id: str, number: str, source: IssuedVersion, record: bytes) -> dict[str, Any]:
    """The same as a value."""
    told = json.loads(record)
    school = told["school"]
    return {
        "schema": SCHEMA,
        "level": told["level"],
        "school_year": told["school_year"],
        "copy": {"id": copy_id, "number": number, "public_id": public_id},
        "school": {"name": school["name"], "province": school.get("province"), "place_of_issue": school.get("place_of_issue")},
        "original": {"public_id": source.ref.public_id, "version": source.ref.version, "sha256": source.sha256.hex()},
    }


def canonical(said: dict[str, Any]) -> bytes:
    """The one way in which a value is written."""
    return json.dumps(said, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")).encode()


def original_findings(content: bytes, original: bytes | None) -> list[Finding]:
    """What is wrong with a copy's attached original: it is missing, or not the one that the copy names."""
    if original is None:
        return [Finding(Reason.RECORD_MISSING, "the copy's original isn't attached")]
    try:
        named = json.loads(content)["original"]["sha256"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return [Finding(Reason.RECORD_DIFFERS, "the copy doesn't say what it is a copy of")]
    digest = hashlib.sha256(original).hexdigest()
    return [] if digest == named else [Finding(Reason.RECORD_DIFFERS, f"the attached original hashes to {digest}")]
