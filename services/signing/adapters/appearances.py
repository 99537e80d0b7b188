"""What is seen in a signature box: decree 30/2020, annex I. Persons in blue, the seal in red, the time by ISO 8601.

Drawn with the fonts that the page has anyway, once per signer, order and box; every document of the order takes the same bytes.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from services.signing.adapters.drawing import MM, leading, nums, text
from services.signing.adapters.official_forms import SignatureBox
from services.signing.adapters.typefaces import BOLD, REGULAR, VIETNAMESE, typeface
from services.signing.domain.certificate import CertificateFacts
from services.signing.domain.roles import SignatureRole
from services.signing.domain.signature_image import Stencil

_VIETNAM = timezone(timedelta(hours=7))  # one zone, no daylight saving since 1975
_BLUE = b".07 .25 .56 rg .07 .25 .56 RG "
_RED = b".7 .15 .12 rg .7 .15 .12 RG "
_SIZE = 7.2
DATE_SIZE = 9.5
PICTURE = b"P"
"""What a picture is called in the appearance's resources."""
_SIGNATURE_HEIGHT = 13 * MM
_SEAL_SIDE = 36 * MM  # decree 99/2016 and its circular: schools' seals have this diameter, and decree 30/2020 shows them in actual size


@dataclass(frozen=True, slots=True)
class StampContent:
    """Who signs as what, when, and with which certificate."""

    role: SignatureRole
    certificate: CertificateFacts
    signed_at: datetime
    authority: str = ""
    image: Stencil | None = None
    """The handwritten signature, or the school's seal; it is object /P of the appearance's resources."""
    box: SignatureBox | None = None
    """What the form says of the box; without it the stamp takes all of it, and there is no date."""


def stamp_lines(content: StampContent) -> list[str]:
    """The lines of decree 30/2020: who, when with zone, then the certificate and who vouches for it."""
    when = content.signed_at.astimezone(_VIETNAM).isoformat(timespec="seconds")
    facts = content.certificate
    if content.role is SignatureRole.SCHOOL_SEAL:
        who = ["Chữ ký số của cơ quan, tổ chức"]
    else:
        who = [f"Ký bởi: {facts.common_name}", f"Đơn vị: {facts.organisation}"]
        if content.authority:
            who.append(f"Ký thay theo: {content.authority}")
    return [*who, f"Thời gian ký: {when}", f"Chứng thư số: {shortened(facts.serial.upper())}", f"Nhà cung cấp: {facts.issuer}"]


def shortened(serial: str) -> str:
    """A long serial number by its two ends; the whole of it stands in the signature itself."""
    return serial if len(serial) <= 24 else f"{serial[:10]}…{serial[-10:]}"


def appearance(content: StampContent, width: float, height: float) -> bytes:
    """The content stream of the appearance in a box of this size in points."""
    if content.role is SignatureRole.SCHOOL_SEAL:
        return b"q " + _RED + _seal(content, width, height) + b"Q\n"
    if content.box is None:
        return b"q " + _BLUE + _person(content, width, height) + b"Q\n"
    return b"q " + _date(content.box, content.signed_at, height) + _BLUE + _person(content, width, content.box.stamp) + b"Q\n"


def _date(box: SignatureBox, at: datetime, height: float) -> bytes:
    """The form's own line of place and date, whose end only the signature knows (decree 30/2020: days below ten and January and February have a nought)."""
    if box.date_at is None:
        return b""
    day = at.astimezone(_VIETNAM)
    said = f"ngày {day:%d} tháng {day:%m} năm {day.year}" if day.month < 3 else f"ngày {day:%d} tháng {day.month} năm {day.year}"
    return b"0 g " + text(box.date_at, height - 8, said, DATE_SIZE, slant=True, width=box.width - box.date_at)


def _person(content: StampContent, width: float, height: float) -> bytes:
    name = _printable(content.certificate.common_name)
    # The seal reaches a third of the box from the left, and is to cover a third of the principal's signature (decree 30/2020).
    middle = width * (0.44 if content.role is SignatureRole.PRINCIPAL else 0.5)
    signature = text(width / 2, 4, name, 10.5, weight=BOLD, align="center", width=width - 4)
    below = 18.0
    if content.image:
        # Between the details and the name, centred: where a hand would have signed.
        signature += _picture(content.image, middle, below - 2 + _SIGNATURE_HEIGHT / 2, width - 8, _SIGNATURE_HEIGHT)
        below += _SIGNATURE_HEIGHT - 2
    room = height - below
    wrapped = _wrapped(stamp_lines(content), width - 12)
    needed = len(wrapped) * leading(_SIZE) + 8
    frame_height = min(room, needed)
    bottom = below + (room - frame_height) / 2
    frame = b".6 w " + nums(2, bottom, width - 4, frame_height) + b"re S\n"
    return frame + _lines(wrapped, 6, bottom + frame_height - 4, frame_height - 8) + signature


def _seal(content: StampContent, width: float, height: float) -> bytes:
    """The details on the left, and a round seal on the right, where the box lies over the left third of the principal's signature."""
    radius = min(height, _SEAL_SIDE) / 2 if content.image else min(height / 2 - 4, 10 * MM)
    room = width - 2 * radius - (2 if content.image else 8)
    name = _printable(content.certificate.common_name.upper())
    wrapped = _wrapped(stamp_lines(content), room - 10)
    names = typeface(BOLD).lines(name, 8.4, room - 8)
    total = min(height - 8, len(names) * leading(8.4) + 3 + len(wrapped) * leading(_SIZE))
    y = (height + total) / 2
    frame = b".9 w " + nums(1, max(1.0, y - total - 4), room, min(height - 2, total + 8)) + b"re S\n"
    heads = b"".join([text(1 + room / 2, y - 7.5 - i * leading(8.4), line, 8.4, weight=BOLD, align="center") for i, line in enumerate(names)])
    below = y - len(names) * leading(8.4) - 3
    details = frame + heads + _lines(wrapped, 6, below, total - (y - below))
    if content.image:
        return details + _picture(content.image, width - radius, height / 2, 2 * radius, 2 * radius)
    return details + _round_seal(name, width - radius - 3, height / 2, radius)


def _picture(image: Stencil, x: float, y: float, width: float, height: float) -> bytes:
    """A picture around its middle, as large as there is room."""
    scale = min(width / image.width, height / image.height)
    wide, high = image.width * scale, image.height * scale
    return b"q " + nums(wide, 0, 0, high, x - wide / 2, y - high / 2) + b"cm /%b Do Q\n" % PICTURE


def _round_seal(name: str, x: float, y: float, radius: float) -> bytes:
    lines = typeface(BOLD).lines(name, 5.6, radius * 1.45)
    said = b"".join([text(x, y + (len(lines) / 2 - i - 0.8) * leading(5.6), line, 5.6, weight=BOLD, align="center") for i, line in enumerate(lines)])
    return b"1.3 w " + _circle(x, y, radius) + b".6 w " + _circle(x, y, radius - 2.6) + said


def _circle(x: float, y: float, radius: float) -> bytes:
    """A circle of four Bézier curves."""
    k = radius * 0.5523
    curves = [
        (radius, k, k, radius, 0.0, radius),
        (-k, radius, -radius, k, -radius, 0.0),
        (-radius, -k, -k, -radius, 0.0, -radius),
        (k, -radius, radius, -k, radius, 0.0),
    ]
    return nums(x + radius, y) + b"m " + b"".join([nums(*(value + (x, y)[i % 2] for i, value in enumerate(curve))) + b"c " for curve in curves]) + b"S\n"


def _lines(wrapped: list[str], x: float, top: float, room: float) -> bytes:
    """Lines from the top down, closer together where there is little room."""
    step = min(leading(_SIZE), room / max(len(wrapped), 1))
    size = min(_SIZE, step / 1.05)
    return b"".join([text(x, top - size - i * step, line, size) for i, line in enumerate(wrapped)])


def _wrapped(said: list[str], width: float) -> list[str]:
    return [line for each in said for line in typeface(REGULAR).lines(_printable(each), _SIZE, width)]


def _printable(said: str) -> str:
    """Letters that the page's fonts lack by their base letters: a provider's or an office's name, never a pupil's."""
    return "".join(sign if sign in VIETNAMESE.codes else _base(sign) for sign in unicodedata.normalize("NFC", said))


def _base(sign: str) -> str:
    plain = unicodedata.normalize("NFKD", sign)[:1]
    return plain if plain in VIETNAMESE.codes else "?"
