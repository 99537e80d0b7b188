"""The canonical record as XML and back, by a table: each path in the record has an element and a kind.

The official schema isn't public, so names are data: another schema is another table. Nothing is lost on the way: what comes back is
the same record, and a value that the table has no line for is refused, not left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from xml.etree import ElementTree

_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, 2.2
_ESCAPED = {ord("&"): "&amp;", ord("<"): "&lt;", ord(">"): "&gt;", ord("\r"): "&#13;"}
_KINDS = {"object": dict, "list": list, "text": str, "number": int, "truth": bool}


class Unmapped(ValueError):
    """Record and table don't fit, or the XML isn't one of the table's; the message says where."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a table: the path of a value ("pupil.name", "history[]"), its element, and its kind.

    Kinds are object, list, text, number, truth, and json for what has no elements of its own.
    """

    path: str
    element: str
    kind: str


@dataclass(frozen=True)
class Table:
    """A mapping: lines in the order of their elements, each behind the one that it lies in."""

    namespace: str
    root: str
    lines: Sequence[Line]

    @cached_property
    def inside(self) -> Mapping[str, Mapping[str, Line]]:
        """The lines right below each path, by the key that they have in the record; "[]" for a list's items."""
        found: dict[str, dict[str, Line]] = {}
        for line in self.lines:
            above, key = (line.path[:-2], "[]") if line.path.endswith("[]") else line.path.rpartition(".")[::2]
            found.setdefault(above, {})[key] = line
        return found


def to_xml(record: Mapping[str, Any], table: Table) -> bytes:
    """The record as XML 1.0 in UTF-8, without white space between elements; a null is an element with xsi:nil."""
    head = f'<?xml version="1.0" encoding="UTF-8"?>\n<{table.root} xmlns="{table.namespace}" xmlns:xsi="{_XSI}">'
    return (head + "".join(_members("", dict(record), table)) + f"</{table.root}>\n").encode()


def from_xml(content: bytes, table: Table) -> dict[str, Any]:
    """The record that to_xml wrote; Unmapped for anything else."""
    if b"<!" in content:
        # A document type could make a few bytes grow into gigabytes, and to_xml writes none.
        raise Unmapped("$: a document type or a comment isn't expected")
    try:
        root = ElementTree.fromstring(content)  # noqa: S314  # Without a document type there are no entities.
    except ElementTree.ParseError as error:
        raise Unmapped(f"$: not XML ({error})") from None
    if root.tag != f"{{{table.namespace}}}{table.root}":
        raise Unmapped(f"$: {root.tag} instead of {table.root} in {table.namespace}")
    return _object("", root, table)


def _members(path: str, value: dict[str, Any], table: Table) -> Iterator[str]:
    lines = table.inside.get(path, {})
    if unknown := value.keys() - lines.keys():
        raise Unmapped(f"$.{path}{'.' * bool(path)}{min(unknown)} has no line in the table of XML elements; add one")
    for key, line in lines.items():
        if key in value:
            yield from _element(line, value[key], table)


def _element(line: Line, value: Any, table: Table) -> Iterator[str]:
    if value is None:
        yield f'<{line.element} xsi:nil="true"/>'
        return
    kind = _KINDS.get(line.kind)
    if kind is not None and type(value) is not kind:
        raise Unmapped(f"$.{line.path}: {line.kind} is expected, found {type(value).__name__}")
    yield f"<{line.element}>"
    if line.kind == "object":
        yield from _members(line.path, value, table)
    elif line.kind == "list":
        for item in value:
            yield from _element(table.inside[line.path]["[]"], item, table)
    else:
        text = value if line.kind == "text" else json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        if wrong := _UNWRITABLE.search(text):
            raise Unmapped(f"$.{line.path}: character U+{ord(wrong[0]):04X} can't stand in XML")
        yield text.translate(_ESCAPED)
    yield f"</{line.element}>"


def _object(path: str, element: ElementTree.Element, table: Table) -> dict[str, Any]:
    names = {line.element: (key, line) for key, line in table.inside.get(path, {}).items()}
    found: dict[str, Any] = {}
    for child in _children(path, element):
        key, line = names.get(child.tag.removeprefix(f"{{{table.namespace}}}"), ("", None))
        if line is None or key in found or not child.tag.startswith("{"):
            raise Unmapped(f"$.{path}: {child.tag} isn't expected, or not twice")
        found[key] = _value(line, child, table)
    return found


def _value(line: Line, element: ElementTree.Element, table: Table) -> Any:
    if element.attrib:
        if element.attrib != {f"{{{_XSI}}}nil": "true"} or len(element) or element.text:
            raise Unmapped(f"$.{line.path}: attributes aren't expected")
        return None
    if line.kind == "object":
        return _object(line.path, element, table)
    if line.kind == "list":
        item = table.inside[line.path]["[]"]
        children = _children(line.path, element)
        if any(child.tag != f"{{{table.namespace}}}{item.element}" for child in children):
            raise Unmapped(f"$.{line.path}: only {item.element} is expected")
        return [_value(item, child, table) for child in children]
    if len(element):
        raise Unmapped(f"$.{line.path}: text is expected, found elements")
    text = element.text or ""
    if line.kind == "text":
        return text
    try:
        value = json.loads(text)
    except ValueError:
        raise Unmapped(f"$.{line.path}: {line.kind} is expected, found {text[:20]!r}") from None
    if line.kind != "json" and type(value) is not _KINDS[line.kind]:
        raise Unmapped(f"$.{line.path}: {line.kind} is expected, found {text[:20]!r}")
    return value


def _children(path: str, element: ElementTree.Element) -> list[ElementTree.Element]:
    if (element.text or "").strip() or any((child.tail or "").strip() for child in element):
        raise Unmapped(f"$.{path}: text isn't expected here")
    return list(element)
