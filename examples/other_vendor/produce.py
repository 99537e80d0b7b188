#!/usr/bin/env python3
"""
A product that isn't hocba submits to the national register: everything it needs, in one file, with `cryptography` and nothing of hocba's.

    python produce.py FOLDER [--transcripts 30]

Writes into FOLDER:

    policy                  the public key of this product's transparency log (C2SP tlog-policy): registered with the account
    trust/root.cer          the authority that certified the department (a real department brings its own certificate)
    department.cer          the department's certificate: approved by the register's operator
    submission.json         the manifest
    submission.json.p7s     the department's detached signature over its bytes

`hocba conformance FOLDER/submission.json --trust FOLDER/trust --log-policy FOLDER/policy` then has nothing to say against it. A real product
keeps its log, keys and certificate; this one makes them anew at each run. It also asks witnesses to cosign its checkpoints (C2SP tlog-witness),
which the ministry's policy may ask for; the policy written here asks for none.
"""

import argparse
import base64
import hashlib
import json
import uuid
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import pkcs7

DEPARTMENT = "2025-01"
LOG = "log.vendor.example/2026"
SCHOOLS = ("school-a", "school-b")


# --- the transparency log: RFC 6962 tree, C2SP checkpoint ---


def leaf_hash(entry: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + entry).digest()


def root(leaves: list[bytes]) -> bytes:
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\x01" + root(leaves[:split]) + root(leaves[split:])).digest()


def path(index: int, leaves: list[bytes]) -> list[bytes]:
    """RFC 6962 section 2.1.1: from the leaf upwards."""
    if len(leaves) == 1:
        return []
    split = 1 << (len(leaves) - 1).bit_length() - 1
    if index < split:
        return [*path(index, leaves[:split]), root(leaves[split:])]
    return [*path(index - split, leaves[split:]), root(leaves[:split])]


def key_id(public: bytes) -> bytes:
    """C2SP signed-note: the first four bytes of SHA-256 over name, line end, type (1: Ed25519) and key."""
    return hashlib.sha256(LOG.encode() + b"\n\x01" + public).digest()[:4]


def checkpoint(key: Ed25519PrivateKey, leaves: list[bytes]) -> str:
    text = f"{LOG}\n{len(leaves)}\n{base64.b64encode(root(leaves)).decode()}\n"
    signature = key_id(key.public_key().public_bytes_raw()) + key.sign(text.encode())
    return f"{text}\n— {LOG} {base64.b64encode(signature).decode()}\n"


def policy(key: Ed25519PrivateKey) -> str:
    public = key.public_key().public_bytes_raw()
    written = base64.b64encode(bytes([1]) + public).decode()
    return f"log {LOG}+{key_id(public).hex()}+{written}\nquorum none\n"


# --- transcripts: what the log says of each, and what is submitted ---


def statement(kind: str, version: int, document: bytes, record: bytes, previous: bytes | None, school: str, at: datetime) -> str:
    before = "-" if previous is None else hashlib.sha256(previous).hexdigest()
    digests = (hashlib.sha256(document).hexdigest(), hashlib.sha256(record).hexdigest(), before)
    lines = ("hocba/leaf/1", kind, uuid.uuid4().hex, str(version), *digests, school, str(int(at.timestamp())))
    return "".join(f"{line}\n" for line in lines)


def transcripts(count: int, at: datetime) -> list[dict[str, object]]:
    """So many first versions; the first pupil's transcript is corrected, the second one's withdrawn."""
    records: list[dict[str, object]] = []

    def add(number: int, operation: str, kind: str, version: int, previous: bytes | None) -> None:
        school = SCHOOLS[number % 2]
        # Of a real product: the signed PDF, and the data from which it was made, with a random salt in it.
        document, content = f"%PDF of transcript {number} version {version}".encode(), f"record {number} version {version}".encode()
        records.append(
            {
                "operation": operation,
                "transcript": str(uuid.uuid5(uuid.NAMESPACE_URL, f"vendor.example/{number}")),
                "revision": len(records) + 1,
                "school_year": 2025,
                "level": "PRIMARY",
                "personal_number": f"001{number:09d}",
                "ministry_code": None,
                "fetch": "https://vendor.example/transcripts",
                "statement": statement(kind, version, document, content, previous, school, at),
                "index": len(records),
            }
        )

    for number in range(count):
        add(number, "NEW", "issue", 1, None)
    add(0, "UPDATE", "supersede", 2, b"%PDF of transcript 0 version 1")
    if count > 1:
        add(1, "CANCEL", "revoke", 1, None)
    return records


def manifest(records: list[dict[str, object]], key: Ed25519PrivateKey, at: datetime) -> bytes:
    leaves = [leaf_hash(str(one["statement"]).encode()) for one in records]
    shared: dict[bytes, int] = {}
    told = [one | {"path": [shared.setdefault(node, len(shared)) for node in path(place, leaves)]} for place, one in enumerate(records)]
    whole = {
        "format": "hocba-submission/1",
        "department": DEPARTMENT,
        "made_at": f"{at:%Y-%m-%dT%H:%M:%SZ}",
        "checkpoint": checkpoint(key, leaves),
        "schools": Counter(str(one["statement"]).split("\n")[7] for one in records),
        "hashes": [base64.b64encode(node).decode() for node in shared],
        "records": told,
    }
    return json.dumps(whole, ensure_ascii=False).encode()


# --- the department's certificate and signature ---


def certified(at: datetime) -> tuple[x509.Certificate, x509.Certificate, ec.EllipticCurvePrivateKey]:
    """(authority, department's certificate, department's key). In life the last is a token or a module of a licensed authority's customer."""
    root_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))

    def made(name: str, subject_key: ec.EllipticCurvePrivateKey, issuer: str, ca: bool) -> x509.Certificate:
        usage = dict.fromkeys(("key_encipherment", "data_encipherment", "key_agreement", "encipher_only", "decipher_only"), False)
        usage |= {"digital_signature": not ca, "content_commitment": not ca, "key_cert_sign": ca, "crl_sign": ca}
        names = [x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, one)]) for one in (name, issuer)]
        builder = x509.CertificateBuilder(*reversed(names), subject_key.public_key(), x509.random_serial_number(), at - timedelta(days=1), at + timedelta(365))
        builder = builder.add_extension(x509.BasicConstraints(ca, None), critical=True).add_extension(x509.KeyUsage(**usage), critical=True)
        return builder.sign(root_key, hashes.SHA256())

    return made("Vendor's authority", root_key, "Vendor's authority", True), made("Department", key, "Vendor's authority", False), key


def signed(data: bytes, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> bytes:
    options = [pkcs7.PKCS7Options.DetachedSignature, pkcs7.PKCS7Options.Binary]
    return pkcs7.PKCS7SignatureBuilder().set_data(data).add_signer(certificate, key, hashes.SHA256()).sign(serialization.Encoding.DER, options)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--transcripts", type=int, default=30)
    given = parser.parse_args()
    at = datetime.now(UTC).replace(microsecond=0)
    log_key = Ed25519PrivateKey.generate()
    authority, certificate, key = certified(at)
    data = manifest(transcripts(given.transcripts, at), log_key, at)
    (given.folder / "trust").mkdir(parents=True, exist_ok=True)
    for name, content in {
        "policy": policy(log_key).encode(),
        "trust/root.cer": authority.public_bytes(serialization.Encoding.DER),
        "department.cer": certificate.public_bytes(serialization.Encoding.DER),
        "submission.json": data,
        "submission.json.p7s": signed(data, certificate, key),
    }.items():
        (given.folder / name).write_bytes(content)


if __name__ == "__main__":
    main()
