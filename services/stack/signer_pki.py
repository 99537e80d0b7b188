"""A test PKI for signers, made at run time: a root, an issuing authority, and one key per person and per school seal.

It stands in for the licensed public authorities and for the Government's authority in local runs and tests. Keys never
leave the state folder that the caller names, and nothing made here is ever committed or trusted anywhere else.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID

_DOCUMENT_SIGNING = x509.ObjectIdentifier("1.3.6.1.5.5.7.3.36")  # RFC 9336
_KEY_BITS = 2048
_ISSUER_NAME = "Hocba Test Issuing CA"
_PASSWORD_FILE = "password"  # noqa: S105  # A file name; the password in it is made at run time.


@dataclass(frozen=True, slots=True)
class Signer:
    """Whoever gets a key: a person with an office at a school, or the school itself (an empty `staff_id`)."""

    key_name: str
    common_name: str
    organisation: str
    locality: str
    title: str = ""
    staff_id: str = ""


@dataclass(frozen=True, slots=True)
class SignerCertificate:
    """A certificate that was made: the public half as DER with its chain, and the name of the key behind the key port."""

    signer: Signer
    certificate: bytes
    chain: tuple[bytes, ...]


class SignerPki:
    """Files under one folder: `anchors/root.cer`, `issuing.cer`, `keys/<key name>.p12`, `certificates/<key name>.cer`.

    A second call finds what is there and makes only what is missing, so a run that was cut off goes on where it was.
    """

    def __init__(self, folder: Path, now: datetime | None = None, valid_days: int = 730) -> None:
        self.folder = folder
        self._from = (now or datetime.now(UTC)).replace(microsecond=0) - timedelta(days=1)
        self._until = self._from + timedelta(days=valid_days)
        for name in ("anchors", "keys", "certificates", "authority"):
            (folder / name).mkdir(parents=True, exist_ok=True, mode=0o700)
        self.password_file = folder / "keys" / _PASSWORD_FILE
        if not self.password_file.exists():
            _write(self.password_file, os.urandom(24).hex().encode())
        self._root_key, self._root = self._authority("root", "Hocba Test Root CA", None)
        self._issuing_key, self._issuing = self._authority("issuing", _ISSUER_NAME, (self._root_key, self._root))
        _write(self.anchors / "root.cer", _der(self._root))
        _write(folder / "issuing.cer", _der(self._issuing))

    @property
    def anchors(self) -> Path:
        """Folder of the trust anchors, one DER certificate per file."""
        return self.folder / "anchors"

    @property
    def keys(self) -> Path:
        """Folder of the PKCS#12 files and of the file with their password."""
        return self.folder / "keys"

    def make(self, signers: Iterable[Signer]) -> list[SignerCertificate]:
        """One certificate per signer, in the order given; an existing one with the same facts is kept."""
        return [self._one(signer) for signer in signers]

    def revalidated(self, signer: Signer, not_before: datetime, not_after: datetime) -> SignerCertificate:
        """A certificate with other dates, replacing the signer's present one: for tests of expiry."""
        return self._issue(signer, not_before, not_after)

    def _one(self, signer: Signer) -> SignerCertificate:
        certificate, facts = self._place(signer)
        complete = certificate.exists() and (self.keys / f"{signer.key_name}.p12").exists() and facts.exists()
        if complete and json.loads(facts.read_text(encoding="utf-8")) == asdict(signer):
            return SignerCertificate(signer, certificate.read_bytes(), (_der(self._issuing),))
        return self._issue(signer, self._from, self._until)

    def _issue(self, signer: Signer, not_before: datetime, not_after: datetime) -> SignerCertificate:
        key = rsa.generate_private_key(65537, _KEY_BITS)
        made = (
            x509.CertificateBuilder()
            .subject_name(_subject(signer))
            .issuer_name(self._issuing.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(not_before)
            .not_valid_after(not_after)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(digital_signature=True, content_commitment=True), critical=True)
            .add_extension(x509.ExtendedKeyUsage([_DOCUMENT_SIGNING]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(_authority_key(self._issuing), critical=False)
            .sign(self._issuing_key, hashes.SHA256())
        )
        password = serialization.BestAvailableEncryption(self.password_file.read_bytes())
        store = pkcs12.serialize_key_and_certificates(signer.key_name.encode(), key, made, [self._issuing], password)
        certificate, facts = self._place(signer)
        _write(self.keys / f"{signer.key_name}.p12", store)
        _write(certificate, _der(made))
        _write(facts, json.dumps(asdict(signer), ensure_ascii=False).encode())
        return SignerCertificate(signer, _der(made), (_der(self._issuing),))

    def _place(self, signer: Signer) -> tuple[Path, Path]:
        stem = self.folder / "certificates" / signer.key_name
        return stem.with_suffix(".cer"), stem.with_suffix(".json")

    def _authority(self, file: str, name: str, issuer: tuple[rsa.RSAPrivateKey, x509.Certificate] | None) -> tuple[rsa.RSAPrivateKey, x509.Certificate]:
        key_file, certificate_file = (self.folder / "authority" / f"{file}.{kind}" for kind in ("key", "cer"))
        if key_file.exists() and certificate_file.exists():
            key = serialization.load_der_private_key(key_file.read_bytes(), None)
            assert isinstance(key, rsa.RSAPrivateKey)
            return key, x509.load_der_x509_certificate(certificate_file.read_bytes())
        key = rsa.generate_private_key(65537, _KEY_BITS)
        subject = x509.Name([x509.NameAttribute(NameOID.COUNTRY_NAME, "VN"), x509.NameAttribute(NameOID.COMMON_NAME, name)])
        issuer_key, issuer_name = (issuer[0], issuer[1].subject) if issuer else (key, subject)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer_name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(self._from)
            .not_valid_after(self._from + timedelta(days=3650))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None if issuer is None else 0), critical=True)
            .add_extension(_usage(key_cert_sign=True, crl_sign=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        )
        if issuer:
            builder = builder.add_extension(_authority_key(issuer[1]), critical=False)
        certificate = builder.sign(issuer_key, hashes.SHA256())
        no_password = serialization.NoEncryption()
        _write(
            key_file,
            key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, no_password),
        )
        _write(certificate_file, _der(certificate))
        return key, certificate


def _subject(signer: Signer) -> x509.Name:
    facts = [
        (NameOID.COUNTRY_NAME, "VN"),
        (NameOID.LOCALITY_NAME, signer.locality),
        (NameOID.ORGANIZATION_NAME, signer.organisation),
        (NameOID.TITLE, signer.title),
        (NameOID.COMMON_NAME, signer.common_name),
        (NameOID.USER_ID, f"STAFF:{signer.staff_id}" if signer.staff_id else ""),
    ]
    return x509.Name([x509.NameAttribute(kind, value[:64]) for kind, value in facts if value])


def _usage(**granted: bool) -> x509.KeyUsage:
    names = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(**{name: granted.get(name, False) for name in names})


def _authority_key(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    identifier = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)


def _der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)


def _write(path: Path, content: bytes) -> None:
    """Write a file that only its owner can read, all of it or nothing."""
    if path.exists() and path.read_bytes() == content:
        return
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    temporary.replace(path)
