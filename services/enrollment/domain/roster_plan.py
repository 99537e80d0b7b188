"""What taking a row would do: who the row means, and whether that makes, changes, or leaves alone.

A row means an existing pupil by, in this order:
  0. its internal id, where a program names it (files never do);
  1. the ministry code;
  2. the personal number;
  3. name, birth date and school together, and only if no code of the row contradicts the pupil's.
Codes that point to two pupils, a pupil who is at another school or in another class this year, and a number other than the one
on record are faults with a cure: an import fills in and updates, it never moves a pupil or re-determines a number.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from uuid import UUID

from services.enrollment.domain.personal_number import Absence
from services.enrollment.domain.pupil import IdentityState, Profile
from services.enrollment.domain.roster_columns import Column
from services.enrollment.domain.roster_row import RosterEntry, RowFault


@dataclass(frozen=True, slots=True)
class Known:
    """A pupil that the database already has, with his place in the year of the file (if any)."""

    pupil_id: UUID
    profile: Profile
    personal_number: str
    absence: Absence | None
    version: int
    school_id: UUID
    class_id: UUID | None
    enrolment_version: int
    roll_number: int
    left: bool = False
    identity: IdentityState = IdentityState.UNCHECKED
    joined_on: date | None = None
    home_school_id: UUID | None = None  # the present school; None where the place of the year tells it

    @property
    def home(self) -> UUID:
        """The school that keeps the pupil's profile."""
        return self.home_school_id or self.school_id


class Effect(StrEnum):
    """What a row does."""

    NEW = "new"  # a pupil nobody knew
    JOINED = "joined"  # a known pupil enters this school year
    CHANGED = "changed"  # a pupil of this class whose details differ
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class Decision:
    """A row with whom it means and what it does; `profile` and number are what stands afterwards."""

    entry: RosterEntry
    school_id: UUID
    effect: Effect
    known: Known | None
    profile: Profile
    personal_number: str
    absence: Absence | None


class SeenRows:
    """What earlier rows of the file claimed: the second row for one pupil is a fault that names the first."""

    def __init__(self) -> None:
        self._codes: dict[str, int] = {}
        self._numbers: dict[str, int] = {}
        # Per school, name and birth date: the row and the codes it came with, to let true namesakes pass.
        self._names: dict[tuple[str, str, date | None], list[tuple[int, str, str]]] = {}

    def claim(self, entry: RosterEntry) -> RowFault | None:
        """Claim the pupil of a row, or tell which earlier row has him."""
        code, number = entry.profile.ministry_code, entry.personal_number
        if code and code in self._codes:
            return _repeated(entry.row, Column.MINISTRY_CODE, self._codes[code])
        if number and number in self._numbers:
            return _repeated(entry.row, Column.PERSONAL_NUMBER, self._numbers[number])
        name, born_on = entry.profile.key
        namesakes = self._names.setdefault((entry.school_code, name, born_on), [])
        for row, other_code, other_number in namesakes:
            if not _told_apart(code, other_code, number, other_number):
                return _repeated(entry.row, Column.FULL_NAME, row)
        namesakes.append((entry.row, code, number))
        if code:
            self._codes[code] = entry.row
        if number:
            self._numbers[number] = entry.row
        return None


@dataclass(slots=True)
class KnownPupils:
    """The pupils that a chunk of rows may mean, by each key."""

    by_id: dict[UUID, Known] = field(default_factory=dict)
    by_code: dict[str, Known] = field(default_factory=dict)
    by_number: dict[str, Known] = field(default_factory=dict)
    by_name: dict[tuple[UUID, str, date | None], list[Known]] = field(default_factory=dict)

    @classmethod
    def of(cls, pupils: Iterable[Known]) -> KnownPupils:
        """Index the pupils."""
        known = cls()
        for pupil in pupils:
            known.by_id[pupil.pupil_id] = pupil
            if pupil.profile.ministry_code:
                known.by_code[pupil.profile.ministry_code] = pupil
            if pupil.personal_number:
                known.by_number[pupil.personal_number] = pupil
            known.by_name.setdefault((pupil.school_id, *pupil.profile.key), []).append(pupil)
        return known

    def meant_by(self, entry: RosterEntry, school_id: UUID) -> Known | RowFault | None:
        """Give the pupil whom the row means, None for a new one, or why that can't be told."""
        if entry.pupil_id is not None:
            return self.by_id.get(entry.pupil_id) or RowFault(
                entry.row,
                "",
                "pupil_unknown",
                "Không có học sinh mang mã nội bộ này.",
                "Để trống mã để ghi danh học sinh mới, hoặc lấy mã từ ListPupils.",
                False,
            )
        code, number = entry.profile.ministry_code, entry.personal_number
        by_code, by_number = self.by_code.get(code) if code else None, self.by_number.get(number) if number else None
        if by_code is not None and by_number is not None and by_code.pupil_id != by_number.pupil_id:
            return RowFault(
                entry.row,
                Column.PERSONAL_NUMBER.value,
                "codes_of_two_pupils",
                "Mã định danh Bộ và số định danh cá nhân thuộc hai học sinh khác nhau.",
                "Đối chiếu cả hai mã với giấy khai sinh và cơ sở dữ liệu ngành.",
                False,
            )
        found = by_code or by_number
        if found is not None:
            return found
        namesakes = [
            p for p in self.by_name.get((school_id, *entry.profile.key), ()) if not _told_apart(code, p.profile.ministry_code, number, p.personal_number)
        ]
        if len(namesakes) > 1:
            return RowFault(
                entry.row,
                Column.FULL_NAME.value,
                "namesakes",
                "Có nhiều học sinh cùng họ tên và ngày sinh tại trường này.",
                "Ghi mã định danh Bộ GD&ĐT hoặc số định danh cá nhân để phân biệt.",
                False,
            )
        return namesakes[0] if namesakes else None


def decide(entry: RosterEntry, school_id: UUID, class_id: UUID | None, known: KnownPupils) -> Decision | RowFault:
    """Give what the row does in a class of a school (`class_id` None: the class will be new), or why it can't be taken."""
    meant = known.meant_by(entry, school_id)
    if isinstance(meant, RowFault):
        return meant
    if meant is None:
        return Decision(entry, school_id, Effect.NEW, None, entry.profile, entry.personal_number, entry.absence)
    fault = _standing_elsewhere(entry, meant, school_id, class_id)
    if fault is not None:
        return fault
    profile = meant.profile.filled_from(entry.profile)
    number = meant.personal_number or entry.personal_number
    absence = None if number else (entry.absence or meant.absence)
    if meant.class_id is None or meant.left:
        return Decision(entry, school_id, Effect.JOINED, meant, profile, number, absence)
    same = profile == meant.profile and number == meant.personal_number and absence == meant.absence
    return Decision(entry, school_id, Effect.UNCHANGED if same else Effect.CHANGED, meant, profile, number, absence)


def _standing_elsewhere(entry: RosterEntry, meant: Known, school_id: UUID, class_id: UUID | None) -> RowFault | None:
    """Tell what an import must not overrule: who somebody is, a place in this year, or a number on record."""
    same_name, same_day = (mine == theirs for mine, theirs in zip(entry.profile.key, meant.profile.key, strict=True))
    # Whoever guesses a code must not get at another school's pupil by it, and a slip in a code must not rename anybody.
    stranger = meant.home != school_id
    if (stranger and not (same_name and same_day)) or (entry.pupil_id is None and not same_name and not same_day):
        return RowFault(
            entry.row,
            Column.FULL_NAME.value,
            "other_person",
            "Mã của dòng này thuộc về một học sinh có họ tên hoặc ngày sinh khác.",
            "Đối chiếu mã, họ tên và ngày sinh với giấy khai sinh và cơ sở dữ liệu ngành.",
            False,
        )
    if meant.class_id is not None and not meant.left:
        if meant.school_id != school_id:
            return RowFault(
                entry.row,
                Column.CLASS.value,
                "at_other_school",
                "Học sinh đang học tại trường khác trong năm học này.",
                "Làm thủ tục chuyển trường (TransferPupil) thay vì nhập danh sách.",
                False,
            )
        if meant.class_id != class_id:
            return RowFault(
                entry.row,
                Column.CLASS.value,
                "in_other_class",
                "Học sinh đang ở lớp khác của trường trong năm học này.",
                "Chuyển lớp (TransferPupil), hoặc sửa cột 'Lớp học'.",
                False,
            )
    if meant.personal_number and entry.personal_number and meant.personal_number != entry.personal_number:
        return RowFault(
            entry.row,
            Column.PERSONAL_NUMBER.value,
            "number_on_record_differs",
            "Số định danh cá nhân khác với số đang lưu của học sinh này.",
            "Nếu số mới đúng, dùng CorrectPersonalNumber kèm lý do; nếu không, sửa ô này.",
            False,
        )
    code = entry.profile.ministry_code
    if meant.profile.ministry_code and code and meant.profile.ministry_code != code:
        return RowFault(
            entry.row,
            Column.MINISTRY_CODE.value,
            "code_on_record_differs",
            "Mã định danh Bộ GD&ĐT khác với mã đang lưu; mã này không thay đổi suốt đời.",
            "Đối chiếu với cơ sở dữ liệu ngành rồi sửa ô này.",
            False,
        )
    return None


def _told_apart(code: str, other_code: str, number: str, other_number: str) -> bool:
    """Tell whether codes prove two pupils of one name and birth date to be different."""
    return (bool(code) and bool(other_code) and code != other_code) or (bool(number) and bool(other_number) and number != other_number)


def _repeated(row: int, column: Column, first: int) -> RowFault:
    return RowFault(
        row,
        column.value,
        "repeated_in_file",
        f"Học sinh này đã có ở dòng {first} của tệp.",
        "Xóa một trong hai dòng; nếu là hai học sinh khác nhau, ghi mã để phân biệt.",
        False,
    )
