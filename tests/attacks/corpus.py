"""What an attack of the corpus is, and the documents that all of them begin with.

Each attack is made from a freshly signed document whenever the tests run; nothing is kept as a file.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from services.archive.application.check_document import Announced
from services.archive.domain.findings import Reason
from tests.support.packed_documents import transcript
from tests.support.signed_documents import ROLES, SIGNED_AT, Identity, digest, record_bytes, shared_pki, signed_transcript


@dataclass(frozen=True)
class Attack:
    """One way to make somebody believe a document that nobody issued."""

    name: str
    source: str
    """Where the class of attack is described."""
    reason: Reason
    """Why it must be refused: the first finding of the check."""
    make: Callable[[], bytes]
    announced: Callable[[bytes], Announced] = lambda data: Announced(digest(data), len(data), digest(record_bytes()))
    """What was said of it beforehand. Mostly the forger controls that too, so that the digest gives nothing away; the sealed content he doesn't."""


def tables() -> bytes:
    """A transcript of typst and pyHanko, with cross-reference tables."""
    return signed_transcript()


@lru_cache(maxsize=2)
def streams(kind: str = "ec") -> bytes:
    """One with cross-reference and object streams as hocba writes them, whose shape the check knows after the first of them."""
    return transcript(shared_pki(kind), record_bytes())


VALUE = re.compile(rb"/Contents ?<([0-9A-Fa-f]+)>")


def with_container(data: bytes, change: Callable[[bytes], bytes], which: int = -1) -> bytes:
    """The document with another CMS container in the room that is there for it; no byte moves, and nothing signed changes."""
    start, end = list(VALUE.finditer(data))[which].span(1)
    whole = bytes.fromhex(data[start:end].decode())
    length = 4 + int.from_bytes(whole[2:4], "big")
    assert whole[:2] == b"\x30\x82"
    changed = change(whole[:length]).hex().encode()
    assert len(changed) <= end - start
    return data[:start] + changed.ljust(end - start, b"0") + data[end:]


def certified(
    issuer: Identity,
    *extensions: tuple[x509.ExtensionType, bool],
    like: Identity | None = None,
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | None = None,
    signs: bool = True,
    ca: bool = False,
) -> Identity:
    """An identity of the attacker's below an issuer, with further extensions (extension, whether critical); `like` lends its name and serial number."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    model = like or shared_pki().people[ROLES[-1]]
    usage = dict.fromkeys(("key_encipherment", "data_encipherment", "key_agreement", "crl_sign", "encipher_only", "decipher_only"), False)
    builder = (
        x509.CertificateBuilder()
        .subject_name(model.certificate.subject)
        .issuer_name(issuer.certificate.subject)
        .public_key(key.public_key())
        .serial_number(like.certificate.serial_number if like else x509.random_serial_number())
        .not_valid_before(SIGNED_AT - timedelta(days=30))
        .not_valid_after(SIGNED_AT + timedelta(days=300))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(digital_signature=signs, content_commitment=signs, key_cert_sign=ca, **usage), critical=True)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return Identity(key, builder.sign(issuer.key, hashes.SHA256()))
