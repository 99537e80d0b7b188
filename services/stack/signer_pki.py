"""A test PKI for signers, made at run time: a root, an issuing authority, and one key per person and per school seal.

It stands in for the licensed public authorities and for the Government's authority in local runs and tests. Keys never
leave the state folder that the caller names, and nothing made here is ever committed or trusted anywhere else.

`services.trust_services` answers for it: it reads the folder `authority` (keys, `issued`, `revoked.json`) that is written here.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

_DOCUMENT_SIGNING = x509.ObjectIdentifier("1.3.6.1.5.5.7.3.36")  # RFC 9336
_KEY_BITS = 2048
_ISSUER_NAME = "Hocba Test Issuing CA"
_PASSWORD_FILE = "password"  # noqa: S105  # A file name; the password in it is made at run time.

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


class KeyKind(StrEnum):
    """What kind of key a signer gets."""

    RSA_2048 = "rsa-2048"
    P_256 = "p-256"


@dataclass(frozen=True, slots=True)
class Signer:
    """Whoever gets a key: a person with an office at a school, or the school itself (an empty `staff_id`)."""

    key_name: str
    common_name: str
    organisation: str
    locality: str
    title: str = ""
    staff_id: str = ""
    key_kind: KeyKind = KeyKind.RSA_2048


@dataclass(frozen=True, slots=True)
class SignerCertificate:
    """A certificate that was made: the public half as DER with its chain, and the name of the key behind the key port."""

    signer: Signer
    certificate: bytes
    chain: tuple[bytes, ...]


class SignerPki:
    """Files under one folder: `anchors/root.cer`, `issuing.cer`, `keys/<key name>.p12`, `certificates/<key name>.cer`.

    A second call finds what is there and makes only what is missing, so a run that was cut off goes on where it was.
    `services` is the address (http://host:port) of the trust services: certificates name it as the place of OCSP, revocation
    lists and issuers. It is remembered in the folder; where it changes, certificates are made anew when they are next asked for.
    """

    def __init__(
        self, folder: Path, now: datetime | None = None, valid_days: int = 730, services: str | None = None, time_stamp_key: KeyKind = KeyKind.RSA_2048
    ) -> None:
        self.folder = folder
        self._from = (now or datetime.now(UTC)).replace(microsecond=0) - timedelta(days=1)
        self._until = self._from + timedelta(days=valid_days)
        for name in ("anchors", "keys", "certificates", "authority"):
            (folder / name).mkdir(parents=True, exist_ok=True, mode=0o700)
        self.password_file = folder / "keys" / _PASSWORD_FILE
        if not self.password_file.exists():
            _write(self.password_file, os.urandom(24).hex().encode())
        address = self.authority / "services"
        if services is not None:
            _write(address, services.rstrip("/").encode())
        self.services = address.read_text() if address.exists() else ""
        self._root_key, self._root = self._authority("root", "Hocba Test Root CA", None)
        self._issuing_key, self._issuing = self._authority("issuing", _ISSUER_NAME, (self._root_key, self._root))
        _write(self.anchors / "root.cer", _der(self._root))
        _write(folder / "issuing.cer", _der(self._issuing))
        self._answering("ocsp", "Hocba Test OCSP Responder", KeyKind.P_256, ExtendedKeyUsageOID.OCSP_SIGNING)
        self._answering("tsa", "Hocba Test Time Stamp Authority", time_stamp_key, ExtendedKeyUsageOID.TIME_STAMPING)

    @property
    def authority(self) -> Path:
        """Folder that the trust services read: keys of the authorities, what was issued, what was revoked."""
        return self.folder / "authority"

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

    def revoke(self, certificate: bytes, at: datetime, reason: x509.ReasonFlags = x509.ReasonFlags.key_compromise) -> None:
        """Revoke a certificate of this PKI from a moment on; the trust services say so from their next answer."""
        self._revocation(certificate, {"at": at.replace(microsecond=0).isoformat(), "reason": reason.value})

    def reinstate(self, certificate: bytes) -> None:
        """Take a revocation back, as is done for a certificate that was on hold."""
        self._revocation(certificate, None)

    def _revocation(self, certificate: bytes, fact: dict[str, str] | None) -> None:
        file = self.authority / "revoked.json"
        told = json.loads(file.read_text()) if file.exists() else {}
        serial = f"{x509.load_der_x509_certificate(certificate).serial_number:x}"
        told = {other: one for other, one in told.items() if other != serial} | ({serial: fact} if fact else {})
        _write(file, json.dumps(told, indent=1, sort_keys=True).encode())

    def _one(self, signer: Signer) -> SignerCertificate:
        certificate, facts = self._place(signer)
        complete = certificate.exists() and (self.keys / f"{signer.key_name}.p12").exists() and facts.exists()
        if complete and json.loads(facts.read_text(encoding="utf-8")) == self._facts(signer):
            return SignerCertificate(signer, certificate.read_bytes(), (_der(self._issuing),))
        return self._issue(signer, self._from, self._until)

    def _issue(self, signer: Signer, not_before: datetime, not_after: datetime) -> SignerCertificate:
        key = _new_key(signer.key_kind)
        made = self._certified(
            self._builder(_subject(signer), key, not_before, not_after)
            .add_extension(_usage(digital_signature=True, content_commitment=True), critical=True)
            .add_extension(x509.ExtendedKeyUsage([_DOCUMENT_SIGNING]), critical=False)
        )
        password = serialization.BestAvailableEncryption(self.password_file.read_bytes())
        store = pkcs12.serialize_key_and_certificates(signer.key_name.encode(), key, made, [self._issuing], password)
        certificate, facts = self._place(signer)
        _write(self.keys / f"{signer.key_name}.p12", store)
        _write(certificate, _der(made))
        _write(facts, json.dumps(self._facts(signer), ensure_ascii=False).encode())
        return SignerCertificate(signer, _der(made), (_der(self._issuing),))

    def _facts(self, signer: Signer) -> dict[str, str]:
        return asdict(signer) | ({"services": self.services} if self.services else {})

    def _builder(self, subject: x509.Name, key: PrivateKey, not_before: datetime, not_after: datetime) -> x509.CertificateBuilder:
        """What all certificates of the issuing authority share."""
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._issuing.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(not_before)
            .not_valid_after(not_after)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(_authority_key(self._issuing), critical=False)
        )

    def _certified(self, builder: x509.CertificateBuilder) -> x509.Certificate:
        """Signed, with the places of revocation in it, and on record as issued before anybody holds it."""
        certificate = self._with_places(builder, "issuing", ocsp=True).sign(self._issuing_key, hashes.SHA256())
        # One short line per certificate: appended whole, so that two processes may issue at once.
        descriptor = os.open(self.authority / "issued", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(f"{certificate.serial_number:x}\n")
        return certificate

    def _with_places(self, builder: x509.CertificateBuilder, issuer: str, *, ocsp: bool) -> x509.CertificateBuilder:
        if not self.services:
            return builder
        methods = AuthorityInformationAccessOID
        places = [(methods.CA_ISSUERS, f"/ca/{issuer}.cer"), *([(methods.OCSP, "/ocsp")] if ocsp else [])]
        access = [x509.AccessDescription(method, x509.UniformResourceIdentifier(self.services + place)) for method, place in places]
        lists = [x509.DistributionPoint([x509.UniformResourceIdentifier(f"{self.services}/crl/{issuer}.crl")], None, None, None)]
        return builder.add_extension(x509.AuthorityInformationAccess(access), critical=False).add_extension(x509.CRLDistributionPoints(lists), critical=False)

    def _names_services(self, certificate: x509.Certificate) -> bool:
        try:
            access = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
        except x509.ExtensionNotFound:
            return not self.services
        return bool(self.services) and all(str(one.access_location.value).startswith(f"{self.services}/") for one in access)

    def _answering(self, file: str, name: str, kind: KeyKind, purpose: x509.ObjectIdentifier) -> None:
        """The key and certificate with which the trust services answer for one purpose."""
        key_file, certificate_file = self.authority / f"{file}.key", self.authority / f"{file}.cer"
        if key_file.exists() and certificate_file.exists() and self._names_services(x509.load_der_x509_certificate(certificate_file.read_bytes())):
            return
        key = _new_key(kind)
        builder = (
            self._builder(_authority_name(name), key, self._from, self._until)
            .add_extension(_usage(digital_signature=True), critical=True)
            .add_extension(x509.ExtendedKeyUsage([purpose]), critical=True)
        )
        if purpose == ExtendedKeyUsageOID.OCSP_SIGNING:
            # Who answers about revocation can't be asked about himself (RFC 6960 section 4.2.2.2.1).
            builder = builder.add_extension(x509.OCSPNoCheck(), critical=False)
        _write(certificate_file, _der(self._certified(builder)))
        _write(key_file, _key_der(key))

    def _place(self, signer: Signer) -> tuple[Path, Path]:
        stem = self.folder / "certificates" / signer.key_name
        return stem.with_suffix(".cer"), stem.with_suffix(".json")

    def _authority(self, file: str, name: str, issuer: tuple[rsa.RSAPrivateKey, x509.Certificate] | None) -> tuple[rsa.RSAPrivateKey, x509.Certificate]:
        key_file, certificate_file = (self.folder / "authority" / f"{file}.{kind}" for kind in ("key", "cer"))
        found = None
        if key_file.exists() and certificate_file.exists():
            loaded = serialization.load_der_private_key(key_file.read_bytes(), None)
            certificate = x509.load_der_x509_certificate(certificate_file.read_bytes())
            assert isinstance(loaded, rsa.RSAPrivateKey)
            if issuer is None or self._names_services(certificate):
                return loaded, certificate
            found = loaded  # The trust services have moved: the same authority, certified anew with their address.
        key = found or rsa.generate_private_key(65537, _KEY_BITS)
        subject = _authority_name(name)
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
            builder = self._with_places(builder.add_extension(_authority_key(issuer[1]), critical=False), "root", ocsp=False)
        certificate = builder.sign(issuer_key, hashes.SHA256())
        _write(key_file, _key_der(key))
        _write(certificate_file, _der(certificate))
        return key, certificate


def _new_key(kind: KeyKind) -> PrivateKey:
    return ec.generate_private_key(ec.SECP256R1()) if kind is KeyKind.P_256 else rsa.generate_private_key(65537, _KEY_BITS)


def _key_der(key: PrivateKey) -> bytes:
    return key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def _authority_name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COUNTRY_NAME, "VN"), x509.NameAttribute(NameOID.COMMON_NAME, name)])


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
