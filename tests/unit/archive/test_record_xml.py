"""The archive's own reading of the XML agrees with signing's: what one finds the same, the other does."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.archive.adapters.record_tables import xml_table
from services.signing.adapters.record_tables import record_table
from services.signing.adapters.samples import canonical, sample
from services.signing.domain.record_xml import Unmapped, from_xml, to_xml
from tests.support.records import LEVELS

TABLE, OURS = record_table(), xml_table()
RECORDS = {level: sample(level) for level in LEVELS}


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where a value has something inside."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [each for key, within in inner for each in ((*path, key), *places(within, (*path, key)))]


@pytest.mark.parametrize("level", LEVELS)
def test_a_record_and_its_xml_say_the_same(level: str) -> None:
    record = RECORDS[level]
    assert OURS.difference(canonical(record), to_xml(record, TABLE)) == ""


@given(st.sampled_from(LEVELS), st.data())
def test_another_value_anywhere_is_a_difference(level: str, data: st.DataObject) -> None:
    record = RECORDS[level]
    other = copy.deepcopy(record)
    *way, last = data.draw(st.sampled_from(places(record)))
    holder = other
    for key in way:
        holder = holder[key]
    before = holder[last]
    holder[last] = data.draw(st.sampled_from([None, "", "khác", 7, True, [], {}]))
    try:
        made = to_xml(other, TABLE)
    except Unmapped:
        return
    changed = type(holder[last]) is not type(before) or holder[last] != before
    assert bool(OURS.difference(canonical(record), made)) is changed
    assert (from_xml(made, TABLE) != record) is changed


@pytest.mark.parametrize("level", LEVELS)
def test_what_is_lost_or_added_is_a_difference(level: str) -> None:
    record = RECORDS[level]
    for key in record:
        less = {name: value for name, value in record.items() if name != key}
        assert OURS.difference(canonical(record), to_xml(less, TABLE)), key
        assert OURS.difference(canonical(less), to_xml(record, TABLE)), key
    assert OURS.difference(canonical(record | {"news": 1}), to_xml(record, TABLE))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"<HocSinh>", b"<HocSinh>x"),
        (b"<HocSinh>", b'<HocSinh a="1">'),
        (b"<HocSinh>", b"<!-- --><HocSinh>"),
        (b"</HoVaTen>", b"<b/></HoVaTen>"),
        (b"urn:hocba:record:1", b"urn:hocba:record:2"),
        (b"</ThongTinHocBa>", b""),
        (b"<ThongTinHocBa", b'<!DOCTYPE x [<!ENTITY a "b">]><ThongTinHocBa'),
        (b"<ThongTinHocBa", b'<ThongTinHocBa a="b"'),
        (b"<PhienBan>1<", b"<PhienBan>01<"),
    ],
)
def test_xml_that_is_written_otherwise_is_a_difference(before: bytes, after: bytes) -> None:
    made = to_xml(RECORDS["primary"], TABLE)
    assert before in made
    assert OURS.difference(canonical(RECORDS["primary"]), made.replace(before, after, 1))


@pytest.mark.parametrize("encoding", ["UTF-16", "UTF-1", "ISO-8859-1", "UTF-7", "none"])
def test_xml_that_another_reader_could_read_in_another_encoding_is_a_difference(encoding: str) -> None:
    made = to_xml(RECORDS["primary"], TABLE)
    assert OURS.difference(canonical(RECORDS["primary"]), made.replace(b"UTF-8", encoding.encode(), 1))
    styled = made.replace(b"?>", b'?><?xml-stylesheet href="other.xsl"?>', 1)
    assert OURS.difference(canonical(RECORDS["primary"]), styled)
    # A document type that is hidden from a search for its bytes.
    wide = made.decode().replace("<ThongTinHocBa", '<!DOCTYPE x [<!ENTITY a "b">]><ThongTinHocBa', 1).replace("UTF-8", "UTF-16", 1)
    assert OURS.difference(canonical(RECORDS["primary"]), wide.encode("utf-16"))
