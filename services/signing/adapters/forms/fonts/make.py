"""Cuts the fonts down to what the forms print: `python -m services.signing.adapters.forms.fonts.make`; the result is committed.

Each subset is a symbolic TrueType font with one byte per character, so that page content is short and nothing has to be
escaped. "vietnamese" holds the whole alphabet and what Vietnamese texts use; "latin" the letters of other languages in Viet
Nam and abroad, for the few documents with such a name. Hinting is left out: screens of today don't use it.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

from fontTools import subset
from fontTools.ttLib import TTFont, newTable
from fontTools.ttLib.reorderGlyphs import reorderGlyphs
from fontTools.ttLib.scaleUpem import scale_upem
from fontTools.ttLib.tables._c_m_a_p import CmapSubtable

FOLDER = Path(__file__).parent
WEIGHTS = ("Regular", "Bold")
# To the em. Outlines on this grid are off by a thousandth of the type size at most, a hundredth of a millimetre in the largest heading, and
# take 1.3 kB less than on one of 1000; a width is two of the thousandths in which a PDF counts.
_UNITS = 500
_PDF_UNITS = 1000
_VOWELS = "aàáảãạăằắẳẵặâầấẩẫậeèéẻẽẹêềếểễệiìíỉĩịoòóỏõọôồốổỗộơờớởỡợuùúủũụưừứửữựyỳýỷỹỵđ"
_SIGNS = "–—…‘’“”·•→°×½²³«»§ŋ"
_ASCII = "".join(map(chr, range(0x20, 0x7F)))
_VIETNAMESE = dict.fromkeys(_ASCII + _VOWELS[1:] + _VOWELS.upper()[1:] + _SIGNS)
_LATIN = [*range(0xA1, 0x180), *map(ord, "ƀɃƁɓČčĐđĔĕŎŏŬŭǍǎǏǐǑǒǓǔǴǵǸǹȘșȚțəƏ")]
# Bytes with a meaning in a literal string (ISO 32000-1, 7.3.4.2), and the two that readers may treat as line ends.
_AVOIDED = frozenset(b"()\\\r\n\x00")


def codes_of(characters: list[str]) -> dict[str, int]:
    """A byte for each character: its own where ASCII has one, else a free one, by rising code points, so that few ranges say what a byte means."""
    own = {c: ord(c) for c in characters if ord(c) < 0x7F and ord(c) not in _AVOIDED}
    free = iter([byte for byte in range(1, 256) if byte not in _AVOIDED and byte not in own.values()])
    return {c: own[c] if c in own else next(free) for c in sorted(characters)}


def made(weight: str, codes: dict[str, int]) -> tuple[bytes, list[int]]:
    """The font program and the width of each byte in thousandths of the type size."""
    font = TTFont(FOLDER / f"Tinos-{weight}.ttf", recalcTimestamp=False)
    options = subset.Options(hinting=False, layout_features=[], name_IDs=[], glyph_names=False, notdef_outline=True)
    options.drop_tables += ["GPOS", "GSUB", "GDEF", "kern"]
    cutter = subset.Subsetter(options)
    cutter.populate(unicodes=[ord(c) for c in codes])
    cutter.subset(font)
    scale_upem(font, _UNITS)
    glyphs = font.getBestCmap()
    # Glyphs in the order of their bytes make the table of bytes a few runs.
    named = [glyphs[ord(character)] for character in sorted(codes, key=codes.__getitem__)]
    reorderGlyphs(font, [".notdef", *named, *(name for name in font.getGlyphOrder()[1:] if name not in set(named))])
    advance = font["hmtx"]
    widths = [0] * 256
    for character, code in codes.items():
        widths[code] = advance[glyphs[ord(character)]][0] * _PDF_UNITS // _UNITS
    symbols = CmapSubtable.newSubtable(4)
    symbols.platformID, symbols.platEncID, symbols.language = 3, 0, 0
    symbols.cmap = {0xF000 + code: glyphs[ord(character)] for character, code in codes.items()}
    font["cmap"] = newTable("cmap")
    font["cmap"].tableVersion, font["cmap"].tables = 0, [symbols]
    for table in ("OS/2", "name", "post", "FFTM", "DSIG", "gasp", "meta"):
        if table in font:
            del font[table]
    out = io.BytesIO()
    font.save(out, reorderTables=True)
    return out.getvalue(), widths


def main() -> None:
    """Write subsets/<name>-<weight>.ttf and subsets/<name>.json."""
    known = TTFont(FOLDER / "Tinos-Regular.ttf").getBestCmap()
    alphabets = {
        "vietnamese": list(_VIETNAMESE),
        "latin": [chr(c) for c in dict.fromkeys(_LATIN) if chr(c) not in _VIETNAMESE and c in known and chr(c).isprintable()],
    }
    for name, characters in alphabets.items():
        codes = codes_of(characters)
        facts: dict[str, dict[str, Any]] = {"codes": dict(codes), "widths": {}}
        for weight in WEIGHTS:
            program, widths = made(weight, codes)
            (FOLDER / "subsets" / f"{name}-{weight}.ttf").write_bytes(program)
            facts["widths"][weight] = widths
        text = json.dumps(facts, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        (FOLDER / "subsets" / f"{name}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
