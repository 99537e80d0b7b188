"""What signing issues, the archive's own check admits: two codes that share only the contract."""

import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256

import pytest

from services.archive.app import document_check
from services.archive.application.check_document import Announced
from services.archive.domain.document import CLASS_SHEET
from services.archive.domain.examine import examine, profile_of
from services.archive.domain.known_shapes import KnownShapes
from services.signing.adapters.certificates import facts_of
from services.signing.adapters.cms_template import CmsTemplate
from services.signing.domain.roles import DEFAULT_ORDER, SignatureRole
from services.stack.signer_pki import Signer, SignerPki
from tests.support.places import scratch_places
from tests.support.records import LEVELS, record_of, with_sheet
from tests.support.signed_pages import Office, an_office
from tests.unit.archive.test_known_shapes import mutated

TEACHER = SignatureRole.SUBJECT_TEACHER


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


@pytest.mark.parametrize("level", LEVELS)
def test_signed_sheet_is_accepted_by_the_archive_and_those_like_it_by_the_fast_way(level: str, office: Office) -> None:
    check = document_check(office.pki.anchors, CLASS_SHEET)
    assert check.shapes is not None
    serials = ((TEACHER.value, facts_of(office.made[TEACHER].certificate).serial),)
    for number in range(2):
        records = [record_of(level, str(uuid.UUID(int=40 * number + pupil)), name=f"Lê Thị {'ABCDEGHK'[pupil % 8]}") for pupil in range(40)]
        content = with_sheet(records, "toan")[1].content
        pdf = office.sign(office.page(content).pdf, content)
        assert (check.shapes.examine(pdf) is None) is (number == 0)
        verdict = check(pdf, Announced(sha256(pdf).digest(), len(pdf), sha256(content).digest(), serials))
        assert verdict.findings == ()
        assert [signer.role for signer in verdict.signers] == [TEACHER.value]
        assert profile_of(pdf) is CLASS_SHEET


def test_another_signers_documents_are_of_the_same_shape(office: Office) -> None:
    check = document_check(office.pki.anchors, CLASS_SHEET)
    assert check.shapes is not None
    (other,) = office.pki.make([Signer("office-other", r"Đỗ (Văn) \ Mẫu", "Trường Mẫu", "Thành phố Mẫu", "Giáo viên", "00000000-0000-0000-0000-0000000000ab")])
    another = replace(office, made={TEACHER: other}, templates={TEACHER: CmsTemplate(other.certificate, list(other.chain))})
    another.signed_at += timedelta(days=1)
    content = with_sheet([record_of("lower_secondary", str(uuid.UUID(int=1)))], "toan")[1].content
    assert check(office.sign(office.page(content).pdf, content)).accepted
    pdf = another.sign(office.page(content).pdf, content)
    known = check.shapes.examine(pdf)
    assert known is not None
    assert known == examine(pdf, CLASS_SHEET)


def test_what_the_fast_way_says_of_changed_sheets_the_full_one_says_too(office: Office) -> None:
    content = with_sheet([record_of("lower_secondary", str(uuid.UUID(int=pupil))) for pupil in range(40)], "toan")[1].content
    pdf, shapes, said = office.sign(office.page(content).pdf, content), KnownShapes(CLASS_SHEET), 0
    shapes.learn(examine(pdf, CLASS_SHEET))
    for changed in mutated(pdf, 500, 20260531):
        found = shapes.examine(changed)
        if found is not None:
            said += 1
            assert found == examine(changed, CLASS_SHEET)
    assert said > 5


def test_sheet_without_its_signature_is_not(office: Office) -> None:
    content = with_sheet([record_of("lower_secondary", str(uuid.UUID(int=1)))], "toan")[1].content
    assert not document_check(office.pki.anchors, CLASS_SHEET)(office.page(content).pdf).accepted
