"""Signed transcripts for tests, made by typst and pyHanko with a PKI that lives only as long as the test run.

Deliberately not hocba's own signing code: what judges documents is tested on documents that somebody else wrote.
"""

import asyncio
import hashlib
import io
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import typst
from asn1crypto import keys as asn1_keys
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.pdf_utils.writer import copy_into_new_writer
from pyhanko.sign import fields, signers
from pyhanko_certvalidator.registry import SimpleCertificateStore

SIGNED_AT = datetime.now(UTC).replace(microsecond=0)
"""pyHanko signs at the machine's time, so the certificates are valid around it."""
ROLES = ("homeroom_teacher", "principal", "school_seal")
FIELDS = {"homeroom_teacher": "HomeroomTeacher", "principal": "Principal", "school_seal": "SchoolSeal"}
ATTACHMENT = "hoc-ba.json"
DANGLING = 900
"""The object number that a body made with `dangling` refers to and does not have."""


@dataclass(frozen=True)
class Identity:
    """A key and its certificate."""

    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
    certificate: x509.Certificate

    def signer(self, chain: list[x509.Certificate]) -> signers.SimpleSigner:
        """A pyHanko signer with this key."""
        store = SimpleCertificateStore()  # type: ignore[no-untyped-call]  # pyHanko
        store.register_multiple([_asn1(certificate) for certificate in chain])
        key = self.key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        return signers.SimpleSigner(
            signing_cert=_asn1(self.certificate),
            signing_key=asn1_keys.PrivateKeyInfo.load(key),
            cert_registry=store,
        )


@dataclass(frozen=True)
class Pki:
    """A root, an issuing CA below it, and one identity for each role."""

    root: Identity
    issuing: Identity
    people: dict[str, Identity]

    def sign(self, body: bytes, roles: tuple[str, ...] = ROLES, *, certify: bool = True) -> bytes:
        """The body with the roles' signatures; the first certifies with P=2."""
        for position, role in enumerate(roles):
            body = sign_once(body, FIELDS[role], self.people[role], [self.issuing.certificate], certify and position == 0)
        return body


Hashed = hashes.SHA256 | hashes.SHA512


def make_pki(
    *, valid_from: datetime = SIGNED_AT - timedelta(days=30), valid_for: timedelta = timedelta(days=365), kind: str = "ec", hashed: Hashed = hashes.SHA256()
) -> Pki:
    """A PKI whose end certificates are valid from `valid_from` for `valid_for`; their keys are `ec` (P-256) or `rsa`, their digests as given."""
    early, late = SIGNED_AT - timedelta(days=3650), max(SIGNED_AT + timedelta(days=3650), valid_from + valid_for)
    root = _issue("Gốc thử nghiệm", None, early, late, ca=True, hashed=hashed)
    issuing = _issue("CA cấp phát thử nghiệm", root, early, late, ca=True, hashed=hashed)
    people = {role: _issue(f"Người ký {role}", issuing, valid_from, valid_from + valid_for, ca=False, kind=kind, hashed=hashed) for role in ROLES}
    return Pki(root, issuing, people)


def shared_pki(kind: str = "ec") -> Pki:
    """One PKI of each kind of key for all tests of a run."""
    return _shared_pki(kind)


@lru_cache(maxsize=2)
def _shared_pki(kind: str) -> Pki:
    return make_pki(kind=kind)


def record_bytes(transcript_id: str = "0b7e1f6e-7f5a-4d57-9a4e-111111111111", version: int = 1, **more: Any) -> bytes:
    """A canonical record with the parts that an archive reads; the marks in it are nobody's."""
    record: dict[str, Any] = {
        "level": "PRIMARY",
        "schema": "hocba.record/1",
        "school": {
            "id": "5ad6a2e5-58d8-4f0e-8b52-222222222222",
            "name": "Trường Tiểu học Mẫu",
            "province_id": "2025-01",
        },
        "school_year": "2025-2026",
        "transcript": {
            "id": transcript_id,
            "public_id": "AEBAGBAFAYDQQCIKBMGA2DQPCA",
            "salt": "00",
            "supersedes": None if version == 1 else version - 1,
            "version": version,
        },
    }
    record.update(more)
    return json.dumps(record, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


@lru_cache(maxsize=8)
def unsigned_body(record: bytes, *, lock_last: bool = True, attach: bool = True, dangling: bool = False) -> bytes:
    """A two-page body in one revision with the three empty fields and the record attached."""
    source = [
        '#set document(title: "Học bạ", date: datetime(year: 2026, month: 5, day: 31))',
        '#set page(paper: "a4")',
        "Toán: 7.5",
        "#pagebreak()",
        "Trang 2",
    ]
    if attach:
        source.append(f'#pdf.attach("{ATTACHMENT}", bytes(sys.inputs.record), mime-type: "application/json")')
    page = typst.compile("\n".join(source).encode(), sys_inputs={"record": record.decode()})
    writer = copy_into_new_writer(PdfFileReader(io.BytesIO(page)))
    writer.stream_xrefs = False
    if dangling:
        page = writer.root["/Pages"]["/Kids"][0]
        page["/Contents"] = generic.ArrayObject([page.raw_get("/Contents"), generic.IndirectObject(DANGLING, 0, writer)])  # type: ignore[no-untyped-call]  # pyHanko
    for position, role in enumerate(ROLES):
        lock = lock_last and role == ROLES[-1]
        fields.append_signature_field(
            writer,
            fields.SigFieldSpec(
                FIELDS[role],
                on_page=1,
                box=(40 + 170 * position, 60, 190 + 170 * position, 120),
                field_mdp_spec=fields.FieldMDPSpec(fields.FieldMDPAction.ALL) if lock else None,
                doc_mdp_update_value=fields.MDPPerm.NO_CHANGES if lock else None,
            ),
        )
    out = io.BytesIO()
    writer.write(out)  # type: ignore[no-untyped-call]  # pyHanko
    return out.getvalue()


def sign_once(
    data: bytes,
    field: str,
    identity: Identity,
    chain: list[x509.Certificate],
    certify: bool,
    edit: Callable[[IncrementalPdfFileWriter], None] | None = None,
    **metadata: Any,
) -> bytes:
    """One more signature, appended by pyHanko; `edit` may change more in the same revision, as an insider with a key could."""
    writer = IncrementalPdfFileWriter(io.BytesIO(data))
    if edit is not None:
        edit(writer)
    settings = signers.PdfSignatureMetadata(
        field_name=field,
        certify=certify,
        docmdp_permissions=fields.MDPPerm.FILL_FORMS,
        subfilter=fields.SigSeedSubFilter.PADES,
        md_algorithm="sha256",
        **metadata,
    )
    out = io.BytesIO()
    signer = signers.PdfSigner(settings, signer=identity.signer(chain))
    # A thread of its own, since tests call this from inside a running event loop too.
    signing = threading.Thread(target=lambda: asyncio.run(signer.async_sign_pdf(writer, output=out, bytes_reserved=8192)))
    signing.start()
    signing.join()
    return out.getvalue()


@lru_cache(maxsize=32)
def signed_transcript(record: bytes | None = None) -> bytes:
    """A complete transcript, signed by the shared PKI."""
    return shared_pki().sign(unsigned_body(record_bytes() if record is None else record))


def digest(data: bytes) -> bytes:
    """SHA-256."""
    return hashlib.sha256(data).digest()


def _issue(name: str, issuer: Identity | None, start: datetime, end: datetime, *, ca: bool, kind: str = "ec", hashed: Hashed = hashes.SHA256()) -> Identity:
    key = rsa.generate_private_key(65537, 2048) if kind == "rsa" else ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=not ca,
                content_commitment=not ca,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                key_cert_sign=ca,
                crl_sign=ca,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
    )
    certificate = builder.sign(issuer.key if issuer else key, hashed)
    return Identity(key, certificate)


def _asn1(certificate: x509.Certificate) -> asn1_x509.Certificate:
    return asn1_x509.Certificate.load(certificate.public_bytes(serialization.Encoding.DER))
