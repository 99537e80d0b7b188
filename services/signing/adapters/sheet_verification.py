"""Checks a signed class-subject sheet with other code than that which made it, before it is announced.

pyHanko and typst make sheets; here they are read by qpdf (pikepdf), asn1crypto and `cryptography`, and the revisions by a
reader of our own. A few milliseconds a sheet. Nothing that is found is repaired: the first difference ends it.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pikepdf
from asn1crypto import cms, tsp
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from services.signing.adapters.certificates import read_certificate
from services.signing.adapters.sheet_revisions import Revision, revisions_of
from services.signing.domain.verdict import Expectation, ExpectedSignature, NotAsIntended

ChainCheck = Callable[[bytes, Sequence[bytes], datetime], object]
_PADES = "/ETSI.CAdES.detached"


@dataclass(slots=True)
class SheetVerifier:
    """Verifies documents against what manifest and intents promise; remembers chains that it has already checked."""

    chain_of: ChainCheck
    _known: set[tuple[bytes, datetime]] = field(default_factory=set)

    def __call__(self, pdf: bytes, expected: Expectation) -> None:
        """Return silently when everything holds; else raise NotAsIntended with the first difference."""
        try:
            self._check(pdf, expected)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            if isinstance(error, NotAsIntended):
                raise
            # A broken document breaks its readers in many ways; each of them is a refusal.
            raise NotAsIntended(f"unreadable: {type(error).__name__} {error}") from error

    def _check(self, pdf: bytes, expected: Expectation) -> None:
        revisions = revisions_of(pdf)
        _check_revisions(pdf, revisions, expected)
        try:
            document = pikepdf.open(io.BytesIO(pdf))
        except pikepdf.PdfError as error:
            raise NotAsIntended(f"qpdf can't read it: {error}") from None
        with document:
            _check_content(document, expected)
            fields = _fields(document)
            if [name for name, _ in fields] != list(expected.fields):
                raise NotAsIntended(f"fields are {[name for name, _ in fields]}, not {list(expected.fields)}")
            signed = [(name, widget) for name, widget in fields if "/V" in widget]
            if [name for name, _ in signed] != [e.field for e in expected.signatures]:
                raise NotAsIntended(f"signed fields are {[name for name, _ in signed]}")
            for index, ((_, widget), wanted) in enumerate(zip(signed, expected.signatures, strict=True)):
                value = widget.V
                _check_permissions(document, value, wanted, expected)
                _check_written(revisions, index, widget, document)
                covered, container = _covered(pdf, value, revisions, index)
                self._check_cms(container, covered, wanted)
                _check_time(value, wanted)

    def _check_cms(self, container: bytes, covered: bytes, wanted: ExpectedSignature) -> None:
        content = cms.ContentInfo.load(container, strict=True)["content"]
        if len(content["signer_infos"]) != 1:
            raise NotAsIntended(f"{wanted.field}: more than one signer in the container")
        signer = content["signer_infos"][0]
        # Taken before anything inside is read: asn1crypto encodes anew what has been looked at, which takes ten times as long.
        # RFC 5652 section 5.4: the digest is over the attributes with the tag of a SET.
        signed = b"\x31" + signer["signed_attrs"].dump()[1:]
        certificates = [choice.chosen.dump() for choice in content["certificates"]]
        certificate = next((c for c in certificates if hashlib.sha256(c).digest() == wanted.certificate_sha256), None)
        if certificate is None:
            raise NotAsIntended(f"{wanted.field}: not signed with the certificate of the intent")
        attributes = {a["type"].native: a["values"] for a in signer["signed_attrs"]}
        if attributes["content_type"][0].native != "data" or "signing_time" in attributes:
            raise NotAsIntended(f"{wanted.field}: signed attributes are not those of PAdES")
        if attributes["message_digest"][0].native != hashlib.sha256(covered).digest():
            raise NotAsIntended(f"{wanted.field}: the signature covers other bytes")
        named = attributes["signing_certificate_v2"][0]
        assert isinstance(named, tsp.SigningCertificateV2)
        if named["certs"][0]["cert_hash"].native != wanted.certificate_sha256:
            raise NotAsIntended(f"{wanted.field}: the signed attributes name another certificate")
        _check_value(certificate, signer, signed, wanted)
        # The container may bring anything as its chain, so the chain is part of what is remembered as good.
        known = (hashlib.sha256(certificate + b"".join(certificates)).digest(), wanted.signed_at)
        if known not in self._known:
            self.chain_of(certificate, certificates, wanted.signed_at)
            self._known.add(known)


def _check_revisions(pdf: bytes, revisions: Sequence[Revision], expected: Expectation) -> None:
    if len(revisions) != 1 + len(expected.signatures):
        raise NotAsIntended(f"{len(revisions)} revisions for {len(expected.signatures)} signatures")
    if revisions[-1].end != len(pdf):
        raise NotAsIntended("bytes follow the last revision")
    if hashlib.sha256(pdf[: revisions[0].end]).digest() != expected.body_digest:
        raise NotAsIntended("the page isn't the one that was approved")


def _check_content(document: pikepdf.Pdf, expected: Expectation) -> None:
    names = list(document.attachments)
    if len(names) != 1:
        raise NotAsIntended(f"attachments are {names}, not the record alone")
    content = document.attachments[names[0]].get_file().read_bytes()
    if hashlib.sha256(content).digest() != expected.content_digest:
        raise NotAsIntended("the attached record isn't the sealed one")


def _fields(document: pikepdf.Pdf) -> list[tuple[str, Any]]:
    fields = [(str(f.T), f) for f in document.Root.AcroForm.Fields]
    shown = [a.objgen for page in document.pages for a in page.obj.get("/Annots", [])]
    if shown != [f.objgen for _, f in fields]:
        raise NotAsIntended("the pages carry annotations besides the signature fields")
    return fields


def _check_permissions(document: pikepdf.Pdf, value: Any, wanted: ExpectedSignature, expected: Expectation) -> None:
    transforms = {str(r.TransformMethod): r.TransformParams for r in value.get("/Reference", [])}
    first, last = wanted.role is expected.order[0], wanted.role is expected.order[-1]
    if first:
        certified = document.Root.Perms.DocMDP
        allowed = 1 if last else 2
        if certified.objgen != value.objgen or allowed != transforms["/DocMDP"].P:
            raise NotAsIntended(f"{wanted.field}: no certification with P={allowed}")
    if last:
        lock = transforms.get("/FieldMDP")
        if lock is None or str(lock.Action) != "/All" or lock.P != 1:
            raise NotAsIntended(f"{wanted.field}: the last signature doesn't lock everything")
    elif not first and transforms:
        raise NotAsIntended(f"{wanted.field}: unexpected transforms {sorted(transforms)}")


def _check_written(revisions: Sequence[Revision], index: int, widget: Any, document: pikepdf.Pdf) -> None:
    """An increment may write its own field, for the first signature the catalogue, and new objects: nothing else."""
    allowed = {widget.objgen[0], document.Root.AcroForm.objgen[0]}
    if index == 0:
        allowed.add(document.Root.objgen[0])
    earlier = {number for revision in revisions[: index + 1] for number in revision.objects}
    rewritten = set(revisions[index + 1].objects) & earlier
    if not rewritten <= allowed:
        raise NotAsIntended(f"revision {index + 2} rewrites objects {sorted(rewritten - allowed)}")


def _covered(pdf: bytes, value: Any, revisions: Sequence[Revision], index: int) -> tuple[bytes, bytes]:
    if str(value.SubFilter) != _PADES:
        raise NotAsIntended(f"sub-filter {value.SubFilter} isn't PAdES")
    start, first, second, rest = (int(n) for n in value.ByteRange)
    container = bytes(value.Contents)
    hexadecimal = pdf[first:second]
    if start != 0 or second + rest != revisions[index + 1].end or hexadecimal[:1] + hexadecimal[-1:] != b"<>":
        raise NotAsIntended(f"signature {index + 1} doesn't cover its whole revision")
    # The one way we write it, so that not even the case of a digit can change unseen.
    if hexadecimal[1:-1] != container.hex().upper().encode():
        raise NotAsIntended(f"signature {index + 1} leaves more open than its own container")
    return pdf[:first] + pdf[second : second + rest], container


def _check_value(certificate: bytes, signer: Any, signed: bytes, wanted: ExpectedSignature) -> None:
    if (signer["digest_algorithm"]["algorithm"].native, signer["signature_algorithm"].signature_algo) != (
        "sha256",
        "rsassa_pkcs1v15",
    ):
        raise NotAsIntended(f"{wanted.field}: not RSA PKCS#1 v1.5 with SHA-256")
    key = read_certificate(certificate).public_key()
    if not isinstance(key, rsa.RSAPublicKey):
        raise NotAsIntended(f"{wanted.field}: not an RSA key")
    try:
        key.verify(signer["signature"].native, signed, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        raise NotAsIntended(f"{wanted.field}: the signature value is wrong") from None


def _check_time(value: Any, wanted: ExpectedSignature) -> None:
    written = str(value.M)
    if written != wanted.signed_at.astimezone(UTC).strftime("D:%Y%m%d%H%M%S+00'00'") and written != (
        wanted.signed_at.astimezone(UTC).strftime("D:%Y%m%d%H%M%SZ")
    ):
        raise NotAsIntended(f"{wanted.field}: signing time {written} isn't the intent's")
