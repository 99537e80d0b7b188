"""What the register's use cases need of the outside."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.archive.domain.checkpoint import Checkpoint
from services.archive.domain.submission import RegisterReceipt
from services.register.domain.judgement import Held, Proven


@dataclass(frozen=True, slots=True)
class Account:
    """A department that may submit."""

    department: str
    name: str
    log_policy: str
    """The text of the policy of its log."""
    may_find: bool


@dataclass(frozen=True, slots=True)
class Answered:
    """What a batch was answered: the signed receipt, and the file of results that it names."""

    receipt: bytes
    results: bytes


@dataclass(frozen=True, slots=True)
class Certified:
    """Whose detached signature a batch carries, and from when to when the path of certificates is valid."""

    certificate_sha256: bytes
    valid: tuple[datetime, datetime] | None
    """None: no path leads to an anchor."""
    revoked_at: datetime | None
    """What the authorities' revocation lists say."""


@dataclass(frozen=True, slots=True)
class Approval:
    """What the operator has decided about a certificate."""

    department: str
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class FoundRecord:
    """One record of a pupil that was looked for."""

    department: str
    department_name: str
    transcript_id: str
    revision: int
    version: int
    operation: str
    sha256: bytes
    school_year: int
    level: str
    school_id: str
    fetch: str


class Signatures(Protocol):
    """Reads detached signatures."""

    async def signer(self, manifest: bytes, signature: bytes) -> Certified | None:
        """Who signed these bytes; None when nobody did."""
        ...


class ReceiptKey(Protocol):
    """The register's key."""

    def signed(self, receipt: RegisterReceipt) -> bytes:
        """The receipt as a signed note."""
        ...


class Work(Protocol):
    """One transaction about one department, whose batches wait for one another."""

    async def answered(self, manifest_sha256: bytes) -> Answered | None: ...
    async def approval(self, certificate_sha256: bytes) -> Approval | None: ...
    async def known_root(self, checkpoint: Checkpoint) -> bytes | None: ...
    async def held(self, transcript_ids: Iterable[str]) -> Mapping[str, Held]: ...
    async def documents(self, digests: Iterable[bytes]) -> Mapping[bytes, str]: ...

    async def keep(
        self,
        receipt: RegisterReceipt,
        certificate_sha256: bytes,
        signature: bytes,
        answer: Answered,
        checkpoint: Checkpoint,
        note: bytes,
        records: Sequence[Proven],
    ) -> None:
        """The batch, its answer and what it changes."""
        ...


class Register(Protocol):
    """The register's tables."""

    def work(self, department: str) -> AbstractAsyncContextManager[Work]: ...
    async def account(self, token_sha256: bytes) -> Account | None: ...
    async def answered(self, department: str, manifest_sha256: bytes) -> Answered | None: ...
    async def find(self, department: str, pupil: str, at: datetime) -> Sequence[FoundRecord]:
        """Every record that names the pupil by this number or code; that it was asked is kept."""
        ...


class Uploads(Protocol):
    """Manifests that are on their way."""

    def size(self, department: str, digest: bytes) -> int:
        """How many bytes of a manifest are here."""
        ...

    async def add(self, department: str, digest: bytes, offset: int, data: bytes) -> int:
        """Put a piece behind what is here; the new size."""
        ...

    async def whole(self, department: str, digest: bytes) -> bytes:
        """The manifest; Refused while something of it lacks."""
        ...

    def forget(self, department: str, digest: bytes) -> None:
        """Remove a manifest."""
        ...
