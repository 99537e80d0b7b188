"""School years, named by their first calendar year: 2025 is năm học 2025-2026."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from services.enrollment.domain.refusals import Invalid

# Ministries open the year about 5 September; orders, transfers and rosters start in June, after the old year's last day.
_FIRST_MONTH = 6
_FIRST_DAY = 1
_EARLIEST, _LATEST = 2000, 2099


@dataclass(frozen=True, slots=True, order=True)
class SchoolYear:
    """One school year, from the 1 June before teaching starts to the end of the summer after it (the two overlap on purpose)."""

    first: int

    def __post_init__(self) -> None:
        if not _EARLIEST <= self.first <= _LATEST:
            raise Invalid(
                "school_year_out_of_range",
                f"Năm học {self.first} không hợp lệ: ghi năm đầu của năm học, ví dụ 2025 cho năm học 2025-2026.",
            )

    @property
    def label(self) -> str:
        """The year as people write it, "2025-2026"."""
        return f"{self.first}-{self.first + 1}"

    @property
    def opens_on(self) -> date:
        """First day on which rosters of the year may be made."""
        return date(self.first, _FIRST_MONTH, _FIRST_DAY)

    @property
    def closes_on(self) -> date:
        """Last day of the year's summer: retakes and summer training still belong to it."""
        return date(self.first + 1, 8, 31)

    def holds(self, day: date) -> bool:
        """Tell whether a transfer or an enrolment on that day can belong to the year."""
        return self.opens_on <= day <= self.closes_on


def running_year(day: date) -> SchoolYear:
    """Give the school year that teaching is in on a day; June, July and August belong to the year that has just been taught."""
    return SchoolYear(day.year if day.month >= 9 else day.year - 1)
