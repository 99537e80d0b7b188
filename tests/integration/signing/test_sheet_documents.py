"""Signed class-subject sheets, judged by programs that didn't make them: pyHanko's full validation, poppler, qpdf, and ours."""

import asyncio
import io
import random
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pikepdf
import pytest
from asn1crypto import x509
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko.sign.validation.status import SignatureCoverageLevel
from pyhanko_certvalidator import ValidationContext

from services.signing.adapters.appearances import StampContent
from services.signing.adapters.certificates import facts_of
from services.signing.adapters.full_validation import SampledValidation
from services.signing.adapters.signatures import SignatureTerms, Signing, Skeletons, opened
from services.signing.adapters.verification import DocumentVerifier
from services.signing.domain.roles import SignatureRole
from services.signing.domain.verdict import NotAsIntended
from services.stack.signer_pki import SignerPki
from tests.support import forgeries
from tests.support.places import scratch_places
from tests.support.records import record_of, with_sheet
from tests.support.signed_pages import Office, an_office


@pytest.fixture(scope="module")
def office() -> Iterator[Office]:
    with scratch_places("sheet-office") as places:
        yield an_office(SignerPki(places.keys / "signers"))


@pytest.fixture(scope="module", params=[("lower_secondary", "toan", 45), ("upper_secondary", "gdtc", 1), ("primary", "toan", 30)], ids=lambda p: p[0])
def document(request: pytest.FixtureRequest, office: Office) -> tuple[bytes, bytes]:
    """(signed PDF, sheet)."""
    level, subject, rows = request.param
    _, sheet = with_sheet([record_of(level, str(uuid.UUID(int=at)), name="Nguyễn Thị Hồng Nhung") for at in range(rows)], subject)
    return office.sign(office.page(sheet.content).pdf, sheet.content), sheet.content


def test_pyhanko_finds_the_one_signature_valid_over_the_whole_file(document: tuple[bytes, bytes], office: Office) -> None:
    root = x509.Certificate.load((office.pki.anchors / "root.cer").read_bytes())
    context = ValidationContext(trust_roots=[root], moment=office.signed_at)
    (signature,) = PdfFileReader(io.BytesIO(document[0])).embedded_signatures
    status = validate_pdf_signature(signature, context)
    assert (status.bottom_line, status.docmdp_ok, status.coverage) == (True, True, SignatureCoverageLevel.ENTIRE_FILE)


def test_poppler_finds_it_valid(document: tuple[bytes, bytes], tmp_path: Path) -> None:
    assert shutil.which("pdfsig"), "pdfsig is missing: `make test` installs it as root, else install poppler-utils"
    (tmp_path / "sheet.pdf").write_bytes(document[0])
    answer = subprocess.run(["pdfsig", "-nocert", "sheet.pdf"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert answer.stdout.count("Signature Validation: Signature is Valid.") == 1
    assert answer.stdout.count("Total document signed") == 1


def test_it_is_pdfa_with_the_sealed_sheet_attached_and_nothing_may_follow(document: tuple[bytes, bytes]) -> None:
    with pikepdf.open(io.BytesIO(document[0])) as pdf:
        assert pdf.check_pdf_syntax() == []
        assert list(pdf.attachments) == ["bang-diem.json"]
        assert pdf.attachments["bang-diem.json"].get_file().read_bytes() == document[1]
        with pdf.open_metadata() as metadata:
            assert metadata.pdfa_status == "3A"
        (field,) = pdf.Root.AcroForm.Fields
        assert (str(field.T), int(field.Lock.P)) == ("SubjectTeacher", 1)
        assert {str(r.TransformMethod): int(r.TransformParams.P) for r in field.V.Reference} == {"/DocMDP": 1, "/FieldMDP": 1}


def test_same_intent_gives_the_same_bytes(document: tuple[bytes, bytes], office: Office) -> None:
    other = an_office(office.pki)
    other.signed_at = office.signed_at
    assert other.sign(other.page(document[1]).pdf, document[1]) == document[0]


def test_own_verification_accepts_it_and_finds_any_changed_bit(document: tuple[bytes, bytes], office: Office) -> None:
    pdf, content = document
    verify, expected = DocumentVerifier(office.anchors.chain_of), office.expectation(office.page(content), content)
    verify(pdf, expected)
    chance = random.Random(len(pdf))
    for _ in range(100):
        changed = bytearray(pdf)
        changed[chance.randrange(len(pdf))] ^= 1 << chance.randrange(8)
        with pytest.raises(NotAsIntended):
            verify(bytes(changed), expected)
    for wrong in (pdf + b"\n", pdf[:-1], office.page(content).pdf):
        with pytest.raises(NotAsIntended):
            verify(wrong, expected)


def test_a_sheet_that_is_only_certified_or_only_locked_is_refused(document: tuple[bytes, bytes], office: Office) -> None:
    _, content = document
    page, teacher = office.page(content), SignatureRole.SUBJECT_TEACHER
    expected = office.expectation(page, content)
    skeleton = Skeletons().of(page.pdf)
    stamp = StampContent(teacher, facts_of(office.made[teacher].certificate), office.signed_at)
    for order in ((teacher, SignatureRole.PRINCIPAL), (SignatureRole.PRINCIPAL, teacher)):
        terms = SignatureTerms(teacher, "SubjectTeacher", order, stamp, office.templates[teacher])
        opening = opened(page.pdf, skeleton)
        waiting = Signing(skeleton, terms, opening.tip.size).on(opening)
        (value,) = asyncio.run(office.keys.sign(office.made[teacher].signer.key_name, [waiting.to_be_signed]))
        with pytest.raises(NotAsIntended, match="transforms"):
            DocumentVerifier(office.anchors.chain_of)(waiting.finished(value), expected)


def test_a_sampled_sheet_is_validated_by_pyhanko_too(document: tuple[bytes, bytes], office: Office) -> None:
    pdf, content = document
    sampled = SampledValidation(office.pki.anchors, every=1)
    sampled(pdf, office.expectation(office.page(content), content))
    other = office.expectation(office.page(content), content)
    with pytest.raises(NotAsIntended, match="pyHanko"):
        sampled(forgeries.empty_update(pdf), other)


def test_documents_of_a_kind_are_compared_with_the_first_that_was_read_in_full(office: Office) -> None:
    verify = DocumentVerifier(office.anchors.chain_of)
    for number in range(3):
        _, sheet = with_sheet([record_of("lower_secondary", str(uuid.UUID(int=number)), name=f"Nguyễn Văn {'ABC'[number]}")], "toan")
        verify(office.sign(office.page(sheet.content).pdf, sheet.content), office.expectation(office.page(sheet.content), sheet.content))
    assert verify.in_full == 1


def test_a_container_that_is_known_is_asked_about_its_chain_at_each_new_time(document: tuple[bytes, bytes], office: Office) -> None:
    pdf, content = document
    page, verify = office.page(content), DocumentVerifier(office.anchors.chain_of)
    verify(pdf, office.expectation(page, content))
    later, expired = (replace(office, signed_at=office.signed_at + timedelta(days=days)) for days in (1, 365 * 100))
    verify(later.sign(page.pdf, content), later.expectation(page, content))
    with pytest.raises(NotAsIntended):
        verify(expired.sign(page.pdf, content), expired.expectation(page, content))
