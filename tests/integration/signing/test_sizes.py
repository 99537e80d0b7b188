"""How large a transcript with three RSA-2048 signatures may be: 60,000 bytes, whatever its form."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace

import pytest

from services.signing.adapters.renderer import known
from services.stack.signer_pki import SignerPki
from tests.support.places import scratch_places
from tests.support.records import LEVELS, example, record_of, with_sheet
from tests.support.signed_pages import Office, an_office

MOST = 60_000
CLASS = 50
"""Pupils: as many as a class may have, so that each proof has six steps."""
MOST_SHEETS = 12


@pytest.fixture(scope="module")
def office() -> Iterator[Office]:
    """Its certificates name where to ask about them, as a provider's do."""
    with scratch_places("office") as places:
        yield an_office(SignerPki(places.keys / "signers", services="http://tin-cay.hocba.example"))


def proven(level: str) -> bytes:
    """A transcript of a full class whose rows stand in class-subject sheets: twelve of them, or all that its level has."""
    contents = [record_of(level, str(uuid.UUID(int=number)), name="Nguyễn Hoàng Phương Quỳnh") for number in range(CLASS)]
    if level != "primary":
        for subject in [row["code"] for row in example(level)["subjects"] if row["taken"]][:MOST_SHEETS]:
            contents, _ = with_sheet(contents, subject)
    return contents[0]


@pytest.mark.parametrize("level", LEVELS)
def test_a_transcript_with_three_signatures_and_twelve_proofs_stays_below_the_bar(level: str, office: Office) -> None:
    content = proven(level)
    assert content.count(b'"path":') == (0 if level == "primary" else MOST_SHEETS)
    assert len(office.sign(office.page(content).pdf, content)) < MOST


@pytest.mark.parametrize("level", LEVELS)
def test_pictures_and_xml_cost_what_the_readme_says(level: str, office: Office) -> None:
    content = proven(level)
    page = office.page(content).pdf
    plain = len(office.sign(page, content))
    assert len(replace(office, pictured=True).sign(page, content)) - plain < 4_200
    assert len(office.renderer.render(known(content), with_xml=True).pdf) - len(page) < 8_200
