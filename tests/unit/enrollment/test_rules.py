"""Schools, classes, staff and transfers: what each rule lets through and what it refuses."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from uuid import UUID

import pytest

from services.enrollment.domain.authority import OFFICE, Caller
from services.enrollment.domain.enrolment import Agreement, Enrolment, Place, Transfer, TransferState, check_transfer, moved
from services.enrollment.domain.personal_number import Absence, Gender
from services.enrollment.domain.pupil import IdentityState, Profile, Pupil, corrected_number, identity_fingerprint
from services.enrollment.domain.refusals import Denied, Forbidden, Invalid, Overtaken, RuleBroken
from services.enrollment.domain.school import Level, School, closed, level_of, merged, require_teaches
from services.enrollment.domain.school_class import SchoolClass, grade_in
from services.enrollment.domain.school_year import SchoolYear, running_year
from services.enrollment.domain.staff import Appointment, Assignment, StaffMember, StaffRole, Term, check_appointments, check_assignments

YEAR = SchoolYear(2026)
A, B, C = UUID(int=1), UUID(int=2), UUID(int=3)
SCHOOL = School(A, "79000001", "Trường Số Một", "2025-79", "", frozenset({Level.PRIMARY}), date(2010, 8, 1), None, frozenset(), True)


def code_of(refused: pytest.ExceptionInfo[RuleBroken]) -> str:
    return refused.value.code


@pytest.mark.parametrize(
    ("grade", "level"),
    [(1, Level.PRIMARY), (5, Level.PRIMARY), (6, Level.LOWER_SECONDARY), (9, Level.LOWER_SECONDARY), (10, Level.UPPER_SECONDARY), (12, Level.UPPER_SECONDARY)],
)
def test_every_grade_has_its_level(grade: int, level: Level) -> None:
    assert level_of(grade) is level


@pytest.mark.parametrize("grade", [0, 13, -1])
def test_there_is_no_other_grade(grade: int) -> None:
    with pytest.raises(Invalid):
        level_of(grade)


def test_a_school_teaches_its_levels_only() -> None:
    require_teaches(SCHOOL, 5)
    with pytest.raises(Forbidden, match="không có khối 6"):
        require_teaches(SCHOOL, 6)


@pytest.mark.parametrize("change", [{"code": ""}, {"name": ""}, {"levels": frozenset()}, {"valid_to": date(2010, 7, 31)}, {"predecessors": frozenset({A})}])
def test_a_school_that_contradicts_itself_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(Invalid):
        replace(SCHOOL, **change)  # type: ignore[arg-type]


def test_a_merger_ends_schools_the_day_before_and_names_them() -> None:
    old = replace(SCHOOL, school_id=B)
    successor, (ended,) = merged(SCHOOL, (old,), date(2026, 8, 13))
    assert (ended.valid_to, ended.version, successor.predecessors, successor.version) == (date(2026, 8, 12), 2, frozenset({B}), 2)
    with pytest.raises(Forbidden):
        closed(ended, date(2027, 1, 1))
    with pytest.raises(Forbidden):
        merged(ended, (SCHOOL,), date(2026, 8, 13))
    with pytest.raises(Invalid):
        merged(SCHOOL, (), date(2026, 8, 13))


@pytest.mark.parametrize(("name", "grade"), [("10A1", 10), ("1A", 1), ("6", 6), ("12 Toán", 12), ("Lá 1", None), ("13A", None), ("100", None)])
def test_a_class_name_may_tell_its_grade(name: str, grade: int | None) -> None:
    assert grade_in(name) == grade


def test_a_class_of_another_grade_than_its_name_is_refused() -> None:
    with pytest.raises(Invalid, match="không thuộc khối 7"):
        SchoolClass(A, A, YEAR, 7, "6A1", None)


@pytest.mark.parametrize(("day", "first"), [(date(2026, 9, 1), 2026), (date(2027, 1, 18), 2026), (date(2027, 8, 31), 2026), (date(2027, 9, 1), 2027)])
def test_the_summer_belongs_to_the_year_that_was_taught(day: date, first: int) -> None:
    assert running_year(day) == SchoolYear(first)


def test_a_school_year_is_named_by_its_first_year() -> None:
    assert YEAR.label == "2026-2027"
    with pytest.raises(Invalid, match="2025-2026"):
        SchoolYear(26)


def staff(staff_id: UUID, *appointments: Appointment) -> StaffMember:
    return StaffMember(staff_id, A, f"p{staff_id.int}", "Trần Văn Bình", appointments)


PRINCIPAL = Appointment(StaffRole.PRINCIPAL, date(2026, 8, 1), date(2027, 7, 31))


@pytest.mark.parametrize(
    ("mine", "code"),
    [
        (Appointment(StaffRole.PRINCIPAL, date(2027, 7, 31)), "second_principal"),
        (Appointment(StaffRole.PRINCIPAL, date(2027, 8, 1)), None),
        (Appointment(StaffRole.VICE_PRINCIPAL, date(2026, 9, 1), date(2027, 7, 31), B, "12/QĐ-UQ"), None),
        (Appointment(StaffRole.VICE_PRINCIPAL, date(2026, 9, 1), None, B, "12/QĐ-UQ"), "deputy_without_head"),
        (Appointment(StaffRole.VICE_PRINCIPAL, date(2026, 7, 1), date(2027, 7, 31), B, "12/QĐ-UQ"), "deputy_without_head"),
        (Appointment(StaffRole.VICE_PRINCIPAL, date(2026, 9, 1), date(2027, 7, 31), C, "12/QĐ-UQ"), "deputy_of_himself"),
        (Appointment(StaffRole.VICE_PRINCIPAL, date(2026, 9, 1)), None),
        (Appointment(StaffRole.CLERK, date(2026, 9, 1)), None),
    ],
)
def test_one_principal_at_a_time_and_deputies_only_within_his_time(mine: Appointment, code: str | None) -> None:
    member = staff(C, mine)
    if code is None:
        check_appointments(member, [staff(B, PRINCIPAL)])
        return
    with pytest.raises(RuleBroken) as refused:
        check_appointments(member, [staff(B, PRINCIPAL)])
    assert code_of(refused) == code


def test_an_authority_is_written_down() -> None:
    with pytest.raises(Invalid, match="số quyết định"):
        Appointment(StaffRole.VICE_PRINCIPAL, date(2026, 9, 1), None, B)
    with pytest.raises(Invalid, match="thay mặt cho ai"):
        Appointment(StaffRole.VICE_PRINCIPAL, date(2026, 9, 1), None, None, "12/QĐ-UQ")
    with pytest.raises(Invalid, match="trước khi bắt đầu"):
        Appointment(StaffRole.CLERK, date(2026, 9, 2), date(2026, 9, 1))


@pytest.mark.parametrize(
    ("assignments", "code"),
    [
        ((Assignment("toan", B, True),), None),
        ((Assignment("khtn", B, True), Assignment("khtn", C, False)), None),
        ((Assignment("toan", B, True, Term.FIRST), Assignment("toan", C, True, Term.SECOND)), None),
        ((Assignment("toan", B, True), Assignment("toan", C, True)), "responsible_teacher"),
        ((Assignment("toan", B, False),), "responsible_teacher"),
        ((Assignment("toan", B, True), Assignment("toan", C, True, Term.SECOND)), "responsible_teacher"),
        ((Assignment("toan", B, True), Assignment("toan", B, False)), "teacher_listed_twice"),
        ((Assignment("toan", A, True),), "teacher_of_other_school"),
        ((Assignment("", B, True),), "assignment_without_subject"),
    ],
)
def test_exactly_one_teacher_is_responsible_per_subject_and_term(assignments: tuple[Assignment, ...], code: str | None) -> None:
    if code is None:
        check_assignments(assignments, frozenset({B, C}))
        return
    with pytest.raises(Invalid) as refused:
        check_assignments(assignments, frozenset({B, C}))
    assert code_of(refused) == code


HERE, THERE = Place(A, UUID(int=11), "2025-79"), Place(B, UUID(int=12), "2025-48")
ENROLMENT = Enrolment(C, YEAR, HERE, 5, date(2026, 9, 5), None, 3)
TRANSFER = Transfer(C, C, YEAR, HERE, B, THERE.class_id, date(2026, 11, 16), "theo cha mẹ")
TARGET = SchoolClass(THERE.class_id, B, YEAR, 3, "3B", None)
THEIRS = replace(SCHOOL, school_id=B)
YES = Agreement("x", datetime(2026, 11, 22, tzinfo=UTC))


@pytest.mark.parametrize(
    ("change", "both", "state"),
    [
        ({"source_agreed": YES, "target_agreed": YES}, True, TransferState.DONE),
        ({"target_agreed": YES}, True, TransferState.WAITING_FOR_SOURCE),
        ({"target_agreed": YES}, False, TransferState.DONE),
        ({"source_agreed": YES}, True, TransferState.WAITING_FOR_TARGET),
        ({"source_agreed": YES}, False, TransferState.WAITING_FOR_TARGET),
        ({"source_agreed": YES, "target_agreed": YES, "target_class_id": None}, True, TransferState.WAITING_FOR_TARGET),
        ({"source_agreed": YES, "target_school_id": None, "target_class_id": None}, True, TransferState.DONE),
        ({"target_school_id": None, "target_class_id": None}, False, TransferState.WAITING_FOR_SOURCE),
        ({"source_agreed": YES, "target_school_id": A}, True, TransferState.DONE),
    ],
)
def test_a_transfer_waits_for_whoever_has_not_agreed(change: dict[str, object], both: bool, state: TransferState) -> None:
    assert replace(TRANSFER, **change).state(both) is state  # type: ignore[arg-type]


def test_consents_to_different_moves_do_not_join() -> None:
    waiting = replace(TRANSFER, target_agreed=YES)
    joined = waiting.joined_by(replace(TRANSFER, transfer_id=A, target_class_id=None, source_agreed=YES))
    assert (joined.transfer_id, joined.target_class_id, joined.state(True)) == (C, THERE.class_id, TransferState.DONE)
    with pytest.raises(Forbidden):
        waiting.joined_by(replace(TRANSFER, target_school_id=C))
    with pytest.raises(Forbidden):
        waiting.joined_by(replace(TRANSFER, target_class_id=A))


@pytest.mark.parametrize(
    ("transfer", "enrolment", "target", "error"),
    [
        (TRANSFER, ENROLMENT, TARGET, None),
        (TRANSFER, replace(ENROLMENT, left_on=date(2026, 10, 1)), TARGET, Forbidden),
        (TRANSFER, replace(ENROLMENT, place=THERE), TARGET, Overtaken),
        (replace(TRANSFER, transferred_on=date(2026, 5, 31)), ENROLMENT, TARGET, Invalid),
        (replace(TRANSFER, transferred_on=date(2026, 9, 4)), ENROLMENT, TARGET, Invalid),
        (replace(TRANSFER, reason=""), ENROLMENT, TARGET, Invalid),
        (TRANSFER, ENROLMENT, replace(TARGET, school_id=A), Invalid),
        (TRANSFER, ENROLMENT, replace(TARGET, school_year=SchoolYear(2025)), Invalid),
    ],
)
def test_only_a_move_that_can_be_is_made(transfer: Transfer, enrolment: Enrolment, target: SchoolClass, error: type[RuleBroken] | None) -> None:
    if error is None:
        check_transfer(transfer, enrolment, target, THEIRS)
        return
    with pytest.raises(error):
        check_transfer(transfer, enrolment, target, THEIRS)


def test_a_school_that_has_ended_takes_nobody_in() -> None:
    with pytest.raises(Forbidden, match="không hoạt động"):
        check_transfer(TRANSFER, ENROLMENT, TARGET, replace(THEIRS, valid_to=date(2026, 11, 15)))


def test_a_move_raises_the_version_and_leaving_keeps_the_place() -> None:
    there = moved(ENROLMENT, TRANSFER, THERE, 31)
    assert (there.place, there.roll_number, there.version, there.joined_on) == (THERE, 31, 4, date(2026, 11, 16))
    gone = moved(ENROLMENT, TRANSFER, None, 0)
    assert (gone.place, gone.left_on, gone.version) == (HERE, date(2026, 11, 16), 4)


def test_roles_reach_their_school_their_province_or_the_nation() -> None:
    def caller(*grants: tuple[str, str]) -> Caller:
        return Caller("x", frozenset(grants))

    for scope, reaches in ((f"school:{A}", True), (f"school:{B}", False), ("province:2025-79", True), ("province:2025-48", False), ("nation", True)):
        assert caller(("registrar", scope)).may(OFFICE, A, "2025-79") is reaches
    assert not caller(("subject_teacher", "nation")).may(OFFICE, A, "2025-79")
    with pytest.raises(Denied, match="registrar hoặc principal"):
        caller().require(OFFICE, A, "2025-79", "làm việc này")


def test_a_corrected_number_starts_the_identity_check_anew() -> None:
    pupil = Pupil(A, Profile("Lê Hà"), "", Absence.PENDING, IdentityState.MATCHED, 1)
    corrected = corrected_number(pupil, "079315123456", "QĐ 1")
    assert (corrected.personal_number, corrected.absence, corrected.identity, corrected.version) == ("079315123456", None, IdentityState.UNCHECKED, 2)
    with pytest.raises(Forbidden):
        corrected_number(corrected, "079315123456", "QĐ 1")
    with pytest.raises(Invalid, match="lý do"):
        corrected_number(pupil, "079315123456", " ")


def test_what_a_school_has_not_written_down_is_named_and_nothing_else() -> None:
    assert Profile("Lê Hà").missing == ("gender", "birth_date", "birth_place", "ethnicity", "ministry_code")
    told = Profile("Lê Hà", Gender.FEMALE, date(2015, 9, 5), "Huế", "Kinh", ministry_code="0123456789")
    assert told.missing == ()
    assert replace(told, ethnicity="").missing == ("ethnicity",)


def test_an_identity_answer_is_about_exactly_what_was_asked() -> None:
    asked = identity_fingerprint(Profile("Lê Hòa", born_on=date(2015, 9, 5)), "1")
    assert identity_fingerprint(Profile("LÊ HOÀ", born_on=date(2015, 9, 5), address="x"), "1") == asked
    assert identity_fingerprint(Profile("Lê Hòa", born_on=date(2015, 9, 6)), "1") != asked
    assert identity_fingerprint(Profile("Lê Hòa", born_on=date(2015, 9, 5)), "2") != asked
