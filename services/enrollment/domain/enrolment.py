"""Where a pupil is: one class of one school per school year, and how that place moves.

(pupil, school year) is one row with a rising version. A transfer moves the running year; years that ended stay with the school
that taught and signed them. Both schools have a say: the one that lets go and the one that takes in.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from services.enrollment.domain.refusals import Forbidden, Invalid, Overtaken
from services.enrollment.domain.school import School
from services.enrollment.domain.school_class import SchoolClass
from services.enrollment.domain.school_year import SchoolYear


@dataclass(frozen=True, slots=True)
class Place:
    """A class of a school, with the province that the school belongs to."""

    school_id: UUID
    class_id: UUID
    province_id: str


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A pupil's place in one school year; `left_on` says that he left hocba's schools."""

    pupil_id: UUID
    school_year: SchoolYear
    place: Place
    roll_number: int
    joined_on: date
    left_on: date | None
    version: int


class TransferState(StrEnum):
    """Where a transfer stands."""

    WAITING_FOR_SOURCE = "waiting_for_source"
    WAITING_FOR_TARGET = "waiting_for_target"
    DONE = "done"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Agreement:
    """One side's consent: who gave it and when."""

    account_id: str
    given_at: datetime


@dataclass(frozen=True, slots=True)
class Transfer:
    """A pupil's move within one school year; done when both sides agreed and the new class is named."""

    transfer_id: UUID
    pupil_id: UUID
    school_year: SchoolYear
    source: Place
    target_school_id: UUID | None
    target_class_id: UUID | None
    transferred_on: date
    reason: str
    source_agreed: Agreement | None = None
    target_agreed: Agreement | None = None

    @property
    def leaves_hocba(self) -> bool:
        """Tell whether the pupil goes where hocba keeps no roster."""
        return self.target_school_id is None

    @property
    def inside_school(self) -> bool:
        """Tell whether only the class changes."""
        return self.target_school_id == self.source.school_id

    def state(self, both_sides: bool) -> TransferState:
        """Tell whom the transfer waits for; without `both_sides` the taking school alone decides (policy)."""
        target_settled = self.leaves_hocba or (self.target_class_id is not None and (self.target_agreed is not None or self.inside_school))
        if not target_settled:
            return TransferState.WAITING_FOR_TARGET
        if self.source_agreed is None and (both_sides or self.leaves_hocba or self.inside_school):
            return TransferState.WAITING_FOR_SOURCE
        return TransferState.DONE

    def joined_by(self, other: Transfer) -> Transfer:
        """Give this open transfer with the other side's consent; refuse when the two don't mean the same move."""
        if self.target_school_id != other.target_school_id:
            raise Forbidden(
                "transfer_open_elsewhere",
                "Học sinh đang có một đề nghị chuyển trường khác chưa hoàn tất: hoàn tất hoặc hủy đề nghị đó trước.",
            )
        if self.target_class_id is not None and other.target_class_id is not None and self.target_class_id != other.target_class_id:
            raise Forbidden("transfer_class_differs", "Hai bên ghi hai lớp khác nhau: dùng lớp do trường nhận đã chọn.")
        return replace(
            self,
            target_class_id=self.target_class_id or other.target_class_id,
            source_agreed=self.source_agreed or other.source_agreed,
            target_agreed=self.target_agreed or other.target_agreed,
            transferred_on=max(self.transferred_on, other.transferred_on),
        )


def check_transfer(transfer: Transfer, enrolment: Enrolment, target: SchoolClass | None, target_school: School | None) -> None:
    """Refuse a move that can't be: from a place the pupil isn't at, outside the year, or into a class that doesn't fit."""
    if enrolment.left_on is not None:
        raise Forbidden(
            "pupil_left",
            "Học sinh đã thôi học tại các trường trong hệ thống trong năm học này; hãy ghi danh lại thay vì chuyển trường.",
        )
    if enrolment.place != transfer.source:
        raise Overtaken("pupil_moved", "Học sinh vừa được chuyển sang lớp khác. Xem lại nơi học hiện tại rồi quyết định lại.")
    if not transfer.school_year.holds(transfer.transferred_on):
        raise Invalid(
            "transfer_outside_year",
            f"Ngày chuyển {transfer.transferred_on:%d/%m/%Y} không thuộc năm học {transfer.school_year.label}.",
        )
    if transfer.transferred_on < enrolment.joined_on:
        raise Invalid(
            "transfer_before_joining",
            f"Ngày chuyển không thể trước ngày vào lớp hiện tại ({enrolment.joined_on:%d/%m/%Y}).",
        )
    if not transfer.reason:
        raise Invalid("reason_missing", "Thiếu lý do chuyển: ghi lý do như trong đơn.")
    if target_school is not None and not target_school.open_on(transfer.transferred_on):
        raise Forbidden(
            "target_school_closed",
            f"Trường {target_school.name} không hoạt động vào ngày {transfer.transferred_on:%d/%m/%Y}.",
        )
    if target is None:
        return
    if target.school_id != transfer.target_school_id:
        raise Invalid("class_of_other_school", f"Lớp {target.name} không thuộc trường nhận: chọn lại lớp.")
    if target.class_id == enrolment.place.class_id:
        raise Forbidden("transfer_to_same_class", "Học sinh đang học chính lớp này.")
    if target.school_year != transfer.school_year:
        raise Invalid(
            "class_of_other_year",
            f"Lớp {target.name} thuộc năm học {target.school_year.label}, không phải {transfer.school_year.label}.",
        )


def moved(enrolment: Enrolment, transfer: Transfer, target: Place | None, roll_number: int) -> Enrolment:
    """Give the enrolment after the transfer; the version rises, so whoever hears of both places knows the later one."""
    if target is None:
        return replace(enrolment, left_on=transfer.transferred_on, version=enrolment.version + 1)
    return replace(
        enrolment,
        place=target,
        roll_number=roll_number,
        joined_on=transfer.transferred_on,
        version=enrolment.version + 1,
    )
