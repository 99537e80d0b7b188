"""Whether the XML beside a record says the same as the record, by the contract's table of paths and elements."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from xml.etree import ElementTree

_HEAD = b'<?xml version="1.0" encoding="UTF-8"?>\n'
_NIL = {"{http://www.w3.org/2001/XMLSchema-instance}nil": "true"}


@dataclass(frozen=True)
class XmlTable:
    """The table: namespace, root, and (path, element, kind) of each value, in the order of the elements."""

    namespace: str
    root: str
    lines: Sequence[tuple[str, str, str]]

    @cached_property
    def below(self) -> dict[str, list[tuple[str, str, str, str]]]:
        """By path, what may stand right below it: (key in the record, path, element, kind)."""
        found: dict[str, list[tuple[str, str, str, str]]] = {}
        for path, element, kind in self.lines:
            above, key = (path[:-2], "") if path.endswith("[]") else path.rpartition(".")[::2]
            found.setdefault(above, []).append((key, path, element, kind))
        return found

    def difference(self, record: bytes, xml: bytes) -> str:
        """The first place where the two differ, in the record's words; empty when they say the same."""
        body = xml.removeprefix(_HEAD)
        if b"<!" in body or b"<?" in body:
            return "the XML has a document type, a comment, or a head that isn't ours"
        try:
            # Decoded here, since what a head or the first bytes say of the encoding could hide a document type, or make two readers see two texts.
            root = ElementTree.fromstring(body.decode())  # noqa: S314  # Without a document type there are no entities.
            value = json.loads(record)
        except (ElementTree.ParseError, ValueError, RecursionError) as error:
            return f"unreadable: {type(error).__name__}"
        if root.tag != self._tag(self.root) or root.attrib or not isinstance(value, dict):
            return "the root differs"
        return next(self._object("", value, root), "")

    def _tag(self, element: str) -> str:
        return f"{{{self.namespace}}}{element}"

    def _object(self, path: str, value: dict[str, Any], element: ElementTree.Element) -> Iterator[str]:
        wanted = [line for line in self.below.get(path, []) if line[0] in value]
        if len(wanted) != len(value) or [child.tag for child in element] != [self._tag(line[2]) for line in wanted]:
            yield f"$.{path} has other members"
            return
        yield from _stray_text(path, element)
        for child, (key, inner, _, kind) in zip(element, wanted, strict=True):
            yield from self._value(inner, kind, value[key], child)

    def _value(self, path: str, kind: str, value: Any, element: ElementTree.Element) -> Iterator[str]:
        if value is None or element.attrib:
            if value is not None or element.attrib != _NIL or len(element) or element.text:
                yield f"$.{path} is null in one of the two"
        elif kind == "object" and isinstance(value, dict):
            yield from self._object(path, value, element)
        elif kind == "list" and isinstance(value, list):
            ((_, inner, item, of),) = self.below[path]
            if [child.tag for child in element] != [self._tag(item)] * len(value):
                yield f"$.{path} has other items"
                return
            yield from _stray_text(path, element)
            for child, each in zip(element, value, strict=True):
                yield from self._value(inner, of, each, child)
        else:
            said = value if kind == "text" else json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
            if len(element) or (element.text or "") != said:
                yield f"$.{path} differs"


def _stray_text(path: str, element: ElementTree.Element) -> Iterator[str]:
    if element.text or any(child.tail for child in element):
        yield f"$.{path} has text between its elements"
