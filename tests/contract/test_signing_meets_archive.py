"""What signing issues, the archive's own check admits: two codes that share only the contract."""

from collections.abc import Iterator
from hashlib import sha256

import pytest

from services.archive.app import document_check
from services.archive.application.check_document import Announced
from services.signing.adapters.certificates import facts_of
from services.signing.domain.roles import DEFAULT_ORDER
from services.stack.signer_pki import SignerPki
from tests.support.places import scratch_places
from tests.support.records import LEVELS, record_of
from tests.support.signed_pages import Office, an_office


@pytest.fixture(scope="module")
def office() -> Iterator[Office]:
    with scratch_places("office-contract") as places:
        yield an_office(SignerPki(places.keys / "signers"))


@pytest.mark.parametrize("level", LEVELS)
def test_signed_transcript_is_accepted_by_the_archive(level: str, office: Office) -> None:
    content = record_of(level, "3c5a6c1e-6a0c-4c53-8f0f-3d6a3a6f6c12")
    pdf = office.sign(office.page(content).pdf, content)
    serials = tuple((role.value, facts_of(office.made[role].certificate).serial) for role in DEFAULT_ORDER)
    announced = Announced(sha256(pdf).digest(), len(pdf), sha256(content).digest(), serials)
    verdict = document_check(office.pki.anchors)(pdf, announced)
    assert verdict.findings == ()
    assert [signer.role for signer in verdict.signers] == [role.value for role in DEFAULT_ORDER]


def test_transcript_that_lacks_the_seal_is_not(office: Office) -> None:
    content = record_of("primary", "3c5a6c1e-6a0c-4c53-8f0f-3d6a3a6f6c12")
    pdf = office.sign(office.page(content).pdf, content, DEFAULT_ORDER[:2])
    assert not document_check(office.pki.anchors)(pdf).accepted
