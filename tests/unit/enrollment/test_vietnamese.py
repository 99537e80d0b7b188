"""One name typed in two ways is one name."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.enrollment.domain.vietnamese import name_key, plain, tidy


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("Lê Hòa", "Lê Hoà"),
        ("Trần Thị Thúy", "TRẦN THỊ THUÝ"),
        ("Đỗ  Văn\u00a0Huy ", "đỗ văn huy"),
        (unicodedata.normalize("NFD", "Nguyễn Ngọc Ánh"), "Nguyễn Ngọc Ánh"),
    ],
)
def test_spellings_of_one_name_share_a_key(left: str, right: str) -> None:
    assert name_key(left) == name_key(right)


@pytest.mark.parametrize(
    ("left", "right"), [("Lê Hoa", "Lê Hòa"), ("Trần Tu", "Trần Tú"), ("Đỗ Dung", "Dỗ Dung"), ("Lê An", "Lê Ân"), ("Lê Thị Mơ", "Lê Thị Mo")]
)
def test_different_names_keep_different_keys(left: str, right: str) -> None:
    assert name_key(left) != name_key(right)


@given(st.text(max_size=40))
def test_tidy_twice_is_tidy_once(text: str) -> None:
    assert tidy(tidy(text)) == tidy(text)
    assert unicodedata.is_normalized("NFC", tidy(text))


def test_headings_compare_without_marks_and_punctuation() -> None:
    assert plain("  Mã định danh Bộ GD&ĐT ") == plain("MÃ ĐỊNH DANH BỘ GD ĐT") == "ma dinh danh bo gd dt"
