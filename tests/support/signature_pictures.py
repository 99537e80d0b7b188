"""Pictures as a school would scan them: a handwritten signature in blue and a round seal in red, drawn here."""

from __future__ import annotations

import io
import math

from PIL import Image, ImageDraw

from services.signing.domain.roles import SignatureRole

BLUE, RED = (24, 56, 160), (200, 24, 32)


def png_of(role: SignatureRole, colour: tuple[int, int, int] | None = None, *, opaque: bool = False, side: int = 600) -> bytes:
    """The picture of a role, on a transparent or white background."""
    picture = Image.new("RGBA", (side, side), (255, 255, 255, 255 if opaque else 0))
    draw = ImageDraw.Draw(picture)
    if role is SignatureRole.SCHOOL_SEAL:
        _seal(draw, side, colour or RED)
    else:
        _hand(draw, side, colour or BLUE)
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


def _seal(draw: ImageDraw.ImageDraw, side: int, colour: tuple[int, int, int]) -> None:
    edge, middle = side // 60, side / 2
    for inset, width in ((edge, edge), (3 * edge, edge // 2), (side // 5, edge // 2)):
        draw.ellipse((inset, inset, side - inset, side - inset), outline=colour, width=max(1, width))
    star = [
        (middle + math.sin(i * math.pi / 5) * side / (7 if i % 2 == 0 else 18), middle - math.cos(i * math.pi / 5) * side / (7 if i % 2 == 0 else 18))
        for i in range(10)
    ]
    draw.polygon(star, fill=colour)
    for i in range(40):
        angle = i * math.pi / 20
        reach = [(middle + math.sin(angle) * side * part, middle - math.cos(angle) * side * part) for part in (0.36, 0.41)]
        draw.line(reach, fill=colour, width=max(1, edge // 2))


def _hand(draw: ImageDraw.ImageDraw, side: int, colour: tuple[int, int, int]) -> None:
    points = [(side * (0.05 + 0.9 * t / 200), side * (0.5 + 0.12 * math.sin(t / 9) * math.cos(t / 41) - 0.05 * math.sin(t / 25))) for t in range(200)]
    draw.line(points, fill=colour, width=side // 80, joint="curve")
    draw.line([(side * 0.1, side * 0.62), (side * 0.95, side * 0.58)], fill=colour, width=side // 120)
