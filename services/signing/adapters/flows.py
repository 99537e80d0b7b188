"""The flowing part of a page: rows, remarks and notes, as high as what they say.

Each kind measures its pieces for a variant of type size and air, then writes them one below the other: every piece is drawn
from its own upper left corner and moves the origin down, so that it can be remembered wherever it stands.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from functools import lru_cache, partial
from operator import itemgetter
from typing import Any, Protocol

from services.signing.adapters.drawing import (
    BLACK,
    BOLD,
    CLOSE,
    H2,
    INK,
    REGULAR,
    TD,
    TH,
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
from services.signing.adapters.furniture import HEAD_FILL, Frame
from services.signing.adapters.structure import Element, cell, row_of, table_at_end
from services.signing.adapters.typefaces import number

Variant = Sequence[float]
Group = tuple[str, tuple[tuple[str, str], ...], str]
_INSET = 3.2
_HEAD = 20.0


class Flow(Protocol):
    """One kind of flowing block."""

    def measure(self, sheet: Mapping[str, Any], variant: int) -> list[float]:
        """The height of each piece."""
        ...

    def write(self, sheet: Mapping[str, Any], variant: int, heights: Sequence[float], part: range, mcid: int, out: list[bytes]) -> int:
        """Write the pieces of `part`; the next free number of marked content."""
        ...

    def shape(self, sheet: Mapping[str, Any]) -> Hashable:
        """What the logical structure of the pieces depends on besides their number."""
        ...

    def branch(self, shape: Any, part: range, mcid: int, nodes: list[Element]) -> int:
        """Add what the pieces of `part` are in the logical structure; the next free number."""
        ...


class _Alike:
    """Pieces that are all of one kind: their number says everything."""

    def shape(self, sheet: Mapping[str, Any]) -> Hashable:
        """Nothing more."""
        return None


@lru_cache(maxsize=4_096)
def moved(height: float) -> bytes:
    """Go down by a height."""
    return nums(1, 0, 0, 1, 0, -height) + b"cm\n"


class Rows(_Alike):
    """The body of a table: a list of the sheet, one piece per row, with a name that wraps, and in the last column a remark and perhaps its author.

    Cells are drawn from the middle of their row, so a cell's content follows from its text alone, however high the row is.
    """

    def __init__(self, frame: Frame, spec: Mapping[str, Any], fields: Sequence[str], variants: Sequence[Variant]) -> None:
        self._source = spec["source"]
        columns = spec["columns"]
        edges = [edge - frame.left for edge in frame.columns([column["width"] for column in columns])]
        self._index = [fields.index(column["field"]) for column in columns]
        author = [fields.index(columns[-1]["by"])] if "by" in columns[-1] else []
        self._remark: itemgetter[Any] = itemgetter(self._index[-1], *author)
        self._wrapping: itemgetter[Any] = itemgetter(self._index[_named(columns)], self._index[-1], *author)
        self._kinds = [_RowKind(edges, columns, size, air) for size, air in variants]
        self._frames = _Frames(len(columns))
        self._uprights = b"/Artifact BMC\n" + b"".join([number(x) + b"0 m " + number(x) + b"%b l S\n" for x in edges]) + CLOSE
        self._edges = len(edges)

    def measure(self, sheet: Mapping[str, Any], variant: int) -> list[float]:
        """Heights of all rows."""
        return list(map(self._kinds[variant].heights.__getitem__, map(self._wrapping, sheet[self._source])))

    def write(self, sheet: Mapping[str, Any], variant: int, heights: Sequence[float], part: range, mcid: int, out: list[bytes]) -> int:
        """Rows with their rules, a column at a time: its pieces are looked up and put into the rows' frame in one go."""
        rows, own, kind = sheet[self._source][part.start : part.stop], heights[part.start : part.stop], self._kinds[variant]
        said, stride = list(zip(*rows, strict=True)), 2 * len(self._index) + 2
        written = self._frames[mcid, len(rows)].copy()
        written[0::stride] = map(kind.starts.__getitem__, own)
        for place, (index, pieces) in enumerate(zip(self._index, kind.cells, strict=False)):
            written[2 + 2 * place :: stride] = map(pieces.__getitem__, said[index])
        written[stride - 2 :: stride] = map(kind.remarks.__getitem__, map(self._remark, rows))
        written[stride - 1 :: stride] = map(kind.ends.__getitem__, own)
        out += written
        # The uprights are drawn once, through all rows above.
        out.append(self._uprights % ((number(sum(own)),) * self._edges))
        return mcid + len(rows) * len(self._index)

    def branch(self, shape: Any, part: range, mcid: int, nodes: list[Element]) -> int:
        """Rows of the table that its heading has begun."""
        width = len(self._index)
        table_at_end(nodes).kids.extend(row_of(width, mcid + width * index) for index in range(len(part)))
        return mcid + width * len(part)


def _named(columns: Sequence[Mapping[str, Any]]) -> int:
    """Which column has the name: the first, unless the form says that another wraps."""
    return next((index for index, column in enumerate(columns) if column.get("wraps")), 0)


class _Frames(dict[tuple[int, int], list[bytes]]):
    """Rows with their pieces still to be put in, by the number of the first cell and how many rows there are.

    A row is where it starts, each cell's opening and content, and where it ends.
    """

    def __init__(self, cells: int) -> None:
        self._cells = cells

    def __missing__(self, key: tuple[int, int]) -> list[bytes]:
        mcid, rows = key
        frame: list[bytes] = []
        for first in range(mcid, mcid + rows * self._cells, self._cells):
            frame += [b"", *(piece for cell in range(first, first + self._cells) for piece in (TD[cell], b"")), b""]
        self[key] = frame
        return frame


class _RowKind:
    """Rows in one size and with one amount of air."""

    def __init__(self, edges: Sequence[float], columns: Sequence[Mapping[str, Any]], size: float, air: float) -> None:
        small = max(size - 0.6, 6.6)
        named = _named(columns)
        name_room, remark_room = edges[named + 1] - edges[named] - 2 * _INSET, edges[-1] - edges[-2] - 2 * _INSET
        regular = typeface(REGULAR)

        def said(remark: str, author: str = "") -> tuple[list[str], list[str]]:
            if author and size < 9 and remark:  # In small type the author goes on in the remark's last line.
                return regular.lines(f"{remark} – {author}", small, remark_room), []
            return regular.lines(remark, small, remark_room), regular.lines(author, small, remark_room) if author else []

        def block(count: int, of: float) -> float:
            """Base line of the first of `count` lines around the middle of the row."""
            return count * leading(of) / 2 - of * 0.93

        def height(key: tuple[str, ...]) -> float:
            name_lines, remark_lines = len(regular.lines(key[0], size, name_room)), sum(map(len, said(*key[1:])))
            return round(max(max(name_lines, 1) * leading(size), remark_lines * leading(small)) + 2 * air, 2)

        def name(key: str) -> bytes:
            wrapped = regular.lines(key, size, name_room)
            return lines(edges[named] + _INSET, block(len(wrapped), size), wrapped, size) + CLOSE

        def cell_of(column: Mapping[str, Any], x: float, end: float) -> Pieces:
            weight, y = BOLD if column.get("strong") else REGULAR, block(1, size)
            return Pieces(lambda key: text((x + end) / 2, y, key, size, weight=weight, align="center", width=end - x - 4) + CLOSE)

        def remark(key: tuple[str, ...] | str) -> bytes:
            wrapped, authors = said(key) if isinstance(key, str) else said(*key)
            x, y = edges[-2] + _INSET, block(len(wrapped) + len(authors), small)
            signed = lines(x, y - len(wrapped) * leading(small), authors, small, slant=True)
            return lines(x, y, wrapped, small) + (INK + signed + BLACK if signed else b"") + CLOSE

        def middle(of: float) -> float:
            """How far the middle of a row of this height is below its upper edge, in hundredths as numbers are written."""
            return round(of / 2, 2)

        def end(of: float) -> bytes:
            rest = of - middle(of)
            return artifact(path((edges[0], -rest), (edges[-1], -rest))) + moved(rest)

        self.heights = _Heights(height)
        self.cells = [cell_of(column, *edges[i : i + 2]) for i, column in enumerate(columns[:-1])]
        self.cells[named] = Pieces(name)
        self.remarks = Pieces(remark)
        self.starts = Pieces(lambda of: moved(middle(of)))
        self.ends = Pieces(end)


class _Heights(dict[Any, Any]):
    """Heights by what is said, and what follows from a height; bounded like the pieces."""

    def __init__(self, make: Any) -> None:
        self._make = make

    def __missing__(self, said: Any) -> Any:
        if len(self) >= 4_000:
            self.clear()
        made = self[said] = self._make(said)
        return made


class Line(_Alike):
    """A text of the sheet in italics, on as many lines as it needs."""

    def __init__(self, frame: Frame, spec: Mapping[str, Any], variants: Sequence[Variant]) -> None:
        self._key, self._size, self._width = spec["value"], spec.get("size", 9.5), frame.width

        def made(said: str) -> bytes:
            wrapped = typeface(REGULAR).lines(said, self._size, self._width)
            return lines(0, -3 - self._size, wrapped, self._size, slant=True) + CLOSE + moved(self._height(said))

        self._pieces = Pieces(made)
        self._heights = _Heights(lambda said: 5 + len(typeface(REGULAR).lines(said, self._size, self._width)) * leading(self._size))

    def _height(self, said: str) -> float:
        height: float = self._heights[said]
        return height

    def measure(self, sheet: Mapping[str, Any], variant: int) -> list[float]:
        """One piece."""
        return [self._heights[sheet[self._key]]]

    def write(self, sheet: Mapping[str, Any], variant: int, heights: Sequence[float], part: range, mcid: int, out: list[bytes]) -> int:
        """The text."""
        if part:
            out += (P[mcid], self._pieces[sheet[self._key]])
        return mcid + len(part)

    def branch(self, shape: Any, part: range, mcid: int, nodes: list[Element]) -> int:
        """A paragraph."""
        nodes += [Element("P", [mcid + index]) for index in range(len(part))]
        return mcid + len(part)


class Notes(_Alike):
    """Lines of "label: value" whose values may be long; an empty one shows the form's dots."""

    def __init__(self, frame: Frame, spec: Mapping[str, Any], variants: Sequence[Variant]) -> None:
        self._source, self._width = spec["source"], frame.width
        self._sizes = [min(10.0, size) for size, _ in variants]
        self._pieces = [Pieces(partial(self._drawn, size)) for size in self._sizes]
        self._heights = [_Heights(partial(self._height, size)) for size in self._sizes]

    def _height(self, size: float, note: tuple[str, str]) -> float:
        return len(self._broken(note, size)) * leading(size) + 4

    def _broken(self, note: tuple[str, str], size: float) -> list[str]:
        """The value's lines; the first one stands behind the label."""
        after = typeface(BOLD).width(f"{note[0]}: ", size)
        if not note[1]:
            return [""]
        first, *_ = typeface(REGULAR).lines(note[1], size, max(self._width - after, 40))
        rest = note[1][len(first) :].strip() if note[1].startswith(first) else " ".join(note[1].split())[len(first) :].strip()
        return [first, *typeface(REGULAR).lines(rest, size, self._width)]

    def _drawn(self, size: float, note: tuple[str, str]) -> bytes:
        label, value = note
        after = typeface(BOLD).width(f"{label}: ", size)
        y = -size - 1
        head = INK + text(0, y, f"{label}:", size, weight=BOLD) + BLACK
        if not value:
            body = dots(after, y, self._width)
        else:
            first, *rest = self._broken(note, size)
            body = text(after, y, first, size) + lines(0, y - leading(size), rest, size)
        return head + body + CLOSE + moved(self._height(size, note))

    def measure(self, sheet: Mapping[str, Any], variant: int) -> list[float]:
        """One piece a note."""
        heights = self._heights[variant]
        return [heights[note] for note in sheet[self._source]]

    def write(self, sheet: Mapping[str, Any], variant: int, heights: Sequence[float], part: range, mcid: int, out: list[bytes]) -> int:
        """The notes."""
        notes, pieces = sheet[self._source], self._pieces[variant]
        for index in part:
            out += (P[mcid], pieces[notes[index]])
            mcid += 1
        return mcid

    def branch(self, shape: Any, part: range, mcid: int, nodes: list[Element]) -> int:
        """A paragraph each."""
        nodes += [Element("P", [mcid + index]) for index in range(len(part))]
        return mcid + len(part)


class Remarks(_Alike):
    """A heading over a framed text, at least so high that an empty one can be seen to be empty."""

    def __init__(self, frame: Frame, spec: Mapping[str, Any], variants: Sequence[Variant]) -> None:
        self._source, self._width = spec["source"], frame.width
        self._variants = variants
        self._pieces = [_Heights(partial(self._drawn, size, least)) for size, least in variants]
        self._heights = [_Heights(partial(self._height, size, least)) for size, least in variants]

    def _height(self, size: float, least: float, remark: tuple[str, str]) -> float:
        wrapped = typeface(REGULAR).lines(remark[1], size, self._width - 10)
        return _HEAD + max(least, len(wrapped) * leading(size)) + 10 + 5

    def _drawn(self, size: float, least: float, remark: tuple[str, str]) -> tuple[bytes, bytes]:
        """The heading with the frame below it, and the text with the move to what follows; each lacks its opening."""
        height = self._height(size, least, remark)
        wrapped = typeface(REGULAR).lines(remark[1], size, self._width - 10)
        heading = INK + text(0, -16, remark[0], 10, weight=BOLD) + BLACK + CLOSE
        frame = artifact(box(0, -(height - 5), self._width, height - 5 - _HEAD))
        return heading + frame, lines(5, -_HEAD - 4 - size, wrapped, size) + CLOSE + moved(height)

    def measure(self, sheet: Mapping[str, Any], variant: int) -> list[float]:
        """One piece a remark."""
        heights = self._heights[variant]
        return [heights[remark] for remark in sheet[self._source]]

    def write(self, sheet: Mapping[str, Any], variant: int, heights: Sequence[float], part: range, mcid: int, out: list[bytes]) -> int:
        """Heading, frame, text."""
        remarks, pieces = sheet[self._source], self._pieces[variant]
        for index in part:
            heading, body = pieces[remarks[index]]
            out += (H2[mcid], heading, P[mcid + 1], body)
            mcid += 2
        return mcid

    def branch(self, shape: Any, part: range, mcid: int, nodes: list[Element]) -> int:
        """A heading and a paragraph each."""
        for index in range(len(part)):
            nodes += [Element("H2", [mcid + 2 * index]), Element("P", [mcid + 2 * index + 1])]
        return mcid + 2 * len(part)


class Groups:
    """A table of traits in groups: a name and a level a row, one remark beside all rows of a group; a group is one piece."""

    def __init__(self, frame: Frame, spec: Mapping[str, Any], variants: Sequence[Variant]) -> None:
        self._source, self._heading, self._heads = spec["source"], spec["heading"], spec["head"]
        self._edges = [edge - frame.left for edge in frame.columns(spec["columns"])]
        self._variants = variants
        self._pieces = [_Heights(partial(self._drawn, size, air)) for size, air in variants]
        self._heights = [_Heights(partial(self._height, size, air)) for size, air in variants]
        self._head = Pieces(self._drawn_head)

    def _row(self, size: float, air: float, group: Group) -> float:
        """Height of one row: the remark stretches all rows of its group alike."""
        wrapped = typeface(REGULAR).lines(group[2], max(size - 0.4, 6.8), self._edges[3] - self._edges[2] - 2 * _INSET)
        needed = len(wrapped) * leading(max(size - 0.4, 6.8)) + 2 * air
        return max(leading(size) + 2 * air, needed / max(len(group[1]), 1))

    def _height(self, size: float, air: float, group: Group) -> float:
        return (leading(size) + 2 * air if group[0] else 0) + self._row(size, air, group) * len(group[1])

    def _head_height(self, variant: int) -> float:
        size, air = self._variants[variant]
        return _HEAD + leading(size) + 2 * air

    def measure(self, sheet: Mapping[str, Any], variant: int) -> list[float]:
        """The first piece has the heading and the table's head on top."""
        heights = [self._heights[variant][group] for group in sheet[self._source]]
        if heights:
            heights[0] += self._head_height(variant)
        return heights

    def write(self, sheet: Mapping[str, Any], variant: int, heights: Sequence[float], part: range, mcid: int, out: list[bytes]) -> int:
        """Groups; a piece holds many cells, so it is remembered with the number of its first."""
        size, air = self._variants[variant]
        for index in part:
            if index == 0:
                out.append(self._head[size, air, mcid])
                mcid += 1 + len(self._heads)
            mcid, piece = self._pieces[variant][mcid, sheet[self._source][index]]
            out.append(piece)
        return mcid

    def _drawn_head(self, key: tuple[float, float, int]) -> bytes:
        size, air, mcid = key
        height = leading(size) + 2 * air
        out = [H2[mcid], INK, text(0, -16, self._heading, 10, weight=BOLD), BLACK, CLOSE, moved(_HEAD)]
        out.append(artifact(HEAD_FILL + box(0, -height, self._edges[-1], height, b"f") + BLACK))
        for index, label in enumerate(self._heads):
            x, end = self._edges[index], self._edges[index + 1]
            said = text((x + end) / 2, -height / 2 - size * 0.34, label, size, weight=BOLD, align="center", width=end - x - 4)
            out += [TH[mcid + 1 + index], INK, said, BLACK, CLOSE]
        frame = b"".join([path((x, 0), (x, -height)) for x in self._edges])
        ends = self._edges[0], self._edges[-1]
        out.append(artifact(frame + path((ends[0], 0), (ends[1], 0)) + path((ends[0], -height), (ends[1], -height))) + moved(height))
        return b"".join(out)

    def _drawn(self, size: float, air: float, key: tuple[int, Group]) -> tuple[int, bytes]:
        """The next free number, and the cells from the one in the key on, then rules and the move."""
        mcid, (caption, rows, remark) = key
        row, small = self._row(size, air, key[1]), max(size - 0.4, 6.8)
        edges = self._edges
        top = -(leading(size) + 2 * air) if caption else 0.0
        cells, rules = [], [path((edges[0], 0), (edges[0], top)), path((edges[-1], 0), (edges[-1], top)), path((edges[0], top), (edges[-1], top))]
        if caption:
            cells.append(INK + text(_INSET, top / 2 - size * 0.34, caption, size, slant=True) + BLACK)
        for index, (name, level) in enumerate(rows):
            base = top - row * (index + 0.5) - size * 0.34
            cells.append(text(_INSET, base, name, size, width=edges[1] - edges[0] - 2 * _INSET))
            cells.append(text((edges[1] + edges[2]) / 2, base, level, size, weight=BOLD, align="center", width=edges[2] - edges[1] - 4))
            rules.append(path((edges[0], top - row * (index + 1)), (edges[2] if index + 1 < len(rows) else edges[3], top - row * (index + 1))))
            if index == 0:
                wrapped = typeface(REGULAR).lines(remark, small, edges[3] - edges[2] - 2 * _INSET)
                cells.append(lines(edges[2] + _INSET, top - air - small * 0.93, wrapped, small))
        bottom = top - row * len(rows)
        rules += [path((x, top), (x, bottom)) for x in edges]
        drawn = [TD[place] + content + CLOSE for place, content in enumerate(cells, mcid)]
        return mcid + len(cells), b"".join([*drawn, artifact(b"".join(rules)), moved(-bottom)])

    def shape(self, sheet: Mapping[str, Any]) -> Hashable:
        """Whether each group has a caption, and how many rows."""
        return tuple([(bool(caption), len(rows)) for caption, rows, _ in sheet[self._source]])

    def branch(self, shape: Any, part: range, mcid: int, nodes: list[Element]) -> int:
        """Heading and table of the groups in `part`."""
        for index in part:
            if index == 0:
                nodes += [Element("H2", [mcid]), Element("Table", [Element("TR", [cell("TH", mcid + 1 + i) for i in range(len(self._heads))])])]
                mcid += 1 + len(self._heads)
            table = table_at_end(nodes)
            caption, rows = shape[index]
            if caption:
                table.kids.append(Element("TR", [cell("TD", mcid, columns=3)]))
                mcid += 1
            for row in range(rows):
                kids = [cell("TD", mcid), cell("TD", mcid + 1)]
                mcid += 2
                if row == 0:
                    kids.append(cell("TD", mcid, rows=rows))
                    mcid += 1
                table.kids.append(Element("TR", list(kids)))
        return mcid
