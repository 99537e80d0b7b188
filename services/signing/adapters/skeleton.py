"""The part of a document that is the same for all documents of one shape: everything but content and attachment.

Written once per shape with the small objects in one compressed object stream, so that a full logical structure (PDF/UA-1)
costs about two kilobytes a file and no time at all per document. The objects that differ have the highest numbers.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import deflate

from services.signing.adapters.composer import Composer, Shape
from services.signing.adapters.drawing import PAGE
from services.signing.adapters.increments import NotOurs, PackedRows
from services.signing.adapters.official_forms import SignatureBox
from services.signing.adapters.structure import Element
from services.signing.adapters.typefaces import BOLD, REGULAR, Alphabet
from services.signing.domain.roles import SignatureRole

# The second line has four bytes that mark the file as binary, then how long the fixed part is.
HEADER = b"%%PDF-1.7\n%%\xe2\xe3\xcf\xd3 %07d\n"
_XML = {"name": "hoc-ba.xml", "relation": "Alternative", "description": "The same record as XML"}
CATALOG = 1
_PRINTED_AND_LOCKED = 132  # ISO 32000-1 table 165: Print and Locked, as PDF/A asks of a widget
_SIGNATURES_APPEND_ONLY = 3  # ISO 32000-1 table 219
_SYMBOLIC = 4
_METRICS = {REGULAR: (b"Tinos", 80), BOLD: (b"Tinos-Bold", 120)}


@dataclass(frozen=True, slots=True)
class Widget:
    """A signature field as it stands before it is signed."""

    number: int
    begun: bytes
    """All entries but the appearance; what follows is /AP."""
    width: float
    height: float


@dataclass(frozen=True)
class Skeleton:
    """The fixed part of a file, and what signing has to know of it. It is read back from its bytes, by whoever has the file."""

    prefix: bytes
    rows: PackedRows
    """Rows of the cross-reference stream for objects 0 to `first`-1; none where only a finished file was read."""
    first: int
    """The first number of the part that differs: contents of the pages, then the attached file."""
    catalog: bytes
    """The catalogue without its end, so that /Perms can be added to it."""
    widgets: dict[str, Widget]
    """Signature fields by name."""
    resources: int
    """The object that names the pages' fonts, and what it says of them."""
    fonts: bytes
    hashed: hashlib._Hash = field(repr=False)
    """SHA-256 over the prefix, to be copied."""

    @property
    def size(self) -> int:
        """Length of the prefix."""
        return len(self.prefix)


_LENGTH = re.compile(rb"%PDF-1\.7\n%\xe2\xe3\xcf\xd3 (\d{7})\n1 0 obj\n(<</Type/Catalog.*)>>\nendobj\n")
_BUNDLE = re.compile(rb"\n(\d+) 0 obj\n<</Type/ObjStm/N (\d+)/First (\d+)/Filter/FlateDecode/Length (\d+)>>\nstream\n")
_FIELD = re.compile(rb"<</Type/Annot/Subtype/Widget/FT/Sig/T\((\w+)\).*/Rect\[([\d.]+) ([\d.]+) ([\d.]+) ([\d.]+)\]")
_RESOURCES = re.compile(rb"/Resources (\d+) 0 R")
_NO_ROWS = PackedRows(b"", 1, b"")


def fixed_length(pdf: bytes) -> int:
    """Length of the fixed part of a file, as its second line says; NotOurs for a file that hocba didn't write."""
    found = _LENGTH.match(pdf)
    if found is None or int(found[1]) > len(pdf):
        raise NotOurs("the file doesn't begin as those that hocba writes do")
    return int(found[1])


def read_skeleton(prefix: bytes, rows: PackedRows = _NO_ROWS) -> Skeleton:
    """What a fixed part says of itself."""
    catalog = _LENGTH.match(prefix)
    bundle = _BUNDLE.search(prefix, prefix.rfind(b"/Type/ObjStm") - 20)
    if catalog is None or bundle is None:
        raise NotOurs("the file's fixed part has no catalogue or object stream of ours")
    number, count, first, length = (int(part) for part in bundle.groups())
    content = zlib.decompress(prefix[bundle.end() : bundle.end() + length])
    heads = [int(part) for part in content[:first].split()]
    widgets: dict[str, Widget] = {}
    resources, fonts = 0, b""
    for index in range(count):
        start = first + heads[2 * index + 1]
        end = first + heads[2 * index + 3] - 1 if index + 1 < count else len(content)
        body = content[start:end]
        if body.startswith(b"<</Type/Annot"):
            found = _FIELD.match(body)
            if found is None:
                raise NotOurs("a field of the file isn't one of ours")
            left, bottom, right, top = (float(corner) for corner in found.groups()[1:])
            widgets[found[1].decode()] = Widget(heads[2 * index], body[: body.rindex(b"/AP<<")], round(right - left, 2), round(top - bottom, 2))
        elif body.startswith(b"<</Type/Page/"):
            page = _RESOURCES.search(body)
            resources = int(page[1]) if page else 0
        elif body.startswith(b"<</Font<<"):
            fonts = body[2:-2]
    return Skeleton(prefix, rows, number + 1, catalog[2], widgets, resources, fonts, hashlib.sha256(prefix))


@dataclass
class _Objects:
    """Objects by number while the skeleton is being made."""

    small: dict[int, bytes] = field(default_factory=dict)
    streams: dict[int, bytes] = field(default_factory=dict)
    plain: dict[int, bytes] = field(default_factory=dict)
    last: int = 0

    def new(self) -> int:
        """A number for an object to come."""
        self.last += 1
        return self.last

    def add(self, body: bytes) -> int:
        """A small object; its number."""
        number = self.new()
        self.small[number] = body
        return number

    def stream(self, content: bytes, entries: bytes = b"") -> int:
        """A deflated stream; its number."""
        number = self.new()
        deflated = _smallest(content)
        self.streams[number] = b"<<%b/Filter/FlateDecode/Length %d>>\nstream\n%b\nendstream" % (entries, len(deflated), deflated)
        return number


def skeleton_of(
    composer: Composer, shape: Shape, alphabets: Sequence[Alphabet], order: Sequence[SignatureRole], metadata: bytes, with_xml: bool = False
) -> Skeleton:
    """Make the fixed part of a shape's documents; `with_xml`: of those that carry their record as XML too."""
    objects = _Objects()
    catalog, pages_node, root = objects.new(), objects.new(), objects.new()
    fonts = b""
    for alphabet in alphabets:
        unicode = objects.stream(_to_unicode(alphabet))
        fonts += b"".join(_font(objects, alphabet, weight, unicode) for weight in (REGULAR, BOLD))
    resources = objects.add(b"<</Font<<%b>>>>" % fonts)
    profile = objects.stream(srgb_profile(), b"/N 3")
    described = objects.stream(metadata, b"/Type/Metadata/Subtype/XML")
    fixed = composer.fixed(shape)
    pages = [objects.new() for _ in fixed]
    signed_boxes = [box for box in composer.form.boxes if box.role in order]
    widget_numbers = {box.role: objects.new() for box in signed_boxes}
    specification, acroform = objects.new(), objects.new()
    document = objects.new()
    parents: list[bytes] = []
    top: list[int] = []
    boxes = sorted(signed_boxes, key=lambda each: order.index(each.role))
    alternative = b"/Alt%b" % text_string(composer.form.facts["attached"]["lookup"])
    for page, (_, nodes) in zip(pages, fixed, strict=True):
        by_mcid: dict[int, int] = {}
        top += [_element(objects, node, document, page, by_mcid, alternative) for node in nodes]
        parents.append(b"[%b]" % b" ".join(b"%d 0 R" % by_mcid[mcid] for mcid in range(len(by_mcid))))
    for index, box in enumerate(boxes):
        number = widget_numbers[box.role]
        # The field's place in the structure is known from its /StructParent. A reference to it from here (/OBJR) would be usual, but
        # EU DSS takes a signature that it reaches by the structure for a change that the certification doesn't allow; with a
        # role of its own the element needs none (ISO 14289-1, 7.18.4).
        form = objects.add(b"<</Type/StructElem/S/Form/P %d 0 R/Pg %d 0 R/A<</O/PrintField/Role/tv>>>>" % (document, pages[-1]))
        top.append(form)
        lock = b"/Lock<</Type/SigFieldLock/Action/All/P 1>>" if box.role is order[-1] else b""
        # An empty appearance has the size of the one to come: EU DSS takes a change of it for a change of the page.
        empty = objects.new()
        objects.streams[empty] = b"<</Subtype/Form/BBox[0 0 %.2f %.2f]/Resources<<>>/Length 0>>\nstream\n\nendstream" % (
            round(box.width, 2),
            round(box.height, 2),
        )
        objects.small[number] = _widget(box, pages[-1], len(pages) + index, lock) + b"/AP<</N %d 0 R>>>>" % empty
        parents.append(b"%d 0 R" % form)
    objects.small[document] = b"<</Type/StructElem/S/Document/P %d 0 R/K[%b]>>" % (root, b" ".join(b"%d 0 R" % n for n in top))
    tree = objects.add(b"<</Nums[%b]>>" % b" ".join(b"%d %b" % (i, entry) for i, entry in enumerate(parents)))
    objects.small[root] = b"<</Type/StructTreeRoot/K %d 0 R/ParentTree %d 0 R/ParentTreeNextKey %d>>" % (document, tree, len(parents))
    annotations = b" ".join(b"%d 0 R" % widget_numbers[box.role] for box in boxes)
    objects.small[acroform] = b"<</Fields[%b]/SigFlags %d>>" % (annotations, _SIGNATURES_APPEND_ONLY)
    objects.small[pages_node] = b"<</Type/Pages/Kids[%b]/Count %d>>" % (b" ".join(b"%d 0 R" % n for n in pages), len(pages))
    # The first signature writes the catalogue again, so what it says at length stands elsewhere.
    attachment = composer.form.facts["attached"]
    specifications = {attachment["name"].encode("ascii"): specification}
    beside = attachment.get("beside", _XML if with_xml else None)
    if beside:
        specifications[beside["name"].encode("ascii")] = objects.new()
    names = objects.add(b"<</EmbeddedFiles<</Names[%b]>>>>" % b"".join(b"(%b)%d 0 R" % each for each in specifications.items()))
    viewing = objects.add(b"<</DisplayDocTitle true>>")
    intent = objects.add(
        b"<</Type/OutputIntent/S/GTS_PDFA1/OutputConditionIdentifier(sRGB IEC61966-2.1)/Info(sRGB IEC61966-2.1)/DestOutputProfile %d 0 R>>" % profile
    )
    static = [objects.stream(content) for content, _ in fixed]
    bundle = objects.new()
    first = objects.last + 1
    # The record comes last, behind its XML or a copy's original.
    attached = first + len(pages) + bool(beside)
    for index, page in enumerate(pages):
        shown = b"/Annots[%b]" % annotations if page == pages[-1] else b""
        objects.small[page] = b"<</Type/Page/Parent %d 0 R/MediaBox[0 0 %.2f %.2f]/Resources %d 0 R/Contents[%d 0 R %d 0 R]/StructParents %d/Tabs/S%b>>" % (
            pages_node,
            *PAGE,
            resources,
            static[index],
            first + index,
            index,
            shown,
        )
    told = [(b"Source", attachment["description"].encode("ascii"), attached)]
    if beside:
        told.append((beside["relation"].encode("ascii"), beside["description"].encode("ascii"), attached - 1))
    for (name, number), (relation, said, stream) in zip(specifications.items(), told, strict=True):
        objects.small[number] = b"<</Type/Filespec/F(%b)/UF(%b)/AFRelationship/%b/Desc(%b)/EF<</F %d 0 R/UF %d 0 R>>>>" % (
            name,
            name,
            relation,
            said,
            stream,
            stream,
        )
    begun = (
        b"<</Type/Catalog/AcroForm %d 0 R/Pages %d 0 R/Metadata %d 0 R/Lang(vi-VN)/MarkInfo<</Marked true>>/StructTreeRoot %d 0 R"
        b"/ViewerPreferences %d 0 R/OutputIntents[%d 0 R]/Names %d 0 R/AF[%b]"
        % (acroform, pages_node, described, root, viewing, intent, names, b" ".join(b"%d 0 R" % number for number in specifications.values()))
    )
    objects.plain[catalog] = begun + b">>"
    return read_skeleton(*_written(objects, bundle, first))


def _written(objects: _Objects, bundle: int, first: int) -> tuple[bytes, PackedRows]:
    """All objects, and a row for each number below `first` (ISO 32000-1, table 18)."""
    numbers = sorted(objects.small)
    bodies = [objects.small[number] for number in numbers]
    offsets, at = [], 0
    for body in bodies:
        offsets.append(at)
        at += len(body) + 1
    index = b" ".join(b"%d %d" % pair for pair in zip(numbers, offsets, strict=True)) + b"\n"
    deflated = _smallest(index + b"\n".join(bodies))
    objects.streams[bundle] = b"<</Type/ObjStm/N %d/First %d/Filter/FlateDecode/Length %d>>\nstream\n%b\nendstream" % (
        len(numbers),
        len(index),
        len(deflated),
        deflated,
    )
    parts, places, position = [HEADER % 0], dict[int, int](), len(HEADER % 0)
    for number, body in sorted({**objects.plain, **objects.streams}.items()):
        written = b"%d 0 obj\n%b\nendobj\n" % (number, body)
        places[number] = position
        parts.append(written)
        position += len(written)
    rows = [b"\x00\x00\x00\x00\x00\xff\xff"]
    inside = {number: i for i, number in enumerate(numbers)}
    for number in range(1, first):
        if number in places:
            rows.append(b"\x01" + places[number].to_bytes(4, "big") + b"\x00\x00")
        else:
            rows.append(b"\x02" + bundle.to_bytes(4, "big") + inside[number].to_bytes(2, "big"))
    parts[0] = HEADER % position
    return b"".join(parts), PackedRows.of(rows)


def _smallest(content: bytes) -> bytes:
    return bytes(deflate.zlib_compress(content, 12))  # Slow, and made once per shape.


def _element(objects: _Objects, node: Element, parent: int, page: int, by_mcid: dict[int, int], alternative: bytes) -> int:
    """A structure element and all below it; its number. The one figure that there is, the code, is read out as `alternative`."""
    number = objects.new()
    kids = []
    for kid in node.kids:
        if isinstance(kid, int):
            by_mcid[kid] = number
            kids.append(b"%d" % kid)
        else:
            kids.append(b"%d 0 R" % _element(objects, kid, number, page, by_mcid, alternative))
    attributes = b"/A%b" % node.attributes.encode() if node.attributes else b""
    inner = kids[0] if len(kids) == 1 else b"[%b]" % b" ".join(kids)
    objects.small[number] = b"<</S/%b/P %d 0 R/Pg %d 0 R/K %b%b%b>>" % (
        node.tag.encode(),
        parent,
        page,
        inner,
        attributes,
        alternative if node.tag == "Figure" else b"",
    )
    return number


def _widget(box: SignatureBox, page: int, parent: int, lock: bytes) -> bytes:
    corners = b" ".join(f"{value:.2f}".encode() for value in (box.left, box.bottom, box.left + box.width, box.bottom + box.height))
    titles = {
        SignatureRole.SUBJECT_TEACHER: "Chữ ký của giáo viên môn học",
        SignatureRole.HOMEROOM_TEACHER: "Chữ ký của giáo viên chủ nhiệm",
        SignatureRole.PRINCIPAL: "Chữ ký của hiệu trưởng",
        SignatureRole.SCHOOL_SEAL: "Chữ ký số của nhà trường",
    }
    return b"<</Type/Annot/Subtype/Widget/FT/Sig/T(%b)/TU%b/F %d/Rect[%b]/P %d 0 R/StructParent %d%b" % (
        box.field.encode(),
        text_string(titles[box.role]),
        _PRINTED_AND_LOCKED,
        corners,
        page,
        parent,
        lock,
    )


def _font(objects: _Objects, alphabet: Alphabet, weight: str, unicode: int) -> bytes:
    """Resource entry of a symbolic TrueType font (ISO 32000-1, 9.6.6.4; ISO 19005-2, 6.2.11.6)."""
    name, stem = _METRICS[weight]
    tag = hashlib.sha256(alphabet.program(weight)).digest()
    base = bytes(0x41 + byte % 26 for byte in tag[:6]) + b"+" + name
    program = alphabet.program(weight)
    file = objects.stream(program, b"/Length1 %d" % len(program))
    descriptor = objects.add(
        b"<</Type/FontDescriptor/FontName/%b/Flags %d/FontBBox[-350 -307 1390 1050]/ItalicAngle 0/Ascent 891/Descent -216/CapHeight 662"
        b"/StemV %d/FontFile2 %d 0 R>>" % (base, _SYMBOLIC, stem, file)
    )
    widths = b" ".join(b"%d" % width for width in alphabet.widths(weight))
    font = objects.add(
        b"<</Type/Font/Subtype/TrueType/BaseFont/%b/FirstChar 0/LastChar 255/Widths[%b]/FontDescriptor %d 0 R/ToUnicode %d 0 R>>"
        % (base, widths, descriptor, unicode)
    )
    return b"/%b %d 0 R" % (alphabet.font(weight).encode(), font)


def _to_unicode(alphabet: Alphabet) -> bytes:
    """What each byte means, by runs of bytes and characters that rise together, none beyond a change of the character's first byte (ISO 32000-1, 9.10.3)."""
    runs: list[list[int]] = []
    for code, character in sorted((code, ord(character)) for character, code in alphabet.codes.items()):
        if runs and (code, character) == (runs[-1][1] + 1, runs[-1][2] + code - runs[-1][0]) and character % 256:
            runs[-1][1] = code
        else:
            runs.append([code, code, character])
    said = [b"<%02X><%02X><%04X>" % tuple(run) for run in runs]
    blocks = [b"%d beginbfrange\n%b\nendbfrange" % (len(part), b"\n".join(part)) for part in (said[i : i + 100] for i in range(0, len(said), 100))]
    return (
        b"/CIDInit/ProcSet findresource begin 12 dict begin begincmap/CIDSystemInfo<</Registry(Adobe)/Ordering(UCS)/Supplement 0>>def"
        b"/CMapName/Adobe-Identity-UCS def/CMapType 2 def 1 begincodespacerange<00><FF>endcodespacerange\n"
        + b"\n".join(blocks)
        + b"\nendcmap CMapName currentdict/CMap defineresource pop end end"
    )


def text_string(said: str) -> bytes:
    """A text string as a literal of UTF-16 with a mark (ISO 32000-1, 7.3.4.2 and 7.9.2.2): half as long as in hexadecimal."""
    return b"(\xfe\xff%b)" % _ESCAPED.sub(lambda found: _ESCAPES[found[0]], said.encode("utf-16-be"))


_ESCAPES = {b"(": rb"\(", b")": rb"\)", b"\\": rb"\\", b"\r": rb"\r", b"\n": rb"\n"}
_ESCAPED = re.compile(rb"[()\\\r\n]")


def srgb_profile() -> bytes:
    """A minimal ICC profile (version 2) of sRGB: primaries adapted to D50, and a curve of gamma 2.2."""

    def s15(*values: float) -> bytes:
        return b"".join(round(value * 65536).to_bytes(4, "big", signed=True) for value in values)

    curve = b"curv\x00\x00\x00\x00\x00\x00\x00\x01\x02\x33\x00\x00"
    description = b"desc\x00\x00\x00\x00\x00\x00\x00\x05sRGB\x00" + bytes(78)
    data = {
        b"desc": description + bytes(-len(description) % 4),
        b"cprt": b"text\x00\x00\x00\x00CC0\x00",
        b"wtpt": b"XYZ \x00\x00\x00\x00" + s15(0.9642, 1.0, 0.8249),
        b"rXYZ": b"XYZ \x00\x00\x00\x00" + s15(0.4361, 0.2225, 0.0139),
        b"gXYZ": b"XYZ \x00\x00\x00\x00" + s15(0.3851, 0.7169, 0.0971),
        b"bXYZ": b"XYZ \x00\x00\x00\x00" + s15(0.1431, 0.0606, 0.7141),
        b"rTRC": curve,
    }
    table, body = [], b""
    start = 128 + 4 + 12 * 9
    places = {}
    for tag, content in data.items():
        places[tag] = (start + len(body), len(content))
        body += content
    for tag in (*data, b"gTRC", b"bTRC"):
        offset, length = places[b"rTRC" if tag in (b"gTRC", b"bTRC") else tag]
        table.append(tag + offset.to_bytes(4, "big") + length.to_bytes(4, "big"))
    header = (
        (start + len(body)).to_bytes(4, "big")
        + bytes(4)
        + b"\x02\x10\x00\x00mntrRGB XYZ "
        + b"\x07\xea\x00\x01\x00\x01\x00\x00\x00\x00\x00\x00acsp"
        + bytes(28)
        + s15(0.9642, 1.0, 0.8249)
    )
    return header.ljust(128, b"\x00") + (9).to_bytes(4, "big") + b"".join(table) + body
