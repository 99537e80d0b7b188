"""Signed class-subject sheets, judged by programs that didn't make them: pyHanko's full validation, poppler, qpdf, and ours."""

import io
import random
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pikepdf
import pytest
from asn1crypto import x509
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko.sign.validation.status import SignatureCoverageLevel
from pyhanko_certvalidator import ValidationContext

from services.signing.adapters.sheet_verification import SheetVerifier
from services.signing.domain.verdict import NotAsIntended
from services.stack.signer_pki import SignerPki
from tests.support.places import scratch_places
from tests.support.records import record_of, with_sheet
from tests.support.signed_sheets import Teacher, a_teacher


@pytest.fixture(scope="module")
def teacher() -> Iterator[Teacher]:
    with scratch_places("teacher") as places:
        yield a_teacher(SignerPki(places.keys / "signers"))


@pytest.fixture(scope="module", params=[("lower_secondary", "toan", 45), ("upper_secondary", "gdtc", 1), ("primary", "toan", 30)], ids=lambda p: p[0])
def document(request: pytest.FixtureRequest, teacher: Teacher) -> tuple[bytes, bytes]:
    """(signed PDF, sheet)."""
    level, subject, rows = request.param
    _, sheet = with_sheet([record_of(level, str(uuid.UUID(int=at)), name="Nguyễn Thị Hồng Nhung") for at in range(rows)], subject)
    return teacher.sign(teacher.page(sheet.content).pdf), sheet.content


def test_pyhanko_finds_the_one_signature_valid_over_the_whole_file(document: tuple[bytes, bytes], teacher: Teacher) -> None:
    root = x509.Certificate.load((teacher.pki.anchors / "root.cer").read_bytes())
    context = ValidationContext(trust_roots=[root], moment=teacher.signed_at)
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
            assert metadata.pdfa_status == "3B"
        (field,) = pdf.Root.AcroForm.Fields
        assert (str(field.T), int(field.Lock.P)) == ("SubjectTeacher", 1)
        assert {str(r.TransformMethod): int(r.TransformParams.P) for r in field.V.Reference} == {"/DocMDP": 1, "/FieldMDP": 1}


def test_same_intent_gives_the_same_bytes(document: tuple[bytes, bytes], teacher: Teacher) -> None:
    other = a_teacher(teacher.pki)
    other.signed_at = teacher.signed_at
    assert other.sign(other.page(document[1]).pdf) == document[0]


def test_own_verification_accepts_it_and_finds_any_changed_bit(document: tuple[bytes, bytes], teacher: Teacher) -> None:
    pdf, content = document
    verify, expected = SheetVerifier(teacher.anchors.chain_of), teacher.expectation(teacher.page(content), content)
    verify(pdf, expected)
    chance = random.Random(len(pdf))
    for _ in range(100):
        changed = bytearray(pdf)
        changed[chance.randrange(len(pdf))] ^= 1 << chance.randrange(8)
        with pytest.raises(NotAsIntended):
            verify(bytes(changed), expected)
    for wrong in (pdf + b"\n", pdf[:-1], teacher.page(content).pdf):
        with pytest.raises(NotAsIntended):
            verify(wrong, expected)
