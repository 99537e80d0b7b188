"""Object streams (ISO 32000-1, 7.5.7): small objects of the body, deflated together."""

import re

from services.archive.domain.cross_references import MOST_OBJECTS
from services.archive.domain.pdf_syntax import MalformedPdf, Stream, Value, inflated, parse_value, skip_white

LARGEST_CONTENT = 4 * 1024 * 1024
"""Small objects that inflate to more than this are refused: those of a transcript take some tens of kilobytes."""
_PAIR = re.compile(rb"(\d{1,10})[\x00\t\n\x0c\r ]+(\d{1,10})(?:[\x00\t\n\x0c\r ]+|\Z)")


def unpacked(stream: Stream, number: int) -> list[tuple[int, Value]]:
    """(number, value) of each object in the stream, in its order. They must fill it: nothing may hide between them."""
    entries = stream.entries
    count, first = entries.get("N"), entries.get("First")
    if entries.get("Type") != "ObjStm" or "Extends" in entries:
        raise MalformedPdf(f"object {number} is no object stream that hocba would write")
    if not isinstance(count, int) or not isinstance(first, int) or not 0 < count <= MOST_OBJECTS or first < 0:
        raise MalformedPdf(f"the object stream {number} doesn't say what it holds")
    content = inflated(stream, LARGEST_CONTENT)
    heads, behind = _heads(content[:first], count, number)
    if behind != first:
        raise MalformedPdf(f"the object stream {number} has a broken list of objects")
    found: list[tuple[int, Value]] = []
    position = first
    for each, offset in heads:
        if first + offset != position:
            raise MalformedPdf(f"object {each} doesn't begin where the one before it in stream {number} ends")
        value, position = parse_value(content, position)
        position = skip_white(content, position)
        found.append((each, value))
    if position != len(content):
        raise MalformedPdf(f"the object stream {number} holds more than its objects")
    return found


def _heads(listed: bytes, count: int, number: int) -> tuple[list[tuple[int, int]], int]:
    heads: list[tuple[int, int]] = []
    position = 0
    for _ in range(count):
        pair = _PAIR.match(listed, position)
        if pair is None:
            raise MalformedPdf(f"the object stream {number} lists fewer objects than it says")
        heads.append((int(pair[1]), int(pair[2])))
        position = pair.end()
    return heads, position
