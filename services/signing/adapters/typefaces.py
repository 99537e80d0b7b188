"""The type that forms are set in: which characters there are, how wide they are, how text breaks into lines.

Text is written with one byte per character into symbolic fonts made for the purpose (forms/fonts/make.py), so a line of
text is encoded by one call of a charmap codec. Letters of other languages come from a second pair of fonts, which only
the documents that need them carry.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

FONTS = Path(__file__).parent / "forms" / "fonts" / "subsets"
REGULAR, BOLD = "Regular", "Bold"
_UNDEFINED = "\ufffe"  # what codecs.charmap_build takes for a byte without a character
MOST_WORDS = 50_000


@dataclass(frozen=True)
class Alphabet:
    """One subset: its characters' bytes, their widths, and the font programs."""

    name: str
    prefix: str
    """Begins the fonts' names in the page's resources."""

    @cached_property
    def _facts(self) -> dict[str, Any]:
        facts: dict[str, Any] = json.loads((FONTS / f"{self.name}.json").read_text(encoding="utf-8"))
        return facts

    @cached_property
    def codes(self) -> dict[str, int]:
        """The byte of each character."""
        return dict(self._facts["codes"])

    @cached_property
    def characters(self) -> str:
        """256 characters by byte, U+FFFE where there is none."""
        by_code = {code: character for character, code in self.codes.items()}
        return "".join(by_code.get(code, _UNDEFINED) for code in range(256))

    @cached_property
    def encoding(self) -> Any:
        """A table for codecs.charmap_encode."""
        return codecs.charmap_build(self.characters)

    def widths(self, weight: str) -> list[int]:
        """Width by byte in thousandths of the type size."""
        return list(self._facts["widths"][weight])

    def program(self, weight: str) -> bytes:
        """The TrueType file."""
        return (FONTS / f"{self.name}-{weight}.ttf").read_bytes()

    def font(self, weight: str) -> str:
        """The font's name in the page's resources."""
        return self.prefix + weight[0]


VIETNAMESE = Alphabet("vietnamese", "")
LATIN = Alphabet("latin", "~")  # A sign that is rare on pages, since every page is searched for it.


class Unprintable(ValueError):
    """Text holds a character that no font of the forms has."""

    def __init__(self, character: str) -> None:
        super().__init__(f"U+{ord(character):04X}")
        self.character = character


def alphabets_in(pages: Sequence[bytes]) -> tuple[Alphabet, ...]:
    """The alphabets whose fonts these pages' contents select."""
    foreign = any(b"~" in page and (b"/~R " in page or b"/~B " in page) for page in pages)
    return (VIETNAMESE, LATIN) if foreign else (VIETNAMESE,)


class _Widths(dict[str, int]):
    """Widths of characters; one that no font has is refused, never left out or replaced by a box."""

    def __missing__(self, character: str) -> int:
        raise Unprintable(character)


class _Words(dict[str, int]):
    """Widths of words, remembered up to a bound, since remarks repeat words without end and names must not pile up."""

    def __init__(self, characters: dict[str, int]) -> None:
        self._of = characters.__getitem__

    def __missing__(self, word: str) -> int:
        if len(self) >= MOST_WORDS:
            self.clear()
        width = self[word] = sum(map(self._of, word))
        return width


@dataclass(frozen=True)
class Typeface:
    """One weight across both alphabets."""

    weight: str
    _words: _Words = field(init=False, repr=False)

    def __post_init__(self) -> None:
        widths = _Widths()
        for alphabet in (LATIN, VIETNAMESE):
            by_code = alphabet.widths(self.weight)
            widths.update({character: by_code[code] for character, code in alphabet.codes.items()})
        object.__setattr__(self, "_words", _Words(widths))

    def width(self, text: str, size: float) -> float:
        """Width of a text in points."""
        return self._words[text] * size / 1000

    def lines(self, text: str, size: float, width: float) -> list[str]:
        """The text broken at spaces, or inside a word that is wider than the line; an empty text has no line."""
        room = width * 1000 / size
        if "\n" in text:
            return [line for part in text.split("\n") for line in self.lines(part, size, width)]
        if not text or (len(text) * 250 < room and self._words[text] <= room):
            return [text] if text else []
        words = self._words
        space = words[" "]
        lines: list[str] = []
        line: list[str] = []
        used = 0.0
        for word in text.split():
            needed = words[word]
            if line and used + space + needed <= room:
                line.append(word)
                used += space + needed
                continue
            if line:
                lines.append(" ".join(line))
            *broken, word = self._pieces(word, room) if needed > room else (word,)
            lines += broken
            line, used = [word], words[word]
        if line:
            lines.append(" ".join(line))
        return lines

    def _pieces(self, word: str, room: float) -> Iterator[str]:
        piece, used = "", 0
        for character in word:
            width = self._words[character]
            if piece and used + width > room:
                yield piece
                piece, used = "", 0
            piece += character
            used += width
        yield piece

    def shown(self, text: str, size: float) -> bytes:
        """Operators that select this face in a size and show a text at the present place."""
        try:
            return b"/%s %sTf(%b)Tj" % (VIETNAMESE.font(self.weight).encode(), number(size), codecs.charmap_encode(text, "strict", VIETNAMESE.encoding)[0])
        except UnicodeEncodeError:
            return b"".join(self._mixed(text, size))

    def _mixed(self, text: str, size: float) -> Iterator[bytes]:
        start = 0
        for end in range(1, len(text) + 1):
            own = text[start] in VIETNAMESE.codes
            if end == len(text) or (text[end] in VIETNAMESE.codes) is not own:
                alphabet = VIETNAMESE if own else LATIN
                encoded = codecs.charmap_encode(text[start:end], "strict", alphabet.encoding)[0]
                yield b"/%s %sTf(%b)Tj" % (alphabet.font(self.weight).encode(), number(size), encoded)
                start = end


@cache
def typeface(weight: str) -> Typeface:
    """The face of a weight; its fonts are read once."""
    return Typeface(weight)


def number(value: float) -> bytes:
    """A number as content streams write it: at most two decimals, a space after it."""
    return f"{value:.2f}".rstrip("0").rstrip(".").encode() + b" "
