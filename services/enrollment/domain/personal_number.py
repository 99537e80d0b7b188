"""Số định danh cá nhân: twelve digits PPP G YY RRRRRR (Decree 137/2015/NĐ-CP, Điều 13; still the structure under the 2023 law).

PPP is the province or country where the birth was registered, G tells century and sex, YY the year of birth, R is random.
There is no check digit, and the number can be re-determined (sex, year of birth, a wrong issue): it is an attribute with a
history, never a key, and what it says about a person can only warn. Only its shape can be wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from services.enrollment.domain.refusals import Invalid

LENGTH = 12
# Numbers below 97 that no province ever had, before or after 2025. Higher numbers are countries, for births registered abroad.
_NO_PROVINCE = frozenset(
    (
        3,
        5,
        7,
        9,
        13,
        16,
        18,
        21,
        23,
        28,
        29,
        32,
        39,
        41,
        43,
        47,
        50,
        53,
        55,
        57,
        59,
        61,
        63,
        65,
        69,
        71,
        73,
        76,
        78,
        81,
        85,
        88,
        90,
    )
)
_FIRST_CENTURY = 1900


class Gender(StrEnum):
    """As in the Ministry's files; unknown is allowed (QCVN 109:2017/BTTTT has 0 for it)."""

    MALE = "male"
    FEMALE = "female"
    UNKNOWN = "unknown"


class Absence(StrEnum):
    """Why a pupil has no personal number yet. A transcript can't be issued without one, so the reason is asked for."""

    PENDING = "pending"  # asked for, or the family hasn't brought it yet
    FOREIGNER = "foreigner"  # has a passport instead
    NO_BIRTH_REGISTRATION = "no_birth_registration"
    UNDER_REDETERMINATION = "under_redetermination"  # the authority is re-issuing it

    @property
    def label(self) -> str:
        """The reason as a person reads it."""
        return _ABSENCE_LABELS[self]


_ABSENCE_LABELS = {
    Absence.PENDING: "đang chờ cấp hoặc gia đình chưa cung cấp",
    Absence.FOREIGNER: "người nước ngoài",
    Absence.NO_BIRTH_REGISTRATION: "chưa đăng ký khai sinh",
    Absence.UNDER_REDETERMINATION: "đang xác lập lại số định danh",
}


@dataclass(frozen=True, slots=True)
class Warned:
    """Something that doesn't fit but doesn't stop: `code` for programs, `problem` and `cure` for people."""

    code: str
    problem: str
    cure: str


@dataclass(frozen=True, slots=True)
class PersonalNumber:
    """A well-formed number. Making one refuses everything else, and says how to mend it."""

    digits: str

    def __post_init__(self) -> None:
        problem = shape_problem(self.digits)
        if problem is not None:
            raise Invalid(problem.code, f"{problem.problem} {problem.cure}")

    @property
    def registered_in(self) -> int:
        """Number of the province (1-96, catalogue before 2025 or later) or country of birth registration."""
        return int(self.digits[:3])

    @property
    def gender(self) -> Gender:
        """Sex as the fourth digit tells it."""
        return Gender.MALE if int(self.digits[3]) % 2 == 0 else Gender.FEMALE

    @property
    def birth_year(self) -> int:
        """Year of birth as the century digit and the two after it tell it."""
        return _FIRST_CENTURY + 100 * (int(self.digits[3]) // 2) + int(self.digits[4:6])

    def warnings(self, gender: Gender, born_on: date | None) -> tuple[Warned, ...]:
        """Give what the number says that doesn't fit the pupil; none of it may stop him, for either side may be the wrong one."""
        found: list[Warned] = []
        place = self.registered_in
        if place == 0 or place in _NO_PROVINCE:
            found.append(
                Warned(
                    "personal_number_place",
                    f"Ba số đầu '{self.digits[:3]}' không phải mã tỉnh hay mã nước.",
                    "Đối chiếu với giấy khai sinh.",
                )
            )
        if gender is not Gender.UNKNOWN and gender is not self.gender:
            found.append(
                Warned(
                    "personal_number_gender",
                    f"Số thứ tư '{self.digits[3]}' là của {'nam' if self.gender is Gender.MALE else 'nữ'}, không khớp giới tính đã ghi.",
                    "Đối chiếu giới tính và số định danh với giấy khai sinh.",
                )
            )
        if born_on is not None and born_on.year != self.birth_year:
            found.append(
                Warned(
                    "personal_number_birth_year",
                    f"Số định danh cho biết năm sinh {self.birth_year}, không khớp năm sinh {born_on.year} đã ghi.",
                    "Đối chiếu ngày sinh và số định danh với giấy khai sinh.",
                )
            )
        return tuple(found)


def shape_problem(digits: str) -> Warned | None:
    """Tell what makes the text no personal number, or None; the only ground on which a number is refused."""
    if not (digits.isascii() and digits.isdigit()):
        return Warned(
            "personal_number_not_digits",
            "Số định danh cá nhân có ký tự không phải chữ số.",
            "Chỉ ghi 12 chữ số, không dấu cách hay dấu chấm.",
        )
    if len(digits) != LENGTH:
        cure = "Ghi đủ 12 chữ số như trên giấy khai sinh hoặc căn cước."
        if len(digits) == 9:
            cure = "Đây có thể là số chứng minh nhân dân cũ (9 số): dùng số định danh 12 số trên giấy khai sinh hoặc căn cước."
        return Warned("personal_number_length", f"Số định danh cá nhân có {len(digits)} chữ số, cần đúng 12.", cure)
    if len(set(digits)) == 1:
        return Warned(
            "personal_number_filler",
            "Số định danh cá nhân là một chữ số lặp lại.",
            "Để trống ô này nếu chưa có số, và ghi lý do.",
        )
    return None
