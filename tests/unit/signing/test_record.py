"""Reading the canonical record: what is refused, and that each refusal says where."""

import json
import unicodedata
from typing import Any

import pytest

from services.signing.domain.record import Level, UnreadableRecord, read_record
from tests.support.records import LEVELS, canonical, example


@pytest.mark.parametrize("level", LEVELS)
def test_examples_of_the_contract_are_read(level: str) -> None:
    record = read_record(canonical(example(level)))
    assert record.level is Level[level.upper()]
    assert record.pupil_name == example(level)["pupil"]["name"]


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (lambda r: r.update(schema="hocba.record/9"), r"\$\.schema"),
        (lambda r: r.update(level="KINDERGARTEN"), r"\$\.level"),
        (lambda r: r.pop("level"), r"\$\.level is missing"),
        (lambda r: r["transcript"].update(version="1"), r"\$\.transcript\.version"),
        (lambda r: r["pupil"].update(name="\u202eAn"), r"\$\.pupil\.name.*U\+202E"),
        (lambda r: r["pupil"].update(name="محمد"), r"\$\.pupil\.name"),
        (lambda r: r["pupil"].update(name="A\x00n"), r"\$\.pupil\.name.*U\+0000"),
        (lambda r: r["pupil"].update(name=unicodedata.normalize("NFD", "Ấn")), r"\$\.pupil\.name.*normalisation form C"),
    ],
)
def test_record_that_cannot_be_printed_is_refused_with_its_place(change: Any, place: str) -> None:
    record = example()
    change(record)
    with pytest.raises(UnreadableRecord, match=place):
        read_record(canonical(record))


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff", json.dumps("x").encode()])
def test_bytes_that_are_no_record_are_refused(content: bytes) -> None:
    with pytest.raises(UnreadableRecord):
        read_record(content)
