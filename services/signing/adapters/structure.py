"""The logical structure of a page, for people who listen to it instead of seeing it (ISO 32000-1, 14.7 and 14.8; PDF/UA-1)."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Element:
    """A structure element: its tag, attributes as written, and its kids: numbers of marked content on the page, or elements."""

    tag: str
    kids: list[int | Element] = field(default_factory=list)
    attributes: str = ""


def cell(tag: str, mcid: int, rows: int = 1, columns: int = 1) -> Element:
    """A table cell; a heading says that it heads its column."""
    facts = "/Scope/Column" if tag == "TH" else ""
    if rows > 1:
        facts += f"/RowSpan {rows}"
    if columns > 1:
        facts += f"/ColSpan {columns}"
    return Element(tag, [mcid], f"<</O/Table{facts}>>" if facts else "")


def row_of(count: int, mcid: int) -> Element:
    """A plain row of so many cells, numbered from `mcid`."""
    return Element("TR", [cell("TD", mcid + index) for index in range(count)])


def table_at_end(nodes: list[Element]) -> Element:
    """The table that goes on here: the last element, or a new one."""
    if not nodes or nodes[-1].tag != "Table":
        nodes.append(Element("Table"))
    return nodes[-1]
