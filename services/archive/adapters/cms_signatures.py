"""Checks the CMS signatures of a document (RFC 5652, CAdES profile of ETSI EN 319 142-1) against the trust store."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from asn1crypto import cms, tsp
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from services.archive.adapters.trust_store import TrustStore, read_certificate
from services.archive.application.ports import SignatureVerdict, Signer
from services.archive.domain.document import FiledSignature
from services.archive.domain.findings import Finding, Reason
from services.chassis.clock import Clock

SMALLEST_RSA_BITS = 2048
_CURVES = ("secp256r1", "secp384r1", "secp521r1")


class _Refused(Exception):
    """Why one signature is not accepted."""

    def __init__(self, reason: Reason, why: str) -> None:
        super().__init__(why)
        self.reason = reason


@dataclass(frozen=True)
class _Parts:
    """What a signature's CMS structure holds, once its form is accepted."""

    signed_attributes: bytes
    """DER, as it was signed (SET OF)."""
    message_digest: bytes
    certificate: x509.Certificate
    others: tuple[x509.Certificate, ...]
    algorithm: str
    value: bytes


@dataclass(frozen=True)
class CmsSignatures:
    """Fulfils the port Signatures with asn1crypto and cryptography; shares no code with what signed."""

    trust: Callable[[], TrustStore]
    clock: Clock

    def check(self, signature: FiledSignature) -> SignatureVerdict:
        """The verdict on one signature: what it covers, its value, its signer's certificate at the claimed time."""
        signer: Signer | None = None
        try:
            parts = _parse(signature.contents)
            if parts.message_digest != signature.digest:
                raise _Refused(Reason.SIGNED_BYTES_DIFFER, "its digest is not that of the bytes it covers")
            _verify_value(parts)
            revocation, findings = self._judge_certificate(parts, signature)
            signer = _signer(parts.certificate, signature, revocation)
            return SignatureVerdict(findings, signer)
        except _Refused as refused:
            finding = Finding(refused.reason, f"the signature of {signature.role}: {refused}")
            return SignatureVerdict((finding,), signer)

    def _judge_certificate(self, parts: _Parts, signature: FiledSignature) -> tuple[str, tuple[Finding, ...]]:
        _require_signing_key(parts.certificate)
        trust = self.trust()
        chain = trust.chain(parts.certificate, parts.others)
        if chain is None:
            raise _Refused(Reason.SIGNER_UNTRUSTED, "no trusted root stands behind its certificate")
        if signature.claimed_at is None or signature.claimed_at > self.clock.now():
            raise _Refused(Reason.CERTIFICATE_NOT_IN_FORCE, "it names no time of signing, or one in the future")
        if chain.not_in_force(signature.claimed_at) is not None:
            raise _Refused(Reason.CERTIFICATE_NOT_IN_FORCE, "a certificate was not valid at the time of signing")
        known = True
        for certificate, issuer in zip(chain.certificates, chain.certificates[1:], strict=False):
            listed, revoked_at = trust.revoked_at(certificate, issuer)
            known = known and listed
            if revoked_at is not None and revoked_at <= signature.claimed_at:
                raise _Refused(Reason.CERTIFICATE_REVOKED, "its certificate had been revoked")
        # What can't be known is said, never taken for good.
        return ("good" if known else "unknown"), ()


def _parse(contents: bytes) -> _Parts:
    try:
        info = cms.ContentInfo.load(contents)
        if contents[len(info.dump()) :].strip(b"\x00"):
            raise _Refused(Reason.SIGNATURE_INVALID, "something stands behind its value")
        if info["content_type"].native != "signed_data":
            raise _Refused(Reason.SIGNATURE_INVALID, "it is not a CMS signature")
        data = info["content"]
        signers = data["signer_infos"]
        content = data["encap_content_info"]
        if len(signers) != 1 or content["content_type"].native != "data" or content["content"].native is not None:
            raise _Refused(Reason.SIGNATURE_INVALID, "it is not one detached signature")
        return _signer_parts(signers[0], [entry.chosen.dump() for entry in data["certificates"]])
    except (ValueError, TypeError, KeyError, IndexError, UnsupportedAlgorithm) as error:
        raise _Refused(Reason.SIGNATURE_INVALID, f"it can't be read ({type(error).__name__})") from error


def _signer_parts(info: cms.SignerInfo, certificates: Sequence[bytes]) -> _Parts:
    if info["digest_algorithm"]["algorithm"].native != "sha256":
        raise _Refused(Reason.SIGNATURE_INVALID, "it doesn't use SHA-256")
    attributes: dict[str, cms.CMSAttribute] = {}
    for attribute in info["signed_attrs"]:
        name = attribute["type"].native
        if name in attributes or len(attribute["values"]) != 1:
            raise _Refused(Reason.SIGNATURE_INVALID, "a signed attribute stands twice")
        attributes[name] = attribute["values"][0]
    if not {"content_type", "message_digest", "signing_certificate_v2"} <= attributes.keys():
        raise _Refused(Reason.SIGNATURE_INVALID, "a signed attribute that PAdES asks for is missing")
    if attributes["content_type"].native != "data":
        raise _Refused(Reason.SIGNATURE_INVALID, "its signed content type is wrong")
    # The signer's certificate is the one that the *signed* attribute names, not the one that the unsigned part offers.
    # asn1crypto knows this attribute only once its module tsp is imported, so the type is asked for by name.
    if not isinstance(attributes["signing_certificate_v2"], tsp.SigningCertificateV2):
        raise _Refused(Reason.SIGNATURE_INVALID, "it doesn't name its certificate")
    named = attributes["signing_certificate_v2"]["certs"][0]
    if named["hash_algorithm"]["algorithm"].native != "sha256":
        raise _Refused(Reason.SIGNATURE_INVALID, "it names its certificate by a digest other than SHA-256")
    matching = [der for der in certificates if hashlib.sha256(der).digest() == named["cert_hash"].native]
    if not matching:
        raise _Refused(Reason.SIGNATURE_INVALID, "the certificate that it names is not there")
    return _Parts(
        signed_attributes=info["signed_attrs"].untag().dump(),
        message_digest=attributes["message_digest"].native,
        certificate=read_certificate(matching[0]),
        others=tuple(read_certificate(der) for der in certificates if der != matching[0]),
        algorithm=info["signature_algorithm"].signature_algo,
        value=info["signature"].native,
    )


def _verify_value(parts: _Parts) -> None:
    key = parts.certificate.public_key()
    sha256 = hashes.SHA256()
    try:
        if isinstance(key, rsa.RSAPublicKey) and key.key_size >= SMALLEST_RSA_BITS:
            if parts.algorithm == "rsassa_pkcs1v15":
                key.verify(parts.value, parts.signed_attributes, padding.PKCS1v15(), sha256)
                return
            if parts.algorithm == "rsassa_pss":
                scheme = padding.PSS(mgf=padding.MGF1(sha256), salt_length=sha256.digest_size)
                key.verify(parts.value, parts.signed_attributes, scheme, sha256)
                return
        if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _CURVES and parts.algorithm == "ecdsa":
            key.verify(parts.value, parts.signed_attributes, ec.ECDSA(sha256))
            return
    except InvalidSignature as error:
        raise _Refused(Reason.SIGNATURE_INVALID, "its value doesn't fit its certificate's key") from error
    raise _Refused(Reason.SIGNATURE_INVALID, f"its algorithm or key size is not accepted ({parts.algorithm})")


def _require_signing_key(certificate: x509.Certificate) -> None:
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        raise _Refused(Reason.SIGNER_UNSUITED, "its certificate doesn't say what its key is for") from None
    except ValueError as error:
        raise _Refused(Reason.SIGNER_UNSUITED, "its certificate's extensions can't be read") from error
    if not (usage.digital_signature or usage.content_commitment):
        raise _Refused(Reason.SIGNER_UNSUITED, "its certificate is not for signing")


def _signer(certificate: x509.Certificate, signature: FiledSignature, revocation: str) -> Signer:
    names = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return Signer(
        role=signature.role,
        subject=str(names[0].value) if names else certificate.subject.rfc4514_string(),
        issuer=certificate.issuer.rfc4514_string(),
        serial=f"{certificate.serial_number:x}",
        claimed_at=signature.claimed_at,
        revocation=revocation,
    )
