"""Time-stamp authorities of any period: a root, and authorities below it whose certificates and clocks are the test's choice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from asn1crypto import tsp
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from services.archive.adapters.evidence_records import archive_time_stamp
from services.archive.domain.evidence import Chain, HashTree, digest, renewed_leaf
from services.trust_services.authority import Identity, PrivateKey
from services.trust_services.time_stamps import Question, TimeStamper


def day(text: str) -> datetime:
    """Midnight (UTC) of a day such as 2026-11-25."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def new_key(kind: str) -> PrivateKey:
    """`p256`, `p384`, `rsa2048`, `rsa4096`."""
    if kind.startswith("rsa"):
        return rsa.generate_private_key(65537, int(kind[3:]))
    return ec.generate_private_key({"p256": ec.SECP256R1(), "p384": ec.SECP384R1()}[kind])


@dataclass(frozen=True)
class Stamping:
    """One authority."""

    identity: Identity
    digest: str = "sha256"
    _stamper: TimeStamper = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_stamper", TimeStamper(self.identity, digest=self.digest))

    def token(self, algorithm: str, imprint: bytes, at: datetime) -> bytes:
        """A token over a digest, of any moment."""
        asked: Any = {"version": 1, "message_imprint": {"hash_algorithm": {"algorithm": algorithm}, "hashed_message": imprint}, "cert_req": True}
        return self._stamper.token(Question.of(tsp.TimeStampReq(asked).dump()), at)


@dataclass(frozen=True)
class Root:
    """A root for authorities."""

    identity: Identity
    hashed: hashes.SHA256 | hashes.SHA512

    @classmethod
    def make(cls, begins: datetime, ends: datetime, kind: str = "p256", hashed: hashes.SHA256 | hashes.SHA512 | None = None) -> Root:
        hashed = hashed or hashes.SHA256()
        key = new_key(kind)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Root {begins.year}")])
        builder = _builder(subject, key, begins, ends).issuer_name(subject).add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        return cls(Identity(key, builder.sign(key, hashed)), hashed)

    def authority(self, begins: datetime, ends: datetime, kind: str = "p256", digest: str = "sha256", *, critical: bool = True) -> Stamping:
        key = new_key(kind)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Time Stamps {begins.year}")])
        builder = (
            _builder(subject, key, begins, ends)
            .issuer_name(self.identity.certificate.subject)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=critical)
        )
        return Stamping(Identity(key, builder.sign(self.identity.key, self.hashed)), digest)

    def write(self, folder: Path) -> None:
        """Leave its certificate among the anchors in a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"root-{self.identity.certificate.serial_number:x}.cer").write_bytes(self.identity.der)


def _builder(subject: x509.Name, key: PrivateKey, begins: datetime, ends: datetime) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def first_chains(groups: Sequence[Sequence[bytes]], authority: Stamping, at: datetime, algorithm: str = "sha256") -> list[tuple[Chain, ...]]:
    """The chains of each group of documents (their bytes) in one tree under one time stamp."""
    tree = HashTree(algorithm, [[digest(algorithm, document) for document in documents] for documents in groups])
    token = authority.token(algorithm, tree.root, at)
    return [((archive_time_stamp(algorithm, tree.reduced(leaf), token),),) for leaf in range(len(groups))]


def stamps_renewed(chains: tuple[Chain, ...], authority: Stamping, at: datetime) -> tuple[Chain, ...]:
    """With one more time stamp in the last chain."""
    *before, last = chains
    algorithm = last[0].algorithm
    token = authority.token(algorithm, digest(algorithm, last[-1].token), at)
    return (*before, (*last, archive_time_stamp(algorithm, (), token)))


def tree_renewed(documents: Sequence[bytes], chains: tuple[Chain, ...], authority: Stamping, at: datetime, algorithm: str = "sha512") -> tuple[Chain, ...]:
    """With one more chain, by another digest algorithm."""
    tree = HashTree(algorithm, [[renewed_leaf(algorithm, digest(algorithm, document), chains) for document in documents]])
    return (*chains, (archive_time_stamp(algorithm, tree.reduced(0), authority.token(algorithm, tree.root, at)),))
