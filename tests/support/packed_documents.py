"""Transcripts with cross-reference and object streams, written plainly for tests, so that each part can be written wrongly too.

Shares no code with hocba's signing. The CMS is pyHanko's.
"""

import asyncio
import hashlib
import threading
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC

from cryptography import x509

from tests.support.signed_documents import ATTACHMENT, FIELDS, ROLES, SIGNED_AT, Identity, Pki

CATALOG, PAGES, FIRST_PAGE, LAST_PAGE, FILE, FORM, FIRST_FIELD = 1, 2, 3, 4, 5, 6, 7
EMPTY, BUNDLE, CONTENT, METADATA, RECORD, BODY_SECTION = 10, 11, 12, 14, 15, 16
FIELD_OF = {role: FIRST_FIELD + index for index, role in enumerate(ROLES)}
HEADER = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"


@dataclass
class Section:
    """A revision under construction. What isn't packed is written in the order of its numbers."""

    before: bytes
    size: int
    """The section's own number; what it writes anew has lower ones."""
    objects: dict[int, bytes] = field(default_factory=dict)
    packed: dict[int, bytes] = field(default_factory=dict)
    rows: dict[int, bytes] = field(default_factory=dict)
    """Rows that say something else than what is true."""
    previous: int | None = None
    trailer: bytes = b""
    bundle: Callable[[bytes], bytes] = zlib.compress
    bundle_entries: bytes = b""
    gaps: dict[int, bytes] = field(default_factory=dict)
    """Bytes to write before an object."""
    widths: bytes = b"[1 4 2]"
    encode: Callable[[bytes], bytes] = bytes
    """What the rows of the section go through."""

    def written(self) -> tuple[bytes, int]:
        """The file with this revision, and where its section stands."""
        out = bytearray(self.before)
        rows: dict[int, bytes] = {}
        objects = dict(self.objects)
        if self.packed:
            at, heads = 0, []
            for number, body in self.packed.items():
                heads.append(b"%d %d" % (number, at))
                at += len(body) + 1
                rows[number] = b"\x02" + BUNDLE.to_bytes(4, "big") + (len(heads) - 1).to_bytes(2, "big")
            head = b" ".join(heads) + b"\n"
            raw = self.bundle(head + b"\n".join(self.packed.values()))
            entries = b"/Type/ObjStm/N %d/First %d/Filter/FlateDecode%b" % (len(heads), len(head), self.bundle_entries)
            objects[BUNDLE] = stream(raw, entries)
        for number, body in sorted(objects.items()):
            out += self.gaps.get(number, b"")
            rows[number] = plain_row(len(out))
            out += b"%d 0 obj\n%b\nendobj\n" % (number, body)
        out += self.gaps.get(self.size, b"")
        at = len(out)
        rows |= {self.size: plain_row(at)} | self.rows
        if self.previous is None:
            rows[0] = b"\x00\x00\x00\x00\x00\xff\xff"
        index = b" ".join(b"%d 1" % number for number in sorted(rows))
        previous = b"" if self.previous is None else b"/Prev %d" % self.previous
        raw = self.encode(b"".join(rows[number] for number in sorted(rows)))
        entries = b"/Type/XRef/Size %d/Root 1 0 R/ID[<%b><%b>]/W%b/Index[%b]%b%b" % (
            self.size + 1,
            b"AB" * 16,
            b"AB" * 16,
            self.widths,
            index,
            previous,
            self.trailer,
        )
        out += b"%d 0 obj\n%b\nendobj\nstartxref\n%d\n%%%%EOF\n" % (self.size, stream(raw, entries), at)
        return bytes(out), at


PREDICTED = b"/Filter/FlateDecode/DecodeParms<</Columns 7/Predictor 12>>"


def deflate_rows(section: Section) -> None:
    """Write the section of a body as signing does: what stands before the pages' content deflated, the rest in a stored block."""
    section.trailer = PREDICTED

    def encoded(rows: bytes) -> bytes:
        each = [rows[at : at + 7] for at in range(0, len(rows), 7)]
        differences = [difference(row, above) for row, above in zip(each, [bytes(7), *each], strict=False)]
        shared, own = b"".join(differences[:CONTENT]), b"".join(differences[CONTENT:])
        deflater = zlib.compressobj(level=0)
        stored = deflater.compress(own) + deflater.flush()
        deflater = zlib.compressobj()
        # Without the head and the check sum of the second stream, the two are one.
        return deflater.compress(shared) + deflater.flush(zlib.Z_SYNC_FLUSH) + stored[2:-4] + zlib.adler32(shared + own).to_bytes(4, "big")

    section.encode = encoded


def difference(row: bytes, above: bytes) -> bytes:
    """A row as its difference from the one above (RFC 2083, 6.4)."""
    return b"\2" + bytes((new - old) % 256 for new, old in zip(row, above, strict=True))


def stream(raw: bytes, entries: bytes = b"") -> bytes:
    """A stream's text."""
    return b"<<%b/Length %d>>\nstream\n%b\nendstream" % (entries, len(raw), raw)


def plain_row(offset: int) -> bytes:
    """The row of an object that stands by itself."""
    return b"\x01" + offset.to_bytes(4, "big") + b"\x00\x00"


def body_section(record: bytes, pages: Sequence[bytes] = (b"BT ET", b"BT ET\n")) -> Section:
    """A body of two pages with three fields and a record, ready to be written or spoilt."""
    fields = b" ".join(b"%d 0 R" % number for number in FIELD_OF.values())
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents %d 0 R%b>>"
    packed = {
        PAGES: b"<</Type/Pages/Kids[3 0 R 4 0 R]/Count 2>>",
        FIRST_PAGE: page % (CONTENT, b""),
        LAST_PAGE: page % (CONTENT + 1, b"/Annots[%b]" % fields),
        FILE: b"<</Type/Filespec/F(%b)/UF(%b)/AFRelationship/Source/EF<</F 15 0 R/UF 15 0 R>>>>" % (ATTACHMENT.encode(), ATTACHMENT.encode()),
        FORM: b"<</Fields[%b]/SigFlags 3>>" % fields,
    } | {number: widget(role) + b"/AP<</N %d 0 R>>>>" % EMPTY for role, number in FIELD_OF.items()}
    objects = {
        CATALOG: catalog() + b">>",
        EMPTY: stream(b"", b"/Type/XObject/Subtype/Form/BBox[0 0 1 1]"),
        METADATA: stream(b'<x:xmpmeta xmlns:x="adobe:ns:meta/"/>', b"/Type/Metadata/Subtype/XML"),
        RECORD: stream(zlib.compress(record), b"/Type/EmbeddedFile/Params<</Size %d>>/Filter/FlateDecode" % len(record)),
    } | {CONTENT + index: stream(zlib.compress(page), b"/Filter/FlateDecode") for index, page in enumerate(pages)}
    return Section(HEADER, BODY_SECTION, objects, packed)


def catalog() -> bytes:
    """The catalogue without its end."""
    return b"<</Type/Catalog/Pages 2 0 R/Metadata 14 0 R/AcroForm 6 0 R/Names<</EmbeddedFiles<</Names[(%b)5 0 R]>>>>/AF[5 0 R]" % ATTACHMENT.encode()


def widget(role: str) -> bytes:
    """A field without its appearance and end."""
    lock = b"/Lock<</Type/SigFieldLock/Action/All/P 1>>" if role == ROLES[-1] else b""
    return b"<</Type/Annot/Subtype/Widget/FT/Sig/T(%b)/F 132/Rect[40 60 190 120]/P 4 0 R%b" % (FIELDS[role].encode(), lock)


@dataclass
class Signed:
    """A document and where its last section stands."""

    data: bytes
    section_at: int
    size: int
    """The next free object number."""


def transcript(pki: Pki, record: bytes, **changes: Callable[[Section], None]) -> bytes:
    """A complete transcript. `body`, or a role's name, may change that revision before it is written and signed."""
    return signed(pki, record, **changes).data


def signed(pki: Pki, record: bytes, **changes: Callable[[Section], None]) -> Signed:
    """The same, to go on from."""
    section = body_section(record)
    if change := changes.get("body"):
        change(section)
    document = Signed(*section.written(), section.size + 1)
    for role in ROLES:
        document = sign(document, role, pki.people[role], [pki.issuing.certificate], changes.get(role))
    return document


def signature_section(document: Signed, role: str) -> Section:
    """The revision of one signature with zeros where its range and its value will be."""
    stamp, signature = document.size, document.size + 1
    transforms = {
        ROLES[0]: b"/Reference[<</Type/SigRef/TransformMethod/DocMDP/TransformParams<</Type/TransformParams/V/1.2/P 2>>>>]",
        ROLES[-1]: b"/Reference[<</Type/SigRef/TransformMethod/FieldMDP/TransformParams<</Type/TransformParams/V/1.2/Action/All/P 1>>>>]",
    }
    objects = {
        FIELD_OF[role]: widget(role) + b"/AP<</N %d 0 R>>/V %d 0 R>>" % (stamp, signature),
        stamp: stream(b"q Q", b"/Type/XObject/Subtype/Form/BBox[0 0 1 1]"),
        signature: b"<</Type/Sig/Filter/Adobe.PPKLite/SubFilter/ETSI.CAdES.detached/Name(\xfe\xff\0A)/Reason(\xfe\xff\0B)/M(%b)%b/ByteRange%b/Contents<%b>>>"
        % (SIGNED_AT.astimezone(UTC).strftime("D:%Y%m%d%H%M%SZ").encode(), transforms.get(role, b""), b"#" * 40, b"0" * 8192),
    }
    if role == ROLES[0]:
        objects[CATALOG] = catalog() + b"/Perms<</DocMDP %d 0 R>>>>" % signature
    return Section(document.data, document.size + 2, objects, previous=document.section_at)


def sign(document: Signed, role: str, identity: Identity, chain: list[x509.Certificate], change: Callable[[Section], None] | None = None) -> Signed:
    """The document with one more signature over all its bytes, whatever `change` does to the revision."""
    section = signature_section(document, role)
    if change is not None:
        change(section)
    data, at = section.written()
    return Signed(filled(data, len(document.data), lambda digest: container(digest, identity, chain)), at, section.size + 1)


def filled(data: bytes, since: int, value: Callable[[bytes], bytes]) -> bytes:
    """The last revision's range and value, written into the places that were left for them."""
    start = data.index(b"/Contents<", since) + len(b"/Contents")
    end = data.index(b">", start) + 1
    span = b"[0 %d %d %d]" % (start, end, len(data) - end)
    data = data.replace(b"#" * 40, span.ljust(40))
    digest = hashlib.sha256(data[:start] + data[end:]).digest()
    contents = value(digest).hex().encode()
    return data[: start + 1] + contents.ljust(end - start - 2, b"0") + data[end - 1 :]


def container(digest: bytes, identity: Identity, chain: list[x509.Certificate]) -> bytes:
    """A PAdES signature over a digest, by pyHanko."""
    made: list[bytes] = []

    def run() -> None:
        made.append(asyncio.run(identity.signer(chain).async_sign(digest, "sha256", use_pades=True)).dump())

    # A thread of its own, since tests call this from inside a running event loop too.
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return made[0]


Stamp = Callable[[bytes], bytes]
"""A time-stamp token over a digest."""


def stamped(
    document: Signed,
    stamps: tuple[Stamp, Stamp],
    certificate: bytes,
    first: Callable[[Section], None] | None = None,
    second: Callable[[Section], None] | None = None,
) -> Signed:
    """The document with the two revisions that prove its time; `first` and `second` may change them before they are stamped."""
    early, late, number = document.size, document.size + 1, document.size + 2
    fields = b" ".join(b"%d 0 R" % each for each in [*FIELD_OF.values(), early, late])
    section = Section(document.data, number + 1, previous=document.section_at)
    section.objects = {
        FORM: b"<</Fields[%b]/SigFlags 3>>" % fields,
        early: time_field(1) + b"/V %d 0 R>>" % number,
        late: time_field(2) + b">>",
        number: unstamped(),
    }
    document = _stamped(section, stamps[0], first)
    store, certificates, lists, number = (document.size + index for index in range(4))
    certification = document.data.split(b"/Perms<</DocMDP ")[1].split(b" ")[0]
    section = Section(document.data, number + 1, previous=document.section_at)
    section.objects = {
        CATALOG: catalog() + b"/Perms<</DocMDP %b 0 R>>/DSS %d 0 R/Extensions<</ESIC<</BaseVersion/1.7/ExtensionLevel 5>>>>>>" % (certification, store),
        late: time_field(2) + b"/V %d 0 R>>" % number,
        store: b"<</Type/DSS/Certs[%d 0 R]/CRLs[%d 0 R]>>" % (certificates, lists),
        certificates: stream(zlib.compress(certificate), b"/Filter/FlateDecode"),
        lists: stream(zlib.compress(b"a list"), b"/Filter/FlateDecode"),
        number: unstamped(),
    }
    return _stamped(section, stamps[1], second)


def _stamped(section: Section, stamp: Stamp, change: Callable[[Section], None] | None) -> Signed:
    if change is not None:
        change(section)
    data, at = section.written()
    return Signed(filled(data, len(section.before), stamp), at, section.size + 1)


def time_field(place: int) -> bytes:
    """The field of a time stamp without its value and end."""
    return b"<</Type/Annot/Subtype/Widget/FT/Sig/T(TimeStamp%d)/F 132/Rect[0 0 0 0]/P 4 0 R" % place


def unstamped() -> bytes:
    """A time stamp's dictionary with zeros where its range and its token will be."""
    return b"<</Type/DocTimeStamp/Filter/Adobe.PPKLite/SubFilter/ETSI.RFC3161/ByteRange%b/Contents<%b>>>" % (b"#" * 40, b"0" * 10000)
