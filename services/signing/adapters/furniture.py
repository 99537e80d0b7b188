"""The fixed part of a page: everything that stands at a known place before the flowing part begins.

Labels, frames and headings are drawn once per shape of document and shared by all that have it; values are drawn per
document at places that were fixed once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from services.signing.adapters.drawing import (
    BLACK,
    BOLD,
    CLOSE,
    FAINT,
    H1,
    H2,
    HAIR,
    INK,
    MM,
    PAGE,
    REGULAR,
    RULE,
    TD,
    TH,
    Openings,
    P,
    Pieces,
    artifact,
    box,
    dots,
    leading,
    lines,
    nums,
    path,
    text,
    typeface,
)
from services.signing.adapters.structure import Element, cell

HEAD_FILL = b".93 .95 .97 rg "
_FAINT_RED = b".97 .89 .88 rg "
_RED = b".7 .15 .12 rg .7 .15 .12 RG "
_BANNER = (45 * MM, 22.0)
"""Width and height of a banner with one line of details; it stands in the room that the letterhead leaves at the left."""
QR_SIDE = 21 * MM


@dataclass(frozen=True)
class Frame:
    """The paper's inner edges in points."""

    left: float
    right: float
    top: float
    bottom: float

    @classmethod
    def of(cls, margins: Mapping[str, float]) -> Frame:
        """From margins in millimetres."""
        return cls(margins["left"] * MM, PAGE[0] - margins["right"] * MM, PAGE[1] - margins["top"] * MM, margins["bottom"] * MM)

    @property
    def width(self) -> float:
        """Between left and right."""
        return self.right - self.left

    def columns(self, widths: Sequence[float | None]) -> list[float]:
        """Edges of columns given in millimetres; None takes what is left."""
        rest = self.width - sum(width * MM for width in widths if width)
        edges = [self.left]
        for width in widths:
            edges.append(edges[-1] + (width * MM if width else rest))
        return edges


@dataclass(frozen=True)
class Value:
    """A text of the sheet at a fixed place, with its tag."""

    key: str
    opening: bytes
    pieces: Pieces


@dataclass
class Furniture:
    """One page's fixed part while it is being drawn, from the top down; `y` is where the next block begins."""

    frame: Frame
    y: float
    mcid: int = 0
    static: list[bytes] = field(default_factory=list)
    values: list[Value] = field(default_factory=list)
    history: list[Value] = field(default_factory=list)
    """Cells of the history, row by row; they have no key of their own."""
    nodes: list[Element] = field(default_factory=list)
    tail: list[Element] = field(default_factory=list)
    """Elements that are read after the flowing part."""
    qr_at: tuple[float, float, int] | None = None

    def say(self, tag: Openings, content: bytes) -> int:
        """Draw tagged content that is the same in all documents of this shape; its number on the page."""
        self.static.append(tag[self.mcid] + content + CLOSE)
        self.mcid += 1
        return self.mcid - 1

    def hear(self, tag: Openings, key: str, pieces: Pieces) -> int:
        """Keep a place for a value of the sheet; its number on the page."""
        self.values.append(Value(key, tag[self.mcid], pieces))
        self.mcid += 1
        return self.mcid - 1

    def value(self, key: str, x: float, y: float, size: float, tag: Openings = P, **how: Any) -> int:
        """A text of the sheet as one line at a place."""
        return self.hear(tag, key, Pieces(lambda said: text(x, y, said, size, **how) + CLOSE))

    # One method per kind of block that a form may name in the fixed part of a page.

    def letterhead(self, spec: Mapping[str, Any], state: str = "", detail: str = "") -> None:
        """The superior and the school on the left, the motto on the right (decree 30/2020, annex I), below them the title, and the QR code at its right.

        A state that isn't the usual one stands in a banner before the title, and is read out behind it.
        """
        f, y = self.frame, self.y
        narrow, wide = f.width * 0.47, f.width * 0.5
        first, second = f.left + narrow / 2, f.right - wide / 2
        # In the order in which it is read out: title, motto, then whose paper it is.
        title = self.say(H1, INK + text(PAGE[0] / 2, y - 72, spec["title"], 15, weight=BOLD, align="center") + BLACK)
        year = self.value("school_year", PAGE[0] / 2, y - 87, 11, align="center")
        motto = [
            self.say(P, text(second, y - 9, "CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM", 9.5, weight=BOLD, align="center", width=wide)),
            self.say(P, text(second, y - 21.5, "Độc lập - Tự do - Hạnh phúc", 10.5, weight=BOLD, align="center", width=wide)),
        ]
        authority = self.value("authority", first, y - 9, 9.5, align="center", width=narrow)
        school = self.value("school_head", first, y - 21, 9.5, align="center", width=narrow, weight=BOLD)
        rules = path((first - 13 * MM, y - 26), (first + 13 * MM, y - 26)) + path((second - 20 * MM, y - 26.5), (second + 20 * MM, y - 26.5))
        self.static.append(artifact(RULE + rules))
        code = self.mcid
        self.qr_at = (f.right - QR_SIDE, y - 34 - QR_SIDE, code)
        self.mcid += 1
        banner = self._banner(state, detail) if state else []
        self.nodes += [Element("H1", [title]), *banner, *(Element("P", [m]) for m in (year, *motto, authority, school)), Element("Figure", [code])]
        self.y -= 100

    def _banner(self, state: str, detail: str) -> list[Element]:
        f, (width, height), top = self.frame, _BANNER, self.y - 34
        middle, first = f.left + width / 2, top - (10.0 if detail else height / 2 + 3.2)
        self.static.append(artifact(b"q " + _RED + b".9 w " + box(f.left, top - height, width, height)[:-1] + b" Q\n"))
        said = [text(middle, first, state, 9.5, weight=BOLD, align="center", width=width - 6)]
        if detail:
            said.append(text(middle, first - 8.4, detail, 7.2, align="center", width=width - 6))
        return [Element("P", [self.say(P, _RED + each + BLACK)]) for each in said]

    def pairs(self, spec: Mapping[str, Any]) -> None:
        """Lines of "label: value"; two in a line stand in two columns."""
        f, size, step = self.frame, spec.get("size", 10), spec.get("step", 13.1)
        column = (f.width - 6 * MM) / 2
        for row in spec["rows"]:
            self.y -= step
            for index, (label, key, *style) in enumerate(row):
                x = f.left + index * (column + 6 * MM)
                end = x + (f.width if len(row) == 1 else column)
                after = x + typeface(REGULAR).width(f"{label}: ", size)
                named = self.say(P, INK + text(x, self.y, f"{label}:", size) + BLACK)
                filled = partial(_filled, after, self.y, size, BOLD if "strong" in style else REGULAR, end)
                self.nodes.append(Element("P", [named, self.hear(P, key, Pieces(filled))]))
        self.y -= spec.get("after", 4)

    def history_table(self, spec: Mapping[str, Any], count: int) -> None:
        """The stages of the pupil's way; without any there is no table."""
        if not count:
            return
        f, size, step = self.frame, 9.5, 12.8
        edges = f.columns(spec["columns"])
        self.y -= 2
        table = Element("Table", [Element("TR")])
        head = artifact(HEAD_FILL + box(f.left, self.y - step, f.width, step, b"f") + BLACK)
        self.static.append(head)
        heads = table.kids[0]
        assert isinstance(heads, Element)
        for index, label in enumerate(spec["head"]):
            said = text((edges[index] + edges[index + 1]) / 2, self.y - step + 3, label, size - 0.5, weight=BOLD, align="center")
            heads.kids.append(cell("TH", self.say(TH, INK + said + BLACK)))
        for row in range(count):
            y = self.y - step * (row + 2) + 3
            cells = []
            for index in range(len(spec["columns"])):
                middle, width = (edges[index] + edges[index + 1]) / 2, edges[index + 1] - edges[index] - 4
                left = spec["columns"][index] is None
                place = partial(text, edges[index] + 3 if left else middle, y, size=size, align="left" if left else "center", width=width)
                self.history.append(Value("", TD[self.mcid], Pieces(partial(_closed, place))))
                cells.append(cell("TD", self.mcid))
                self.mcid += 1
            table.kids.append(Element("TR", list(cells)))
        self.static.append(artifact(HAIR + grid_lines(edges, [self.y - step * i for i in range(count + 2)])))
        self.nodes.append(table)
        self.y -= step * (count + 1)

    def heading(self, spec: Mapping[str, Any]) -> None:
        """A heading of the second rank."""
        self.y -= 19
        self.nodes.append(Element("H2", [self.say(H2, INK + text(self.frame.left, self.y + 3, spec["text"], 10, weight=BOLD) + BLACK)]))

    def grid(self, spec: Mapping[str, Any]) -> None:
        """A table of fixed height whose cells hold a label or a value and may span rows and columns."""
        edges = self.frame.columns(spec["columns"])
        heights = spec["rows"]
        tops = [self.y - sum(heights[:i]) for i in range(len(heights) + 1)]
        table = Element("Table", [Element("TR") for _ in heights])
        outlines = []
        for entry in spec["cells"]:
            row, column = entry["at"]
            rows, columns = entry.get("span", (1, 1))
            x, end, top, bottom = edges[column], edges[column + columns], tops[row], tops[row + rows]
            kept = table.kids[row]
            assert isinstance(kept, Element)
            if "value" in entry:
                size = entry.get("size", 10)
                base = (top + bottom) / 2 - size * 0.34
                how = {"weight": BOLD if entry.get("strong") else REGULAR, "align": "center", "width": end - x - 5}
                mcid = self.value(entry["value"], (x + end) / 2, base, size, TD, **how)
                kept.kids.append(cell("TD", mcid, rows, columns))
            else:
                said, shade = self._label(entry, x, end, top, bottom)
                self.static.append(shade)
                head = not entry.get("plain")
                kept.kids.append(cell("TH" if head else "TD", self.say(TH if head else TD, said), rows, columns))
            outlines.append(box(x, bottom, end - x, top - bottom))
        self.static.append(artifact(HAIR + b"".join(outlines)))
        self.nodes.append(table)
        self.y = tops[-1]

    def _label(self, entry: Mapping[str, Any], x: float, end: float, top: float, bottom: float) -> tuple[bytes, bytes]:
        plain = entry.get("plain", False)
        size = entry.get("size", 10 if plain else 9.5)
        weight = BOLD if entry.get("strong", not plain) else REGULAR
        said = typeface(weight).lines(entry["text"], size, end - x - 5)
        first = (top + bottom) / 2 + (len(said) - 1) * leading(size) / 2 - size * 0.34
        colour = BLACK if plain else INK
        shade = b"" if plain else artifact(HEAD_FILL + box(x, bottom, end - x, top - bottom, b"f") + BLACK)
        return colour + lines((x + end) / 2, first, said, size, weight=weight, align="center") + BLACK, shade

    def running_head(self) -> None:
        """Whose page it is, on every page but the first."""
        f = self.frame
        y = self.y - 10
        name = self.value("full_name", f.left, y, 10, weight=BOLD, width=f.width * 0.5)
        running = self.value("running", f.left + f.width * 0.52, y, 10, width=f.width * 0.34)
        reference = self.value("reference", f.right, y, 9, align="right")
        self.static.append(artifact(HAIR + path((f.left, y - 4), (f.right, y - 4))))
        self.nodes += [Element("P", [m]) for m in (name, running, reference)]
        self.y -= 18

    def footer(self, template: str) -> None:
        """Codes by which the document is found and compared."""
        f = self.frame
        y = f.bottom - 12
        look = self.value("lookup", f.left, y, 7.5, width=f.width - 30 * MM)
        digest = self.value("digest", f.left, y - 9, 7.5, width=f.width - 30 * MM)
        form = self.say(P, FAINT + text(f.right, y - 9, f"Mẫu {template}", 7.5, align="right") + BLACK)
        self.static.append(artifact(HAIR + path((f.left, y + 9), (f.right, y + 9))))
        self.tail += [Element("P", [m]) for m in (look, digest, form)]

    def page_number(self, number: int, total: int) -> bytes:
        """Which page of how many this is."""
        f = self.frame
        return artifact(FAINT + text(f.right, f.bottom - 12, f"Trang {number} / {total}", 7.5, align="right") + BLACK)

    def signatures(self, spec: Mapping[str, Any], boxes: Sequence[Any]) -> None:
        """Captions over the boxes in which signatures appear (decree 30/2020, annex I)."""
        f = self.frame
        room = f.bottom + spec["room"] * MM
        # Up to where the date will begin, which the principal's signature brings.
        place = next((each.left + each.date_at for each in boxes if each.date_at is not None), f.right)
        self.tail.append(Element("P", [self.value("issued_at", place - 3, room - 8, 9.5, align="right", slant=True, width=f.width * 0.6)]))
        for each in boxes:
            caption = spec["captions"].get(each.role)
            if not caption:
                continue
            middle = each.left + each.width / 2
            if caption.startswith("$"):
                head = self.value(caption[1:], middle, room - 22, 10, weight=BOLD, align="center", width=each.width)
            else:
                head = self.say(P, INK + text(middle, room - 22, caption, 10, weight=BOLD, align="center") + BLACK)
            hint = self.say(P, FAINT + text(middle, room - 33, each.hint, 8.5, align="center", slant=True) + BLACK)
            self.tail += [Element("P", [head]), Element("P", [hint])]


def watermark(said: str) -> bytes:
    """A state such as BẢN NHÁP across the page, under everything else."""
    if not said:
        return b""
    bold = typeface(BOLD)
    size = min(76.0, 480_000 / bold.width(said, 1000))
    half = bold.width(said, size) / 2
    lean = nums(0.82, 0.57, -0.57, 0.82, PAGE[0] / 2 - half * 0.82, PAGE[1] / 2 - half * 0.57)
    return artifact(_FAINT_RED + b"BT " + lean + b"Tm" + bold.shown(said, size) + b" ET\n" + BLACK)


def _closed(draw: Callable[[str], bytes], said: str) -> bytes:
    return draw(said) + CLOSE


def _filled(x: float, y: float, size: float, weight: str, end: float, said: str) -> bytes:
    return (text(x, y, said, size, weight=weight, width=end - x) if said else dots(x, y, end)) + CLOSE


def grid_lines(edges: Sequence[float], tops: Sequence[float]) -> bytes:
    """A ruled table: all vertical and all horizontal lines."""
    upright = [path((x, tops[0]), (x, tops[-1])) for x in edges]
    return b"".join(upright + [path((edges[0], y), (edges[-1], y)) for y in tops])
