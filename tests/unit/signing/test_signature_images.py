"""Which pictures become stencils, and what of them is on the page."""

import io
import struct
import zlib

import pytest
from PIL import Image

from services.signing.adapters.signature_images import PERSON, SEAL, stencil_of
from services.signing.domain.roles import DEFAULT_ORDER, SignatureRole
from services.signing.domain.signature_image import MOST_BYTES, UnusableImage
from tests.support.signature_pictures import BLUE, RED, png_of

PRINCIPAL, SEALED = SignatureRole.PRINCIPAL, SignatureRole.SCHOOL_SEAL


@pytest.mark.parametrize("role", DEFAULT_ORDER)
def test_a_picture_becomes_dots_of_the_roles_size(role: SignatureRole) -> None:
    stencil = stencil_of(png_of(role), role)
    assert (stencil.width, stencil.height) == (SEAL if role is SEALED else PERSON)
    assert 0 < len(stencil.dots) < MOST_BYTES
    assert stencil == stencil_of(png_of(role), role)
    # A white background is as good as none.
    assert stencil.digest == stencil_of(png_of(role, opaque=True), role).digest
    assert stencil.digest != stencil_of(png_of(role, side=400), role).digest


def test_a_small_drawing_fills_the_stencil_wherever_it_stood() -> None:
    drawn = Image.open(io.BytesIO(png_of(PRINCIPAL)))
    moved = Image.new("RGBA", (900, 900))
    moved.paste(drawn, (250, 17))
    out = io.BytesIO()
    moved.save(out, "PNG")
    assert stencil_of(out.getvalue(), PRINCIPAL) == stencil_of(png_of(PRINCIPAL), PRINCIPAL)


@pytest.mark.parametrize(
    ("png", "role", "said"),
    [
        (png_of(PRINCIPAL, RED), PRINCIPAL, "isn't blue"),
        (png_of(PRINCIPAL, (10, 10, 10)), PRINCIPAL, "isn't blue"),
        (png_of(SEALED, BLUE), SEALED, "isn't red"),
        (png_of(PRINCIPAL, side=90), PRINCIPAL, "90 x 90"),
        (png_of(PRINCIPAL, side=2001), PRINCIPAL, "2001 x 2001"),
        (png_of(PRINCIPAL)[:300], PRINCIPAL, "not a PNG"),
        (b"", PRINCIPAL, "not a PNG"),
        (b"%PDF-1.7", PRINCIPAL, "not a PNG"),
        (bytes(300_000), PRINCIPAL, "300000 bytes"),
    ],
)
def test_what_is_no_signature_in_blue_or_seal_in_red_is_refused(png: bytes, role: SignatureRole, said: str) -> None:
    with pytest.raises(UnusableImage, match=said):
        stencil_of(png, role)


def test_nothing_but_background_and_nothing_but_ink_are_refused() -> None:
    for colour, said in (((0, 0, 0, 0), "0.0%"), ((24, 56, 160, 255), "100.0%")):
        out = io.BytesIO()
        Image.new("RGBA", (300, 300), colour).save(out, "PNG")
        with pytest.raises(UnusableImage, match=said):
            stencil_of(out.getvalue(), PRINCIPAL)


def test_dust_is_refused_for_its_size() -> None:
    dots = Image.effect_noise((600, 200), 90).convert("L")
    ink = Image.new("RGBA", dots.size, (*BLUE, 255))
    ink.putalpha(dots.point([255 if value > 150 else 0 for value in range(256)]))
    out = io.BytesIO()
    ink.save(out, "PNG")
    with pytest.raises(UnusableImage, match="too fine"):
        stencil_of(out.getvalue(), PRINCIPAL)


def test_a_picture_that_would_unpack_to_gigabytes_is_never_unpacked() -> None:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 6, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(10_000))) + chunk(b"IEND", b"")
    with pytest.raises(UnusableImage):
        stencil_of(bomb, PRINCIPAL)
