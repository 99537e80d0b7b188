"""Whom a row means, and what an import may do to him."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from uuid import UUID, uuid4

import pytest

from services.enrollment.domain.personal_number import Absence, Gender
from services.enrollment.domain.pupil import Profile
from services.enrollment.domain.roster_plan import Decision, Effect, Known, KnownPupils, SeenRows, decide
from services.enrollment.domain.roster_row import RosterEntry, RowFault

SCHOOL, OTHER, CLASS = UUID(int=1), UUID(int=2), UUID(int=3)
PROFILE = Profile("Lê Thị Hòa", Gender.FEMALE, date(2015, 9, 5), ministry_code="7900000001")
NUMBER = "079315123456"


def entry(row: int = 2, *, profile: Profile = PROFILE, number: str = NUMBER, school_code: str = "") -> RosterEntry:
    return RosterEntry(row, school_code, "6A1", 6, profile, number, None if number else Absence.PENDING)


def known(**told: object) -> Known:
    pupil = Known(UUID(int=9), PROFILE, NUMBER, None, 3, SCHOOL, CLASS, 5, 12)
    return replace(pupil, **told)  # type: ignore[arg-type]


def effect(of: RosterEntry, *pupils: Known, class_id: UUID | None = CLASS) -> str:
    verdict = decide(of, SCHOOL, class_id, KnownPupils.of(pupils))
    return verdict.effect.value if isinstance(verdict, Decision) else verdict.code


def test_a_pupil_nobody_knows_is_new() -> None:
    assert effect(entry()) == Effect.NEW


def test_the_same_details_change_nothing() -> None:
    assert effect(entry(), known()) == Effect.UNCHANGED


def test_an_empty_cell_erases_nothing() -> None:
    stored = known(profile=replace(PROFILE, address="12 Lê Lợi", father_name="Lê Văn Nam"))
    assert effect(entry(), stored) == Effect.UNCHANGED


def test_a_filled_cell_changes_what_was_stored() -> None:
    verdict = decide(entry(profile=replace(PROFILE, address="12 Lê Lợi")), SCHOOL, CLASS, KnownPupils.of([known()]))
    assert isinstance(verdict, Decision)
    assert (verdict.effect, verdict.profile.address) == (Effect.CHANGED, "12 Lê Lợi")


def test_a_number_fills_a_gap_but_never_replaces_one() -> None:
    gap = known(personal_number="", absence=Absence.PENDING)
    verdict = decide(entry(), SCHOOL, CLASS, KnownPupils.of([gap]))
    assert isinstance(verdict, Decision)
    assert (verdict.effect, verdict.personal_number, verdict.absence) == (Effect.CHANGED, NUMBER, None)
    assert effect(entry(number="079315999999"), known()) == "number_on_record_differs"


def test_a_ministry_code_is_for_life() -> None:
    assert effect(entry(profile=replace(PROFILE, ministry_code="7900000002")), known()) == "code_on_record_differs"


def test_codes_of_two_pupils_are_a_fault() -> None:
    other = known(pupil_id=uuid4(), profile=replace(PROFILE, ministry_code="7900000002"), personal_number="079315999999")
    assert effect(entry(number="079315999999"), known(), other) == "codes_of_two_pupils"


def test_a_place_of_this_year_is_not_overruled() -> None:
    assert effect(entry(), known(school_id=OTHER)) == "at_other_school"
    assert effect(entry(), known(class_id=UUID(int=4))) == "in_other_class"
    assert effect(entry(), known(), class_id=None) == "in_other_class"


def test_a_pupil_of_an_earlier_year_or_who_had_left_joins() -> None:
    assert effect(entry(), known(class_id=None, school_id=OTHER)) == Effect.JOINED
    assert effect(entry(), known(left=True, school_id=OTHER)) == Effect.JOINED


def test_without_codes_name_birth_date_and_school_decide() -> None:
    bare = entry(profile=replace(PROFILE, ministry_code="", full_name="LÊ THỊ HOÀ"), number="")
    assert effect(bare, known()) == Effect.CHANGED  # The spelling of the name is taken over.
    assert effect(bare, known(school_id=OTHER)) == Effect.NEW
    assert effect(bare, known(), known(pupil_id=uuid4(), profile=replace(PROFILE, ministry_code="7900000002"), personal_number="")) == "namesakes"


def test_namesakes_with_codes_of_their_own_are_two_pupils() -> None:
    twin = entry(profile=replace(PROFILE, ministry_code="7900000002"), number="079315999999")
    assert effect(twin, known()) == Effect.NEW


def test_a_code_alone_neither_opens_another_schools_pupil_nor_renames_one() -> None:
    elsewhere = known(class_id=None, school_id=OTHER)
    assert effect(entry(profile=replace(PROFILE, full_name="Lê Thị Hoa")), elsewhere) == "other_person"
    assert effect(entry(profile=replace(PROFILE, born_on=date(2015, 9, 6))), elsewhere) == "other_person"
    assert effect(entry(profile=replace(PROFILE, full_name="Lê Thị Hoà")), elsewhere) == Effect.JOINED
    # At the own school a slip in one of the two is corrected, but not both at once.
    assert effect(entry(profile=replace(PROFILE, full_name="Lê Thị Hoa")), known()) == Effect.CHANGED
    assert effect(entry(profile=replace(PROFILE, full_name="Lê Thị Hoa", born_on=date(2015, 9, 6))), known()) == "other_person"


@pytest.mark.parametrize(
    ("second", "column"),
    [
        (entry(9), "Mã định danh Bộ GD&ĐT"),
        (entry(9, profile=replace(PROFILE, ministry_code="")), "Số định danh cá nhân"),
        (entry(9, profile=replace(PROFILE, ministry_code=""), number=""), "Họ tên"),
        (entry(9, profile=replace(PROFILE, ministry_code="7900000002", full_name="Lê Thị Hoà"), number=""), None),
        (entry(9, profile=replace(PROFILE, ministry_code=""), number="", school_code="x"), None),
    ],
)
def test_the_second_row_of_a_pupil_is_told_where_the_first_is(second: RosterEntry, column: str | None) -> None:
    seen = SeenRows()
    assert seen.claim(entry(4)) is None
    fault = seen.claim(second)
    if column is None:
        assert fault is None
    else:
        assert isinstance(fault, RowFault)
        assert (fault.row, fault.column, "dòng 4" in fault.problem) == (9, column, True)
