"""Vietnamese text as people type it, brought to one form so that equal words compare equal.

Two spellings of one name are common: "Hòa" and "Hoà" differ only in the vowel that carries the tone mark, and Excel on some
machines writes letters in decomposed form. Neither may make a second pupil out of one.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

# Zero-width space and joiners, and the byte order mark, which exports leave in the middle of texts.
_NO_WIDTH = dict.fromkeys((0x200B, 0x200C, 0x200D, 0xFEFF))
_NOT_WORD = re.compile(r"[^a-z0-9]+")
# The five tone marks; breve, circumflex and horn make other letters and stay where they are.
_TONES = frozenset("\u0300\u0301\u0303\u0309\u0323")


def tidy(text: str) -> str:
    """Give the text in NFC with single inner spaces and none at the ends; marks without width are dropped."""
    if not text.isascii():
        text = unicodedata.normalize("NFC", text.translate(_NO_WIDTH))
    return " ".join(text.split())


@lru_cache(maxsize=65536)
def _word_key(word: str) -> str:
    """A word's letters in lower case with its tone mark behind the last of them."""
    letters: list[str] = []
    tones: list[str] = []
    for character in unicodedata.normalize("NFD", word.casefold()):
        (tones if character in _TONES else letters).append(character)
    return "".join(letters + tones)


def name_key(name: str) -> str:
    """Give what two spellings of one name share: case, spaces and the place of the tone mark don't count, the tone does."""
    return " ".join(_word_key(word) for word in tidy(name).split(" "))


@lru_cache(maxsize=4096)
def plain(text: str) -> str:
    """Give lower-case letters a-z and digits only, words joined by one space; for headings and fixed words, never for names."""
    bare = unicodedata.normalize("NFD", text.casefold().replace("đ", "d"))
    return _NOT_WORD.sub(" ", "".join(c for c in bare if not unicodedata.combining(c))).strip()
