"""Whatever stands in a record comes out of the page again, whole and in order, or the record is refused: nothing in between.

The press is asked through its port, and the page is read by pdftotext.
"""

from __future__ import annotations

import asyncio
import unicodedata
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from services.signing.adapters.samples import SHEET, canonical, sample
from services.signing.application.ports import PageMade
from services.signing.domain.roles import DEFAULT_ORDER
from tests.support.printed_text import Place, printed, words_outside
from tests.support.records import LEVELS
from tests.support.signed_pages import a_press

PRESS = a_press()
VOWELS = "aàáảãạăằắẳẵặâầấẩẫậeèéẻẽẹêềếểễệiìíỉĩịoòóỏõọôồốổỗộơờớởỡợuùúủũụưừứửữựyỳýỷỹỵ"
LETTERS = VOWELS + "bcdđfghjklmnpqrstvwxz"
ALPHABET = LETTERS + LETTERS.upper()
SIGNS = "0123456789.,;:!?()/%+-–…'\"“”&@"
MARGIN = 5  # points
LONGEST = 400
# A page takes a tenth of a second to set and to read back, so a failure is shown as it was found instead of being made small for minutes.
QUICK = settings(phases=(Phase.explicit, Phase.reuse, Phase.generate), suppress_health_check=list(HealthCheck))

words = st.text(ALPHABET, min_size=1, max_size=9) | st.sampled_from(["nghiêng", "Đặng", "khuỷu", "ngoằn", "quỹ", "ƯỚC", "fi", "ffl"])
names = st.lists(words, min_size=1, max_size=8).map(" ".join)
remarks = st.lists(words | st.text(ALPHABET + SIGNS, min_size=1, max_size=20), max_size=90).map(lambda made: " ".join(made)[:LONGEST].strip())


def set_page(record: dict[str, Any]) -> PageMade | str:
    """One record through the port."""
    (outcome,) = asyncio.run(PRESS.set_pages([canonical(record)], DEFAULT_ORDER))
    return outcome


def page_of(record: dict[str, Any]) -> bytes:
    """The page of a record that must not be refused."""
    outcome = set_page(record)
    assert isinstance(outcome, PageMade), outcome
    return outcome.pdf


@pytest.mark.parametrize("level", LEVELS)
@settings(QUICK, max_examples=15)
@given(data=st.data())
def test_names_and_remarks_come_out_as_they_were_put_in(level: str, data: st.DataObject) -> None:
    record = sample(level)
    taught = [subject for subject in record["subjects"] if subject["taken"]]
    record["pupil"]["name"] = data.draw(names)
    for subject in taught:
        subject["comment"] = data.draw(remarks)
    record["comments"]["homeroom"] = data.draw(remarks)
    pdf = page_of(record)
    text, place = printed(pdf), Place(0, 0)
    assert text.find(record["pupil"]["name"].upper())
    assert text.find(record["comments"]["homeroom"])
    for subject in taught:
        found = text.find(subject["name"], place)
        assert found, subject["name"]
        found = text.find(subject["comment"], found)
        assert found, subject
        place = found
    assert words_outside(pdf, MARGIN) == []


@settings(QUICK, max_examples=15)
@given(data=st.data())
def test_each_row_of_a_sheet_comes_out_whole_and_in_its_order(data: st.DataObject) -> None:
    sheet = sample(SHEET)
    sheet["rows"] = sheet["rows"][: data.draw(st.integers(1, len(sheet["rows"])))]
    for line in sheet["rows"]:
        line["row"] |= {"pupil": data.draw(names), "comment": data.draw(remarks)}
    pdf = page_of(sheet)
    text, place = printed(pdf), Place(0, 0)
    for line in sheet["rows"]:
        for said in (line["row"]["pupil"], line["row"]["year"].replace(".", ","), line["row"]["comment"]):
            found = text.find(said, place)
            assert found, said
            place = found
    assert words_outside(pdf, MARGIN) == []


@pytest.mark.parametrize("level", LEVELS)
def test_every_letter_in_both_cases_and_the_longest_remarks(level: str) -> None:
    record = sample(level)
    record["pupil"]["name"] = "Ỷ Ỹ Ỵ Ặ Ậ Ệ Ộ Ợ Ự Đ " + "Nguyễn " * 8
    remark = (ALPHABET + " ") * 3
    for subject in record["subjects"]:
        if subject["taken"]:
            subject["comment"] = " ".join(remark[start : start + 7] for start in range(0, 350, 7))[:LONGEST]
    record["comments"]["homeroom"] = " ".join(ALPHABET)
    pdf = page_of(record)
    text = printed(pdf)
    for wanted in (record["pupil"]["name"].upper(), record["comments"]["homeroom"], *(s["comment"] for s in record["subjects"])):
        assert text.find(wanted)
    assert words_outside(pdf, MARGIN) == []


@settings(QUICK, max_examples=40)
@given(name=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12).filter(str.strip))
def test_any_sign_at_all_comes_out_or_is_refused(name: str) -> None:
    record = sample("primary")
    record["comments"]["homeroom"] = f"[{name}]"
    outcome = set_page(record)
    if isinstance(outcome, str):
        assert outcome.startswith("record_unreadable: ")
    else:
        assert printed(outcome.pdf).find(f"[{name}]"), name


@pytest.mark.parametrize(
    "name",
    [
        unicodedata.normalize("NFD", "Nguyễn Thị Ấn"),
        "Nguyễn Thị 😀",
        "Thị 👩‍🏫 Mẫu",
        "محمد",
        "שרה Thị",
        "An\u202eBình",
        "An\u200bBình",
        "An\u00adBình",
        "١٢٣",
        "王 Thị",
        "ไทย",
        "An\ufffdBình",
        "An\x07",
    ],
)
def test_what_a_form_cannot_show_truly_is_refused(name: str) -> None:
    for level in LEVELS:
        record = sample(level)
        record["pupil"]["name"] = name
        outcome = set_page(record)
        assert isinstance(outcome, str)
        assert outcome.startswith("record_unreadable: ")
