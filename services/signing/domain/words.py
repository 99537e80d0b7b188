"""How marks, dates and lists are written in Vietnamese on the page."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

_CITY = "thành phố "


@lru_cache(maxsize=1_024)
def mark_text(mark: str | None) -> str:
    """A mark as the form writes it: decimal comma ("7,5"); words and whole marks stay as they are, none is empty."""
    return mark.replace(".", ",") if mark else ""


def date_text(iso: str | None) -> str:
    """31/05/2026 for 2026-05-31; an empty or unknown date stays what it is."""
    if not iso:
        return ""
    parts = iso.split("-")
    return "/".join(reversed(parts)) if len(parts) == 3 else iso


def joined(texts: Iterable[str | None]) -> str:
    """Texts with commas between them, empty ones left out."""
    return ", ".join([text for text in texts if text])


def listed(texts: Iterable[str | None]) -> str:
    """Things that may have commas inside, with semicolons between them."""
    return "; ".join([text for text in texts if text])


def guardian_text(person: dict[str, Any] | None) -> str:
    """A parent or guardian with the occupation behind the name."""
    if person is None:
        return ""
    name, occupation = person["name"] or "", person["occupation"]
    return f"{name} ({occupation})" if occupation else name


def province_authority(province: str | None) -> str:
    """The school's superior as letterheads name it: Sở Giáo dục và Đào tạo of the province or city."""
    name = province or ""
    for prefix in ("Tỉnh ", "tỉnh "):
        name = name.removeprefix(prefix)
    if name.lower().startswith(_CITY):
        name = "TP. " + name[len(_CITY) :]
    return f"Sở Giáo dục và Đào tạo {name}".strip()


def programme_text(completion: dict[str, Any] | None) -> str:
    """The decision that recognises the end of a level (Luật 123/2025/QH15), where the record has one."""
    if completion is None:
        return ""
    # The programme's own text already says "Hoàn thành chương trình …"; the negative case has to say so too.
    programme: str = completion["programme"]
    done = programme if completion["completed"] else f"Không {programme[:1].lower()}{programme[1:]}"
    if not completion["number"]:
        return done
    return f"{done} (Quyết định số {completion['number']} ngày {date_text(completion['decided_on'])}, đợt {completion['council_round']})"
