"""Sets a sheet in a form: the content of each page, and the shape that its fixed part follows from.

A form's pages have a fixed part (furniture.py) and a flowing part (flows.py). The first variant of type size and air with
which the flowing part fits its page is taken; when none fits, the last one goes on over further pages.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import chain
from operator import getitem, itemgetter
from typing import Any, NamedTuple

from services.signing.adapters.drawing import CLOSE, HAIR, MM, nums
from services.signing.adapters.flows import Flow, Groups, Line, Notes, Remarks, Rows
from services.signing.adapters.furniture import QR_SIDE, Frame, Furniture, Value, watermark
from services.signing.adapters.official_forms import Form
from services.signing.adapters.structure import Element
from services.signing.domain.record import UnreadableRecord

_MOST_PAGES = 12
_SIGNED_TOGETHER = 80.0
"""Points of text that a page with signatures has at least, if the pieces are as small as that."""


class PageShape(NamedTuple):
    """One page: which of the form's pages it is or continues, and which pieces of each flowing block stand on it."""

    page: int
    continued: bool
    repeats: bool
    """Whether the head of the table that goes on stands there again."""
    signed: bool
    """Whether the signatures stand on it: on the last page of those that are signed."""
    parts: tuple[tuple[int, int], ...]


class State(NamedTuple):
    """What a banner says of a document's state: a draft, or a corrected version. Without a title there is none."""

    title: str
    detail: str
    across: bool = False
    """Whether it stands across all pages too, under everything else."""


USUAL = State("", "")
"""No banner. A banner takes no room from what flows, so how much fits is asked without it."""


class Shape(NamedTuple):
    """All that the fixed part of a document depends on; documents of one shape share it."""

    history: int
    state: State
    flows: tuple[Hashable, ...]
    pages: tuple[PageShape, ...]


class Filled:
    """Values at fixed places with their tags: looked up in one go, and put into their frame in another."""

    def __init__(self, values: Sequence[Value]) -> None:
        self._frame = b"".join([value.opening + b"%b" for value in values])
        self._pieces = [value.pieces for value in values]
        keys = [value.key for value in values]
        self.pick: Callable[[Mapping[str, Any]], Sequence[str]] = itemgetter(*keys) if len(keys) > 1 else lambda sheet: [sheet[key] for key in keys]

    def __call__(self, said: Iterable[str]) -> bytes:
        """The content for these texts, in the order of the places."""
        return self._frame % tuple(map(getitem, self._pieces, said))


@dataclass(frozen=True)
class Leaf:
    """The fixed part of one page, drawn."""

    furniture: Furniture
    values: Filled
    history: Filled
    qr: tuple[bytes, bytes] | None
    """What stands before and after the drawing of the code."""
    start: bytes
    """Moves the origin to where the flowing part begins."""
    room: float
    """Height that the flowing part has."""


class Composer:
    """Sets sheets in one form, whose rows have these fields. Not safe for several threads at once."""

    def __init__(self, form: Form, fields: Sequence[str]) -> None:
        self.form = form
        facts = form.facts
        self._frame = Frame.of(facts["margins"])
        self._flows = [[_flow(self._frame, spec, fields, page["variants"]) for spec in page["flow"]] for page in facts["pages"]]
        self._pages = facts["pages"]
        self._shaped = list(chain.from_iterable(self._flows))
        self._guess: dict[int, int] = {}
        self.leaf = lru_cache(maxsize=512)(self._leaf)

    def compose(self, sheet: Mapping[str, Any], qr: bytes, state: State) -> tuple[Shape, list[bytes]]:
        """The shape and the pages' own content; `qr` draws the code in a square of one by one."""
        history = len(sheet["history"])
        chosen: list[tuple[PageShape, int, list[list[float]]]] = []
        for index, page in enumerate(self._pages):
            signed = bool(page.get("signed"))
            room = self.leaf(index, False, False, signed, history).room
            variant, heights, fits = self._fitting(index, sheet, room)
            if fits:
                chosen.append((PageShape(index, False, False, signed, tuple([(0, len(each)) for each in heights])), variant, heights))
            else:
                shapes, variant, heights = self._continued(index, sheet, history)
                chosen += [(shape, variant, heights) for shape in shapes]
        flow_shapes = tuple([flow.shape(sheet) for flow in self._shaped])
        shape = Shape(history, state, flow_shapes, tuple([page for page, _, _ in chosen]))
        return shape, [self._content(sheet, history, state, qr, *one) for one in chosen]

    def _fitting(self, index: int, sheet: Mapping[str, Any], room: float) -> tuple[int, list[list[float]], bool]:
        """The first variant that fits a page, or the last one, with the heights of its pieces, and whether it fits.

        Variants only ever get lower, so wherever the search begins it ends at the same one; it begins where the last sheet's did.
        """
        flows, last = self._flows[index], len(self._pages[index]["variants"]) - 1
        variant = self._guess.get(index, 0)
        heights = [flow.measure(sheet, variant) for flow in flows]
        fits = sum(map(sum, heights)) <= room
        while not fits and variant < last:
            variant += 1
            heights = [flow.measure(sheet, variant) for flow in flows]
            fits = sum(map(sum, heights)) <= room
            if fits:
                self._guess[index] = variant
                return variant, heights, True
        while fits and variant > 0:
            airier = [flow.measure(sheet, variant - 1) for flow in flows]
            if sum(map(sum, airier)) > room:
                break
            variant, heights = variant - 1, airier
        self._guess[index] = variant
        return variant, heights, fits

    def _continued(self, index: int, sheet: Mapping[str, Any], history: int) -> tuple[list[PageShape], int, list[list[float]]]:
        """Further pages: where one has to be added anyway, in the airiest variant that needs no more of them than the one which the form names."""
        found: tuple[list[PageShape], int, list[list[float]]] | None = None
        for variant in range(self._pages[index]["continued_variant"], -1, -1):
            heights = [flow.measure(sheet, variant) for flow in self._flows[index]]
            try:
                shapes = self._broken(index, heights, history)
            except UnreadableRecord:
                if found is None:
                    raise
                break
            if found and len(shapes) > len(found[0]):
                break
            found = shapes, variant, heights
        assert found
        return found

    def _broken(self, index: int, heights: Sequence[Sequence[float]], history: int) -> list[PageShape]:
        """The pages over which a flowing part goes on that no variant makes fit."""
        signed = bool(self.form.facts["pages"][index].get("signed"))
        table = next((i for i, flow in enumerate(self._flows[index]) if isinstance(flow, Rows)), None)
        most = self.form.facts.get("most_pages", _MOST_PAGES)
        together = _end_of(list(chain.from_iterable(heights)))
        kept = sum(together) + (self.form.facts["signing"]["room"] * MM if signed else 0)
        behind = sum(map(len, heights))
        pages: list[PageShape] = []
        parts: list[list[int]] = [[0, 0] for _ in heights]
        continued = repeats = False
        left = self.leaf(index, False, False, False, history).room
        for block, pieces in enumerate(heights):
            for piece, height in enumerate(pieces):
                needed = kept if behind == len(together) else height
                behind -= 1
                if needed > left:
                    pages.append(PageShape(index, continued, repeats, False, tuple([(start, stop) for start, stop in parts])))
                    continued, repeats = True, block == table
                    left = self.leaf(index, True, repeats, False, history).room
                    parts = [[0, 0] for _ in heights]
                    if needed > left or len(pages) >= most:
                        raise UnreadableRecord(f"the texts are too long for {most} pages of form {self.form.template_version}; shorten them")
                if parts[block] == [0, 0]:
                    parts[block] = [piece, piece]
                parts[block][1] = piece + 1
                left -= height
        pages.append(PageShape(index, continued, repeats, signed, tuple([(start, stop) for start, stop in parts])))
        return pages

    def _content(
        self, sheet: Mapping[str, Any], history: int, state: State, qr: bytes, page: PageShape, variant: int, heights: Sequence[Sequence[float]]
    ) -> bytes:
        leaf = self.leaf(page.page, page.continued, page.repeats, page.signed, history, state)
        out = [leaf.values(leaf.values.pick(sheet)), leaf.history(chain.from_iterable(sheet["history"]) if leaf.furniture.history else ())]
        if leaf.qr:
            out += (leaf.qr[0], qr, leaf.qr[1])
        out.append(leaf.start)
        mcid = leaf.furniture.mcid
        for flow, each, (start, stop) in zip(self._flows[page.page], heights, page.parts, strict=True):
            if stop > start:
                mcid = flow.write(sheet, variant, each, range(start, stop), mcid, out)
        out.append(b"Q\n")
        return b"".join(out)

    def _leaf(self, index: int, continued: bool, repeats: bool, signed: bool, history: int, state: State = USUAL) -> Leaf:
        page = self.form.facts["pages"][index]
        furniture = Furniture(self._frame, self._frame.top)
        if page["head"] == "letterhead" and not continued:
            furniture.letterhead({"title": self.form.facts["title"]}, state.title, state.detail)
        else:
            furniture.running_head()
        draw: dict[str, Callable[[Mapping[str, Any]], None]] = {
            "pairs": furniture.pairs,
            "heading": furniture.heading,
            "grid": furniture.grid,
            "history": partial(furniture.history_table, count=history),
        }
        for spec in page["fixed"]:
            if not continued or (repeats and spec["kind"] == "grid"):
                draw[spec["kind"]](spec)
        signing = self.form.facts["signing"]
        if signed:
            furniture.signatures(signing, self.form.boxes)
        furniture.footer(self.form.template_version)
        start = b"q " + HAIR + nums(1, 0, 0, 1, self._frame.left, furniture.y) + b"cm\n"
        qr = None
        if furniture.qr_at:
            x, y, mcid = furniture.qr_at
            qr = b"/Figure<</MCID %d>>BDC q " % mcid + nums(QR_SIDE, 0, 0, QR_SIDE, x, y) + b"cm ", b"Q\n" + CLOSE
        return Leaf(
            furniture,
            Filled(furniture.values),
            Filled(furniture.history),
            qr,
            start,
            furniture.y - self._frame.bottom - (signing["room"] * MM if signed else 0) - 2,
        )

    def fixed(self, shape: Shape) -> list[tuple[bytes, list[Element]]]:
        """Static content and logical structure of each page of a shape."""
        made = []
        for number, page in enumerate(shape.pages, start=1):
            furniture = self.leaf(page.page, page.continued, page.repeats, page.signed, shape.history, shape.state).furniture
            mcid, nodes = furniture.mcid, deepcopy(furniture.nodes)
            first = sum(len(flows) for flows in self._flows[: page.page])
            for offset, (flow, (start, stop)) in enumerate(zip(self._flows[page.page], page.parts, strict=True)):
                if stop > start:
                    mcid = flow.branch(shape.flows[first + offset], range(start, stop), mcid, nodes)
            drawn = [watermark(shape.state.title if shape.state.across else ""), *furniture.static, furniture.page_number(number, len(shape.pages))]
            made.append((b"".join(drawn), nodes + furniture.tail))
        return made


def _end_of(heights: Sequence[float]) -> Sequence[float]:
    """The last pieces, which stay together, so that signatures don't stand on a page with next to nothing to sign."""
    first = len(heights) - 1
    while first > 0 and sum(heights[first - 1 :]) <= _SIGNED_TOGETHER:
        first -= 1
    return heights[first:]


def _flow(frame: Frame, spec: Mapping[str, Any], fields: Sequence[str], variants: Sequence[Sequence[float]]) -> Flow:
    if spec["kind"] == "rows":
        return Rows(frame, spec, fields, variants)
    kinds: dict[str, Callable[..., Flow]] = {"line": Line, "notes": Notes, "remarks": Remarks, "groups": Groups}
    return kinds[spec["kind"]](frame, spec, variants)
