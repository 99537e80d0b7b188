"""A pupil: an internal id for life, a profile that can change, and a personal number that can change or lack."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from services.enrollment.domain.personal_number import Absence, Gender, PersonalNumber, Warned
from services.enrollment.domain.refusals import Forbidden, Invalid
from services.enrollment.domain.vietnamese import name_key, tidy

# The dictionary of the national data centre has VARCHAR(20); exports show ten digits, whose meaning is not published.
MINISTRY_CODE_LONGEST = 20
_MINISTRY_CODE_USUAL = 10
_NAME_LONGEST = 120
_OLDEST_YEARS = 80
_YOUNGEST_YEARS = 4


class IdentityState(StrEnum):
    """What the population database said last. UNKNOWN (no answer, or not found) is an answer of its own, never a match."""

    UNCHECKED = "unchecked"
    MATCHED = "matched"
    MISMATCHED = "mismatched"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Profile:
    """What a school writes down about a pupil. Texts are tidied NFC; an empty text means not told."""

    full_name: str
    gender: Gender = Gender.UNKNOWN
    born_on: date | None = None
    birth_place: str = ""
    ethnicity: str = ""
    nationality: str = ""
    address: str = ""
    home_town: str = ""
    father_name: str = ""
    mother_name: str = ""
    guardian_name: str = ""
    policy_category: str = ""
    disability_not_assessed: bool = False
    ministry_code: str = ""
    register_number: str = ""
    enrolled_on: date | None = None

    @property
    def key(self) -> tuple[str, date | None]:
        """The natural key inside one school, used only where no code tells pupils apart."""
        return name_key(self.full_name), self.born_on

    @property
    def missing(self) -> tuple[str, ...]:
        """Names of the fields that a transcript prints or a register asks for, and that the school hasn't written down."""
        told = {
            "gender": self.gender is not Gender.UNKNOWN,
            "birth_date": self.born_on is not None,
            "birth_place": bool(self.birth_place),
            "ethnicity": bool(self.ethnicity),
            "ministry_code": bool(self.ministry_code),
        }
        return tuple(name for name, is_told in told.items() if not is_told)

    def filled_from(self, newer: Profile) -> Profile:
        """Give this profile with everything the newer one tells; what the newer one leaves empty stays."""
        told = {
            field.name: value
            for field in fields(newer)
            if (value := getattr(newer, field.name)) not in ("", None, Gender.UNKNOWN) and not (field.name == "disability_not_assessed" and value is False)
        }
        return Profile(**{field.name: told.get(field.name, getattr(self, field.name)) for field in fields(self)})


@dataclass(frozen=True, slots=True)
class Pupil:
    """A pupil as the service knows him; `version` rises with every change of profile, number or identity state."""

    pupil_id: UUID
    profile: Profile
    personal_number: str
    absence: Absence | None
    identity: IdentityState
    version: int

    @property
    def has_personal_number(self) -> bool:
        """Tell whether a transcript can name the pupil by a personal number."""
        return self.personal_number != ""


@dataclass(frozen=True, slots=True)
class NumberRecord:
    """One line of the history of a pupil's personal number; append-only."""

    pupil_id: UUID
    personal_number: str
    valid_from: datetime
    reason: str
    recorded_by: str


def profile_problems(profile: Profile, today: date) -> tuple[Warned, ...]:
    """Give what makes the profile unusable; each names its cure."""
    found: list[Warned] = []
    if not profile.full_name:
        found.append(Warned("name_missing", "Thiếu họ tên.", "Ghi họ và tên như trên giấy khai sinh."))
    elif len(profile.full_name) > _NAME_LONGEST or any(c.isdigit() for c in profile.full_name):
        found.append(Warned("name_odd", "Họ tên quá dài hoặc có chữ số.", "Ghi họ và tên như trên giấy khai sinh."))
    if profile.born_on is None:
        found.append(Warned("birth_date_missing", "Thiếu ngày sinh.", "Ghi ngày sinh theo dạng ngày/tháng/năm, ví dụ 05/09/2015."))
    elif not today.year - _OLDEST_YEARS <= profile.born_on.year <= today.year - _YOUNGEST_YEARS:
        found.append(
            Warned(
                "birth_date_impossible",
                f"Năm sinh {profile.born_on.year} không thể là của học sinh.",
                "Kiểm tra lại năm sinh.",
            )
        )
    if len(profile.ministry_code) > MINISTRY_CODE_LONGEST:
        found.append(
            Warned(
                "ministry_code_long",
                f"Mã định danh Bộ GD&ĐT dài quá {MINISTRY_CODE_LONGEST} ký tự.",
                "Chép lại mã từ cơ sở dữ liệu ngành.",
            )
        )
    return tuple(found)


def profile_warnings(profile: Profile, personal_number: PersonalNumber | None, grade: int, first_year: int) -> tuple[Warned, ...]:
    """Give what looks odd but must not stop the pupil."""
    found: list[Warned] = []
    code = profile.ministry_code
    if code and not (len(code) == _MINISTRY_CODE_USUAL and code.isascii() and code.isdigit()):
        found.append(
            Warned(
                "ministry_code_unusual",
                "Mã định danh Bộ GD&ĐT thường có đúng 10 chữ số.",
                "Đối chiếu với cơ sở dữ liệu ngành; mã vẫn được lưu.",
            )
        )
    if profile.gender is Gender.UNKNOWN:
        found.append(Warned("gender_missing", "Chưa ghi giới tính.", "Ghi Nam hoặc Nữ."))
    if profile.born_on is not None:
        age = first_year - profile.born_on.year
        if not grade + 4 <= age <= grade + 10:
            found.append(Warned("age_unusual", f"{age} tuổi là lạ với lớp {grade}.", "Kiểm tra lại ngày sinh và khối lớp."))
    if personal_number is not None:
        found.extend(personal_number.warnings(profile.gender, profile.born_on))
    return tuple(found)


def tidied(profile: Profile) -> Profile:
    """Give the profile with every text in its one form, so that two entries of one pupil compare equal."""
    changed = {f.name: tidy(value) for f in fields(profile) if isinstance(value := getattr(profile, f.name), str) and f.name != "gender"}
    return Profile(**{f.name: changed.get(f.name, getattr(profile, f.name)) for f in fields(profile)})


def corrected_number(pupil: Pupil, digits: str, reason: str) -> Pupil:
    """Give the pupil with another personal number; the identity check starts anew, because it was about the old one."""
    if not tidy(reason):
        raise Invalid("reason_missing", "Thiếu lý do thay đổi số định danh cá nhân. Ghi số và ngày của văn bản hoặc lý do.")
    number = PersonalNumber(digits)
    if number.digits == pupil.personal_number:
        raise Forbidden("personal_number_same", "Số định danh cá nhân mới trùng với số đang lưu; không có gì để thay đổi.")
    return Pupil(pupil.pupil_id, pupil.profile, number.digits, None, IdentityState.UNCHECKED, pupil.version + 1)


def identity_fingerprint(profile: Profile, personal_number: str) -> bytes:
    """Give a digest of exactly what an identity check compares: an answer about other data must not be written to the pupil."""
    born = profile.born_on.isoformat() if profile.born_on else ""
    return hashlib.sha256("\x1f".join((personal_number, name_key(profile.full_name), born, profile.gender.value)).encode()).digest()
