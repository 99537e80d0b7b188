"""Certificates with which the stand-in misbehaves: made when it starts to obey tests, and trusted by nobody."""

from __future__ import annotations

from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from services.trust_services.authority import Identity


def stranger(like: Identity, at: datetime) -> Identity:
    """Signs itself under the name of a certificate of ours, for the same purpose."""
    key = ec.generate_private_key(ec.SECP256R1())
    purpose = like.certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    builder = _builder(like.certificate.subject, at - timedelta(days=1), at + timedelta(days=30), key)
    return Identity(key, builder.issuer_name(like.certificate.subject).add_extension(purpose.value, purpose.critical).sign(key, hashes.SHA256()))


def stamping(issuing: Identity, start: datetime, end: datetime, *, usage: bool = True) -> Identity:
    """A certificate of the issuing authority between two dates, with or without the purpose of stamping time."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COUNTRY_NAME, "VN"), x509.NameAttribute(NameOID.COMMON_NAME, "Hocba Test Odd TSA")])
    purpose = ExtendedKeyUsageOID.TIME_STAMPING if usage else ExtendedKeyUsageOID.EMAIL_PROTECTION
    builder = _builder(subject, start, end, key).issuer_name(issuing.certificate.subject)
    return Identity(key, builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=True).sign(issuing.key, hashes.SHA256()))


def _builder(subject: x509.Name, start: datetime, end: datetime, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
