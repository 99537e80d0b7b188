"""Parts of a page: type, codes, the way a form fits its page, and the fixed part that documents of one shape share."""

import io
import re
import zlib
from hashlib import sha256
from pathlib import Path
from typing import Any

import pikepdf
import pytest
import segno
from hypothesis import given, settings
from hypothesis import strategies as st
from isal import isal_zlib

from services.signing.adapters.composer import Composer
from services.signing.adapters.forms.fonts import make
from services.signing.adapters.official_forms import FORMS, form_named
from services.signing.adapters.qr_codes import MASK, QrCodes
from services.signing.adapters.renderer import FormRenderer, known
from services.signing.adapters.samples import SHEET, SHEETS, SIZES, canonical, forms, sample
from services.signing.adapters.signatures import Skeletons
from services.signing.adapters.typefaces import BOLD, LATIN, REGULAR, VIETNAMESE, Unprintable, typeface
from services.signing.domain.class_sheet import SHEET_ROW, page_of, read_class_sheet
from services.signing.domain.record import Level, UnreadableRecord, read_record
from services.signing.domain.sheet import ROW_FIELDS, sheet_of

URL = "https://tra.cuu.example/t"
LETTERS = "".join(sorted(VIETNAMESE.codes))


@pytest.fixture(scope="module")
def renderer() -> FormRenderer:
    return FormRenderer(URL)


def test_fonts_are_what_their_maker_makes_of_the_whole_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for weight in make.WEIGHTS:
        (tmp_path / f"Tinos-{weight}.ttf").write_bytes((FORMS / "fonts" / f"Tinos-{weight}.ttf").read_bytes())
    (tmp_path / "subsets").mkdir()
    monkeypatch.setattr(make, "FOLDER", tmp_path)
    make.main()
    for made in sorted((tmp_path / "subsets").iterdir()):
        assert made.read_bytes() == (FORMS / "fonts" / "subsets" / made.name).read_bytes(), (
            f"{made.name}: run python -m services.signing.adapters.forms.fonts.make and commit it"
        )


def test_no_character_has_the_byte_of_a_sign_that_strings_treat_apart() -> None:
    for alphabet in (VIETNAMESE, LATIN):
        assert len(set(alphabet.codes.values())) == len(alphabet.codes)
        assert not set(alphabet.codes.values()) & set(b"()\\\r\n\x00")
    assert set("ạẶệộựĐđ0123456789,.;:–…") <= VIETNAMESE.codes.keys()


texts = st.text(st.sampled_from(LETTERS), max_size=300)


@settings(max_examples=200)
@given(said=texts, size=st.floats(6.6, 15), width=st.floats(30, 500))
def test_lines_hold_every_character_in_order_and_none_is_too_wide(said: str, size: float, width: float) -> None:
    face = typeface(REGULAR)
    lines = face.lines(said, size, width)
    assert "".join("".join(lines).split()) == "".join(said.split())
    widest = max((face.width(letter, size) for letter in LETTERS), default=0)
    assert all(face.width(line, size) <= max(width, widest) + 0.01 for line in lines)


def test_other_letters_come_from_the_second_alphabet_and_what_neither_has_is_refused() -> None:
    assert (
        typeface(BOLD).shown("Bok ƀă", 9) == b"/B 9 Tf(Bok )Tj/~B 9 Tf(" + bytes([LATIN.codes["ƀ"]]) + b")Tj/B 9 Tf(" + bytes([VIETNAMESE.codes["ă"]]) + b")Tj"
    )
    with pytest.raises(Unprintable, match=r"U\+6C49"):
        typeface(REGULAR).width("汉", 9)


def test_a_document_carries_the_second_pair_of_fonts_only_when_it_needs_them(renderer: FormRenderer) -> None:
    record = sample("primary")
    plain = renderer.render(known(canonical(record)))
    record["pupil"]["name"] = "Siu Hƀlŏ"
    other = renderer.render(known(canonical(record)))
    assert b"/~R" not in fonts_of(plain.pdf)
    assert b"/~R" in fonts_of(other.pdf)
    assert len(other.pdf) - len(plain.pdf) < 25_000


def fonts_of(pdf: bytes) -> bytes:
    with pikepdf.open(io.BytesIO(pdf)) as document:
        return b" ".join(str(name).encode() for name in document.pages[0].Resources.Font)


def test_a_character_without_a_glyph_is_refused_with_its_place(renderer: FormRenderer) -> None:
    record = sample("primary")
    record["subjects"][2]["comment"] = "Giỏi 好"
    with pytest.raises(UnreadableRecord, match=r"\$\.subjects\[2\]\.comment: character U\+597D"):
        renderer.render(known(canonical(record)))


@settings(max_examples=40)
@given(suffix=st.text(st.sampled_from("abcdefghijklmnopqrstuvwxyz234567"), min_size=26, max_size=26))
def test_codes_are_those_that_segno_makes(suffix: str) -> None:
    side, rows = CODES.rows(suffix)
    whole = segno.make_qr(f"{URL}/{suffix}".encode(), error="m", mask=MASK, mode="byte", boost_error=False)
    width = (side + 7) // 8
    ours = [[rows[y * width + x // 8] >> (7 - x % 8) & 1 for x in range(side)] for y in range(side)]
    assert ours == [[int(module) for module in line] for line in whole.matrix]


CODES = QrCodes(f"{URL}/", 26)


@pytest.mark.parametrize("form", forms())
def test_variants_only_ever_get_lower_so_that_the_search_may_begin_anywhere(form: str) -> None:
    for size in SIZES:
        content = canonical(sample(form, size))
        sheet = page_of(read_class_sheet(content)) if form in SHEETS else sheet_of(read_record(content))
        composer = Composer(form_named(f"{form}/v1"), SHEET_ROW if form in SHEETS else ROW_FIELDS[Level(form.upper())])
        for page, spec in enumerate(composer.form.facts["pages"]):
            heights = [sum(sum(flow.measure(sheet, variant)) for flow in composer._flows[page]) for variant in range(len(spec["variants"]))]
            assert heights == sorted(heights, reverse=True)


@pytest.mark.parametrize("form", forms())
def test_the_page_doesnt_depend_on_what_was_rendered_before(form: str) -> None:
    contents = [canonical(sample(form, size)) for size in SIZES]
    alone = [FormRenderer(URL).render(known(content)).digest for content in contents]
    together, backwards = FormRenderer(URL), FormRenderer(URL)
    assert [together.render(known(content)).digest for content in contents] == alone
    assert [backwards.render(known(content)).digest for content in reversed(contents)] == alone[::-1]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("form", forms())
def test_every_piece_of_content_stands_in_the_structure_once(form: str, size: str, renderer: FormRenderer) -> None:
    body = renderer.render(known(canonical(sample(form, size))))
    assert body.digest == sha256(body.pdf).digest()
    assert body.skeleton.widgets.keys() == ({"SubjectTeacher"} if form in SHEETS else {"HomeroomTeacher", "Principal", "SchoolSeal"})
    with pikepdf.open(io.BytesIO(body.pdf)) as pdf:
        assert pdf.check_pdf_syntax() == []
        parents = dict(zip(*[iter(list(pdf.Root.StructTreeRoot.ParentTree.Nums))] * 2, strict=True))
        for page in pdf.pages:
            content = b"\n".join(part.read_bytes() for part in page.Contents)
            numbers = [int(found) for found in re.findall(rb"/MCID (\d+)>>BDC", content)]
            assert sorted(numbers) == list(range(len(numbers)))
            assert len(parents[page.StructParents]) == len(numbers)
            assert content.count(b"BDC") + content.count(b"BMC") == content.count(b"EMC")
            assert content.count(b"BT ") == content.count(b" ET\n")


@pytest.mark.parametrize("form", forms())
def test_a_state_stands_in_a_banner_that_is_read_out_behind_the_title(form: str, renderer: FormRenderer) -> None:
    """A page of the same length, with the words in paragraphs of their own; a draft stands across each page too, where nobody listens to it."""
    content = sample(form)
    about = content["sheet" if form in SHEETS else "transcript"]
    usual = renderer.render(known(canonical(content)))
    draft = renderer.render(known(canonical(content)), draft=True)
    about |= {"version": 2, "supersedes": 1}
    later = renderer.render(known(canonical(content)))
    tags, drawn = {}, {}
    for name, body in (("usual", usual), ("draft", draft), ("later", later)):
        with pikepdf.open(io.BytesIO(body.pdf)) as pdf:
            tags[name] = [str(element.S) for element in pdf.Root.StructTreeRoot.K.K]
            drawn[name] = [page.Contents[0].read_bytes() for page in pdf.pages]
    red = b".7 .15 .12 rg"
    assert [page.count(red) for page in drawn["usual"]] == [0] * len(drawn["usual"])
    for name in ("draft", "later"):
        assert tags[name] == ["/H1", "/P", "/P", *tags["usual"][1:]]
        assert [page.count(red) for page in drawn[name]] == [3] + [0] * (len(drawn["usual"]) - 1)
    across = b".97 .89 .88 rg"
    assert all(across in page for page in drawn["draft"])
    assert not any(across in page for page in [*drawn["usual"], *drawn["later"]])


def test_a_shape_is_read_back_by_whoever_has_the_file(renderer: FormRenderer) -> None:
    body = renderer.render(known(canonical(sample("lower_secondary"))))
    skeletons = Skeletons()
    found = skeletons.of(body.pdf)
    assert (found.prefix, found.widgets, found.resources) == (body.skeleton.prefix, body.skeleton.widgets, body.skeleton.resources)
    assert skeletons.of(body.pdf) is found


def test_overfull_texts_go_on_on_further_pages_with_a_head_and_in_type_that_reads_well(renderer: FormRenderer) -> None:
    body = renderer.render(known(canonical(sample("lower_secondary", "overfull"))))
    with pikepdf.open(io.BytesIO(body.pdf)) as pdf:
        assert len(pdf.pages) > 2


@pytest.mark.parametrize("pupils", [1, 30, 40, 60])
@pytest.mark.parametrize("form", SHEETS)
def test_a_sheet_takes_as_many_pages_as_its_class_and_is_signed_beside_its_last_row(pupils: int, form: str, renderer: FormRenderer) -> None:
    sheet = sample(form, "overfull")
    sheet["rows"] = sheet["rows"][:pupils]
    for line in sheet["rows"]:
        line["row"]["comment"] = "Chăm chỉ."
    body = renderer.render(read_class_sheet(canonical(sheet)))
    with pikepdf.open(io.BytesIO(body.pdf)) as pdf:
        assert len(pdf.pages) == (1 if pupils <= 30 else 2)
        tags = [tag for page in pdf.pages for part in page.Contents for tag in re.findall(rb"/(T[DH])<<", part.read_bytes())]
        assert sorted(tags) == [b"TD"] * 7 * pupils + [b"TH"] * 7 * len(pdf.pages)
        assert ["/Annots" in page for page in pdf.pages] == [False] * (len(pdf.pages) - 1) + [True]
        assert b"/TD" in pdf.pages[-1].Contents[1].read_bytes()


def test_air_takes_no_page_more_than_the_form_would() -> None:
    composer = Composer(form_named("class_subject/v1"), SHEET_ROW)
    composer.form.facts["most_pages"] = 2
    sheet = sample(SHEET, "overfull")
    for line in sheet["rows"]:
        line["row"]["comment"] = ""
    rows = page_of(read_class_sheet(canonical(sheet)))["rows"]
    variants = set()
    for pupils in range(36, 80):
        said = page_of(read_class_sheet(canonical(sheet))) | {"rows": (rows * 2)[:pupils]}
        named = [flow.measure(said, composer.form.facts["pages"][0]["continued_variant"]) for flow in composer._flows[0]]
        try:
            pages = len(composer._broken(0, named, 0))
        except UnreadableRecord:
            break
        shapes, variant, _ = composer._continued(0, said, 0)
        assert len(shapes) == pages == 2
        variants.add(variant)
    assert len(variants) > 2, "the fuller the pages, the less air"


def test_what_no_number_of_pages_holds_is_refused(renderer: FormRenderer) -> None:
    record: dict[str, Any] = sample("lower_secondary")
    record["comments"]["homeroom"] = "Rất tốt. " * 20_000
    with pytest.raises(UnreadableRecord, match="too long"):
        renderer.render(known(canonical(record)))


def test_a_machine_whose_deflate_finds_other_bytes_has_another_template_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Code for another kind of processor may: then whose pages these are has to be seen."""
    here = FormRenderer(URL).render(known(canonical(sample("primary")))).template_digest
    assert FormRenderer(URL).render(known(canonical(sample("primary")))).template_digest == here
    monkeypatch.setattr(isal_zlib, "compress", lambda content, level: zlib.compress(content, 9))
    assert FormRenderer(URL).render(known(canonical(sample("primary")))).template_digest != here
