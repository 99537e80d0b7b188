"""The catalogue of provinces as the law has it: 63, then 34, seven codes that changed meaning, and one change of kind."""

from datetime import date

import pytest

from services.enrollment.adapters.catalogue import shipped_catalogue
from services.enrollment.domain.provinces import Catalogue, Kind, Province, Style
from services.enrollment.domain.refusals import Invalid, Missing

BEFORE, AFTER = date(2025, 6, 30), date(2025, 7, 1)
catalogue = shipped_catalogue()


def test_catalogue_counts_sixty_three_then_thirty_four() -> None:
    assert len(catalogue.valid_on(BEFORE)) == 63
    assert len(catalogue.valid_on(AFTER)) == 34


def test_every_old_province_has_exactly_one_successor_and_all_are_reached() -> None:
    reached = {catalogue.current(p.province_id, AFTER).province_id for p in catalogue.valid_on(BEFORE)}
    assert reached == {p.province_id for p in catalogue.valid_on(AFTER)}


def test_merged_and_unchanged_provinces_are_twenty_three_and_eleven() -> None:
    sizes = [len(catalogue.predecessors(p.province_id)) for p in catalogue.valid_on(AFTER)]
    assert sum(size > 1 for size in sizes) == 23
    assert sizes.count(1) == 11


def test_seven_codes_changed_meaning() -> None:
    assert catalogue.changed_meaning("1997", "2025") == ("15", "24", "44", "52", "80", "82", "91")


@pytest.mark.parametrize(
    ("code", "before", "after"),
    [
        ("15", "Yên Bái", "Lào Cai"),
        ("24", "Bắc Giang", "Bắc Ninh"),
        ("44", "Quảng Bình", "Quảng Trị"),
        ("52", "Bình Định", "Gia Lai"),
        ("80", "Long An", "Tây Ninh"),
        ("82", "Tiền Giang", "Đồng Tháp"),
        ("91", "Kiên Giang", "An Giang"),
    ],
)
def test_a_reused_code_means_by_its_day(code: str, before: str, after: str) -> None:
    assert catalogue.by_code(code, BEFORE).style_on(BEFORE).name == before
    assert catalogue.by_code(code, AFTER).style_on(AFTER).name == after


def test_dong_nai_becomes_a_city_on_its_day() -> None:
    dong_nai = catalogue.get("2025-75")
    assert dong_nai.style_on(date(2026, 4, 29)).title == "Tỉnh Đồng Nai"
    assert dong_nai.style_on(date(2026, 4, 30)).title == "Thành phố Đồng Nai"


def test_hue_keeps_its_old_name_until_2025() -> None:
    assert catalogue.get("1997-46").style_on(date(2024, 12, 31)).title == "Tỉnh Thừa Thiên Huế"
    assert catalogue.get("1997-46").style_on(date(2025, 1, 1)).title == "Thành phố Huế"


def test_a_province_that_ended_is_refused_and_names_its_successor() -> None:
    with pytest.raises(Invalid, match=r"Tỉnh Bình Dương .* Thành phố Hồ Chí Minh \(2025-79\)"):
        catalogue.require_valid("1997-74", AFTER)
    assert catalogue.require_valid("1997-74", BEFORE).code == "74"


def test_an_unknown_province_is_refused_with_a_cure() -> None:
    with pytest.raises(Missing, match="2025-79"):
        catalogue.get("79")


def test_a_catalogue_that_contradicts_itself_does_not_start() -> None:
    style = (Style(AFTER, "Huế", Kind.CITY),)
    with pytest.raises(ValueError, match="not in the catalogue"):
        Catalogue([Province("2025", "46", style, AFTER, date(2030, 1, 1), "2030-46")])
    with pytest.raises(ValueError, match="both an end and a successor"):
        Catalogue([Province("2025", "46", style, AFTER, date(2030, 1, 1), None)])
