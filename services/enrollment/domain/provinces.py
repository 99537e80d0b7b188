"""Provinces by catalogue: 63 until 30 June 2025, 34 from 1 July 2025 (Nghị quyết 202/2025/QH15, Quyết định 19/2025/QĐ-TTg).

Seven numbers name another province before than after, so a bare two-digit code never identifies one: an id is
"<catalogue>-<code>". The rows themselves are data with validity dates (`adapters/provinces.toml`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from services.enrollment.domain.refusals import Invalid, Missing


class Kind(StrEnum):
    """What a province is called before its name."""

    PROVINCE = "province"
    CITY = "city"

    @property
    def word(self) -> str:
        """The Vietnamese word in front of the name."""
        return "Tỉnh" if self is Kind.PROVINCE else "Thành phố"


@dataclass(frozen=True, slots=True)
class Style:
    """A name and a kind, valid from a day on until the next style starts."""

    valid_from: date
    name: str
    kind: Kind

    @property
    def title(self) -> str:
        """Kind and name as printed, "Thành phố Đồng Nai"."""
        return f"{self.kind.word} {self.name}"


@dataclass(frozen=True, slots=True)
class Province:
    """One row of one catalogue; `valid_to` is its last day."""

    catalogue: str
    code: str
    styles: tuple[Style, ...]
    valid_from: date
    valid_to: date | None
    successor_id: str | None

    @property
    def province_id(self) -> str:
        """The id that all services use."""
        return f"{self.catalogue}-{self.code}"

    def style_on(self, day: date) -> Style:
        """Give name and kind on a day; a day before the first style gets the first, so that old papers still print a name."""
        current = self.styles[0]
        for style in self.styles:
            if style.valid_from <= day:
                current = style
        return current

    def valid_on(self, day: date) -> bool:
        """Tell whether the province exists on the day."""
        return self.valid_from <= day and (self.valid_to is None or day <= self.valid_to)


class Catalogue:
    """All provinces of all catalogues; refuses to exist when its rows contradict each other."""

    def __init__(self, provinces: Iterable[Province]) -> None:
        self._by_id: Mapping[str, Province] = {p.province_id: p for p in provinces}
        for province in self._by_id.values():
            if province.successor_id is not None and province.successor_id not in self._by_id:
                raise ValueError(f"province {province.province_id} names a successor that is not in the catalogue: {province.successor_id}")
            if (province.valid_to is None) != (province.successor_id is None):
                raise ValueError(f"province {province.province_id} must have both an end and a successor, or neither")

    def __iter__(self) -> Iterator[Province]:
        return iter(self._by_id.values())

    def get(self, province_id: str) -> Province:
        """Give the province, or say which ids exist."""
        province = self._by_id.get(province_id)
        if province is None:
            raise Missing(
                "province_unknown",
                f"Không có tỉnh/thành phố mang mã '{province_id}'. Ghi '<danh mục>-<mã>', ví dụ '2025-79'; xem danh mục bằng ListProvinces.",
            )
        return province

    def valid_on(self, day: date) -> tuple[Province, ...]:
        """Give the provinces that exist on a day, by code."""
        return tuple(sorted((p for p in self._by_id.values() if p.valid_on(day)), key=lambda p: p.code))

    def by_code(self, code: str, day: date) -> Province:
        """Give the province that a two-digit code means on a day; the same number may mean another one before July 2025."""
        for province in self.valid_on(day):
            if province.code == code:
                return province
        raise Missing("province_unknown", f"Mã tỉnh '{code}' không có trong danh mục vào ngày {day:%d/%m/%Y}.")

    def current(self, province_id: str, day: date) -> Province:
        """Follow the successors of a province until one that exists on the day: statistics add up by it."""
        province = self.get(province_id)
        while province.valid_to is not None and day > province.valid_to and province.successor_id is not None:
            province = self.get(province.successor_id)
        return province

    def predecessors(self, province_id: str) -> tuple[Province, ...]:
        """Give the provinces that were merged into this one, by code."""
        self.get(province_id)
        return tuple(sorted((p for p in self._by_id.values() if p.successor_id == province_id), key=lambda p: p.code))

    def changed_meaning(self, before: str, after: str) -> tuple[str, ...]:
        """Give the codes that name a province of another name in the later catalogue: traps for whoever joins by code."""
        codes = [
            earlier.code
            for earlier in self._by_id.values()
            if earlier.catalogue == before
            and (later := self._by_id.get(f"{after}-{earlier.code}")) is not None
            and later.styles[0].name != earlier.styles[-1].name
        ]
        return tuple(sorted(codes))

    def require_valid(self, province_id: str, day: date) -> Province:
        """Give the province if it exists on the day, else name its successor."""
        province = self.get(province_id)
        if not province.valid_on(day):
            successor = self.current(province_id, day)
            raise Invalid(
                "province_not_valid",
                f"{province.style_on(day).title} ({province_id}) không còn hiệu lực vào ngày {day:%d/%m/%Y}; "
                f"hãy dùng {successor.style_on(day).title} ({successor.province_id}).",
            )
        return province
