"""Checks the CMS signatures of a document against the trust store."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from asn1crypto import tsp
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from services.archive.adapters.cms_containers import UNREADABLE, Container, Containers, Refused, Signatory, parsed_token
from services.archive.adapters.trust_store import Chain, TrustStore, read_certificate
from services.archive.application.ports import Judge, SignatureVerdict, Signer, TimeVerdict
from services.archive.domain.algorithms import FOR_EVER
from services.archive.domain.document import FiledSignature
from services.archive.domain.existence import TimeStamp
from services.archive.domain.findings import Finding, Reason
from services.chassis.clock import Clock

SMALLEST_RSA_BITS = 2048
_CURVES = ("secp256r1", "secp384r1", "secp521r1")
_SHA256 = hashes.SHA256()
_PKCS1 = padding.PKCS1v15()
_PSS = padding.PSS(mgf=padding.MGF1(_SHA256), salt_length=_SHA256.digest_size)
_ECDSA = ec.ECDSA(_SHA256)


@dataclass(frozen=True)
class CmsSignatures:
    """Fulfils the port Signatures with asn1crypto and cryptography; shares no code with what signed."""

    trust: Callable[[], TrustStore]
    clock: Clock
    containers: Containers = field(default_factory=Containers)

    def judge(self) -> Judge:
        """A judge by the anchors and the time of this moment."""
        return _Judge(self.trust(), self.clock.now(), self.containers)


@dataclass(frozen=True)
class _Judge:
    """Fulfils the port Judge."""

    trust: TrustStore
    now: datetime
    containers: Containers
    _chains: dict[int, tuple[Signatory, Chain]] = field(default_factory=dict)
    """By the identity of a signatory, who is kept beside it so that the identity stays his."""

    def check(self, signature: FiledSignature) -> SignatureVerdict:
        """The verdict on one signature: what it covers, its value, its signer's certificate at the claimed time."""
        try:
            container = self.containers.read(signature.contents)
            if container.message_digest != signature.digest:
                raise Refused(Reason.SIGNED_BYTES_DIFFER, "its digest is not that of the bytes it covers")
            _verify_value(container)
            if container.signatory.for_other_work:
                raise Refused(Reason.SIGNER_UNSUITED, "its certificate is for servers, programs, time stamps or revocation answers, not for documents")
            chain = self._judge_certificate(container, signature.claimed_at)
        except Refused as refused:
            return SignatureVerdict((Finding(refused.reason, f"the signature of {signature.role}: {refused}"),), None)
        self.containers.learn(signature.contents, container)
        subject, issuer, serial = container.signatory.names
        # What can't be known is said, never taken for good.
        revocation = "good" if chain.revocation_known else "unknown"
        return SignatureVerdict((), Signer(signature.role, subject, issuer, serial, signature.claimed_at, revocation, self._in_force_until(chain)))

    def check_time(self, stamp: FiledSignature, certificates: Sequence[bytes]) -> TimeVerdict:
        """The verdict on one time stamp: what it covers, its value, its authority's certificate at the time that it names."""
        try:
            container, content = parsed_token(stamp.contents)
            at = _stamped_at(content, stamp.digest)
            _verify_value(container)
            if not container.signatory.stamps_time:
                raise Refused(Reason.SIGNER_UNSUITED, "its certificate is not for time stamps alone")
            chain = self._judge_certificate(container, at, [_readable(der) for der in certificates])
        except Refused as refused:
            return TimeVerdict((Finding(Reason.TIME_STAMP_INVALID, f"the time stamp in field {stamp.field}: {refused}"),), None)
        return TimeVerdict((), TimeStamp(at, self._in_force_until(chain)))

    def _in_force_until(self, chain: Chain) -> datetime:
        """The first moment at which a signature below this path is worth nothing without a proof that it is older."""
        return min(chain.in_force_until, self._digest_until)

    @property
    def _digest_until(self) -> datetime:
        """Of the digest that every signature here is over."""
        return self.trust.algorithms.digest_until(_SHA256.name) or FOR_EVER

    def _judge_certificate(self, container: Container, claimed_at: datetime | None, known: Sequence[x509.Certificate] = ()) -> Chain:
        signatory = container.signatory
        if signatory.unsuited:
            raise Refused(Reason.SIGNER_UNSUITED, signatory.unsuited)
        chain = self._chain(container, known)
        if claimed_at is None or claimed_at > self.now:
            raise Refused(Reason.CERTIFICATE_NOT_IN_FORCE, "it names no time of signing, or one in the future")
        begins, ends = chain.in_force
        if not begins <= claimed_at <= ends:
            raise Refused(Reason.CERTIFICATE_NOT_IN_FORCE, "a certificate was not valid at the time of signing")
        if claimed_at >= min(chain.algorithms_until, self._digest_until):
            raise Refused(Reason.SIGNATURE_INVALID, "a digest or a key of its path was no longer good at the time of signing; see algorithms.toml")
        if chain.revoked_at is not None and chain.revoked_at <= claimed_at:
            raise Refused(Reason.CERTIFICATE_REVOKED, "its certificate had been revoked")
        return chain

    def _chain(self, container: Container, more: Sequence[x509.Certificate]) -> Chain:
        known = self._chains.get(id(container.signatory))
        if known is not None:
            return known[1]
        chain = self.trust.chain(container.signatory.certificate, [*container.others, *more])
        if chain is None:
            raise Refused(Reason.SIGNER_UNTRUSTED, "no trusted root stands behind its certificate")
        if any(other not in chain.certificates for other in container.others):
            # No signature covers what a container brings along, so it may only be what the path vouches for.
            raise Refused(Reason.SIGNER_UNTRUSTED, "it brings a certificate that doesn't belong to its path")
        self._chains[id(container.signatory)] = container.signatory, chain
        return chain


def _readable(certificate: bytes) -> x509.Certificate:
    try:
        return read_certificate(certificate)
    except ValueError as error:
        raise Refused(Reason.SIGNATURE_INVALID, "the document's validation data holds something that is no certificate") from error


def _stamped_at(content: bytes, digest: bytes) -> datetime:
    """The time of a TSTInfo over this digest (RFC 3161 section 2.4.2)."""
    try:
        told = tsp.TSTInfo.load(content, strict=True)
        imprint = told["message_imprint"]
        algorithm, hashed, at = imprint["hash_algorithm"]["algorithm"].native, imprint["hashed_message"].native, told["gen_time"].native
    except UNREADABLE as error:
        raise Refused(Reason.SIGNATURE_INVALID, f"it can't be read ({type(error).__name__})") from error
    if (algorithm, hashed) != ("sha256", digest):
        raise Refused(Reason.SIGNED_BYTES_DIFFER, "its imprint is not that of the bytes it covers")
    if not isinstance(at, datetime) or at.tzinfo is None:
        raise Refused(Reason.SIGNATURE_INVALID, "it names no time")
    return at


def _verify_value(container: Container) -> None:
    key = container.signatory.key
    try:
        if isinstance(key, rsa.RSAPublicKey) and key.key_size >= SMALLEST_RSA_BITS:
            if container.algorithm == "rsassa_pkcs1v15":
                key.verify(container.value, container.signed_attributes, _PKCS1, _SHA256)
                return
            if container.algorithm == "rsassa_pss":
                key.verify(container.value, container.signed_attributes, _PSS, _SHA256)
                return
        if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _CURVES and container.algorithm == "ecdsa":
            key.verify(container.value, container.signed_attributes, _ECDSA)
            return
    except InvalidSignature as error:
        raise Refused(Reason.SIGNATURE_INVALID, "its value doesn't fit its certificate's key") from error
    raise Refused(Reason.SIGNATURE_INVALID, f"its algorithm or key size is not accepted ({container.algorithm})")
