"""Documents of every form: what stands in them, and what our own check lets pass. Judges from outside: test_judges.py."""

import io
import random
import re
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pikepdf
import pytest
from asn1crypto import x509
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.fields import SigFieldSpec, append_signature_field
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko.sign.validation.status import PdfSignatureStatus
from pyhanko_certvalidator import ValidationContext

from services.signing.adapters.full_validation import SampledValidation
from services.signing.adapters.increments import NotOurs
from services.signing.adapters.signatures import Skeletons
from services.signing.adapters.verification import DocumentVerifier
from services.signing.domain.roles import DEFAULT_ORDER
from services.signing.domain.verdict import NotAsIntended
from services.stack.signer_pki import SignerPki
from tests.support import forgeries
from tests.support.places import scratch_places
from tests.support.records import LEVELS, canonical, example, record_of
from tests.support.signed_pages import Office, an_office

ID = "3c5a6c1e-6a0c-4c53-8f0f-3d6a3a6f6c11"


@pytest.fixture(scope="module")
def office() -> Iterator[Office]:
    with scratch_places("office") as places:
        yield an_office(SignerPki(places.keys / "signers"))


@pytest.fixture(scope="module", params=LEVELS)
def document(request: pytest.FixtureRequest, office: Office) -> tuple[bytes, bytes, str]:
    """(signed PDF, record, level) of each form."""
    content = record_of(request.param, ID)
    return office.sign(office.page(content).pdf, content), content, request.param


def statuses(pdf: bytes, office: Office) -> list[PdfSignatureStatus]:
    """pyHanko's full validation of every signature, difference analysis included."""
    root = x509.Certificate.load((office.pki.anchors / "root.cer").read_bytes())
    context = ValidationContext(trust_roots=[root], moment=office.signed_at)
    return [validate_pdf_signature(s, context) for s in PdfFileReader(io.BytesIO(pdf)).embedded_signatures]


def test_the_rule_above_the_foot_crosses_no_letter(document: tuple[bytes, bytes, str], tmp_path: Path) -> None:
    (tmp_path / "transcript.pdf").write_bytes(document[0])
    foot = ["-r", "150", "-gray", "-singlefile", "-x", "0", "-y", "1640", "-W", "1240", "-H", "114"]
    subprocess.run(["pdftoppm", *foot, "transcript.pdf", "foot"], cwd=tmp_path, check=True)
    pixels = (tmp_path / "foot.pgm").read_bytes()[-1240 * 114 :]
    inked = [sum(pixel < 245 for pixel in pixels[row * 1240 : (row + 1) * 1240]) for row in range(114)]
    rule = max(range(114), key=inked.__getitem__)
    assert inked[rule] > 1000, "a rule over the whole width of the text"
    # Hooks over capital letters reach highest; a row or two are the rule's own soft edge.
    assert 0 in inked[rule + 1 : rule + 4]
    assert sum(inked[rule + 4 :]) > 1000, "the foot's words stand below it"


def test_attached_record_is_the_sealed_one_and_declared_as_source(document: tuple[bytes, bytes, str]) -> None:
    pdf_bytes, content, _ = document
    with pikepdf.open(io.BytesIO(pdf_bytes)) as pdf:
        assert list(pdf.attachments) == ["hoc-ba.json"]
        assert pdf.attachments["hoc-ba.json"].get_file().read_bytes() == content
        assert str(pdf.Root.AF[0].AFRelationship) == "/Source"
        with pdf.open_metadata() as metadata:
            assert metadata.pdfa_status == "3A"


def test_every_field_is_in_the_unsigned_page_and_the_last_one_locks_all(document: tuple[bytes, bytes, str], office: Office) -> None:
    with pikepdf.open(io.BytesIO(office.page(document[1]).pdf)) as pdf:
        fields = list(pdf.Root.AcroForm.Fields)
        assert [str(field.T) for field in fields] == ["HomeroomTeacher", "Principal", "SchoolSeal"]
        assert ["/Lock" in field for field in fields] == [False, False, True]
        assert (str(fields[-1].Lock.Action), int(fields[-1].Lock.P)) == ("/All", 1)
        assert not any("/V" in field for field in fields)


def test_same_intent_gives_the_same_bytes(document: tuple[bytes, bytes, str], office: Office) -> None:
    pdf, content, _ = document
    other = an_office(office.pki)
    other.signed_at = office.signed_at
    assert other.sign(other.page(content).pdf, content) == pdf


def test_own_verification_accepts_it(document: tuple[bytes, bytes, str], office: Office) -> None:
    pdf, content, _ = document
    DocumentVerifier(office.anchors.chain_of)(pdf, office.expectation(office.page(content), content))


def test_any_changed_bit_is_found(document: tuple[bytes, bytes, str], office: Office) -> None:
    pdf, content, level = document
    verify = DocumentVerifier(office.anchors.chain_of)
    expected = office.expectation(office.page(content), content)
    chance = random.Random(level)
    for _ in range(150):
        place = chance.randrange(len(pdf))
        changed = bytearray(pdf)
        changed[place] ^= 1 << chance.randrange(8)
        with pytest.raises(NotAsIntended):
            verify(bytes(changed), expected)


def test_any_changed_bit_that_no_signature_covers_is_found(document: tuple[bytes, bytes, str], office: Office) -> None:
    pdf, content, _ = document
    verify = DocumentVerifier(office.anchors.chain_of)
    expected = office.expectation(office.page(content), content)
    for which in range(len(DEFAULT_ORDER)):
        for changed in forgeries.flipped_unsigned_parts(pdf, which):
            with pytest.raises(NotAsIntended):
                verify(changed, expected)


def test_what_changes_in_a_container_that_is_known_is_found(document: tuple[bytes, bytes, str], office: Office) -> None:
    """Compared with the first of its kind instead of read: there too each digit has one right value, in its own case, and so has the padding."""
    pdf, content, level = document
    verify = DocumentVerifier(office.anchors.chain_of)
    expected = office.expectation(office.page(content), content)
    verify(pdf, expected)
    chance = random.Random(level)
    for found in re.finditer(rb"/Contents<([0-9A-F]+)>", pdf):
        letters = [place for place in range(*found.span(1)) if pdf[place] > ord("9")]
        for place, bit in [(chance.randrange(*found.span(1)), 1) for _ in range(40)] + [(place, 32) for place in chance.sample(letters, 10)]:
            changed = bytearray(pdf)
            changed[place] ^= bit
            with pytest.raises(NotAsIntended):
                verify(bytes(changed), expected)
    for which in range(len(DEFAULT_ORDER)):
        for forged in forgeries.flipped_unsigned_parts(pdf, which):
            with pytest.raises(NotAsIntended):
                verify(forged, expected)
    verify(pdf, expected)
    assert verify.in_full > 1


@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize("what", ["catalogue", "Principal"])
def test_an_object_that_a_valid_signature_rewrites_otherwise_is_found(office: Office, monkeypatch: pytest.MonkeyPatch, what: str, before: bool) -> None:
    """Also where another document of the shape has told what its page said before it was signed."""
    content = record_of(LEVELS[0], ID)
    page, pdf = office.page(content), office.sign(office.page(content).pdf, content)
    verify, expected = DocumentVerifier(office.anchors.chain_of), office.expectation(page, content)
    if before:
        verify(pdf, expected)
    field, skeleton = "Principal", Skeletons().of(pdf)
    if what == "catalogue":
        skeleton = replace(skeleton, catalog=skeleton.catalog + b"/NeedsRendering false")
    else:
        skeleton = replace(skeleton, widgets=skeleton.widgets | {field: replace(skeleton.widgets[field], begun=skeleton.widgets[field].begun + b"/MK<<>>")})
    monkeypatch.setattr(Skeletons, "of", lambda self, pdf: skeleton)
    forged = office.sign(page.pdf, content)
    with pytest.raises(NotAsIntended, match=f"^{what}: /(NeedsRendering|MK) changed"):
        verify(forged, expected)
    assert verify.in_full == 1 + before


def test_a_sampled_document_is_validated_by_pyhanko_too(document: tuple[bytes, bytes, str], office: Office) -> None:
    pdf, content, _ = document
    expected = office.expectation(office.page(content), content)
    sampled = SampledValidation(office.pki.anchors, every=2)
    sampled(pdf, expected)
    changed = pdf[:-200] + bytes((pdf[-200] ^ 1,)) + pdf[-199:]
    sampled(changed, expected)  # Not its turn.
    with pytest.raises(NotAsIntended):
        sampled(changed, expected)
    SampledValidation(office.pki.anchors, every=0)(changed, expected)


def test_bytes_after_the_end_and_cut_revisions_are_found(document: tuple[bytes, bytes, str], office: Office) -> None:
    pdf, content, _ = document
    verify = DocumentVerifier(office.anchors.chain_of)
    page = office.page(content)
    expected = office.expectation(page, content)
    earlier = office.sign(page.pdf, content, DEFAULT_ORDER[:2])
    assert pdf.startswith(earlier)
    for wrong in (pdf + b"\n", pdf + b"%%EOF\n", earlier, page.pdf, pdf[:-1]):
        with pytest.raises(NotAsIntended):
            verify(wrong, expected)


def test_other_record_other_page_and_other_signer_are_found(office: Office) -> None:
    content, other = record_of("primary", ID), record_of("primary", ID, comment="Nhận xét khác.")
    page = office.page(content)
    pdf = office.sign(page.pdf, content)
    verify = DocumentVerifier(office.anchors.chain_of)
    with pytest.raises(NotAsIntended, match="isn't the one that was approved"):
        verify(pdf, office.expectation(office.page(other), content))
    with pytest.raises(NotAsIntended, match="isn't the sealed one"):
        verify(pdf, office.expectation(page, other))
    swapped = office.expectation(page, content)
    swapped.signatures[0], swapped.signatures[1] = swapped.signatures[1], swapped.signatures[0]  # type: ignore[index]
    with pytest.raises(NotAsIntended):
        verify(pdf, swapped)


def test_field_painted_over_the_page_afterwards_is_found(office: Office) -> None:
    """The attack that an approval signature alone lets through: a new visible signature field that covers a mark."""
    content = record_of("primary", ID)
    page = office.page(content)
    partly = office.sign(page.pdf, content, DEFAULT_ORDER[:1])
    attacked = _with_painted_field(partly)
    assert not all(status.bottom_line for status in statuses(attacked, office))
    with pytest.raises(NotAsIntended):
        DocumentVerifier(office.anchors.chain_of)(attacked, office.expectation(page, content, DEFAULT_ORDER[:1]))
    with pytest.raises(NotOurs):
        office.sign(attacked, content, DEFAULT_ORDER[1:])


def _with_painted_field(pdf: bytes) -> bytes:
    writer = IncrementalPdfFileWriter(io.BytesIO(pdf))
    append_signature_field(writer, SigFieldSpec("Painted", box=(100, 400, 200, 420), on_page=0))
    out = io.BytesIO()
    writer.write(out)  # type: ignore[no-untyped-call]  # pyHanko leaves it unannotated.
    return out.getvalue()


@pytest.mark.parametrize("level", LEVELS)
def test_page_shows_every_vietnamese_letter_long_names_and_long_remarks(level: str, office: Office) -> None:
    record = example(level)
    letters = "aàáảãạăằắẳẵặâầấẩẫậeèéẻẽẹêềếểễệiìíỉĩịoòóỏõọôồốổỗộơờớởỡợuùúủũụưừứửữựyỳýỷỹỵđ"
    record["pupil"]["name"] = "Nguyễn Phúc Công Tằng Tôn Nữ Hoàng Quỳnh Trang Ánh Nguyệt Minh Châu"
    record["comments"]["homeroom"] = f"{letters} {letters.upper()} " + "Em có nhiều cố gắng trong học tập. " * 20
    for subject in record["subjects"]:
        if subject["taken"]:
            subject["comment"] = "Nắm vững kiến thức, vận dụng tốt, cần mạnh dạn phát biểu hơn nữa. " * 3
    content = canonical(record)
    page = office.page(content)
    assert office.page(content).digest == page.digest == sha256(page.pdf).digest()
    with pikepdf.open(io.BytesIO(page.pdf)) as pdf:
        assert len(pdf.pages) == 2, "a full form still fits on its two pages"
