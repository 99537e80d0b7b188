"""The record as XML: nothing is lost on the way and back, and what doesn't fit is refused with its place."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.signing.adapters.record_tables import record_table
from services.signing.adapters.samples import SIZES, sample
from services.signing.domain.record_xml import Line, Unmapped, from_xml, to_xml
from tests.support.records import LEVELS

TABLE = record_table()
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn"]) | st.sampled_from("\n\r\t ắỡ&<>\"']]>"))
SIMPLE = {"text": TEXTS, "number": st.integers(), "truth": st.booleans(), "json": st.dictionaries(TEXTS, st.integers() | TEXTS | st.lists(st.booleans()))}


def values(line: Line) -> st.SearchStrategy[Any]:
    """Whatever the table lets stand at a path."""
    if line.kind == "object":
        return st.none() | members(line.path)
    if line.kind == "list":
        return st.none() | st.lists(values(TABLE.inside[line.path]["[]"]), max_size=2)
    return st.none() | SIMPLE[line.kind]


def members(path: str) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional={key: values(line) for key, line in TABLE.inside[path].items()})


@given(members(""))
def test_whatever_the_table_has_lines_for_comes_back_the_same(record: dict[str, Any]) -> None:
    assert from_xml(to_xml(record, TABLE), TABLE) == record


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("level", LEVELS)
def test_samples_of_every_form_come_back_the_same(level: str, size: str) -> None:
    record = sample(level, size)
    made = to_xml(record, TABLE)
    assert from_xml(made, TABLE) == record
    assert made == to_xml(dict(reversed(record.items())), TABLE)


def test_elements_have_the_names_of_the_table_and_stand_in_its_order() -> None:
    made = to_xml({"pupil": {"name": "Đỗ & Lê", "guardian": None}, "school_year": "2025-2026"}, TABLE).decode()
    assert made.endswith('><NamHoc>2025-2026</NamHoc><HocSinh><HoVaTen>Đỗ &amp; Lê</HoVaTen><NguoiGiamHo xsi:nil="true"/></HocSinh></ThongTinHocBa>\n')


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (lambda r: r["pupil"].update(shoe_size="38"), r"\$\.pupil\.shoe_size has no line"),
        (lambda r: r.update(news=1), r"\$\.news has no line"),
        (lambda r: r["transcript"].update(version="1"), r"\$\.transcript\.version: number is expected, found str"),
        (lambda r: r["transcript"].update(version=True), r"\$\.transcript\.version: number is expected, found bool"),
        (lambda r: r["subjects"].append("Toán"), r"\$\.subjects\[\]: object is expected"),
        (lambda r: r["pupil"].update(name="A\x00"), r"\$\.pupil\.name: character U\+0000"),
    ],
)
def test_what_has_no_place_in_xml_is_refused(change: Any, place: str) -> None:
    record = sample("primary")
    change(record)
    with pytest.raises(Unmapped, match=place):
        to_xml(record, TABLE)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("<HocSinh>", "<HocSinh>x"),
        ("<HocSinh>", '<HocSinh a="1">'),
        ("<HocSinh>", "<!-- --><HocSinh>"),
        ("<HocSinh>", "<HocSinh><HoVaTen>Hai</HoVaTen>"),
        ("<HocSinh>", "<HocSinh><Khac/>"),
        ("<HocSinh>", '<HocSinh><Khac xmlns=""/>'),
        ("<PhienBan>1<", "<PhienBan>một<"),
        ("<PhienBan>1<", "<PhienBan>1.5<"),
        ("<PhienBan>1<", "<PhienBan><b/><"),
        ("urn:hocba:record:1", "urn:hocba:record:2"),
        ("</ThongTinHocBa>", ""),
        ("<ThongTinHocBa", '<!DOCTYPE x [<!ENTITY a "b">]><ThongTinHocBa'),
    ],
)
def test_other_xml_is_refused(before: str, after: str) -> None:
    made = to_xml(sample("primary"), TABLE).decode()
    assert before in made
    with pytest.raises(Unmapped):
        from_xml(made.replace(before, after, 1).encode(), TABLE)
