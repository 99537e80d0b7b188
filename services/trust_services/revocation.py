"""OCSP answers (RFC 6960) and revocation lists (RFC 5280), made when they are asked for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import ocsp

from services.trust_services.authority import Authority, Identity
from services.trust_services.behaviour import Answering

ANSWER_LIFE = timedelta(hours=1)
LIST_LIFE = timedelta(hours=12)


def unsuccessful(status: ocsp.OCSPResponseStatus) -> bytes:
    """An answer that says only why there is none."""
    return ocsp.OCSPResponseBuilder.build_unsuccessful(status).public_bytes(serialization.Encoding.DER)


@dataclass(frozen=True)
class Revocations:
    """What the issuing authority says of its certificates; `stranger` signs where a test wants a wrong signature."""

    authority: Authority
    stranger: Identity

    def answer(self, request: bytes, at: datetime, how: Answering = Answering.NORMAL) -> bytes:
        """An OCSP response; a question about another authority's certificate is unauthorized."""
        try:
            question = ocsp.load_der_ocsp_request(request)
        except ValueError:
            return unsuccessful(ocsp.OCSPResponseStatus.MALFORMED_REQUEST)
        issuing = self.authority.issuing.certificate
        digest = hashes.Hash(question.hash_algorithm)
        digest.update(issuing.subject.public_bytes())
        if digest.finalize() != question.issuer_name_hash:
            return unsuccessful(ocsp.OCSPResponseStatus.UNAUTHORIZED)
        if how is Answering.STALE:
            at -= ANSWER_LIFE * 2
        serial = question.serial_number + (1 if how is Answering.OTHER else 0)
        known = question.serial_number in self.authority.issued and how is not Answering.UNKNOWN
        revoked = self.authority.revoked.get(question.serial_number) if known else None
        status = ocsp.OCSPCertStatus.REVOKED if revoked else ocsp.OCSPCertStatus.GOOD if known else ocsp.OCSPCertStatus.UNKNOWN
        builder = ocsp.OCSPResponseBuilder().add_response_by_hash(
            issuer_name_hash=question.issuer_name_hash,
            issuer_key_hash=question.issuer_key_hash,
            serial_number=serial,
            algorithm=question.hash_algorithm,
            cert_status=status,
            this_update=at,
            next_update=at + ANSWER_LIFE,
            revocation_time=revoked.at if revoked else None,
            revocation_reason=revoked.reason if revoked else None,
        )
        signer = self.authority.responder
        if how is Answering.STRANGER:
            signer = self.stranger
        elif how is Answering.NOT_A_RESPONDER:
            signer = self.authority.time_stamps
        builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, signer.certificate).certificates([signer.certificate])
        nonce = _nonce(question)
        if nonce is not None and how is not Answering.NO_NONCE:
            builder = builder.add_extension(x509.OCSPNonce(nonce[::-1] if how is Answering.WRONG_NONCE else nonce), critical=False)
        return builder.sign(signer.key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)

    def listed(self, name: str, at: datetime, how: Answering = Answering.NORMAL) -> bytes:
        """The revocation list of `root` or `issuing`; the root has revoked nothing."""
        issuer = self.authority.root if name == "root" else self.authority.issuing
        if how is Answering.STALE:
            at -= LIST_LIFE * 2
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(issuer.certificate.subject)
            .last_update(at)
            .next_update(at + LIST_LIFE)
            .add_extension(x509.CRLNumber(int(at.timestamp())), critical=False)
            .add_extension(_key_of(issuer.certificate), critical=False)
        )
        for serial, revoked in self.authority.revoked.items() if name == "issuing" else ():
            entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(revoked.at)
            builder = builder.add_revoked_certificate(entry.add_extension(x509.CRLReason(revoked.reason), critical=False).build())
        signer = self.stranger if how is Answering.STRANGER else issuer
        return builder.sign(signer.key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def _nonce(question: ocsp.OCSPRequest) -> bytes | None:
    try:
        return question.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce
    except x509.ExtensionNotFound:
        return None


def _key_of(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    identifier = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)
