"""What a page says, read back by poppler's pdftotext, which had no part in setting it."""

from __future__ import annotations

import re
import subprocess
import unicodedata
from dataclasses import dataclass

from tests.support.programs import path_of

_SPACE = re.compile(r"\s+")


def squashed(text: str) -> str:
    """Text without white space: where a line breaks is the page's business. A ligature is its letters."""
    return _SPACE.sub("", unicodedata.normalize("NFKC", text))


@dataclass(frozen=True)
class Place:
    """Where a text ends: page and position in its squashed text."""

    page: int
    end: int


@dataclass(frozen=True)
class Printed:
    """The squashed text of each page, in the order in which it is drawn."""

    pages: tuple[str, ...]

    def find(self, text: str, after: Place = Place(0, 0)) -> Place | None:
        """Where the whole text ends that stands behind `after`; it may go on at a later page, below that page's head."""
        wanted = squashed(text)
        for page in range(after.page, len(self.pages)):
            start = after.end if page == after.page else 0
            at = self.pages[page].find(wanted, start)
            if at >= 0:
                return Place(page, at + len(wanted))
            if page + 1 < len(self.pages) and (place := self._broken(wanted, page, start)):
                return place
        return None

    def _broken(self, wanted: str, page: int, start: int) -> Place | None:
        for length in range(len(wanted) - 1, 0, -1):
            if self.pages[page].find(wanted[:length], start) >= 0:
                at = self.pages[page + 1].find(wanted[length:])
                return Place(page + 1, at + len(wanted) - length) if at >= 0 else None
        return None


def printed(pdf: bytes) -> Printed:
    """Read a PDF's text."""
    return Printed(tuple(squashed(page) for page in _pdftotext(pdf, "-raw").split("\f")[:-1]))


def words_outside(pdf: bytes, margin: float) -> list[str]:
    """Words that stand nearer to the paper's edge than `margin` points, or beyond it."""
    outside = []
    for page in _pdftotext(pdf, "-bbox").split("<page ")[1:]:
        width, height = (float(found) for found in re.findall(r'(?:width|height)="([\d.]+)"', page)[:2])
        for x0, y0, x1, y1, word in re.findall(r'<word xMin="(.+?)" yMin="(.+?)" xMax="(.+?)" yMax="(.+?)">(.*?)</word>', page):
            if float(x0) < margin or float(y0) < margin or float(x1) > width - margin or float(y1) > height - margin:
                outside.append(word)
    return outside


def _pdftotext(pdf: bytes, how: str) -> str:
    command = [path_of("pdftotext"), how, "-enc", "UTF-8", "-", "-"]
    return subprocess.run(command, input=pdf, capture_output=True, timeout=60, check=True).stdout.decode()
