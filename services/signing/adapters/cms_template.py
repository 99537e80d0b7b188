"""CMS containers by template: pyHanko builds one per certificate, each document fills two holes.

PAdES keeps the signing time out of the CMS, so the signed attributes differ from document to document in the message
digest alone, and the container in that and in the signature value. An RSA value has a fixed length; an ECDSA value (DER)
has one of a few, and each length has its own container.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from typing import Any

from asn1crypto import cms, x509
from pyhanko.sign.general import load_certs_from_pemder_data
from pyhanko.sign.signers.pdf_cms import ExternalSigner
from pyhanko_certvalidator.registry import SimpleCertificateStore

_DIGEST_HOLE = hashlib.sha256(b"place of the message digest").digest()
_OTHER_HOLE = hashlib.sha256(b"another message digest").digest()
_LONGEST_P256 = 72  # SEQUENCE of two INTEGERs of 33 bytes each (RFC 3279 section 2.2.3)
_SHORTEST_P256 = 8


@dataclass(frozen=True, slots=True)
class _Cut:
    """A container around its two holes, in hexadecimal as a PDF holds it."""

    head: bytes
    middle: bytes
    tail: bytes


class CmsTemplate:
    """The containers of one certificate."""

    def __init__(self, certificate: bytes, chain: list[bytes]) -> None:
        self._certificate = x509.Certificate.load(certificate)
        self._chain = chain
        kind = self._certificate.public_key.algorithm
        if kind not in ("rsa", "ec"):
            raise ValueError(f"there are containers for RSA and ECDSA keys, not for {kind}; register another certificate")
        self._rsa = kind == "rsa"
        self.longest_value = self._certificate.public_key.bit_size // 8 if self._rsa else _LONGEST_P256
        self._cuts: dict[int, _Cut] = {}
        whole = self._container(_DIGEST_HOLE, b"\xa5" * self.longest_value)
        signed = cms.ContentInfo.load(whole)["content"]["signer_infos"][0]["signed_attrs"]
        # RFC 5652 section 5.4: the digest is taken over the attributes with the tag of a SET, not with the implicit one.
        before, self._after = _split(b"\x31" + signed.dump()[1:], _DIGEST_HOLE)
        self._before = hashlib.sha256(before)
        self.reserved = len(whole) * 2
        """Hexadecimal digits that the longest container takes."""

    def to_be_signed(self, document_digest: bytes) -> bytes:
        """SHA-256 over the DER of the signed attributes: what the key gets to see."""
        state = self._before.copy()
        state.update(document_digest + self._after)
        return state.digest()

    def filled(self, document_digest: bytes, signature: bytes) -> bytes:
        """The finished container in upper-case hexadecimal, padded with zeros to `reserved` digits."""
        cut = self._cuts.get(len(signature))
        if cut is None:
            cut = self._cuts[len(signature)] = self._cut_for(len(signature))
        made = b"".join((cut.head, document_digest.hex().upper().encode(), cut.middle, signature.hex().upper().encode(), cut.tail))
        return made.ljust(self.reserved, b"0")

    def _cut_for(self, length: int) -> _Cut:
        fits = length == self.longest_value if self._rsa else _SHORTEST_P256 <= length <= _LONGEST_P256
        if not fits:
            raise ValueError(f"a signature of {length} bytes isn't one by this certificate's key (at most {self.longest_value})")
        value = b"\xa5" * length
        head, rest = _split(self._container(_DIGEST_HOLE, value), _DIGEST_HOLE)
        middle, tail = _split(rest, value)
        if head + _OTHER_HOLE + middle + value + tail != self._container(_OTHER_HOLE, value):
            raise ValueError("the CMS depends on more than digest and signature; it can't be made by template")
        return _Cut(*(part.hex().upper().encode() for part in (head, middle, tail)))

    def _container(self, digest: bytes, value: bytes) -> bytes:
        store: Any = SimpleCertificateStore()  # type: ignore[no-untyped-call]  # pyHanko leaves it unannotated.
        store.register_multiple([c for der in self._chain for c in load_certs_from_pemder_data(der)])
        signer = ExternalSigner(self._certificate, store, signature_value=value, embed_roots=False)
        made = asyncio.run(signer.async_sign(digest, "sha256", use_pades=True))
        dumped: bytes = made.dump()
        return dumped


def _split(whole: bytes, hole: bytes) -> tuple[bytes, bytes]:
    if whole.count(hole) != 1:
        raise ValueError(f"the placeholder stands {whole.count(hole)} times in the container instead of once")
    before, after = whole.split(hole)
    return before, after
