"""Checks what was appended behind the last signature, with other code than that which wrote it, before anybody hears of it.

Every byte of both revisions is accounted for: objects lie end to end, only the form, the catalogue and the second field are written
again, and the stamps cover everything but their own value. qpdf (pikepdf) reads the whole as a stranger would.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import pikepdf

from services.signing.adapters.long_term import FIELDS
from services.signing.domain.validation import ValidationData
from services.signing.domain.verdict import NotAsIntended

_END = re.compile(rb"startxref\n(\d+)\n%%EOF\n\Z")
_TABLE = re.compile(
    rb"(\d+) 0 obj\n<</Type/XRef/Size (\d+)/Root (\d+) 0 R/ID\[<([0-9A-F]{32})><\4>\]/W\[1 4 2\]/Index\[([\d ]+)\]/Prev (\d+)/Length (\d+)>>\nstream\n"
)
_STAMP = re.compile(rb"<</Type/DocTimeStamp/Filter/Adobe\.PPKLite/SubFilter/ETSI\.RFC3161/ByteRange\[0 (\d+) (\d+) (\d+)\] */Contents<([0-9A-F]+)>>>\Z")
_ROW = 7

ReadAt = Callable[[bytes, bytes], datetime]
"""The time of a token over a digest; an error when it isn't one."""


@dataclass(frozen=True, slots=True)
class _Appended:
    """One revision: its bodies by number, in file order, and where it begins and ends."""

    bodies: dict[int, bytes]
    start: int
    end: int
    startxref: int
    table: int


def check_finished(pdf: bytes, before: bytes, data: ValidationData, tokens: Sequence[bytes], read_at: ReadAt) -> None:
    """Return silently when `pdf` is `before` with exactly the two revisions; else NotAsIntended with the first difference."""
    try:
        _check(pdf, before, data, tokens, read_at)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError, pikepdf.PdfError) as error:
        if isinstance(error, NotAsIntended):
            raise
        raise NotAsIntended(f"unreadable: {type(error).__name__} {error}") from error


def _check(pdf: bytes, before: bytes, data: ValidationData, tokens: Sequence[bytes], read_at: ReadAt) -> None:
    if not pdf.startswith(before):
        raise NotAsIntended("the signed document was changed")
    signed_end = _end_of(before)
    size = int(_match(_TABLE, before, signed_end)[2])
    middle = pdf.find(b"%%EOF\n", len(before)) + len(b"%%EOF\n")
    first = _appended(pdf, len(before), middle, signed_end)
    second = _appended(pdf, middle, len(pdf), first.startxref)
    with pikepdf.open(io.BytesIO(pdf)) as document:
        root, form = document.Root.objgen[0], document.Root.AcroForm.objgen[0]
        fields = list(document.Root.AcroForm.Fields)
        _check_fields(document, fields)
        _check_rewritten(first, size, {form})
        _check_rewritten(second, first.table + 1, {root, fields[-1].objgen[0]})
        old = before[before.rindex(b"\n%d 0 obj\n" % root) :].split(b"\n", 2)[2]
        if not second.bodies[root].startswith(old[: old.index(b"\nendobj\n") - len(b">>")] + b"/DSS "):
            raise NotAsIntended("the catalogue was changed beyond the validation data")
        _check_data(document, data, second)
        times = [
            _stamped_at(pdf, revision, field.V.objgen[0], token, read_at) for revision, field, token in zip((first, second), fields[-2:], tokens, strict=True)
        ]
    if times[1] < times[0]:
        raise NotAsIntended("the second time stamp is older than the first")


def _appended(pdf: bytes, start: int, end: int, previous: int) -> _Appended:
    startxref = _end_of(pdf[:end])
    table = _match(_TABLE, pdf, startxref)
    number, rows = int(table[1]), table.end()
    if int(table[6]) != previous or int(table[2]) != number + 1:
        raise NotAsIntended(f"the cross-references at byte {startxref} don't go on from the revision before")
    runs = [int(one) for one in table[5].split()]
    numbers = [n for first, count in zip(runs[::2], runs[1::2], strict=True) for n in range(first, first + count)]
    if len(numbers) * _ROW != int(table[7]) or numbers[-1] != number:
        raise NotAsIntended(f"the cross-references at byte {startxref} don't fit their index")
    bodies: dict[int, bytes] = {}
    position = start
    for place, each in enumerate(numbers):
        row = pdf[rows + place * _ROW : rows + (place + 1) * _ROW]
        if row != b"\x01" + position.to_bytes(4, "big") + b"\0\0":
            raise NotAsIntended(f"object {each} isn't where the one before ends (byte {position})")
        begun = b"%d 0 obj\n" % each
        if not pdf.startswith(begun, position):
            raise NotAsIntended(f"no object {each} at byte {position}")
        if each == number:
            break
        # Deflated data may hold "endobj" too: the next object's own row says where this one ends.
        follows = int.from_bytes(pdf[rows + (place + 1) * _ROW + 1 : rows + (place + 1) * _ROW + 5])
        body = pdf[position + len(begun) : follows]
        if not body.endswith(b"\nendobj\n"):
            raise NotAsIntended(f"object {each} doesn't end before byte {follows}")
        bodies[each] = body[: -len(b"\nendobj\n")]
        position = follows
    if position != startxref or pdf[rows + len(numbers) * _ROW : end] != b"\nendstream\nendobj\nstartxref\n%d\n%%%%EOF\n" % startxref:
        raise NotAsIntended(f"stray bytes around the cross-references at byte {startxref}")
    return _Appended(bodies, start, end, startxref, number)


def _check_rewritten(revision: _Appended, size: int, allowed: set[int]) -> None:
    again = {number for number in revision.bodies if number < size}
    if again != allowed:
        raise NotAsIntended(f"the revision at byte {revision.start} writes objects {sorted(again)} again, not {sorted(allowed)}")
    if {*range(size, revision.table)} != set(revision.bodies) - again:
        raise NotAsIntended(f"the revision at byte {revision.start} leaves out numbers")


def _check_fields(document: pikepdf.Pdf, fields: Sequence[pikepdf.Object]) -> None:
    shown = [annotation.objgen for page in document.pages for annotation in page.obj.get("/Annots", [])]
    if [field.objgen for field in fields[:-2]] != shown:
        raise NotAsIntended("the pages show other fields than the signatures'")
    if tuple(str(field.T) for field in fields[-2:]) != FIELDS:
        raise NotAsIntended(f"the last fields are {[str(field.T) for field in fields[-2:]]}")
    for field in fields[-2:]:
        allowed = {"/Type", "/Subtype", "/FT", "/T", "/TU", "/F", "/Rect", "/P", "/V"}
        if set(field.keys()) != allowed or [float(edge) for edge in field.Rect] != [0, 0, 0, 0]:
            raise NotAsIntended(f"field {field.T} isn't one of ours")


def _check_data(document: pikepdf.Pdf, data: ValidationData, revision: _Appended) -> None:
    store = document.Root.DSS
    wanted = {"/Certs": data.certificates, "/OCSPs": data.ocsps, "/CRLs": data.crls}
    parts = {str(key) for key in store.keys()} - {"/Type"}  # noqa: SIM118 - a PDF object isn't a mapping.
    if parts != {key for key, ders in wanted.items() if ders}:
        raise NotAsIntended("the validation data has other parts than were stored")
    numbers = {store.objgen[0], *(stream.objgen[0] for key in parts for stream in store[key])}
    for key, ders in wanted.items():
        if ders and tuple(stream.read_bytes() for stream in store[key]) != ders:
            raise NotAsIntended(f"the validation data in {key} isn't what was stored")
    # All that the revision adds is the stamp and this: nothing lies there that nobody refers to.
    stamp = document.Root.AcroForm.Fields[-1].V.objgen[0]
    rest = set(revision.bodies) - numbers - {stamp, document.Root.objgen[0], document.Root.AcroForm.Fields[-1].objgen[0]}
    if rest:
        raise NotAsIntended(f"objects {sorted(rest)} belong to nothing")


def _stamped_at(pdf: bytes, revision: _Appended, number: int, token: bytes, read_at: ReadAt) -> datetime:
    found = _STAMP.match(revision.bodies[number])
    if found is None:
        raise NotAsIntended(f"object {number} isn't a document time stamp of ours")
    first, second, rest = (int(found[group]) for group in (1, 2, 3))
    if second + rest != revision.end or pdf[first : first + 1] + pdf[second - 1 : second] != b"<>" or pdf[first + 1 : second - 1] != found[4]:
        raise NotAsIntended(f"time stamp {number} doesn't cover its whole revision but its own value")
    if found[4] != token.hex().upper().encode().ljust(len(found[4]), b"0"):
        raise NotAsIntended(f"time stamp {number} isn't the one that was stored")
    covered = hashlib.sha256(memoryview(pdf)[:first])
    covered.update(memoryview(pdf)[second : revision.end])
    return read_at(token, covered.digest())


def _end_of(pdf: bytes) -> int:
    end = _END.search(pdf, max(0, len(pdf) - 48))
    if end is None:
        raise NotAsIntended(f"no startxref and %%EOF before byte {len(pdf)}")
    return int(end[1])


def _match(pattern: re.Pattern[bytes], pdf: bytes, at: int) -> re.Match[bytes]:
    found = pattern.match(pdf, at)
    if found is None:
        raise NotAsIntended(f"no cross-reference stream of ours at byte {at}")
    return found
