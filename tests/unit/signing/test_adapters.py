"""Pure parts of adapters: packs, revisions, stamps, names of fields."""

from datetime import UTC, datetime

import pytest

from services.signing.adapters.appearances import StampContent, shortened, stamp_lines
from services.signing.adapters.official_forms import FORMS, form_named
from services.signing.adapters.pdf_revisions import revisions_of
from services.signing.adapters.staging import packed
from services.signing.application.sign_class import SignClass
from services.signing.domain.certificate import CertificateFacts
from services.signing.domain.record import Level
from services.signing.domain.roles import DEFAULT_ORDER, SignatureRole
from services.signing.domain.verdict import NotAsIntended

AT = datetime(2026, 6, 1, 1, 2, 3, tzinfo=UTC)
FACTS = CertificateFacts(b"", "0a" * 16, "Trần Văn Mẫu", "Trường Mẫu", "CA Mẫu", "s", AT, AT, True)


def test_pack_depends_on_names_and_contents_alone() -> None:
    assert packed([("b", b"2"), ("a", b"1")]) == packed([("a", b"1"), ("b", b"2")])
    assert packed([("a", b"1")]) != packed([("a", b"2")])


@pytest.mark.parametrize("level", list(Level))
def test_fields_are_named_by_role_and_the_seal_lies_over_a_third_of_the_principals_signature(level: Level) -> None:
    boxes = {box.role: box for box in form_named(f"{level.lower()}/v1").boxes}
    assert [box.field for box in boxes.values()] == [SignClass.signatory_field(role) for role in boxes]
    teacher, principal, seal = (boxes[role] for role in DEFAULT_ORDER)
    assert teacher.left + teacher.width < seal.left
    over = seal.left + seal.width - principal.left
    assert 0.25 * principal.width < over < 0.4 * principal.width, "decree 30/2020, annex I: about the left third"


def test_unknown_form_is_refused_with_the_list_of_what_there_is() -> None:
    with pytest.raises(LookupError, match=r"there are .*primary/v1"):
        form_named("primary/v99")


def test_stamp_has_name_time_with_zone_certificate_and_provider() -> None:
    lines = stamp_lines(StampContent(SignatureRole.PRINCIPAL, FACTS, AT, "7/QĐ-HT"))
    assert lines[0] == "Ký bởi: Trần Văn Mẫu"
    assert "Ký thay theo: 7/QĐ-HT" in lines
    assert "Thời gian ký: 2026-06-01T08:02:03+07:00" in lines
    assert lines[-1] == "Nhà cung cấp: CA Mẫu"
    assert shortened("AB") == "AB"


def test_fonts_come_with_their_licence() -> None:
    assert "SIL OPEN FONT LICENSE" in (FORMS / "fonts" / "OFL.txt").read_text()
    assert (FORMS / "fonts" / "Tinos-Regular.ttf").is_file()


@pytest.mark.parametrize("content", [b"", b"%PDF-1.7\n", b"startxref\n9\n%%EOF\n", b"x" * 100 + b"startxref\n5\n%%EOF\n"])
def test_bytes_without_a_cross_reference_table_are_refused(content: bytes) -> None:
    with pytest.raises(NotAsIntended):
        revisions_of(content)
