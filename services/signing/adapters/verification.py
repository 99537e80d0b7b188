"""Checks a signed transcript or class-subject sheet with other code than that which made it, before it is announced.

The first document of a kind is read in full: by qpdf (pikepdf), asn1crypto and `cryptography`, and the revisions by a reader of
our own. What was found good there about bytes that all documents of the kind share (a role's field, appearance, dictionary,
and container) is remembered by those very bytes. A later document is compared with them byte by byte, and everything that
is its own is checked anew: its digests, its attachment, its offsets, its signature values. Whatever isn't byte for byte what
has been checked goes the long way again. Nothing that is found is repaired: the first difference ends it.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pikepdf
from asn1crypto import algos, cms, core, tsp, x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from zlib_ng import zlib_ng

from services.signing.adapters.certificates import read_certificate
from services.signing.adapters.pdf_revisions import ROW_SIZE, Revision, check_layout, revisions_of
from services.signing.adapters.record_tables import record_table
from services.signing.domain.copy_of_document import is_copy, is_extract, known_copy
from services.signing.domain.record_xml import from_xml
from services.signing.domain.verdict import Expectation, ExpectedSignature, NotAsIntended

_Written = dict[tuple[int, int], dict[str, object]]
"""What objects say, by number and generation: each key with its value as the file writes it."""
ChainCheck = Callable[[bytes, Sequence[bytes], datetime], object]
_Key = rsa.RSAPublicKey | ec.EllipticCurvePublicKey
_PADES = "/ETSI.CAdES.detached"
_HASHED = utils.Prehashed(hashes.SHA256())
_PKCS1 = padding.PKCS1v15()
_ECDSA = ec.ECDSA(_HASHED)
_FIXED = re.compile(rb"%PDF-1\.7\n%\xe2\xe3\xcf\xd3 (\d{7})\n")
_SPAN = re.compile(rb"/ByteRange\[0 (\d+) (\d+) (\d+)\] */Contents")
_HEAD = 8
"""Digits of a SEQUENCE's tag and length, as long as containers are."""
_SPAN_END = b">>>\nendobj\n"
_ATTACHED = re.compile(rb"(\d+) 0 obj\n<</Type/EmbeddedFile/Subtype/application#2F(?:json|xml|pdf)/Params<<[^>]*>>/Filter/FlateDecode/Length (\d+)>>\nstream\n")
_ALTERNATIVE = "hoc-ba.xml"
_ORIGINAL = "tep-goc.pdf"
_PART = "tu-ban-goc.json"
_MOST_REMEMBERED = 4_096
_LARGEST_RECORD = 4 * 1024 * 1024
_NotDeflate: type[Exception] = zlib_ng.error  # type: ignore[assignment]  # The stub has an instance in the class's place.


@dataclass(frozen=True, slots=True)
class _Container:
    """A container that was read in full: its upper-case digits around digest and value, its signed attributes around the digest, its key."""

    head: bytes
    middle: bytes
    tail: bytes
    value_at: slice
    """Where the value's digits stand."""
    before: hashlib._Hash
    after: bytes
    key: _Key
    certificates: tuple[bytes, ...]
    """The signer's, then all that the container brings."""

    @classmethod
    def of(cls, parts: Sequence[bytes], value: bytes, signed: Sequence[bytes], key: _Key, certificates: Sequence[bytes]) -> _Container:
        """From what stands around digest and value in the container, and around the digest in the signed attributes."""
        head, middle, tail = [part.hex().upper().encode() for part in parts]
        value_at = len(head) + 2 * hashlib.sha256().digest_size + len(middle)
        return cls(head, middle, tail, slice(value_at, value_at + 2 * len(value)), hashlib.sha256(signed[0]), signed[1], key, tuple(certificates))

    def is_right(self, digits: bytes, digest: bytes) -> bool:
        """Whether these are the digits of the same container around this digest and a right value, padded with zeros."""
        value = bytes.fromhex(digits[self.value_at].decode())
        made = b"".join((self.head, digest.hex().upper().encode(), self.middle, value.hex().upper().encode(), self.tail))
        if made.ljust(len(digits), b"0") != digits:
            return False
        state = self.before.copy()
        state.update(digest + self.after)
        return _is_signature(self.key, value, state.digest())


@dataclass(frozen=True, slots=True)
class _Kind:
    """What was read in full about one role's signature: where its objects stand, and its containers by their first digits, which say how long they are."""

    rows: tuple[int, int]
    containers: dict[bytes, _Container]


@dataclass(frozen=True, slots=True, eq=False)
class _Fixed:
    """The fixed part of an unsigned page that was read in full; one object for all documents that have it, byte for byte."""

    content: bytes
    state: hashlib._Hash
    """SHA-256 over it, to be copied."""
    beside: str
    """What documents with it carry beside the record: its XML, the original of a copy, the part of an extract, or nothing."""


@dataclass(slots=True)
class DocumentVerifier:
    """Verifies documents against what manifest and intents promise. Not safe for several threads at once."""

    chain_of: ChainCheck
    _chains: set[tuple[bytes, datetime]] = field(default_factory=set)
    _containers: dict[tuple[bytes, int], _Container] = field(default_factory=dict)
    _kinds: dict[Hashable, _Kind] = field(default_factory=dict)
    _fixed_parts: dict[bytes, _Fixed] = field(default_factory=dict)
    _unsigned: dict[Hashable, _Written] = field(default_factory=dict)
    in_full: int = 0
    """How many documents were read the long way."""

    def __call__(self, pdf: bytes, expected: Expectation) -> None:
        """Return silently when everything holds; else raise NotAsIntended with the first difference."""
        try:
            revisions = revisions_of(pdf)
            if len(revisions) != 1 + len(expected.signatures):
                raise NotAsIntended(f"{len(revisions)} revisions for {len(expected.signatures)} signatures")
            fixed = self._fixed(pdf)
            state = fixed.state.copy() if fixed else hashlib.sha256()
            state.update(memoryview(pdf)[len(fixed.content) if fixed else 0 : revisions[0].end])
            if state.digest() != expected.body_digest:
                raise NotAsIntended("the page isn't the one that was approved")
            if fixed is None or not self._is_known(pdf, fixed, revisions, expected, state):
                self.in_full += 1
                self._read(pdf, revisions, expected)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError, OverflowError, RecursionError, _NotDeflate, pikepdf.PdfError) as error:
            if isinstance(error, NotAsIntended):
                raise
            # A broken document breaks its readers in many ways; each of them is a refusal.
            raise NotAsIntended(f"unreadable: {type(error).__name__} {error}") from error

    def _fixed(self, pdf: bytes) -> _Fixed | None:
        """The fixed part that this file begins with, if it is one that was read before."""
        end = _fixed_length(pdf)
        # The end of the fixed part holds the compressed structure: enough to find it by, and the whole is compared.
        found = self._fixed_parts.get(pdf[max(0, end - 96) : end])
        return found if found is not None and len(found.content) == end and pdf.startswith(found.content) else None

    def _is_known(self, pdf: bytes, fixed: _Fixed, revisions: Sequence[Revision], expected: Expectation, state: hashlib._Hash) -> bool:
        """Whether everything shared is byte for byte what was read in full before, and everything else is right."""
        record = _attached(pdf, revisions[0])
        if record is None or hashlib.sha256(record).digest() != expected.content_digest:
            return False
        if fixed.beside:
            beside = _attached(pdf, revisions[0], from_end=2)
            if beside is None:
                return False
            _check_beside(fixed.beside, record, beside)
        shared, view = _shared(fixed, revisions[0]), memoryview(pdf)
        for revision, wanted in zip(revisions[1:], expected.signatures, strict=True):
            span = _SPAN.search(pdf, revision.start, revision.table_at)
            if span is None:
                return False
            first, second, whole = _range_of(pdf, span, revision)
            if not whole:
                return False
            kind = self._kinds.get((shared, _promised(expected, wanted), pdf[revision.start : span.start()], revision.runs))
            if kind is None or kind.rows != revision.relative_rows:
                return False
            state.update(view[revision.start : first])
            covered = state.copy()
            covered.update(view[second : revision.end])
            digits = pdf[first + 1 : second - 1]
            container = kind.containers.get(digits[:_HEAD])
            if container is None or not container.is_right(digits, covered.digest()):
                return False
            state.update(view[first : revision.end])
        return True

    def _read(self, pdf: bytes, revisions: Sequence[Revision], expected: Expectation) -> None:
        """Read all of it, and remember what others of its kind share."""
        for revision in revisions:
            check_layout(pdf, revision)
        containers: list[_Container] = []
        before = self._written_before(pdf, revisions[0])
        with pikepdf.open(io.BytesIO(pdf)) as document:
            beside = _check_content(document, expected)
            fields = _fields(document)
            if [name for name, _ in fields] != list(expected.fields):
                raise NotAsIntended(f"fields are {[name for name, _ in fields]}, not {list(expected.fields)}")
            signed = [(name, widget) for name, widget in fields if "/V" in widget]
            if [name for name, _ in signed] != [e.field for e in expected.signatures]:
                raise NotAsIntended(f"signed fields are {[name for name, _ in signed]}")
            _check_unchanged("catalogue", document.Root, before, {"/Perms"} if signed else set())
            for index, ((_, widget), wanted) in enumerate(zip(signed, expected.signatures, strict=True)):
                value = widget.V
                _check_unchanged(wanted.field, widget, before, {"/V", "/AP"})
                _check_permissions(document, value, wanted, expected)
                _check_written(revisions, index, widget, document)
                covered, container = _covered(pdf, value, revisions[index + 1], index)
                containers.append(self._check_cms(container, covered, wanted))
                _check_time(value, wanted)
        if _attached(pdf, revisions[0]) is not None:
            self._remember(pdf, revisions, expected, containers, beside, before)

    def _written_before(self, pdf: bytes, base: Revision) -> _Written:
        """What the catalogue and the fields of the unsigned page say; pages that share a fixed part say the same."""
        fixed = self._fixed(pdf)
        known = self._unsigned.get(_shared(fixed, base)) if fixed else None
        if known is not None:
            return known
        with pikepdf.open(io.BytesIO(pdf[: base.end])) as unsigned:
            return {one.objgen: {key: _said(value) for key, value in one.items()} for one in (unsigned.Root, *unsigned.Root.AcroForm.Fields)}

    def _remember(
        self, pdf: bytes, revisions: Sequence[Revision], expected: Expectation, containers: Sequence[_Container], beside: str, before: _Written
    ) -> None:
        if len(self._kinds) >= _MOST_REMEMBERED:
            self._kinds.clear()
            self._fixed_parts.clear()
            self._unsigned.clear()
        fixed = self._fixed(pdf)
        if fixed is None:
            content = pdf[: _fixed_length(pdf)]
            fixed = self._fixed_parts[content[-96:]] = _Fixed(content, hashlib.sha256(content), beside)
        own = revisions[0].stands_from(len(fixed.content))
        if any(offset >= len(fixed.content) and offset not in own for offset in revisions[0].objects.values()):
            return  # Documents with these rows could differ in more than their last objects.
        shared = _shared(fixed, revisions[0])
        self._unsigned[shared] = before
        for revision, wanted, container in zip(revisions[1:], expected.signatures, containers, strict=True):
            span = _SPAN.search(pdf, revision.start, revision.table_at)
            if span is None or not _range_of(pdf, span, revision)[2]:
                raise NotAsIntended(f"{wanted.field}: the signature's dictionary isn't written the way hocba writes it")
            key = (shared, _promised(expected, wanted), pdf[revision.start : span.start()], revision.runs)
            kind = self._kinds.setdefault(key, _Kind(revision.relative_rows, {}))
            kind.containers[container.head[:_HEAD]] = container

    def _check_cms(self, container: bytes, covered: bytes, wanted: ExpectedSignature) -> _Container:
        """The container, read in full unless it is one of this certificate's around another digest and value."""
        digest = hashlib.sha256(covered).digest()
        kept = self._containers.get((wanted.certificate_sha256, len(container)))
        if kept is None or not kept.is_right(container.hex().upper().encode(), digest):
            if len(self._containers) >= _MOST_REMEMBERED:
                self._containers.clear()
            kept = self._containers[wanted.certificate_sha256, len(container)] = _read_container(container, digest, wanted)
        # The container may bring anything as its chain, so the chain is part of what is remembered as good.
        known = (hashlib.sha256(b"".join(kept.certificates)).digest(), wanted.signed_at)
        if known not in self._chains:
            if len(self._chains) >= _MOST_REMEMBERED:
                self._chains.clear()
            certificate, *others = kept.certificates
            self.chain_of(certificate, others, wanted.signed_at)
            self._chains.add(known)
        return kept


def _read_container(container: bytes, digest: bytes, wanted: ExpectedSignature) -> _Container:
    """Read all that a container says; it must be one signature over this digest, with the intent's certificate."""
    info = cms.ContentInfo.load(container, strict=True)
    content = info["content"]
    if info["content_type"].native != "signed_data" or len(content["signer_infos"]) != 1:
        raise NotAsIntended(f"{wanted.field}: the container isn't one signature by one signer")
    signer = content["signer_infos"][0]
    # Taken before anything inside is read: asn1crypto encodes anew what has been looked at, which takes ten times as long.
    # RFC 5652 section 5.4: the digest is over the attributes with the tag of a SET.
    signed = b"\x31" + signer["signed_attrs"].dump()[1:]
    certificates = [choice.chosen.dump() for choice in content["certificates"]]
    certificate = next((c for c in certificates if hashlib.sha256(c).digest() == wanted.certificate_sha256), None)
    if certificate is None:
        raise NotAsIntended(f"{wanted.field}: not signed with the certificate of the intent")
    _check_unsigned_parts(content, signer, certificate, wanted)
    attributes = {a["type"].native: a["values"] for a in signer["signed_attrs"]}
    if attributes["content_type"][0].native != "data" or "signing_time" in attributes:
        raise NotAsIntended(f"{wanted.field}: signed attributes are not those of PAdES")
    if attributes["message_digest"][0].native != digest:
        raise NotAsIntended(f"{wanted.field}: the signature covers other bytes")
    named = attributes["signing_certificate_v2"][0]
    assert isinstance(named, tsp.SigningCertificateV2)
    if named["certs"][0]["cert_hash"].native != wanted.certificate_sha256:
        raise NotAsIntended(f"{wanted.field}: the signed attributes name another certificate")
    key = _key_of(certificate, signer, wanted)
    value = signer["signature"].native
    if not _is_signature(key, value, hashlib.sha256(signed).digest()):
        raise NotAsIntended(f"{wanted.field}: the signature value is wrong")
    head, rest = _cut(container, digest, wanted)
    return _Container.of((head, *_cut(rest, value, wanted)), value, _cut(signed, digest, wanted), key, (certificate, *certificates))


def _check_unsigned_parts(content: Any, signer: Any, certificate: bytes, wanted: ExpectedSignature) -> None:
    """What no signature covers has one right value each (RFC 5652 section 5), so that nothing in a container can change unseen."""
    issued = x509.Certificate.load(certificate)
    sha256 = algos.DigestAlgorithm({"algorithm": "sha256"}).dump(), algos.DigestAlgorithm({"algorithm": "sha256", "parameters": core.Null()}).dump()
    named = cms.IssuerAndSerialNumber({"issuer": issued.issuer, "serial_number": issued.serial_number}).dump()
    right = (
        content["version"].native == "v1"
        and [algorithm.dump() in sha256 for algorithm in content["digest_algorithms"]] == [True]
        and content["encap_content_info"]["content_type"].native == "data"
        and content["encap_content_info"]["content"].native is None
        and content["crls"].native is None
        and signer["version"].native == "v1"
        and signer["sid"].dump() == named
        and signer["digest_algorithm"].dump() in sha256
        and signer["unsigned_attrs"].native is None
        and signer["signature_algorithm"].dump() in _ALGORITHMS
        and all(_is_canonical(choice.chosen.dump()) for choice in content["certificates"])
    )
    if not right:
        raise NotAsIntended(f"{wanted.field}: the container says something besides signature and certificates")


_ALGORITHMS = (
    algos.SignedDigestAlgorithm({"algorithm": "sha256_rsa", "parameters": core.Null()}).dump(),
    algos.SignedDigestAlgorithm({"algorithm": "sha256_ecdsa"}).dump(),
)


def _is_canonical(certificate: bytes) -> bool:
    """Whether the end of a certificate, which its own signature doesn't cover, is written the one way there is."""
    issued = x509.Certificate.load(certificate)
    value = issued.signature
    algorithm = issued["tbs_certificate"]["signature"].dump()
    body = issued["tbs_certificate"].dump() + algorithm + core.OctetBitString(value).dump()
    return x509.Certificate.load(certificate, strict=True)["signature_algorithm"].dump() == algorithm and certificate.endswith(body)


def _cut(whole: bytes, part: bytes, wanted: ExpectedSignature) -> tuple[bytes, bytes]:
    if whole.count(part) != 1:
        raise NotAsIntended(f"{wanted.field}: digest or value stand more than once in the container")
    before, after = whole.split(part)
    return before, after


def _promised(expected: Expectation, wanted: ExpectedSignature) -> Hashable:
    """What manifest and intent say that is the same for all documents of a kind."""
    return tuple(expected.order), tuple(expected.fields), wanted.role, wanted.field, wanted.certificate_sha256, wanted.signed_at


def _fixed_length(pdf: bytes) -> int:
    found = _FIXED.match(pdf)
    if found is None:
        raise NotAsIntended("the file doesn't begin as hocba's do")
    return int(found[1])


def _shared(fixed: _Fixed, base: Revision) -> Hashable:
    """The fixed part of the unsigned page, and the cross-references of what stands in it."""
    return fixed, base.runs, base.rows[: len(base.rows) - len(base.stands_from(len(fixed.content))) * ROW_SIZE]


def _attached(pdf: bytes, base: Revision, from_end: int = 1) -> bytes | None:
    """The attached record, where it stands as hocba writes it: the last object of the page before the cross-references; its XML is the one before (2)."""
    row = base.rows[-(from_end + 1) * ROW_SIZE : -from_end * ROW_SIZE]
    found = _ATTACHED.match(pdf, int.from_bytes(row[1:5], "big")) if row[:1] == b"\x01" else None
    if found is None or int(found[1]) != base.number - from_end:
        return None
    # Not by the library that deflated it; twice as fast as zlib, and as strict about what stands behind the end.
    inflater = zlib_ng.decompressobj()
    record = inflater.decompress(pdf[found.end() : found.end() + int(found[2])], _LARGEST_RECORD)
    return record if inflater.eof and not inflater.unused_data else None


def _range_of(pdf: bytes, span: re.Match[bytes], revision: Revision) -> tuple[int, int, bool]:
    """Where a byte range leaves out the container, and whether that is all it leaves out and it ends where the revision ends."""
    first, second, rest = int(span[1]), int(span[2]), int(span[3])
    whole = first == span.end() and second + rest == revision.end and second + len(_SPAN_END) - 1 == revision.table_at
    return first, second, whole and pdf[first : first + 1] == b"<" and pdf.startswith(_SPAN_END, second - 1)


def _der_of(digits: bytes) -> bytes:
    """The container without the zeros that pad it to the room kept for it; upper-case digits, as hocba writes them, or nothing."""
    padded = bytes.fromhex(digits.decode())
    if 2 * len(padded) != len(digits) or digits.upper() != digits:
        raise NotAsIntended("a container isn't written in upper-case digits")
    if padded[:2] != b"\x30\x82":
        raise NotAsIntended("a container isn't DER of the usual size")
    length = 4 + int.from_bytes(padded[2:4], "big")
    if padded[length:].strip(b"\x00"):
        raise NotAsIntended("something stands behind a container")
    return padded[:length]


def _check_content(document: pikepdf.Pdf, expected: Expectation) -> str:
    """The record is the sealed one; and what is there beside it, which then belongs to it."""
    names = list(document.attachments)
    if names[1:] not in ([], [_ALTERNATIVE], [_ORIGINAL], [_PART]) or not names:
        raise NotAsIntended(f"attachments are {names}, not the record alone")
    content = document.attachments[names[0]].get_file().read_bytes()
    if hashlib.sha256(content).digest() != expected.content_digest:
        raise NotAsIntended("the attached record isn't the sealed one")
    if is_copy(content) != (names[1:] in ([_ORIGINAL], [_PART])) or is_extract(content) != (names[1:] == [_PART]):
        raise NotAsIntended("a copy without its original or an extract without its part, or these without their words")
    if len(names) == 1:
        return ""
    _check_beside(names[1], content, document.attachments[names[1]].get_file().read_bytes())
    return names[1]


def _check_beside(name: str, record: bytes, beside: bytes) -> None:
    if name in (_ORIGINAL, _PART):
        if hashlib.sha256(beside).digest() != known_copy(record, json.loads(record)).beside:
            raise NotAsIntended("the attached original or part isn't the one that the copy names")
    elif from_xml(beside, record_table()) != json.loads(record):
        raise NotAsIntended("the attached XML isn't the record")


def _fields(document: pikepdf.Pdf) -> list[tuple[str, Any]]:
    fields = [(str(f.T), f) for f in document.Root.AcroForm.Fields]
    shown = [a.objgen for page in document.pages for a in page.obj.get("/Annots", [])]
    if shown != [f.objgen for _, f in fields]:
        raise NotAsIntended("the pages carry annotations besides the signature fields")
    return fields


def _check_unchanged(what: str, new: Any, written: _Written, allowed: set[str]) -> None:
    """A rewritten object says what it said before, but for the keys that signing adds."""
    old = written[new.objgen]
    for key in new.keys() | old.keys():
        if key not in allowed and (_said(new[key]) if key in new else None) != old.get(key):
            raise NotAsIntended(f"{what}: {key} changed")
    if "/V" in old:
        raise NotAsIntended(f"{what}: the page came with a value in the field")


def _said(value: Any) -> object:
    """A value as the file writes it: a reference stays one, so that what it leads to is somebody else's question."""
    return value.unparse() if isinstance(value, pikepdf.Object) else value


def _check_permissions(document: pikepdf.Pdf, value: Any, wanted: ExpectedSignature, expected: Expectation) -> None:
    """The first signature certifies, the last one locks everything, an only one does both; no other asks for anything."""
    transforms = {str(r.TransformMethod): r.TransformParams for r in value.get("/Reference", [])}
    first, last = wanted.role is expected.order[0], wanted.role is expected.order[-1]
    if set(transforms) != {name for name, said in (("/DocMDP", first), ("/FieldMDP", last)) if said}:
        raise NotAsIntended(f"{wanted.field}: unexpected transforms {sorted(transforms)}")
    if first:
        certified, allowed = document.Root.Perms.DocMDP, 1 if last else 2
        if certified.objgen != value.objgen or list(document.Root.Perms.keys()) != ["/DocMDP"] or allowed != transforms["/DocMDP"].P:
            raise NotAsIntended(f"{wanted.field}: no certification with P={allowed}")
    if last and (str(transforms["/FieldMDP"].Action) != "/All" or transforms["/FieldMDP"].P != 1):
        raise NotAsIntended(f"{wanted.field}: the last signature doesn't lock everything")


def _check_written(revisions: Sequence[Revision], index: int, widget: Any, document: pikepdf.Pdf) -> None:
    """An increment writes its own field, for the first signature the catalogue, the value, and the appearance with its picture: nothing else."""
    wanted = {widget.objgen[0], widget.V.objgen[0], widget.AP.N.objgen[0], revisions[index + 1].number}
    pictures = list(widget.AP.N.Resources.get("/XObject", {}).values())
    if len(pictures) > 1 or any(picture.get("/Subtype") != "/Image" or picture.get("/ImageMask") is not True for picture in pictures):
        raise NotAsIntended(f"the appearance in revision {index + 2} draws something besides text and one picture of dots")
    wanted |= {picture.objgen[0] for picture in pictures}
    if index == 0:
        wanted.add(document.Root.objgen[0])
    written = set(revisions[index + 1].objects)
    if written != wanted or list(widget.AP.keys()) != ["/N"]:
        raise NotAsIntended(f"revision {index + 2} writes objects {sorted(written ^ wanted)} that it shouldn't, or doesn't write them")


def _covered(pdf: bytes, value: Any, revision: Revision, index: int) -> tuple[bytes, bytes]:
    if str(value.SubFilter) != _PADES:
        raise NotAsIntended(f"sub-filter {value.SubFilter} isn't PAdES")
    start, first, second, rest = (int(n) for n in value.ByteRange)
    container = bytes(value.Contents)
    hexadecimal = pdf[first:second]
    if start != 0 or second + rest != revision.end or hexadecimal[:1] + hexadecimal[-1:] != b"<>":
        raise NotAsIntended(f"signature {index + 1} doesn't cover its whole revision")
    # The one way we write it, so that not even the case of a digit can change unseen.
    if hexadecimal[1:-1] != container.hex().upper().encode():
        raise NotAsIntended(f"signature {index + 1} leaves more open than its own container")
    return pdf[:first] + pdf[second : second + rest], _der_of(hexadecimal[1:-1])


def _key_of(certificate: bytes, signer: Any, wanted: ExpectedSignature) -> _Key:
    key = read_certificate(certificate).public_key()
    used = signer["digest_algorithm"]["algorithm"].native, signer["signature_algorithm"].signature_algo
    if isinstance(key, rsa.RSAPublicKey) and key.key_size >= 2048 and used == ("sha256", "rsassa_pkcs1v15"):
        return key
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name == "secp256r1" and used == ("sha256", "ecdsa"):
        return key
    raise NotAsIntended(f"{wanted.field}: neither RSA PKCS#1 v1.5 (2048 bits or more) nor ECDSA on P-256, with SHA-256")


def _is_signature(key: _Key, value: bytes, digest: bytes) -> bool:
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(value, digest, _PKCS1, _HASHED)
        else:
            key.verify(value, digest, _ECDSA)
    except InvalidSignature:
        return False
    return True


def _check_time(value: Any, wanted: ExpectedSignature) -> None:
    written = str(value.M)
    if written != wanted.signed_at.astimezone(UTC).strftime("D:%Y%m%d%H%M%SZ"):
        raise NotAsIntended(f"{wanted.field}: signing time {written} isn't the intent's")
