"""Twelve digits: only the shape can be wrong, everything that they tell about a person can only warn."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.enrollment.domain.personal_number import Gender, PersonalNumber
from services.enrollment.domain.refusals import Invalid


@pytest.mark.parametrize(
    ("digits", "code"),
    [
        ("", "personal_number_length"),
        ("07921512345", "personal_number_length"),
        ("0792151234567", "personal_number_length"),
        ("079 21512345", "personal_number_not_digits"),
        ("07921512345a", "personal_number_not_digits"),
        ("٠٧٩٢١٥١٢٣٤٥٦", "personal_number_not_digits"),
        ("000000000000", "personal_number_filler"),
    ],
)
def test_a_number_of_the_wrong_shape_is_refused(digits: str, code: str) -> None:
    with pytest.raises(Invalid) as refusal:
        PersonalNumber(digits)
    # An empty text has no digits at all; it is told as such.
    assert refusal.value.code == ("personal_number_not_digits" if digits == "" else code)


def test_an_old_nine_digit_number_is_told_as_such() -> None:
    with pytest.raises(Invalid, match="chứng minh nhân dân"):
        PersonalNumber("079123456")


@pytest.mark.parametrize(
    ("century", "gender", "year"),
    [("0", Gender.MALE, 1915), ("1", Gender.FEMALE, 1915), ("2", Gender.MALE, 2015), ("3", Gender.FEMALE, 2015), ("9", Gender.FEMALE, 2315)],
)
def test_the_fourth_digit_tells_century_and_sex(century: str, gender: Gender, year: int) -> None:
    number = PersonalNumber(f"079{century}15123456")
    assert (number.gender, number.birth_year) == (gender, year)


def test_a_number_that_contradicts_the_profile_only_warns() -> None:
    number = PersonalNumber("079215123456")
    codes = [w.code for w in number.warnings(Gender.FEMALE, date(2016, 1, 1))]
    assert codes == ["personal_number_gender", "personal_number_birth_year"]
    assert number.warnings(Gender.MALE, date(2015, 9, 5)) == ()
    assert number.warnings(Gender.UNKNOWN, None) == ()


@pytest.mark.parametrize(("place", "warned"), [("001", False), ("096", False), ("074", False), ("003", True), ("000", True), ("097", False), ("840", False)])
def test_a_place_that_never_was_warns(place: str, warned: bool) -> None:
    warnings = PersonalNumber(f"{place}215123456").warnings(Gender.MALE, date(2015, 1, 1))
    assert [w.code for w in warnings] == (["personal_number_place"] if warned else [])


@given(st.from_regex(r"[0-9]{12}", fullmatch=True))
def test_any_twelve_digits_but_fillers_are_a_number(digits: str) -> None:
    if len(set(digits)) == 1:
        with pytest.raises(Invalid):
            PersonalNumber(digits)
    else:
        assert 1900 <= PersonalNumber(digits).birth_year <= 2399
