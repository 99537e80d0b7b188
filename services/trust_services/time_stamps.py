"""Time-stamp tokens (RFC 3161) at the speed of the key: everything but imprint, serial, time, nonce and signature is made once."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from asn1crypto import algos, cms, core, tsp, x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

from services.trust_services.authority import Identity

POLICY = "1.3.6.1.4.1.32473.1.3161"  # below the number that RFC 5612 sets aside for examples
_DIGESTS: dict[str, hashes.HashAlgorithm] = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}
_GRANTED = tsp.PKIStatusInfo({"status": "granted"}).dump()
_ACCURACY = tsp.Accuracy({"seconds": 1}).dump()
_OID_SIGNED_DATA = core.ObjectIdentifier("1.2.840.113549.1.7.2").dump()
_OID_TST_INFO = core.ObjectIdentifier("1.2.840.113549.1.9.16.1.4").dump()


class Unstampable(ValueError):
    """The request can't be answered with a token; the message is told to the client."""


@dataclass(frozen=True, slots=True)
class Question:
    """A request as far as a token depends on it: imprint and nonce as DER, ready to be put in."""

    imprint: bytes
    nonce: bytes
    certificates: bool

    @classmethod
    def of(cls, request: bytes) -> Question:
        """Unstampable unless it asks for a time stamp over a SHA-2 digest under our policy or under any."""
        try:
            parsed = tsp.TimeStampReq.load(request, strict=True)
            imprint = parsed["message_imprint"]
            algorithm, digest = imprint["hash_algorithm"]["algorithm"].native, imprint["hashed_message"].native
            policy, nonce, wanted = parsed["req_policy"].native, parsed["nonce"], parsed["cert_req"].native
        except (ValueError, TypeError, KeyError) as error:
            raise Unstampable(f"not a time-stamp request: {error}") from None
        size = {"sha256": 32, "sha384": 48, "sha512": 64}.get(algorithm)
        if size is None or len(digest) != size:
            raise Unstampable(f"imprints are SHA-256, SHA-384 or SHA-512, not {len(digest)} bytes of {algorithm}")
        if policy not in (None, POLICY):
            raise Unstampable(f"the policy here is {POLICY}, not {policy}")
        return cls(imprint.dump(), b"" if isinstance(nonce, core.Void) else nonce.dump(), bool(wanted))


@dataclass
class TimeStamper:
    """A time-stamp authority's key with the fixed parts of all its tokens."""

    identity: Identity
    chain: tuple[bytes, ...] = ()
    """What stands between the authority and its root; its tokens bring it."""
    policy: str = POLICY
    digest: str = "sha256"
    """With which it signs; what it stamps is the client's choice."""
    serial: int = field(default_factory=lambda: int.from_bytes(b"\x5a" + os.urandom(7)) << 64)

    def __post_init__(self) -> None:
        certificate = x509.Certificate.load(self.identity.der)
        self._info_head = core.Integer(1).dump() + core.ObjectIdentifier(self.policy).dump()
        digest = self._hashed(b"place of the message digest")
        signing = tsp.SigningCertificateV2({"certs": [{"cert_hash": hashlib.sha256(self.identity.der).digest()}]})
        attributes: Any = cms.CMSAttributes(
            [
                cms.CMSAttribute({"type": "content_type", "values": ["tst_info"]}),
                cms.CMSAttribute({"type": "message_digest", "values": [digest]}),
                cms.CMSAttribute({"type": "signing_certificate_v2", "values": [signing]}),
            ]
        )
        self._attributes = attributes.dump().split(digest)
        algorithm = algos.DigestAlgorithm({"algorithm": self.digest}).dump()
        rsa_key = isinstance(self.identity.key, rsa.RSAPrivateKey)
        by = algos.SignedDigestAlgorithm({"algorithm": f"{self.digest}_rsa" if rsa_key else f"{self.digest}_ecdsa"}).dump()
        sid = cms.IssuerAndSerialNumber({"issuer": certificate.issuer, "serial_number": certificate.serial_number}).dump()
        self._signer_head, self._signer_middle = core.Integer(1).dump() + sid + algorithm, by
        self._data_head = core.Integer(3).dump() + _tlv(0x31, algorithm)
        certificates = sorted((self.identity.der, *self.chain), key=_by_size)
        self._certificates = _tlv(0xA0, b"".join(certificates))

    def answer(self, question: Question, at: datetime) -> bytes:
        """A granted response with a token for this moment."""
        return _tlv(0x30, _GRANTED + self.token(question, at))

    def token(self, question: Question, at: datetime) -> bytes:
        """A token for this moment."""
        self.serial += 1
        time = _tlv(0x18, at.astimezone(UTC).strftime("%Y%m%d%H%M%SZ").encode())
        info = _tlv(0x30, self._info_head + question.imprint + core.Integer(self.serial).dump() + time + _ACCURACY + question.nonce)
        before, after = self._attributes
        attributes = before + self._hashed(info) + after
        signature = self._sign(self._hashed(attributes))
        # RFC 5652 section 5.4: signed with the tag of a SET, written with the implicit one.
        signer = _tlv(0x30, self._signer_head + b"\xa0" + attributes[1:] + self._signer_middle + _tlv(0x04, signature))
        content = _tlv(0x30, _OID_TST_INFO + _tlv(0xA0, _tlv(0x04, info)))
        certificates = self._certificates if question.certificates else b""
        return _tlv(0x30, _OID_SIGNED_DATA + _tlv(0xA0, _tlv(0x30, self._data_head + content + certificates + _tlv(0x31, signer))))

    def _hashed(self, data: bytes) -> bytes:
        return hashlib.new(self.digest, data).digest()

    def _sign(self, digest: bytes) -> bytes:
        key, hashed = self.identity.key, utils.Prehashed(_DIGESTS[self.digest])
        if isinstance(key, rsa.RSAPrivateKey):
            return key.sign(digest, padding.PKCS1v15(), hashed)
        return key.sign(digest, ec.ECDSA(hashed))


def rejection(why: str) -> bytes:
    """A response without a token (RFC 3161 section 2.4.2)."""
    status = tsp.PKIStatusInfo({"status": "rejection", "status_string": [why], "fail_info": {"bad_request"}})
    return _tlv(0x30, status.dump())


def _by_size(der: bytes) -> tuple[int, bytes]:
    """DER sorts the elements of a SET by their encoding, so shorter ones come first (X.690 section 11.6)."""
    return len(der), der


def _tlv(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    octets = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes((tag, 0x80 | len(octets))) + octets + content
