"""
Examine documents that differ from a fully examined one only where the examination doesn't look.

Thousands of transcripts share everything but their streams, their signatures and the offsets that follow from both. From a
document that passed `examine`, a `Shape` keeps all other bytes. Another document is of that shape when it is, byte for byte,
those bytes with other values in the holes; and a hole is only

- the content of a stream that `examine` never reads (pages, metadata, appearances), its /Length checked against what stands there,
- the attached record, and its XML, inflated here as there,
- a signature's name and reason, which nothing reads, and its time, range and value, read here by the same rules as there,
- the file's /ID, which nothing reads, and the offsets in cross-reference sections, each computed anew and compared.

So what `examine` would say of it follows from what it said of the first: nothing is wrong. Whatever differs anywhere else is of no known
shape and is examined in full. The tests hold both ways against each other on mutated documents; a rule that is added to `examine`
needs no change here as long as it reads no hole.
"""

import binascii
import hashlib
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from services.archive.domain.content import alternative_stream, attached_stream
from services.archive.domain.coverage import claimed_at
from services.archive.domain.cross_references import Packed, rows_of
from services.archive.domain.document import Examination, FiledSignature, Profile
from services.archive.domain.form import signature_fields
from services.archive.domain.pdf_file import PdfFile, Revision, decoded
from services.archive.domain.pdf_syntax import Dictionary, MalformedPdf, Stream, Value, parse_indirect, parse_value

MOST_SHAPES = 256
"""Some 40 kB each. Forms, numbers of subjects and pages make up the shapes, so a country has some dozens at a time."""
_ENTRY = rb"\d{1,9}"
_TEXT = rb"(?:[^()\\\r\n]|\\[()\\rn]){0,4096}"
"""Of a literal string, in the one way in which signing escapes it, so that nothing in it can end it."""


class _Hole(NamedTuple):
    """A place in an object's text that may hold something else in another document."""

    key: str
    find: re.Pattern[bytes]
    """Finds it by its surroundings; group 1 is the hole."""
    takes: bytes
    """Pattern of what it may hold."""
    probe: bytes
    """Another value, to make sure that the hole is what it seems to be."""


_LENGTH = _Hole("Length", re.compile(rb"/Length (\d+)>>\s*stream\r?\n\Z"), rb"(?P<length>" + _ENTRY + rb")", b"424242")
_SIZE = _Hole("Params", re.compile(rb"/Params<</Size (\d+)(?=[/>])"), _ENTRY, b"424242")
_NAME = _Hole("Name", re.compile(rb"/Name\((%b)\)" % _TEXT), _TEXT, b"\xfe\xff\x00x")
_REASON = _Hole("Reason", re.compile(rb"/Reason\((%b)\)" % _TEXT), _TEXT, b"\xfe\xff\x00y")
_TIME = _Hole("M", re.compile(rb"/M\((D:\d{14}Z)\)"), rb"(?P<time>D:\d{14}Z)", b"D:19990102030405Z")
_RANGE = _Hole(
    "ByteRange",
    re.compile(rb"/ByteRange(\[0 \d+ \d+ \d+\] *)/Contents\Z"),
    rb"\[0 (?P<first>%b) (?P<second>%b) (?P<rest>%b)\] *" % (_ENTRY, _ENTRY, _ENTRY),
    b"[0 424242 434343 444444]",
)
_ID = _Hole("ID", re.compile(rb"/ID(\[<[0-9A-F]{32}><[0-9A-F]{32}>\])"), rb"\[<[0-9A-F]{32}><[0-9A-F]{32}>\]", b"[<%b><%b>]" % (b"4" * 32, b"2" * 32))
_PREV = _Hole("Prev", re.compile(rb"/Prev (\d+)(?=[/>])"), rb"(?P<previous>%b)" % _ENTRY, b"424242")
_AROUND = {"Name": b"(%b)", "Reason": b"(%b)", "M": b"(%b)"}
"""What stands around a hole in a value that is not all hole."""
_STREAM_START = re.compile(rb"stream\r?\n")
_CONTENTS_PROBE = b"<42>"
_HIGH = int.from_bytes(b"\x80" * 7, "big")


class _Step(NamedTuple):
    """Text to match, and what comes behind it."""

    pattern: re.Pattern[bytes]
    marks: tuple[int, ...]
    """Its empty groups: where objects begin."""
    signature: bool
    """Behind it stands a signature's value, else the content of a stream."""


class _Deflated(NamedTuple):
    """What goes on from the first rows of a deflated section."""

    check_sum: int
    """Of what they inflate to."""
    last: bytes
    """The last of them, which the next one is the difference from."""


class _Section(NamedTuple):
    """A cross-reference section behind the objects of its revision."""

    pattern: re.Pattern[bytes]
    marks: tuple[int, ...]
    fixed_rows: bytes
    """Its first rows, as they stand in the file."""
    deflated: "_Deflated | None"
    """If it is deflated: then the other rows stand in a stored block as differences, and the check sum of all behind it."""
    closes: bytes
    """What stands between its rows and the offset that `startxref` names."""
    ends: bytes


class _Part(NamedTuple):
    """A revision, or of the body what follows the fixed bytes."""

    steps: tuple[_Step, ...]
    section: _Section


@dataclass(frozen=True, slots=True)
class Shape:
    """What all documents of one shape have in common."""

    fixed: bytes
    hashed: "hashlib._Hash"
    """SHA-256 over `fixed`, to be copied."""
    parts: tuple[_Part, ...]
    record: int
    """Which of the body's streams is the attached record."""
    record_entries: Dictionary
    roles: tuple[tuple[str, str], ...]
    """(role, field) of each signature."""
    xml: int | None = None
    """Which of them is the record as XML, if one is."""
    xml_entries: Dictionary | None = None

    def read(self, data: bytes) -> Examination | None:
        """What `examine` would find, which is nothing wrong; None when the document is not of this shape."""
        if not data.startswith(self.fixed):
            return None
        reader = _Reader(data, len(self.fixed), self.hashed.copy())
        for part in self.parts:
            if not reader.read(part):
                return None
        if reader.at != len(data):
            return None
        start, end = reader.streams[self.record]
        xml: bytes | None = None
        try:
            record = decoded(Stream(self.record_entries, data[start:end]))
            if self.xml is not None and self.xml_entries is not None:
                start, end = reader.streams[self.xml]
                xml = decoded(Stream(self.xml_entries, data[start:end]))
        except MalformedPdf:
            return None
        filed = zip(self.roles, reader.signatures, strict=True)
        signatures = tuple(FiledSignature(role, name, digest, contents, claimed_at(time)) for (role, name), (digest, contents, time) in filed)
        return Examination((), signatures, record, reader.finished(), xml=xml)


class _Reader:
    """Reads one document along a shape, and hashes every byte once."""

    def __init__(self, data: bytes, at: int, state: "hashlib._Hash") -> None:
        self.data = data
        self.at = at
        self.streams: list[tuple[int, int]] = []
        self.signatures: list[tuple[bytes, bytes, bytes]] = []
        self._view = memoryview(data)
        self._state = state
        self._hashed = at
        self._section_at = 0

    def finished(self) -> bytes:
        """SHA-256 of the whole document."""
        self._state.update(self._view[self._hashed :])
        return self._state.digest()

    def read(self, part: _Part) -> bool:
        """Whether the next revision is of this form; goes behind it."""
        data, places, value = self.data, list[int](), None
        for pattern, marks, signature in part.steps:
            found = pattern.match(data, self.at)
            if found is None:
                return False
            places += [found.start(mark) for mark in marks]
            if signature:
                first, second, rest = (int(number) for number in found.group("first", "second", "rest"))
                # The value begins where its range says, and is all that the range leaves out.
                if first != found.end() or not first < second <= len(data) or data[first] != 0x3C or data[second - 1] != 0x3E:
                    return False
                value = (first, second, second + rest, found["time"])
                self.at = second
            else:
                self.at = found.end() + int(found["length"])
                self.streams.append((found.end(), self.at))
        return self._section(part.section, places) and (value is None or self._value(*value))

    def _section(self, section: _Section, places: list[int]) -> bool:
        found = section.pattern.match(self.data, self.at)
        if found is None:
            return False
        places += [found.start(mark) for mark in section.marks]
        at = places[-1]
        if self._section_at and found["previous"] != b"%d" % self._section_at:
            return False
        rest = b"%b%b%b%d%b" % (section.fixed_rows, _own_rows(places, section.deflated), section.closes, at, section.ends)
        if not self.data.startswith(rest, found.end()):
            return False
        self._section_at, self.at = at, found.end() + len(rest)
        return True

    def _value(self, first: int, second: int, end: int, time: bytes) -> bool:
        if end != self.at:
            return False
        try:
            contents = binascii.unhexlify(self._view[first + 1 : second - 1])
        except ValueError:
            return False
        if not contents:
            return False
        self._state.update(self._view[self._hashed : first])
        covered = self._state.copy()
        covered.update(self._view[second:end])
        self._hashed = first
        self.signatures.append((covered.digest(), contents, time))
        return True


@dataclass
class KnownShapes:
    """The shapes of documents that were found good, the last used one first; bounded, and nothing but a saving of time."""

    profile: Profile
    most: int = MOST_SHAPES
    _shapes: tuple[Shape, ...] = field(default=(), repr=False)

    def examine(self, data: bytes) -> Examination | None:
        """What `examine` would find in a document of a known shape; None when its shape is not known."""
        # Threads may look and learn at once: the tuple is replaced as a whole, at worst a shape is learnt twice.
        shapes = self._shapes
        for index, shape in enumerate(shapes):
            found = shape.read(data)
            if found is not None:
                if index:
                    self._shapes = (shape, *shapes[:index], *shapes[index + 1 :])
                return found
        return None

    def learn(self, examination: Examination) -> None:
        """Keep the shape of a document in which nothing at all was wrong, if it is one that can be known again."""
        file = examination.file
        if file is None or examination.findings:
            return
        try:
            shape = shape_of(file, self.profile)
        except _NoShape:
            return
        # Only what reads the document itself as the full examination did is kept.
        if shape.read(file.data) == examination:
            self._shapes = (shape, *self._shapes)[: self.most]


class _NoShape(Exception):
    """The document has something where other documents can't be told to be alike; it is examined in full each time."""


def shape_of(file: PdfFile, profile: Profile) -> Shape:
    """The shape of a document that passed the full examination."""
    last = len(file.revisions) - 1
    if profile.body_revisions != 1 or last != len(profile.signatures):
        raise _NoShape
    body = file.revisions[0]
    offsets = sorted(place for place in body.objects.values() if isinstance(place, int))
    streams = {place.stream for place in body.objects.values() if isinstance(place, Packed)}
    containers = [place for number, place in body.objects.items() if number in streams and isinstance(place, int)]
    # Behind the last object stream there are streams only; all before it is compared as it is.
    free = [offset for offset in offsets if containers and offset > max(containers)]
    fields = signature_fields(file, last, profile)
    stream = attached_stream(file, last, profile)
    record = next((offset for offset in free if file.object_at(offset) is stream), None)
    alternative = alternative_stream(file, last, profile)
    xml = next((offset for offset in free if alternative is not None and file.object_at(offset) is alternative), None)
    if stream is None or record is None or (alternative is None) != (xml is None):
        raise _NoShape
    fixed = file.data[: free[0]]
    parts = [_part(file, 0, free, None, fixed_rows=len(body.objects) - len(free) + len(body.freed))]
    for index, rule in profile.signed_revisions():
        revision = file.revisions[index]
        signature = fields[rule.role].signature
        assert signature is not None
        value = revision.objects[signature.number]
        parts.append(_part(file, index, sorted(_offsets(revision)), value if isinstance(value, int) else None, fixed_rows=0))
    roles = tuple((rule.role, fields[rule.role].name) for rule in profile.signatures)
    return Shape(
        fixed,
        hashlib.sha256(fixed),
        tuple(parts),
        free.index(record),
        stream.entries,
        roles,
        None if xml is None else free.index(xml),
        alternative and alternative.entries,
    )


def _offsets(revision: Revision) -> Iterator[int]:
    for place in revision.objects.values():
        if not isinstance(place, int):
            raise _NoShape
        yield place


class _Writing:
    """A pattern under construction."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._marks: list[int] = []
        self._groups = 0

    def mark(self) -> None:
        """An object begins here."""
        self._parts.append(b"()")
        self._groups += 1
        self._marks.append(self._groups)

    def text(self, literal: bytes, holes: Sequence[tuple[int, int, bytes]] = ()) -> None:
        """Text with holes: (start, end, pattern)."""
        at = 0
        for start, end, takes in holes:
            self._parts += [re.escape(literal[at:start]), takes]
            self._groups += takes.count(b"(?P<")
            at = end
        self._parts.append(re.escape(literal[at:]))

    def step(self, *, signature: bool) -> _Step:
        """The pattern so far as a step; a new one begins."""
        made = _Step(re.compile(b"".join(self._parts)), tuple(self._marks), signature)
        self._parts, self._marks, self._groups = [], [], 0
        return made


def _part(file: PdfFile, index: int, offsets: Sequence[int], value: int | None, fixed_rows: int) -> _Part:
    """A revision's objects at these offsets as steps; `value` is where the signature's dictionary stands."""
    data, revision = file.data, file.revisions[index]
    steps: list[_Step] = []
    writing = _Writing()
    for offset, behind in zip(offsets, [*offsets[1:], revision.section_at], strict=True):
        writing.mark()
        content = file.object_at(offset)
        if offset == value:
            start, end = _gap(file.object_at(offset))
            writing.text(data[offset:start], _holes(data[offset:start], _CONTENTS_PROBE + data[end:behind], (_RANGE, _TIME), (_NAME, _REASON)))
            steps.append(writing.step(signature=True))
            writing.text(data[end:behind])
        elif isinstance(content, Stream):
            start = _raw_start(data, offset, content)
            head, tail = data[offset:start], data[start + len(content.raw) : behind]
            writing.text(head, _holes(head, b"x" * int(_LENGTH.probe) + tail, (_LENGTH,), (_SIZE,) if index == 0 else ()))
            steps.append(writing.step(signature=False))
            writing.text(tail)
        else:
            writing.text(data[offset:behind])
    return _Part(tuple(steps), _section_of(file, index, offsets, writing, fixed_rows))


def _raw_start(data: bytes, offset: int, stream: Stream) -> int:
    """Where the content of the stream object at `offset` begins; should this be mistaken, its holes will not be proven."""
    for start in _STREAM_START.finditer(data, offset):
        if data.startswith(stream.raw, start.end()):
            return start.end()
    raise _NoShape


def _gap(entries: Value) -> tuple[int, int]:
    span = entries.get("ByteRange") if isinstance(entries, dict) else None
    if not isinstance(span, list) or not isinstance(span[1], int) or not isinstance(span[2], int):
        raise _NoShape
    return span[1], span[2]


def _section_of(file: PdfFile, index: int, offsets: Sequence[int], writing: _Writing, fixed_rows: int) -> _Section:
    data, revision = file.data, file.revisions[index]
    at = revision.section_at
    _, section, behind = parse_indirect(data, at)
    if not isinstance(section, Stream):
        raise _NoShape
    start = _raw_start(data, at, section)
    rows = section.raw
    # The rows of what may move come last, in the order in which it stands in the file.
    deflated = _deflated(section, fixed_rows)
    own = _own_rows([*offsets, at], deflated)
    fixed = rows.removesuffix(own)
    if fixed + own != rows or (len(fixed) != 7 * fixed_rows if deflated is None else not ends_a_block(fixed, deflated.check_sum, fixed_rows)):
        raise _NoShape
    writing.mark()
    head = data[at:start]
    tail = data[start + len(rows) : behind]
    writing.text(head, _holes(head, rows + tail, (_PREV,) if index else (), (_ID,)))
    step = writing.step(signature=False)
    closes, said, ends = data[start + len(rows) : revision.end].rpartition(b"%d" % at)
    if not said:
        raise _NoShape
    return _Section(step.pattern, step.marks, fixed, deflated, closes, ends)


def _own_rows(places: Sequence[int], deflated: _Deflated | None) -> bytes:
    """Rows of objects at these bytes, as a section ends with them."""
    rows = [b"\x01%b\x00\x00" % place.to_bytes(4, "big") for place in places]
    if deflated is None:
        return b"".join(rows)
    # A stored block (RFC 1951, 3.2.4), and the check sum of all (RFC 1950, 2.2).
    block = b"".join([_difference(row, above) for row, above in zip(rows, [deflated.last, *rows], strict=False)])
    size, check_sum = len(block), zlib.adler32(block, deflated.check_sum)
    return b"\x01%b%b%b%b" % (size.to_bytes(2, "little"), (size ^ 0xFFFF).to_bytes(2, "little"), block, check_sum.to_bytes(4, "big"))


def _difference(row: bytes, above: bytes) -> bytes:
    """A row as its difference from the one above, byte by byte, behind the byte that says so (RFC 2083, 6.4)."""
    one, other = int.from_bytes(row, "big"), int.from_bytes(above, "big")
    # A borrow stops at the high bit that is set before it.
    return b"\x02" + (((one | _HIGH) - (other & ~_HIGH)) ^ ((one ^ ~other) & _HIGH)).to_bytes(7, "big")


def _deflated(section: Stream, fixed_rows: int) -> _Deflated | None:
    if section.entries.get("Filter") is None:
        return None
    # The section was read before, so this is no more than its rows.
    return _Deflated(zlib.adler32(zlib.decompress(section.raw)[: 8 * fixed_rows]), rows_of(section)[7 * (fixed_rows - 1) : 7 * fixed_rows])


def ends_a_block(deflated: bytes, check_sum: int, rows: int) -> bool:
    """Whether this deflates so many rows and ends where a block ends, so that whatever block follows is read as a block.

    An empty last block is taken for one only there: within a block its first bits would be something else, and what could end the
    data after them would lie outside of its five bytes.
    """
    inflater = zlib.decompressobj()
    try:
        content = inflater.decompress(deflated)
        behind = inflater.decompress(b"\x01\x00\x00\xff\xff" + check_sum.to_bytes(4, "big"))
    except zlib.error:
        return False
    return len(content) == 8 * rows and not behind and inflater.eof and not inflater.unused_data


def _holes(text: bytes, rest: bytes, needed: Sequence[_Hole], others: Sequence[_Hole]) -> list[tuple[int, int, bytes]]:
    """The holes in an object's text, in their order, each of them proven: with other values in it the object reads
    as before but for those, and reads those. `rest` completes the object."""
    places: list[tuple[int, int, _Hole]] = []
    for hole in (*needed, *others):
        found = list(hole.find.finditer(text))
        if len(found) == 1:
            places.append((*found[0].span(1), hole))
        elif hole in needed or found:
            raise _NoShape
    places.sort()
    probe, at = bytearray(), 0
    for start, end, hole in places:
        probe += text[at:start] + hole.probe
        at = end
    probe += text[at:]
    entries = _entries(bytes(probe) + rest)
    if any(_read(hole, entries) != _probed(hole) for _, _, hole in places):
        raise _NoShape
    return [(start, end, hole.takes) for start, end, hole in places]


def _entries(text: bytes) -> Dictionary:
    try:
        _, value, _ = parse_indirect(text, 0)
    except MalformedPdf:
        raise _NoShape from None
    entries = value.entries if isinstance(value, Stream) else value
    if not isinstance(entries, dict):
        raise _NoShape
    return entries


def _read(hole: _Hole, entries: Dictionary) -> Value:
    value = entries.get(hole.key)
    return value.get("Size") if hole is _SIZE and isinstance(value, dict) else value


def _probed(hole: _Hole) -> Value:
    """What a reader sees where a hole holds its probe."""
    value, _ = parse_value(_AROUND.get(hole.key, b"%b") % hole.probe, 0)
    return value
