"""From the PNG that a signer or a school brings to a stencil (decree 30/2020, annex I: PNG, no background; a person's blue, the seal red)."""

from __future__ import annotations

import io
import warnings

from PIL import Image, ImageStat, TiffImagePlugin

from services.signing.domain.roles import SignatureRole
from services.signing.domain.signature_image import MOST_BYTES, Stencil, UnusableImage

_LARGEST_FILE = 256 * 1024
_SIDES = (100, 2000)
# Dots of the stencils: some 300 an inch in the place that the appearance gives them.
PERSON, SEAL = (480, 160), (400, 400)
_SEEN = 128  # of 255: what is more transparent, or nearly white, is background
_LIGHTEST = 200
_COLOURED = 30  # of 255: by how much the ink's own colour must lead
_INK = (0.002, 0.75)  # of the picture's dots


def stencil_of(png: bytes, role: SignatureRole) -> Stencil:
    """The picture's ink in the size that the role's stencils have; UnusableImage for what isn't a signature in blue, or a seal in red."""
    if len(png) > _LARGEST_FILE:
        raise UnusableImage(f"the picture has {len(png)} bytes; {_LARGEST_FILE} are allowed")
    picture = _read(png)
    ink = _ink(picture)
    _check_ink(picture, ink, role)
    box = ink.getbbox()
    assert box is not None
    canvas = SEAL if role is SignatureRole.SCHOOL_SEAL else PERSON
    drawn = ink.crop(box)
    scale = min(canvas[0] / drawn.width, canvas[1] / drawn.height)
    drawn = drawn.resize((max(1, round(drawn.width * scale)), max(1, round(drawn.height * scale))), Image.Resampling.LANCZOS)
    whole = Image.new("L", canvas, 0)
    whole.paste(drawn, ((canvas[0] - drawn.width) // 2, (canvas[1] - drawn.height) // 2))
    dots = _packed(whole.point([255 if value >= _SEEN else 0 for value in range(256)]).convert("1", dither=Image.Dither.NONE))
    if len(dots) > MOST_BYTES:
        raise UnusableImage(f"the picture's lines are too fine: {len(dots)} bytes of dots where {MOST_BYTES} are allowed; scan it cleaner")
    return Stencil(*canvas, dots)


def _packed(ink: Image.Image) -> bytes:
    """By ITU-T T.6, which takes a third less than deflate: cut out of a TIFF of one strip."""
    out = io.BytesIO()
    ink.save(out, "TIFF", compression="group4", tiffinfo={TiffImagePlugin.ROWSPERSTRIP: ink.height})
    with Image.open(out) as made:
        assert isinstance(made, TiffImagePlugin.TiffImageFile)
        tags = made.tag_v2
        (start,), (length,) = tags[TiffImagePlugin.STRIPOFFSETS], tags[TiffImagePlugin.STRIPBYTECOUNTS]
        assert (tags[TiffImagePlugin.PHOTOMETRIC_INTERPRETATION], tags.get(TiffImagePlugin.FILLORDER, 1)) == (1, 1)
    return out.getvalue()[start : start + length]


def _read(png: bytes) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with Image.open(io.BytesIO(png), formats=["PNG"]) as picture:
                if not all(_SIDES[0] <= side <= _SIDES[1] for side in picture.size):
                    raise UnusableImage(f"the picture is {picture.width} x {picture.height} dots; each side must have {_SIDES[0]} to {_SIDES[1]}")
                return picture.convert("RGBA")
    except (OSError, SyntaxError, ValueError, Warning, Image.DecompressionBombError) as error:
        if isinstance(error, UnusableImage):
            raise
        raise UnusableImage(f"not a PNG that can be read ({error}); export it as PNG with a transparent background") from None


def _ink(picture: Image.Image) -> Image.Image:
    """255 where there is ink, 0 where there is background, whether that is transparent or white."""
    dark = picture.convert("RGB").convert("L").point([255 if value <= _LIGHTEST else 0 for value in range(256)])
    seen = picture.getchannel("A").point([255 if value >= _SEEN else 0 for value in range(256)])
    background = Image.new("L", picture.size, 0)
    return Image.composite(dark, background, seen)


def _check_ink(picture: Image.Image, ink: Image.Image, role: SignatureRole) -> None:
    share = ImageStat.Stat(ink).mean[0] / 255
    if not _INK[0] <= share <= _INK[1]:
        raise UnusableImage(f"{share:.1%} of the picture is ink, where {_INK[0]:.1%} to {_INK[1]:.0%} are a signature or a seal; leave the background out")
    red, green, blue = ImageStat.Stat(picture.convert("RGB"), ink).mean
    if role is SignatureRole.SCHOOL_SEAL:
        if red - max(green, blue) < _COLOURED:
            raise UnusableImage("the seal isn't red (decree 30/2020, annex I); scan it in colour")
    elif blue - max(red, green) < _COLOURED:
        raise UnusableImage("the signature isn't blue (decree 30/2020, annex I); sign in blue ink and scan it in colour")
