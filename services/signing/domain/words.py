"""How marks, dates and lists are written in Vietnamese on the page."""

from __future__ import annotations

from collections.abc import Iterable

_CITY = "thành phố "


def mark_text(mark: str) -> str:
    """A mark as the form writes it: decimal comma ("7,5"); words and whole marks stay as they are."""
    return mark.replace(".", ",")


def date_text(iso: str) -> str:
    """31/05/2026 for 2026-05-31; an empty or unknown date stays what it is."""
    parts = iso.split("-")
    return "/".join(reversed(parts)) if len(parts) == 3 else iso


def joined(texts: Iterable[str]) -> str:
    """Texts with commas between them, empty ones left out."""
    return ", ".join(text for text in texts if text)


def province_authority(province: str) -> str:
    """The school's superior as letterheads name it: Sở Giáo dục và Đào tạo of the province or city."""
    name = province
    for prefix in ("Tỉnh ", "tỉnh "):
        name = name.removeprefix(prefix)
    if name.lower().startswith(_CITY):
        name = "TP. " + name[len(_CITY) :]
    return f"Sở Giáo dục và Đào tạo {name}".strip()
