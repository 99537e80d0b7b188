"""Attacks that need no key: a signed document is changed by who holds a copy of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial

from services.archive.application.check_document import Announced
from services.archive.domain.findings import Reason
from tests.attacks.corpus import VALUE, Attack, streams, tables
from tests.support import forgeries
from tests.support.forgeries import Update, number_of
from tests.support.packed_documents import CONTENT, FORM, LAST_PAGE, RECORD, catalog, stream
from tests.support.signed_documents import digest, record_bytes

TRILLION = "Mladenov et al., 1 Trillion Dollar Refund, CCS 2019"
SHADOW = "Mainka et al., Shadow Attacks, NDSS 2021"
BREAKING = "Rohlmann et al., Breaking the Specification, S&P 2021"
PROCESSING = "Müller et al., Processing Dangerous Paths, NDSS 2021"
ISO = "ISO 32000-1, 7.5"
CUT = "a signed revision is a document of its own"
MISSING = Reason.SIGNATURE_MISSING
_RANGE = re.compile(rb"/ByteRange ?(\[\s*0 (\d+) (\d+) (\d+)\s*\])")


# --- incremental saving (ISA): a reader shows the update, and asks the signature about what stands before it ---


def update(objects: dict[int, bytes], data: bytes) -> bytes:
    """An update that writes these objects."""
    return Update(data, dict(objects)).written()


def objects_without_a_section(data: bytes) -> bytes:
    """Readers that rebuild the cross-references find the new page."""
    return data + b"%d 0 obj\n<</Type/Page/Parent 2 0 R/Contents 12 0 R>>\nendobj\n" % LAST_PAGE


def trailer_without_a_table(data: bytes) -> bytes:
    """The table is missing, `startxref` names the signed one."""
    return objects_without_a_section(data) + b"trailer\n<</Root 1 0 R>>\nstartxref\n%b\n%%%%EOF\n" % data.split()[-2]


def copied_signature(data: bytes) -> bytes:
    """The update brings a copy of the last signature, so that a reader thinks of its range as the last one's."""
    made = Update(data)
    number = number_of(data, rb"/ByteRange")
    made.objects[made.size] = made.object_text(number)
    page = number_of(data, rb"/Annots ?\[")
    made.objects[page] = re.sub(rb"/Contents \d+ 0 R", b"/Contents %d 0 R" % (made.size), made.object_text(page))
    return made.written()


def swapped_font(data: bytes) -> bytes:
    """A font with other glyphs for the same digits: the text that is extracted stays as it was (evil font)."""
    made = Update(data)
    number = number_of(data, rb"/Type ?/Font\b")
    made.objects[number] = b"<</Type/Font/Subtype/Type3/FontBBox[0 0 1 1]/FontMatrix[1 0 0 1 0 0]/CharProcs<<>>/Encoding<<>>/FirstChar 0/LastChar 0/Widths[1]>>"
    return made.written()


def permissions_removed(data: bytes) -> bytes:
    """The certification is dropped from the catalogue."""
    return update({1: catalog() + b">>"}, data)


def freed_signature(data: bytes) -> bytes:
    """The last signature's object is declared free; readers show a document that two have signed."""
    made = forgeries.revision_ends(data)
    previous = int(data[: made[-1]].split()[-2])
    number = number_of(data, rb"/ByteRange")
    out = data + b"xref\n%d 1\n0000000000 00001 f \ntrailer\n" % number
    return out + b"<</Size 99/Root 1 0 R/Prev %d>>\nstartxref\n%d\n%%%%EOF\n" % (previous, len(data))


def loop_of_sections(data: bytes) -> bytes:
    """A section that names itself as the one before it."""
    return data + b"xref\n0 0\ntrailer\n<</Size 99/Root 1 0 R/Prev %d>>\nstartxref\n%d\n%%%%EOF\n" % (len(data), len(data))


def hybrid_section(data: bytes) -> bytes:
    """Readers of PDF 1.5 follow /XRefStm, older ones don't: two documents."""
    table = int(data.split()[-2])
    out = data + b"xref\n0 0\ntrailer\n<</Size 99/Root 1 0 R/Prev %d/XRefStm %d>>\n" % (table, table)
    return out + b"startxref\n%d\n%%%%EOF\n" % len(data)


def table_behind_streams(data: bytes) -> bytes:
    """A reader of tables and one of streams see two documents."""
    return data + b"xref\n0 0\ntrailer\n<</Size 26/Root 1 0 R/Prev %d>>\nstartxref\n%d\n%%%%EOF\n" % (int(data.split()[-2]), len(data))


def validation_data_alone(data: bytes) -> bytes:
    """A DSS without time stamps whose list of certificates leads to another page."""
    perms = b"/Perms<</DocMDP 18 0 R>>"
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 12 0 R>>"
    return update({1: catalog() + perms + b"/DSS 90 0 R>>", 90: b"<</Type/DSS/Certs[91 0 R]>>", 91: page}, data)


def script(data: bytes) -> bytes:
    """Something runs when the document is opened."""
    return update({1: catalog() + b"/OpenAction<</S/JavaScript/JS(app.alert\\(1\\))>>>>"}, data)


def other_form_value(data: bytes) -> bytes:
    """A text field over the mark, filled in (the form of readers that allow form filling under P=2)."""
    made = Update(data)
    form = made.object_text(number_of(data, rb"/Fields ?\["))
    field = made.size
    made.objects[field] = b"<</Type/Annot/Subtype/Widget/FT/Tx/T(Diem)/V(10)/F 4/Rect[50 700 200 750]/DA(/Helv 12 Tf)>>"
    made.objects[number_of(data, rb"/Fields ?\[")] = form.replace(b"/Fields [", b"/Fields [ %d 0 R" % field)
    return made.written()


def replaced_appearance(data: bytes) -> bytes:
    """The picture of the last signature shows another name."""
    made = Update(data)
    number = number_of(data, rb"/T ?\(SchoolSeal\)")
    made.objects[number] = re.sub(rb"/AP ?<<.*?>>", b"/AP <</N %d 0 R>>" % made.size, made.object_text(number), count=1, flags=re.S)
    paint = b"1 1 1 rg 0 0 150 60 re f"
    made.objects[made.size] = b"<</Type/XObject/Subtype/Form/BBox[0 0 150 60]/Length %d>>\nstream\n%b\nendstream" % (len(paint), paint)
    return made.written()


# --- signature wrapping (SWA): what was signed is moved away, and something else put where it stood ---


def wrapped(data: bytes) -> bytes:
    """The signed end of the file moves behind new objects, and a second /ByteRange in the signature's own gap says so. Its value stays right."""
    found = list(_RANGE.finditer(data))[-1]
    first, second, rest = int(found[2]), int(found[3]), int(found[4])
    page = b"\nendobj\n%d 0 obj\n<</Type/Page/Parent 2 0 R/Contents 12 0 R>>\nendobj\n" % LAST_PAGE
    moved = second + 200
    inner = data[first:second] + b"/ByteRange[0 %d %d %d]>>" % (first, moved, rest) + page
    return data[:first] + inner.ljust(moved - first) + data[second : second + rest]


def wrapped_in_place(data: bytes) -> bytes:
    """No byte moves: the padding of the value makes room for the second /ByteRange."""
    found = list(_RANGE.finditer(data))[-1]
    second = int(found[3])
    inserted = b">/ByteRange%b/Padding<" % found[1]
    at = second - 1 - len(inserted) - 200
    return data[:at] + inserted + data[at + len(inserted) :]


def wrapped_by_an_escaped_name(data: bytes) -> bytes:
    """The same with a name that not every reader takes for the same."""
    found = list(_RANGE.finditer(data))[-1]
    second = int(found[3])
    inserted = b">/Byte#52ange%b/Padding<" % found[1]
    at = second - 1 - len(inserted) - 200
    return data[:at] + inserted + data[at + len(inserted) :]


# --- universal forgery (USF): the signature's dictionary is broken so that a reader gives up checking, and shows it as valid ---


def overwritten(pattern: bytes, by: bytes, data: bytes) -> bytes:
    """The last place of a pattern overwritten in the same length."""
    found = list(re.finditer(pattern, data))[-1]
    new = by.ljust(len(found[0]))
    assert len(new) == len(found[0])
    return data[: found.start()] + new + data[found.end() :]


def value_of(digits: bytes, data: bytes) -> bytes:
    """Another value of the last signature, padded with white space."""
    start, end = list(VALUE.finditer(data))[-1].span(1)
    return data[: start - 1] + digits.ljust(end - start + 2) + data[end + 1 :]


USF: dict[str, tuple[Callable[[bytes], bytes], Reason]] = {
    "value of zeros": (forgeries.zeroed_signature, Reason.SIGNATURE_INVALID),
    "empty value": (partial(value_of, b"<>"), Reason.COVERAGE_BROKEN),
    "value null": (partial(value_of, b" null"), Reason.COVERAGE_BROKEN),
    "value of one byte": (partial(value_of, b"<00>"), Reason.COVERAGE_BROKEN),
    "no value": (partial(overwritten, rb"/Contents ?<", b"/Kontents<"), Reason.COVERAGE_BROKEN),
    "no range": (partial(overwritten, rb"/ByteRange", b"/ByteRangd"), Reason.COVERAGE_BROKEN),
    "range null": (partial(overwritten, rb"/ByteRange ?\[[^]]+\]", b"/ByteRange null"), Reason.COVERAGE_BROKEN),
    "empty range": (partial(overwritten, rb"/ByteRange ?\[[^]]+\]", b"/ByteRange []"), Reason.COVERAGE_BROKEN),
    "negative range": (partial(overwritten, rb"/ByteRange ?\[[^]]+\]", b"/ByteRange[0 -1 -1 -1]"), Reason.COVERAGE_BROKEN),
    "range of nothing": (partial(overwritten, rb"/ByteRange ?\[[^]]+\]", b"/ByteRange[0 0 0 0]"), Reason.COVERAGE_BROKEN),
    "no kind of signature": (partial(overwritten, rb"/SubFilter ?/ETSI.CAdES.detached", b"/SubFilter/none"), Reason.SIGNED_BYTES_DIFFER),
    "wider gap": (forgeries.widened_gap, Reason.COVERAGE_BROKEN),
    "shorter range": (forgeries.shortened_range, Reason.COVERAGE_BROKEN),
}


# --- shadows whose key lies in an update; those that a signer has prepared are in with_keys.py ---


def shadow_replaced(data: bytes) -> bytes:
    """The metadata's object, which is shown nowhere, comes again as what is shown."""
    return update({CONTENT: stream(b"0 0 9 9 re f")}, data)


def attack_on(name: str, source: str, reason: Reason, forge: Callable[[bytes], bytes], base: Callable[[], bytes] = streams) -> Attack:
    return Attack(f"{name} ({base.__name__})", source, reason, lambda: forge(base()))


def on_both(name: str, source: str, reason: Reason, forge: Callable[[bytes], bytes]) -> Iterator[Attack]:
    """The attack on a document with tables and on one with streams."""
    for base in (tables, streams):
        yield attack_on(name, source, reason, forge, base)


PAGE = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 12 0 R/Annots[7 0 R 8 0 R 9 0 R]>>"
NOTE = b"<</Type/Annot/Subtype/FreeText/Rect[50 700 200 750]/Contents(10.0)/DA(/Helv 12 Tf)>>"
PAINTED = b"<</Type/Annot/Subtype/Widget/FT/Sig/T(Moi)/F 4/Rect[50 700 200 750]/P 4 0 R/AP<</N 91 0 R>>>>"
PAINT = stream(b"1 1 1 rg 0 0 150 50 re f", b"/Type/XObject/Subtype/Form/BBox[0 0 150 50]")
UNSIGNED = Reason.REVISION_UNSIGNED

ATTACKS: list[Attack] = [
    attack_on("update: page content replaced", TRILLION + " (ISA)", UNSIGNED, forgeries.replaced_page, tables),
    attack_on("update: page replaced", TRILLION + " (ISA)", UNSIGNED, partial(update, {LAST_PAGE: PAGE})),
    attack_on("update: page content replaced", TRILLION + " (ISA)", UNSIGNED, shadow_replaced),
    *on_both("update: one object nobody refers to", TRILLION + " (ISA)", UNSIGNED, forgeries.empty_update),
    *on_both("update: objects without cross-references", TRILLION + " (ISA)", Reason.TRUNCATED, objects_without_a_section),
    *on_both("update: trailer without cross-references", TRILLION + " (ISA)", Reason.TRAILING_BYTES, trailer_without_a_table),
    attack_on("update: copy of the signature", TRILLION + " (ISA)", UNSIGNED, copied_signature, tables),
    attack_on("update: evil font", "Markwood et al., PDF Mirage, USENIX Security 2017", UNSIGNED, swapped_font, tables),
    attack_on("update: text of a form field over a mark", BREAKING, Reason.FIELD_UNEXPECTED, other_form_value, tables),
    attack_on("update: appearance of a signature", SHADOW + " (replace)", UNSIGNED, replaced_appearance, tables),
    attack_on("update: note over a mark", BREAKING + " (EAA)", UNSIGNED, forgeries.free_text_annotation, tables),
    attack_on("update: note over a mark", BREAKING + " (EAA)", UNSIGNED, partial(update, {LAST_PAGE: PAGE.replace(b"9 0 R]", b"9 0 R 90 0 R]"), 90: NOTE})),
    attack_on("update: painted signature field", BREAKING + " (SSA)", Reason.FIELD_UNEXPECTED, forgeries.painted_field, tables),
    attack_on(
        "update: painted signature field",
        BREAKING + " (SSA)",
        Reason.FIELD_UNEXPECTED,
        partial(update, {FORM: b"<</Fields[7 0 R 8 0 R 9 0 R 90 0 R]/SigFlags 3>>", 90: PAINTED, 91: PAINT}),
    ),
    attack_on("update: other attached data", SHADOW + " (replace)", UNSIGNED, partial(forgeries.replaced_record, record=b"{}"), tables),
    attack_on("update: other attached data", SHADOW + " (replace)", UNSIGNED, partial(update, {RECORD: stream(b"{}", b"/Type/EmbeddedFile")})),
    attack_on("update: certification removed", BREAKING, Reason.REVISION_UNSIGNED, permissions_removed),
    attack_on("update: signature freed", TRILLION + " (USF)", Reason.MALFORMED, freed_signature, tables),
    attack_on("update: validation data with a page in it", BREAKING, UNSIGNED, validation_data_alone),
    attack_on("update: script", PROCESSING, UNSIGNED, script),
    *on_both("cross-references that lead to themselves", PROCESSING, Reason.MALFORMED, loop_of_sections),
    attack_on("hybrid cross-references", ISO, Reason.MALFORMED, hybrid_section, tables),
    attack_on("table behind streams", ISO, Reason.MALFORMED, table_behind_streams),
    *on_both("wrapping: signed end moved", TRILLION + " (SWA)", Reason.MALFORMED, wrapped),
    *on_both("wrapping: second range in the padding", TRILLION + " (SWA)", Reason.MALFORMED, wrapped_in_place),
    *on_both("wrapping: second range by an escaped name", TRILLION + " (SWA)", Reason.MALFORMED, wrapped_by_an_escaped_name),
    *(attack for name, (forge, reason) in USF.items() for attack in on_both(f"forgery: {name}", TRILLION + " (USF)", reason, forge)),
    *on_both("truncation to the teacher's signature", CUT, MISSING, forgeries.truncated_to_first_signature),
    *on_both(
        "truncation to the principal's signature",
        CUT,
        Reason.SIGNATURE_MISSING,
        lambda data: data[: forgeries.revision_ends(data)[2]],
    ),
    *on_both("truncation to the body", CUT, MISSING, forgeries.truncated_to_body),
    *on_both("truncation within a revision", ISO, Reason.TRUNCATED, forgeries.cut_short),
    *on_both("bytes behind the end", "most readers pass over them", Reason.TRAILING_BYTES, forgeries.trailing_bytes),
    *on_both("bytes before the header", "most readers pass over them", Reason.MALFORMED, lambda data: b"GIF89a\n" + data),
    *on_both("another document behind the end", "polyglots", Reason.TRAILING_BYTES, lambda data: data + data),
    attack_on("bit of a page's content", "damage", Reason.SIGNED_BYTES_DIFFER, forgeries.flipped_bit, tables),
    attack_on("bit of the metadata", "damage", Reason.SIGNED_BYTES_DIFFER, lambda data: data.replace(b"<x:xmpmeta", b"<y:xmpmeta", 1)),
]


def _announced_before(data: bytes) -> Announced:
    genuine = streams()
    return Announced(digest(genuine), len(genuine), digest(record_bytes()))


def lower_case(data: bytes) -> bytes:
    """The same value in other letters."""
    start, end = list(VALUE.finditer(data))[-1].span(1)
    return data[:start] + data[start:end].upper().replace(b"A", b"a", 1) + data[end:]


TWINS = [
    Attack("digit of a value in the other case", "a second file for one document", Reason.SHA256_DIFFERS, lambda: lower_case(streams()), _announced_before)
]
