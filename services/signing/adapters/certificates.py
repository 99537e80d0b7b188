"""Facts about X.509 certificates, and the chain to a trust anchor, read with `cryptography` alone."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, lru_cache
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import NameOID

from services.chassis.errors import Malformed
from services.signing.domain.certificate import CertificateFacts, UntrustedCertificate

_LONGEST_CHAIN = 5


@dataclass(frozen=True)
class TrustAnchors:
    """The roots that this installation trusts: public authorities and the Government's authority side by side."""

    roots: tuple[x509.Certificate, ...]

    @classmethod
    def from_folder(cls, folder: Path) -> TrustAnchors:
        """All certificates of a folder (*.cer, *.crt, *.pem; DER or PEM) that are authorities."""
        files = sorted(path for path in folder.glob("*.*") if path.suffix in (".cer", ".crt", ".pem"))
        roots = tuple(c for c in map(_loaded, files) if _is_authority(c))
        if not roots:
            # Nothing could ever be valid, so it is a mistake in the settings and not a policy.
            raise Malformed(f"no trust anchor (*.cer, *.crt, *.pem) in {folder}; put the authorities' root certificates there", code="settings")
        return cls(roots)

    def as_der(self) -> list[bytes]:
        """The roots as DER, for libraries of other makers."""
        return [root.public_bytes(_DER) for root in self.roots]

    def chain_of(self, certificate: bytes, chain: Sequence[bytes], at: datetime) -> list[bytes]:
        """The path from a certificate up to an anchor, without the anchor; every link signed, allowed and in its time."""
        return [link.public_bytes(_DER) for link in self.path_of(certificate, chain, at)[1:-1]]

    def path_of(self, certificate: bytes, chain: Sequence[bytes], at: datetime) -> list[x509.Certificate]:
        """The same with the certificate itself at its beginning and the anchor at its end."""
        pool = [read_certificate(der) for der in chain]
        current = read_certificate(certificate)
        path = [current]
        for _ in range(_LONGEST_CHAIN):
            _in_time(current, at)
            anchor = _issuer_among(current, self.roots)
            if anchor is not None:
                _in_time(anchor, at)
                return [*path, anchor]
            issuer = _issuer_among(current, pool)
            if issuer is None:
                break
            path.append(issuer)
            current = issuer
        raise UntrustedCertificate(f"certificate {serial_text(current.serial_number)} leads to no trust anchor; register it with its chain")


class X509Certificates:
    """Fulfils ports.Certificates. The anchors are read when first needed: a migration has no use for them, nor always their folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @cached_property
    def anchors(self) -> TrustAnchors:
        """The anchors of the folder."""
        return TrustAnchors.from_folder(self._folder)

    def chain_of(self, certificate: bytes, chain: Sequence[bytes], at: datetime) -> list[bytes]:
        """The path from a certificate up to an anchor."""
        return self.anchors.chain_of(certificate, chain, at)

    def read(self, certificate: bytes) -> CertificateFacts:
        """Facts of a DER certificate."""
        return facts_of(certificate)

    def check_chain(self, certificate: bytes, chain: Sequence[bytes], at: datetime) -> None:
        """UntrustedCertificate unless the chain leads to an anchor."""
        try:
            self.chain_of(certificate, chain, at)
        except ValueError as error:
            raise UntrustedCertificate(str(error)) from None


def _loaded(path: Path) -> x509.Certificate:
    content = path.read_bytes()
    if content.startswith(b"-----BEGIN"):
        return x509.load_pem_x509_certificate(content)
    return x509.load_der_x509_certificate(content)


_DER = serialization.Encoding.DER


@lru_cache(maxsize=256)
def read_certificate(certificate: bytes) -> x509.Certificate:
    """A DER certificate whose every part can be read; else UntrustedCertificate, whatever the library raises for it.

    `cryptography` reads names, dates, key and extensions only when asked, and errs in as many ways; all of it is asked here.
    """
    try:
        found = x509.load_der_x509_certificate(certificate)
        parts = (found.subject, found.issuer, found.not_valid_before_utc, found.not_valid_after_utc, found.public_key(), found.extensions)
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
        raise UntrustedCertificate(f"not a DER certificate that can be read ({error}); export it as DER, not PEM") from None
    assert parts
    if found.serial_number <= 0:
        raise UntrustedCertificate("the certificate's serial number isn't positive (RFC 5280 section 4.1.2.2); ask the authority for another")
    return found


def facts_of(certificate: bytes) -> CertificateFacts:
    """What the pre-flight check needs to know; bytes that are no certificate raise UntrustedCertificate."""
    parsed = read_certificate(certificate)
    return CertificateFacts(
        sha256=hashlib.sha256(certificate).digest(),
        serial=serial_text(parsed.serial_number),
        common_name=_name(parsed.subject, NameOID.COMMON_NAME),
        organisation=_name(parsed.subject, NameOID.ORGANIZATION_NAME),
        issuer=_name(parsed.issuer, NameOID.COMMON_NAME),
        staff_id=_name(parsed.subject, NameOID.USER_ID).removeprefix("STAFF:"),
        not_before=parsed.not_valid_before_utc,
        not_after=parsed.not_valid_after_utc,
        may_sign=_may_sign(parsed),
    )


def serial_text(serial: int) -> str:
    """A serial number in lower-case hexadecimal without leading zeros, as all services write it."""
    return f"{serial:x}"


def _name(name: x509.Name, kind: x509.ObjectIdentifier) -> str:
    found = name.get_attributes_for_oid(kind)
    return str(found[0].value) if found else ""


def _may_sign(certificate: x509.Certificate) -> bool:
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return False
    return usage.digital_signature or usage.content_commitment


def _issuer_among(certificate: x509.Certificate, candidates: Iterable[x509.Certificate]) -> x509.Certificate | None:
    """Never by name alone: the candidate must be an authority and its key must verify the signature."""
    for candidate in candidates:
        if candidate.subject != certificate.issuer or not _is_authority(candidate):
            continue
        try:
            certificate.verify_directly_issued_by(candidate)
        except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
            continue
        return candidate
    return None


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _in_time(certificate: x509.Certificate, at: datetime) -> None:
    if not certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc:
        raise UntrustedCertificate(
            f"certificate {serial_text(certificate.serial_number)} isn't valid at {at.isoformat()}: it runs from "
            f"{certificate.not_valid_before_utc.isoformat()} to {certificate.not_valid_after_utc.isoformat()}"
        )
