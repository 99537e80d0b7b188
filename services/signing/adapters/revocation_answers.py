"""Reads OCSP responses (RFC 6960) and revocation lists (RFC 5280) about one certificate, and believes only who may answer.

`cryptography` does the encoding; what is decided here is whether an answer is about this certificate, from its authority or a
responder that the authority itself has named, signed, and fresh. An answer that isn't all of that says nothing: Unknown.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID

from services.signing.domain.revocation import Good, Revocation, Revoked, Unknown

SKEW = timedelta(minutes=5)
"""How far apart the clocks of two honest machines may be."""
NOT_ITS_OWN = Unknown("the authority doesn't know the certificate (OCSP unknown)")
"""Final: that a list doesn't name a certificate which its authority has never issued proves nothing."""


class Kind(StrEnum):
    """How an answer is written; the value is its name in a PDF's DSS."""

    OCSP = "OCSPs"
    CRL = "CRLs"


@dataclass(frozen=True, slots=True)
class Answer:
    """An authority's answer about one certificate, with the bytes that prove it."""

    says: Good | Revoked
    kind: Kind
    der: bytes
    this_update: datetime


def read_ocsp(der: bytes, certificate: x509.Certificate, issuer: x509.Certificate, nonce: bytes | None, now: datetime, longest: timedelta) -> Answer | Unknown:
    """What an OCSP response says of a certificate; `longest` bounds its age. A nonce that is given back must be ours."""
    try:
        response = ocsp.load_der_ocsp_response(der)
        if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
            return Unknown(f"OCSP answers {response.response_status.name.lower()}")
        singles = [one for one in response.responses if _is_about(one, certificate, issuer)]
        if len(singles) != 1:
            return Unknown("the OCSP response isn't about this certificate")
        if nonce is not None and _nonce_of(response) not in (None, nonce):
            return Unknown("the OCSP response has another nonce than the question")
        if not any(_signed_by(response, responder) for responder in _responders(response, issuer, now)):
            return Unknown("the OCSP response isn't signed by the authority or a responder of it")
        (single,) = singles
        stale = _stale(single.this_update_utc, single.next_update_utc, now, longest)
        if stale:
            return Unknown(f"the OCSP response {stale}")
        if single.certificate_status is ocsp.OCSPCertStatus.GOOD:
            return Answer(Good(), Kind.OCSP, der, single.this_update_utc)
        if single.certificate_status is ocsp.OCSPCertStatus.REVOKED:
            assert single.revocation_time_utc is not None
            return Answer(Revoked(single.revocation_time_utc, _reason(single.revocation_reason)), Kind.OCSP, der, single.this_update_utc)
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension) as error:
        return Unknown(f"the OCSP response can't be read: {error}")
    return NOT_ITS_OWN


def read_crl(der: bytes, certificate: x509.Certificate, issuer: x509.Certificate, now: datetime, longest: timedelta) -> Answer | Unknown:
    """What a revocation list says of a certificate: a complete one of its issuer, signed and fresh."""
    try:
        listed = x509.load_der_x509_crl(der)
        if listed.issuer != certificate.issuer:
            return Unknown("the revocation list is another authority's")
        # A list of some reasons, of deltas, or of other authorities' certificates has a critical extension that says so.
        if any(extension.critical for extension in listed.extensions):
            return Unknown("the revocation list isn't complete")
        key = issuer.public_key()
        if not isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey) or not listed.is_signature_valid(key):
            return Unknown("the revocation list isn't signed by the authority")
        stale = _stale(listed.last_update_utc, listed.next_update_utc, now, longest)
        if stale:
            return Unknown(f"the revocation list {stale}")
        entry = listed.get_revoked_certificate_by_serial_number(certificate.serial_number)
        if entry is None:
            return Answer(Good(), Kind.CRL, der, listed.last_update_utc)
        reason = next((e.value.reason for e in entry.extensions if isinstance(e.value, x509.CRLReason)), None)
        return Answer(Revoked(entry.revocation_date_utc, _reason(reason)), Kind.CRL, der, listed.last_update_utc)
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension) as error:
        return Unknown(f"the revocation list can't be read: {error}")


def ocsp_places(certificate: x509.Certificate) -> list[str]:
    """Where OCSP can be asked about a certificate, as it says itself."""
    try:
        access = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    except x509.ExtensionNotFound:
        return []
    return [str(one.access_location.value) for one in access if one.access_method == AuthorityInformationAccessOID.OCSP]


def crl_places(certificate: x509.Certificate) -> list[str]:
    """Where the revocation list that covers a certificate lies."""
    try:
        points = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    except x509.ExtensionNotFound:
        return []
    return [str(name.value) for point in points for name in point.full_name or [] if str(name.value).startswith(("http://", "https://"))]


def worst(answers: Iterator[Revocation]) -> Revocation:
    """Of several certificates: revoked before unknown before good."""
    found = list(answers)
    for kind in (Revoked, Unknown):
        for one in found:
            if isinstance(one, kind):
                return one
    return Good()


def _is_about(single: ocsp.OCSPSingleResponse, certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    if single.serial_number != certificate.serial_number:
        return False
    own = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, single.hash_algorithm).build()
    return (own.issuer_key_hash, own.issuer_name_hash) == (single.issuer_key_hash, single.issuer_name_hash)


def _nonce_of(response: ocsp.OCSPResponse) -> bytes | None:
    try:
        return response.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce
    except x509.ExtensionNotFound:
        return None


def _responders(response: ocsp.OCSPResponse, issuer: x509.Certificate, now: datetime) -> Iterator[x509.Certificate]:
    """Who may sign the response (RFC 6960 section 4.2.2.2): the issuer, or whom it has certified for just that."""
    yield issuer
    for candidate in response.certificates:
        try:
            candidate.verify_directly_issued_by(issuer)
            purposes = candidate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError, x509.ExtensionNotFound):
            continue
        if ExtendedKeyUsageOID.OCSP_SIGNING in purposes and candidate.not_valid_before_utc <= now + SKEW and now - SKEW <= candidate.not_valid_after_utc:
            yield candidate


def _signed_by(response: ocsp.OCSPResponse, responder: x509.Certificate) -> bool:
    named = response.responder_name is None or response.responder_name == responder.subject
    if response.responder_key_hash is not None:
        named = response.responder_key_hash == x509.SubjectKeyIdentifier.from_public_key(responder.public_key()).digest
    algorithm, key = response.signature_hash_algorithm, responder.public_key()
    if not named or algorithm is None or isinstance(algorithm, hashes.MD5 | hashes.SHA1):
        return False
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(response.signature, response.tbs_response_bytes, padding.PKCS1v15(), algorithm)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(response.signature, response.tbs_response_bytes, ec.ECDSA(algorithm))
        else:
            return False
    except InvalidSignature:
        return False
    return True


def _stale(this_update: datetime, next_update: datetime | None, now: datetime, longest: timedelta) -> str | None:
    if this_update > now + SKEW:
        return f"is of {this_update.isoformat()}, which is still to come"
    if next_update is not None and next_update < now - SKEW:
        return f"ended at {next_update.isoformat()}"
    if this_update < now - longest:
        return f"is of {this_update.isoformat()}, too long ago"
    return None


def _reason(flag: x509.ReasonFlags | None) -> str:
    return "unspecified" if flag is None else flag.name
