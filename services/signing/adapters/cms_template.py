"""CMS containers by template: pyHanko builds one per certificate, each document fills two holes.

PAdES keeps the signing time out of the CMS, so the signed attributes differ from document to document in the message
digest alone, and the container in that and in the signature value. RSA signatures have a fixed length; so has the DER.
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


@dataclass(frozen=True, slots=True)
class CmsTemplate:
    """A container with two holes, cut at the message digest and at the signature value."""

    attributes: tuple[bytes, bytes]
    container: tuple[bytes, bytes, bytes]
    signature_size: int

    def to_be_signed(self, document_digest: bytes) -> bytes:
        """SHA-256 over the DER of the signed attributes: what the key gets to see."""
        before, after = self.attributes
        return hashlib.sha256(before + document_digest + after).digest()

    def filled(self, document_digest: bytes, signature: bytes) -> bytes:
        """The finished container as DER."""
        if len(signature) != self.signature_size:
            raise ValueError(f"a signature of {self.signature_size} bytes is expected, not of {len(signature)}")
        head, middle, tail = self.container
        return head + document_digest + middle + signature + tail

    @property
    def size(self) -> int:
        """Length of the finished container in bytes."""
        return sum(map(len, self.container)) + len(_DIGEST_HOLE) + self.signature_size


def cms_template(certificate: bytes, chain: list[bytes]) -> CmsTemplate:
    """Build the template for one RSA certificate and check it against a second container made by pyHanko itself."""
    parsed = x509.Certificate.load(certificate)
    if parsed.public_key.algorithm != "rsa":
        raise ValueError(f"templates are for RSA keys so far, not for {parsed.public_key.algorithm}")
    value = b"\xa5" * (parsed.public_key.bit_size // 8)
    whole = _container(parsed, chain, _DIGEST_HOLE, value)
    head, rest = _cut(whole, _DIGEST_HOLE)
    middle, tail = _cut(rest, value)
    signed = cms.ContentInfo.load(whole)["content"]["signer_infos"][0]["signed_attrs"]
    # RFC 5652 section 5.4: the digest is taken over the attributes with the tag of a SET, not with the implicit one.
    attributes = _cut(b"\x31" + signed.dump()[1:], _DIGEST_HOLE)
    template = CmsTemplate(attributes, (head, middle, tail), len(value))
    if template.filled(_OTHER_HOLE, value) != _container(parsed, chain, _OTHER_HOLE, value):
        raise ValueError("the CMS depends on more than digest and signature; it can't be made by template")
    return template


def _container(certificate: x509.Certificate, chain: list[bytes], digest: bytes, value: bytes) -> bytes:
    store: Any = SimpleCertificateStore()  # type: ignore[no-untyped-call]  # pyHanko leaves it unannotated.
    store.register_multiple([c for der in chain for c in load_certs_from_pemder_data(der)])
    signer = ExternalSigner(certificate, store, signature_value=value, embed_roots=False)
    made = asyncio.run(signer.async_sign(digest, "sha256", use_pades=True))
    dumped: bytes = made.dump()
    return dumped


def _cut(whole: bytes, hole: bytes) -> tuple[bytes, bytes]:
    if whole.count(hole) != 1:
        raise ValueError(f"the placeholder stands {whole.count(hole)} times in the container instead of once")
    before, after = whole.split(hole)
    return before, after
