"""Small pieces of page content: text at a place, lines, tags. Lengths in points, places from the lower left (ISO 32000-1, 8 and 9)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from services.signing.adapters.typefaces import BOLD, REGULAR, number, typeface

MM = 72 / 25.4
PAGE = (595.28, 841.89)
INK = b".06 .14 .25 rg "
FAINT = b".36 .4 .46 rg "
BLACK = b"0 g "
HAIR = b".54 .59 .65 RG .3 w "
RULE = b".24 .29 .37 RG .5 w "
_NARROWEST = 0.72
_SLANT = 0.21  # tangent of twelve degrees: what an italic leans; a slanted upright saves a third font in every file
_LEADING = 1.17
MOST_PIECES = 4_000


class Pieces(dict[Any, bytes]):
    """Finished pieces of content by what they say, remembered up to a bound: texts of pupils must not pile up."""

    __slots__ = ("_make",)

    def __init__(self, make: Callable[[Any], bytes]) -> None:
        self._make = make

    def __missing__(self, said: Any) -> bytes:
        if len(self) >= MOST_PIECES:
            self.clear()
        piece = self[said] = self._make(said)
        return piece


def leading(size: float) -> float:
    """Distance between base lines of a type size."""
    return size * _LEADING


def nums(*values: float) -> bytes:
    """Numbers with spaces between and after them."""
    return b"".join([number(value) for value in values])


def text(x: float, y: float, said: str, size: float, *, weight: str = REGULAR, align: str = "left", width: float = 0, slant: bool = False) -> bytes:
    """One line of text; `x` is its left end, middle or right end by `align`.

    With a `width` the line is condensed, then set smaller, until it fits: nothing is ever cut off.
    """
    if not said:
        return b""
    face = typeface(weight)
    natural = face.width(said, size)
    condensed = b""
    if width and natural > width:
        squeeze = max(width / natural, _NARROWEST)
        size = min(size, int(size * width / (natural * squeeze) * 100) / 100) if squeeze == _NARROWEST else size
        natural = face.width(said, size) * squeeze
        condensed = nums(squeeze * 100) + b"Tz "
    x -= {"left": 0.0, "center": natural / 2, "right": natural}[align]
    place = nums(1, 0, _SLANT, 1, x, y) + b"Tm" if slant else nums(x, y) + b"Td"
    return b"BT " + condensed + place + face.shown(said, size) + (b" 100 Tz ET\n" if condensed else b" ET\n")


def lines(x: float, y: float, said: list[str], size: float, *, weight: str = REGULAR, align: str = "left", slant: bool = False) -> bytes:
    """Several lines from the first base line downwards."""
    return b"".join([text(x, y - i * leading(size), line, size, weight=weight, align=align, slant=slant) for i, line in enumerate(said)])


def path(*points: tuple[float, float]) -> bytes:
    """A stroked polyline."""
    (x, y), *rest = points
    return nums(x, y) + b"m " + b"".join([nums(*point) + b"l " for point in rest]) + b"S\n"


def box(x: float, y: float, width: float, height: float, painted: bytes = b"S") -> bytes:
    """A rectangle, stroked unless told otherwise."""
    return nums(x, y, width, height) + b"re " + painted + b"\n"


def dots(x: float, y: float, end: float) -> bytes:
    """The dotted line of a form where there is nothing to say."""
    return b"q .36 .4 .46 RG .7 w 1 J[0 2.6]0 d " + path((x, y), (end, y))[:-1] + b" Q\n" if end > x else b""


def artifact(content: bytes) -> bytes:
    """Content that says nothing to somebody who listens to the page."""
    return b"/Artifact BMC\n" + content + b"EMC\n" if content else b""


class Openings(dict[int, bytes]):
    """The operator that opens marked content of one tag, by its number on the page."""

    __slots__ = ("_tag",)

    def __init__(self, tag: str) -> None:
        self._tag = tag.encode()

    def __missing__(self, mcid: int) -> bytes:
        opening = self[mcid] = b"/%b<</MCID %d>>BDC " % (self._tag, mcid)
        return opening


TD, TH, P, H1, H2 = (Openings(tag) for tag in ("TD", "TH", "P", "H1", "H2"))
CLOSE = b"EMC\n"

__all__ = [
    "BLACK",
    "BOLD",
    "CLOSE",
    "FAINT",
    "H1",
    "H2",
    "HAIR",
    "INK",
    "MM",
    "PAGE",
    "REGULAR",
    "RULE",
    "TD",
    "TH",
    "Openings",
    "P",
    "Pieces",
    "artifact",
    "box",
    "dots",
    "leading",
    "lines",
    "nums",
    "path",
    "text",
    "typeface",
]
