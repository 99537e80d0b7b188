"""Documents of every PAdES level with P-256 keys, made by pyHanko alone: what the judges are measured by before they judge ours.

The time-stamp authority and the revocation lists are made in this process; ours come over their protocols.
"""

from __future__ import annotations

import asyncio
import io
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from asn1crypto import crl as asn1_crl
from asn1crypto import keys as asn1_keys
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign.fields import MDPPerm, SigSeedSubFilter
from pyhanko.sign.signers import PdfSignatureMetadata, PdfSigner
from pyhanko.sign.timestamps import DummyTimeStamper
from pyhanko.stamp import StaticStampStyle
from pyhanko_certvalidator import ValidationContext
from pyhanko_certvalidator.registry import SimpleCertificateStore

from tests.support.signed_documents import FIELDS, ROLES, Identity, Pki, shared_pki

# Nothing is drawn: pyHanko's own picture would bring a font that isn't embedded.
_NO_PICTURE = StaticStampStyle(border_width=0)
LEVELS = ("B-B", "B-T", "B-LT", "B-LTA")


def sign_long_term(body: bytes, level: str, roles: tuple[str, ...] = ROLES) -> bytes:
    """The body with the roles' signatures, each of this level; the first certifies with P=2."""
    pki = shared_pki()
    for role in roles:
        metadata = PdfSignatureMetadata(
            field_name=FIELDS[role],
            md_algorithm="sha256",
            subfilter=SigSeedSubFilter.PADES,
            certify=role == ROLES[0],
            docmdp_permissions=MDPPerm.NO_CHANGES if role == ROLES[-1] else MDPPerm.FILL_FORMS,
            embed_validation_info=level in ("B-LT", "B-LTA"),
            use_pades_lta=level == "B-LTA" and role == roles[-1],
            validation_context=_context(pki) if level in ("B-LT", "B-LTA") else None,
        )
        stamper = None if level == "B-B" else _time_stamper()
        out = io.BytesIO()
        signer: Any = PdfSigner(metadata, pki.people[role].signer([pki.issuing.certificate]), timestamper=stamper, stamp_style=_NO_PICTURE)
        asyncio.run(signer.async_sign_pdf(IncrementalPdfFileWriter(io.BytesIO(body)), output=out))
        body = out.getvalue()
    return body


def _context(pki: Pki) -> ValidationContext:
    lists = [_list_of(pki.root), _list_of(pki.issuing)]
    return ValidationContext(
        trust_roots=[_asn1(pki.root.certificate)], other_certs=[_asn1(pki.issuing.certificate)], crls=lists, revocation_mode="require", allow_fetching=False
    )


def _list_of(authority: Identity) -> asn1_crl.CertificateList:
    now = datetime.now(UTC)
    builder = x509.CertificateRevocationListBuilder().issuer_name(authority.certificate.subject).last_update(now - timedelta(minutes=1))
    made = builder.next_update(now + timedelta(days=7)).sign(authority.key, hashes.SHA256())
    return asn1_crl.CertificateList.load(made.public_bytes(serialization.Encoding.DER))


@lru_cache(maxsize=1)
def _time_stamper() -> DummyTimeStamper:
    """A time-stamp authority below the shared root."""
    pki = shared_pki()
    key = rsa.generate_private_key(65537, 2048)  # pyHanko's stamper takes no other.
    now = datetime.now(UTC)
    usage = dict.fromkeys(
        ("key_encipherment", "data_encipherment", "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only", "content_commitment"), False
    )
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Dấu thời gian thử nghiệm")]))
        .issuer_name(pki.root.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(digital_signature=True, **usage), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True)
        .sign(pki.root.key, hashes.SHA256())
    )
    private = key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    chain = SimpleCertificateStore()  # type: ignore[no-untyped-call]  # pyHanko
    chain.register(_asn1(pki.root.certificate))
    return DummyTimeStamper(_asn1(made), asn1_keys.PrivateKeyInfo.load(private), certs_to_embed=chain)


def _asn1(certificate: x509.Certificate) -> asn1_x509.Certificate:
    return asn1_x509.Certificate.load(certificate.public_bytes(serialization.Encoding.DER))
