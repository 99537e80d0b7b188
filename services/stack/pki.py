"""Keys of a local stack, made at run time: a CA with a leaf per service, the token issuer's key, the readers' keys.

All keys are EC P-256 in files of mode 0600. They serve one machine: in production the same files come from the
cluster's own issuer, and the services see no difference.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from joserfc import jwt
from joserfc.jwk import ECKey

from services.stack.places import SERVICES, Places, write_atomically

TRUST_DOMAIN = "hocba.local"
ISSUER = f"https://issuer.{TRUST_DOMAIN}"
"""What the local issuer calls itself in tokens; the services' setting `token_issuer` has it as default."""
EDGE = "edge"
"""The name under which people's programs call: the CLI, the demo, load generators."""
NAMES = (*SERVICES, EDGE, "population", "register")
READERS = ("grading", "signing", "archive", "reporting")
"""Who may open sealed events; each has a key pair of its own."""

_CA_VALID = timedelta(days=365)
_LEAF_VALID = timedelta(days=14)
_BACKDATED = timedelta(minutes=5)  # For a clock that is set back a little between two starts.
_AUDIENCE = "hocba"


@dataclass(frozen=True)
class Leaf:
    """One service's certificate and private key, as PEM files."""

    certificate: Path
    key: Path


@dataclass(frozen=True)
class Keys:
    """Where everything lies below the stack's keys folder."""

    folder: Path

    @property
    def ca(self) -> Path:
        return self.folder / "ca.pem"

    @property
    def token_keys(self) -> Path:
        """JWKS with the issuer's public key; every service gets it."""
        return self.folder / "token-keys.json"

    @property
    def envelope_readers(self) -> Path:
        """JWKS with every reader's public key, `kid` the service's name; every service gets it."""
        return self.folder / "envelope-readers.json"

    def leaf(self, name: str) -> Leaf:
        """The mTLS identity of a service, or of `edge`."""
        return Leaf(self.folder / f"{name}.pem", self.folder / f"{name}.key")

    def envelope_key(self, service: str) -> Path | None:
        """A reader's private key (JWK); None for a service that reads no sealed events."""
        return self.folder / f"{service}.envelope.json" if service in READERS else None

    def token(self, account: str, person: str, roles: tuple[str, ...] = (), *, valid_for: timedelta = timedelta(hours=1)) -> str:
        """A bearer token (ES256 JWT) for an account; roles are `role@scope`, such as `principal@school:<uuid>`.

        `person` is the human being behind the account: two accounts of one human carry the same.
        """
        key = ECKey.import_key(json.loads((self.folder / "token-issuer.json").read_text()))
        now = datetime.now(UTC)
        claims = {
            "iss": ISSUER,
            "aud": _AUDIENCE,
            "sub": account,
            "person": person,
            "roles": list(roles),
            "iat": int(now.timestamp()),
            "exp": int((now + valid_for).timestamp()),
        }
        return jwt.encode({"alg": "ES256", "kid": str(key.kid)}, claims, key, algorithms=["ES256"])


def prepare(places: Places) -> Keys:
    """Make what is missing and renew every leaf; keys that data depends on (CA, issuer, readers) stay."""
    keys = Keys(places.make().keys)
    authority, authority_key = _authority(keys)
    for name in NAMES:
        _renew_leaf(keys.leaf(name), name, authority, authority_key)
    _keep_jwk(keys.folder / "token-issuer.json", "issuer-1", use="sig")
    public = [_public(keys.folder / "token-issuer.json")]
    write_atomically(keys.token_keys, json.dumps({"keys": public}, indent=1) + "\n")
    for service in READERS:
        _keep_jwk(keys.folder / f"{service}.envelope.json", service, use="enc")
    readers = [_public(keys.folder / f"{service}.envelope.json") for service in READERS]
    write_atomically(keys.envelope_readers, json.dumps({"keys": readers}, indent=1) + "\n")
    return keys


def _authority(keys: Keys) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """The stack's CA: the one on disk while it is whole and has longer to live than a leaf, else a new one."""
    key_file = keys.folder / "ca.key"
    now = datetime.now(UTC)
    try:
        kept = x509.load_pem_x509_certificate(keys.ca.read_bytes())
        kept_key = serialization.load_pem_private_key(key_file.read_bytes(), None)
        matches = isinstance(kept_key, ec.EllipticCurvePrivateKey) and kept_key.public_key() == kept.public_key()
        if matches and kept.not_valid_after_utc > now + 2 * _LEAF_VALID:
            assert isinstance(kept_key, ec.EllipticCurvePrivateKey)
            return kept, kept_key
    except (OSError, ValueError):
        pass
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hocba local CA")])
    usage = x509.KeyUsage(
        digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    certificate = (
        _builder(name, name, key.public_key(), now, _CA_VALID)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    write_atomically(key_file, _pem(key), mode=0o600)
    write_atomically(keys.ca, certificate.public_bytes(serialization.Encoding.PEM))
    return certificate, key


def _renew_leaf(leaf: Leaf, name: str, authority: x509.Certificate, authority_key: ec.EllipticCurvePrivateKey) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    names = x509.SubjectAlternativeName(
        [
            x509.UniformResourceIdentifier(f"spiffe://{TRUST_DOMAIN}/{name}"),
            x509.DNSName(f"{name}.{TRUST_DOMAIN}"),
            x509.DNSName(name),  # As compose calls it.
            x509.DNSName("localhost"),
            x509.IPAddress(ip_address("127.0.0.1")),
        ]
    )
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    purposes = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
    certificate = (
        _builder(subject, authority.subject, key.public_key(), datetime.now(UTC), _LEAF_VALID)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(names, critical=False)
        .add_extension(purposes, critical=False)
        .add_extension(issuer, critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    write_atomically(leaf.key, _pem(key), mode=0o600)
    write_atomically(leaf.certificate, certificate.public_bytes(serialization.Encoding.PEM))


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, valid: timedelta) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    builder = builder.serial_number(x509.random_serial_number())
    return builder.not_valid_before(now - _BACKDATED).not_valid_after(now + valid)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    plain = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)


def _keep_jwk(file: Path, kid: str, *, use: str) -> None:
    """A private key in `file`: the one that is there, else a new one. Losing it would lose what is sealed for it."""
    if file.exists():
        ECKey.import_key(json.loads(file.read_text()))
        os.chmod(file, 0o600)
        return
    key = ECKey.generate_key("P-256", {"kid": kid, "use": use}, private=True)
    write_atomically(file, json.dumps(key.as_dict(private=True), indent=1) + "\n", mode=0o600)


def _public(file: Path) -> dict[str, object]:
    return dict(ECKey.import_key(json.loads(file.read_text())).as_dict(private=False))
