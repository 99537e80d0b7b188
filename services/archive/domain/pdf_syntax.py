"""
Read PDF objects strictly: only what ISO 32000-1 section 7 asks for, and nothing is repaired.

A lenient reader is what most attacks on signed PDFs rely on, so every doubt here is an error. Never add a recovery path.
"""

import re
import zlib
from collections.abc import Iterable, Iterator
from typing import NamedTuple

DEEPEST_NESTING = 40
"""Objects nested deeper than this are refused, so that hostile bytes can't exhaust the stack."""


class MalformedPdf(ValueError):
    """The bytes are not a PDF that hocba would write."""


class Name(str):
    """A PDF name without its slash, `#xx` escapes resolved."""

    __slots__ = ()


class Real(str):
    """A PDF real number, kept as it is written: nothing here calculates with it."""

    __slots__ = ()


class Reference(NamedTuple):
    """`12 0 R`: a pointer to an indirect object."""

    number: int
    generation: int


class Stream(NamedTuple):
    """A stream object: its dictionary and its bytes as stored (still encoded)."""

    entries: "Dictionary"
    raw: bytes


Dictionary = dict[str, "Value"]
Value = None | bool | int | bytes | Name | Real | Reference | Stream | list["Value"] | Dictionary

_WHITE = re.compile(rb"[\x00\t\n\x0c\r ]*")
_GAP = re.compile(rb"(?:[\x00\t\n\x0c\r ]+|%[^\r\n]*)*")
_NUMBER = re.compile(rb"[+-]?(?:\d+\.?\d*|\.\d+)")
_REFERENCE = re.compile(rb"(\d{1,10})[\x00\t\n\x0c\r ]+(\d{1,5})[\x00\t\n\x0c\r ]+R(?![^\x00\t\n\x0c\r ()<>\[\]{}/%])")
_NAME = re.compile(rb"/([^\x00\t\n\x0c\r ()<>\[\]{}/%]*)")
_HEX = re.compile(rb"<([0-9A-Fa-f\x00\t\n\x0c\r ]*)>")
_KEYWORD = re.compile(rb"(true|false|null)(?![^\x00\t\n\x0c\r ()<>\[\]{}/%])")
_ESCAPED_NAME = re.compile(r"#([0-9A-Fa-f]{2})")
_HEADER = re.compile(rb"(\d{1,10})[\x00\t\n\x0c\r ]+(\d{1,5})[\x00\t\n\x0c\r ]+obj(?![A-Za-z])")
_STREAM_START = re.compile(rb"stream(?:\r\n|\n)")
_STREAM_END = re.compile(rb"(?:\r\n|\n|\r)?endstream(?![A-Za-z])")
_OBJECT_END = re.compile(rb"endobj(?![A-Za-z])")
_STRING_TOKEN = re.compile(rb"[()\\]")
_ESCAPES = {0x6E: b"\n", 0x72: b"\r", 0x74: b"\t", 0x62: b"\b", 0x66: b"\f", 0x28: b"(", 0x29: b")", 0x5C: b"\\"}
_OCTAL = re.compile(rb"[0-7]{1,3}")


def skip_gap(data: bytes, position: int) -> int:
    """The first position at or after `position` that is neither white space nor comment."""
    match = _GAP.match(data, position)
    return match.end() if match else position


def skip_white(data: bytes, position: int) -> int:
    """The first position at or after `position` that is not white space; a comment is not."""
    match = _WHITE.match(data, position)
    return match.end() if match else position


def parse_value(data: bytes, position: int, depth: int = 0) -> tuple[Value, int]:
    """One direct object at `position`, and the position behind it."""
    if depth > DEEPEST_NESTING:
        raise MalformedPdf(f"objects are nested deeper than {DEEPEST_NESTING} levels at byte {position}")
    position = skip_gap(data, position)
    lead = data[position : position + 1]
    if lead == b"<":
        if data.startswith(b"<<", position):
            return _dictionary(data, position + 2, depth)
        return _hex_string(data, position)
    if lead == b"[":
        return _array(data, position + 1, depth)
    if lead == b"/":
        return _name(data, position)
    if lead == b"(":
        return _literal_string(data, position)
    if reference := _REFERENCE.match(data, position):
        return Reference(int(reference[1]), int(reference[2])), reference.end()
    if number := _NUMBER.match(data, position):
        text = number[0].decode("ascii")
        return (Real(text) if "." in text else int(text)), number.end()
    if keyword := _KEYWORD.match(data, position):
        return {b"true": True, b"false": False, b"null": None}[keyword[1]], keyword.end()
    raise MalformedPdf(f"no PDF object begins at byte {position}")


def parse_indirect(data: bytes, position: int) -> tuple[Reference, Value, int]:
    """The indirect object at exactly `position` (`n g obj … endobj`): its id, its value, and where it ends."""
    header = _HEADER.match(data, position)
    if header is None:
        raise MalformedPdf(f"the cross-reference table points at byte {position}, where no object begins")
    value, position = parse_value(data, header.end())
    position = skip_gap(data, position)
    if isinstance(value, dict) and (start := _STREAM_START.match(data, position)):
        length = value.get("Length")
        if not isinstance(length, int) or isinstance(length, bool) or length < 0:
            raise MalformedPdf(f"the stream at byte {position} doesn't state its length")
        end = _STREAM_END.match(data, start.end() + length)
        if end is None:
            raise MalformedPdf(f"the stream at byte {position} is not as long as it says ({length} bytes)")
        value, position = Stream(value, data[start.end() : start.end() + length]), skip_gap(data, end.end())
    end_of_object = _OBJECT_END.match(data, position)
    if end_of_object is None:
        raise MalformedPdf(f"the object that ends near byte {position} has no `endobj`")
    return Reference(int(header[1]), int(header[2])), value, end_of_object.end()


def inflated(stream: Stream, most: int) -> bytes:
    """The stream's content of at most `most` bytes; only Flate, which is all that hocba writes, and nothing behind its end."""
    entries = stream.entries
    filters = entries.get("Filter")
    if "F" in entries:
        raise MalformedPdf("a stream's content lies outside the file")
    if filters is None or filters == []:
        return stream.raw
    if filters not in ("FlateDecode", ["FlateDecode"]) or entries.get("DecodeParms") is not None:
        raise MalformedPdf(f"a stream uses a filter that hocba doesn't write: {filters!r}")
    inflater = zlib.decompressobj()
    try:
        content = inflater.decompress(stream.raw, most)
    except zlib.error as error:
        raise MalformedPdf(f"a stream can't be inflated: {error}") from error
    # An end without its check sum is one that readers repair, each in its own way.
    if not inflater.eof and len(content) == most:
        raise MalformedPdf(f"a stream inflates to more than {most} bytes")
    if not inflater.eof or inflater.unused_data:
        raise MalformedPdf("a stream doesn't end where its deflated content ends")
    return content


def references_in(values: list[Value]) -> list[Reference]:
    """Every reference in these values, however deep."""
    found: list[Reference] = []
    waiting = list(values)
    while waiting:
        value = waiting.pop()
        if isinstance(value, Reference):
            found.append(value)
        elif isinstance(value, list):
            waiting += value
        elif isinstance(value, Stream):
            waiting += value.entries.values()
        elif isinstance(value, dict):
            waiting += value.values()
    return found


def dictionaries_in(values: Iterable[Value]) -> Iterator[Dictionary]:
    """Every dictionary in these values, however deep; those of streams too."""
    waiting = list(values)
    while waiting:
        value = waiting.pop()
        if isinstance(value, Stream):
            value = value.entries
        if isinstance(value, dict):
            yield value
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value


def _dictionary(data: bytes, position: int, depth: int) -> tuple[Dictionary, int]:
    entries: Dictionary = {}
    while True:
        position = skip_gap(data, position)
        if data.startswith(b">>", position):
            return entries, position + 2
        if data[position : position + 1] != b"/":
            raise MalformedPdf(f"a dictionary key was expected at byte {position}")
        key, position = _name(data, position)
        if key in entries:
            # Readers differ in which of two equal keys they take: the classic way to show two people two documents.
            raise MalformedPdf(f"the key /{key} stands twice in one dictionary at byte {position}")
        entries[key], position = parse_value(data, position, depth + 1)


def _array(data: bytes, position: int, depth: int) -> tuple[list[Value], int]:
    items: list[Value] = []
    while True:
        position = skip_gap(data, position)
        if data[position : position + 1] == b"]":
            return items, position + 1
        item, position = parse_value(data, position, depth + 1)
        items.append(item)


def _name(data: bytes, position: int) -> tuple[Name, int]:
    match = _NAME.match(data, position)
    if match is None:
        raise MalformedPdf(f"a name was expected at byte {position}")
    text = match[1].decode("latin-1")
    if "#" in text:
        text = _ESCAPED_NAME.sub(lambda escape: chr(int(escape[1], 16)), text)
    return Name(text), match.end()


def _hex_string(data: bytes, position: int) -> tuple[bytes, int]:
    match = _HEX.match(data, position)
    if match is None:
        raise MalformedPdf(f"the hexadecimal string at byte {position} is broken")
    digits = match[1].translate(None, b"\x00\t\n\x0c\r ")
    return bytes.fromhex((digits + b"0" * (len(digits) % 2)).decode("ascii")), match.end()


def _literal_string(data: bytes, position: int) -> tuple[bytes, int]:
    parts: list[bytes] = []
    open_brackets, position = 1, position + 1
    while True:
        token = _STRING_TOKEN.search(data, position)
        if token is None:
            raise MalformedPdf(f"the string that runs past byte {position} never ends")
        parts.append(data[position : token.start()])
        position = token.end()
        if token[0] == b"\\":
            piece, position = _escape(data, position)
            parts.append(piece)
            continue
        open_brackets += 1 if token[0] == b"(" else -1
        if open_brackets == 0:
            return b"".join(parts), position
        parts.append(token[0])


def _escape(data: bytes, position: int) -> tuple[bytes, int]:
    if octal := _OCTAL.match(data, position):
        return bytes((int(octal[0], 8) & 0xFF,)), octal.end()
    if data.startswith(b"\r\n", position):
        return b"", position + 2
    code = data[position : position + 1]
    if code in (b"\r", b"\n"):
        return b"", position + 1
    return (_ESCAPES.get(code[0], code) if code else b""), position + 1
