"""The certificates that the archive trusts, read from a directory of PEM and DER files, and until when it trusts algorithms."""

import os
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from functools import cached_property
from itertools import pairwise
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from services.archive.domain.algorithms import FOR_EVER, NEVER, AlgorithmPolicy, KeyRow
from services.chassis.errors import Unavailable

LONGEST_CHAIN = 6
POLICY_FILE = "algorithms.toml"
_KNOWN_RULES = (x509.BasicConstraints, x509.KeyUsage, x509.ExtendedKeyUsage, x509.CertificatePolicies, x509.SubjectAlternativeName)
"""Extensions that are heeded here or say nothing about whether a certificate may be believed."""
_SUFFIXES = {".pem", ".crt", ".cer", ".der", ".crl"}


class TrustUnreadable(ValueError):
    """The directory of trust anchors can't be used; the message names the file and the cure."""


@dataclass(frozen=True)
class Chain:
    """A path from a signer's certificate to an anchor, both included."""

    certificates: tuple[x509.Certificate, ...]
    revocation_known: bool
    """Whether a genuine revocation list is at hand for each certificate but the anchor."""
    revoked_at: datetime | None
    """The earliest time at which one of them was revoked."""
    algorithms_until: datetime
    """The first moment at which a key of it, or a digest under a signature in it, is no longer good."""

    @cached_property
    def in_force(self) -> tuple[datetime, datetime]:
        """From when to when all certificates of the path are valid."""
        return max(one.not_valid_before_utc for one in self.certificates), min(one.not_valid_after_utc for one in self.certificates)

    @cached_property
    def in_force_until(self) -> datetime:
        """The earliest of the end of `in_force`, the first revocation, and the end of its algorithms."""
        ends = min(self.in_force[1], self.algorithms_until)
        return ends if self.revoked_at is None else min(ends, self.revoked_at)


@dataclass(frozen=True)
class TrustStore:
    """Anchors (self-signed), known intermediates and revocation lists; paths once found are remembered."""

    anchors: tuple[x509.Certificate, ...]
    algorithms: AlgorithmPolicy
    intermediates: tuple[x509.Certificate, ...] = ()
    revocations: tuple[x509.CertificateRevocationList, ...] = ()
    _chains: dict[bytes, Chain | None] = field(default_factory=dict, repr=False)

    def chain(self, leaf: x509.Certificate, offered: Sequence[x509.Certificate]) -> Chain | None:
        """A path from `leaf` to an anchor whose every signature and constraint holds; None when there is none."""
        key = leaf.fingerprint(hashes.SHA256())
        known = self._chains.get(key)
        if known is None:
            path = self._path((leaf,), [*offered, *self.intermediates])
            known = None if path is None else self._chain(path)
            # Only a found path is remembered: another file may offer the intermediate that this one lacked.
            if known is not None and len(self._chains) < 100_000:
                self._chains[key] = known
        return known

    def _chain(self, path: tuple[x509.Certificate, ...]) -> Chain:
        answers = [self._revoked_at(certificate, issuer) for certificate, issuer in pairwise(path)]
        revoked_at = min((at for _, at in answers if at is not None), default=None)
        return Chain(path, all(listed for listed, _ in answers), revoked_at, min(self._good_until(one) for one in path))

    def _good_until(self, certificate: x509.Certificate) -> datetime:
        """Of its key, and of the digest that its issuer signed; what an anchor says of itself needs no signature."""
        key, hashed = certificate.public_key(), certificate.signature_hash_algorithm
        until = NEVER  # Of kinds that no signature here is accepted from.
        if isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
            until = self.algorithms.key_until("rsa" if isinstance(key, rsa.RSAPublicKey) else "ec", key.key_size) or FOR_EVER
        if certificate in self.anchors:
            return until
        return min(until, NEVER if hashed is None else self.algorithms.digest_until(hashed.name.replace("-", "_")) or FOR_EVER)

    def _revoked_at(self, certificate: x509.Certificate, issuer: x509.Certificate) -> tuple[bool, datetime | None]:
        """(whether a genuine list of this issuer is at hand, when it says the certificate was revoked)."""
        known = False
        for revocations in self.revocations:
            if revocations.issuer != certificate.issuer or not revocations.is_signature_valid(issuer.public_key()):  # type: ignore[arg-type]  # CA keys only
                continue
            known = True
            entry = revocations.get_revoked_certificate_by_serial_number(certificate.serial_number)
            if entry is not None:
                return True, entry.revocation_date_utc
        return known, None

    def _path(self, path: tuple[x509.Certificate, ...], offered: Sequence[x509.Certificate]) -> tuple[x509.Certificate, ...] | None:
        last = path[-1]
        if last in self.anchors:
            return path
        if len(path) >= LONGEST_CHAIN or not _rules_known(last):
            return None
        for issuer in [*self.anchors, *offered]:
            if issuer in path or issuer.subject != last.issuer or not _may_issue(issuer, below=len(path) - 1):
                continue
            try:
                last.verify_directly_issued_by(issuer)
            except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
                continue
            found = self._path((*path, issuer), offered)
            if found is not None:
                return found
        return None


def _rules_known(certificate: x509.Certificate) -> bool:
    """Whether no critical extension asks for something that isn't heeded here (RFC 5280 section 4.2), such as constraints on names."""
    try:
        return all(isinstance(extension.value, _KNOWN_RULES) for extension in certificate.extensions if extension.critical)
    except ValueError:
        return False


def _may_issue(certificate: x509.Certificate, below: int) -> bool:
    """Whether it is a CA that may have `below` further CAs under it (RFC 5280 sections 4.2.1.3 and 4.2.1.9)."""
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except (x509.ExtensionNotFound, ValueError):
        return False
    if not constraints.ca or (constraints.path_length is not None and constraints.path_length < below):
        return False
    try:
        return certificate.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    except x509.ExtensionNotFound:
        return True


class TrustDirectory:
    """The anchors of a directory, read when first needed and again whenever a file in it changes."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._read: tuple[tuple[tuple[str, int, int], ...], TrustStore] | None = None

    def __call__(self) -> TrustStore:
        """The store as of now. Unavailable when the directory can't be used: no document is at fault for that."""
        try:
            stats = sorted((entry.name, entry.stat().st_mtime_ns, entry.stat().st_size) for entry in os.scandir(self._directory))
            seen = tuple(stats)
            if self._read is None or self._read[0] != seen:
                self._read = (seen, read_trust(self._directory))
        except (TrustUnreadable, OSError) as error:
            raise Unavailable(f"the trust anchors can't be read: {error}", code="trust_unreadable") from error
        return self._read[1]


def read_trust(directory: Path) -> TrustStore:
    """The certificates in `directory`: self-signed ones become anchors, others intermediates, `.crl` files revocations."""
    if not directory.is_dir():
        raise TrustUnreadable(f"{directory} is not a directory; give the directory that holds the trust anchors (PEM or DER)")
    certificates: list[x509.Certificate] = []
    revocations: list[x509.CertificateRevocationList] = []
    for path in sorted(directory.iterdir()):
        if path.suffix.lower() not in _SUFFIXES or not path.is_file():
            continue
        data = path.read_bytes()
        try:
            if path.suffix.lower() == ".crl":
                revocations.append(_crl(data))
            elif b"-----BEGIN CERTIFICATE" in data:
                certificates += x509.load_pem_x509_certificates(data)
            elif b"-----BEGIN" not in data:
                certificates.append(x509.load_der_x509_certificate(data))
        except ValueError as error:
            raise TrustUnreadable(f"{path} holds no certificate that can be read: {error}; remove or replace it") from error
    return trust_of(certificates, revocations, read_algorithms(directory))


def read_algorithms(trust_dir: Path) -> AlgorithmPolicy:
    """The policy in the directory of trust anchors, else the one that comes with this code. TrustUnreadable when it is written wrongly."""
    own = trust_dir / POLICY_FILE
    file = own if own.exists() else Path(__file__).with_name(POLICY_FILE)
    try:
        told = tomllib.loads(file.read_text(encoding="utf-8"))
        digests = {str(row["name"]): _moment(row.get("until")) for row in told["digest"]}
        rows = tuple(KeyRow(str(row["kind"]), int(row["bits"]), _moment(row.get("until"))) for row in told["key"])
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise TrustUnreadable(f"{file} is no table of algorithms: {error}; mend or remove it") from error
    return AlgorithmPolicy(digests, rows)


def _moment(until: object) -> datetime | None:
    if until is None:
        return None
    if not isinstance(until, date) or isinstance(until, datetime):
        raise ValueError(f"until is a date such as 2040-01-01, not {until!r}")  # noqa: TRY004  # What is wrong is a file.
    return datetime.combine(until, time(), UTC)


_SHIPPED = read_algorithms(Path(__file__).parent)


def trust_of(
    certificates: Iterable[x509.Certificate], revocations: Iterable[x509.CertificateRevocationList] = (), algorithms: AlgorithmPolicy = _SHIPPED
) -> TrustStore:
    """A store of these certificates; refused when there is no anchor among them."""
    all_of_them = list(certificates)
    anchors = tuple(certificate for certificate in all_of_them if certificate.subject == certificate.issuer)
    if not anchors:
        raise TrustUnreadable("there is no self-signed certificate among the trust anchors; add the root certificates")
    rest = tuple(certificate for certificate in all_of_them if certificate.subject != certificate.issuer)
    return TrustStore(anchors, algorithms, rest, tuple(revocations))


def read_certificate(certificate: bytes) -> x509.Certificate:
    """A DER certificate whose every part can be read; else ValueError, whatever the library raises for it.

    `cryptography` reads names, dates, key and extensions only when asked, and errs in as many ways; all of it is asked here.
    """
    try:
        found = x509.load_der_x509_certificate(certificate)
        parts = (found.subject, found.issuer, found.not_valid_before_utc, found.not_valid_after_utc, found.public_key(), found.extensions)
    except (TypeError, UnsupportedAlgorithm, x509.InvalidVersion, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
        raise ValueError(str(error)) from error
    assert parts
    if found.serial_number <= 0:
        raise ValueError("the serial number isn't positive (RFC 5280 section 4.1.2.2)")
    return found


def _crl(data: bytes) -> x509.CertificateRevocationList:
    return x509.load_pem_x509_crl(data) if data.startswith(b"-----") else x509.load_der_x509_crl(data)
