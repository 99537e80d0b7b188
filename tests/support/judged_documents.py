"""Documents for the judges: every form, amount of text, key type, number of signatures and path, and what a forger makes of one.

A new key type or path is one more entry in KEYS or PATHS; the suite takes it from there.
"""

from __future__ import annotations

import io
import itertools
import re
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pikepdf
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.generic import pdf_name
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign.fields import SigFieldSpec, append_signature_field

from services.signing.adapters.samples import SHEETS, SIZES, canonical, forms, sample
from services.signing.domain.record import Record
from services.signing.domain.roles import DEFAULT_ORDER, SHEET_ORDER, SignatureRole
from services.stack.signer_pki import KeyKind, SignerPki
from tests.support import forgeries
from tests.support.long_term import sign_long_term
from tests.support.plain_pyhanko import sign_plainly
from tests.support.signed_pages import Office, an_office, document_of

Sign = Callable[[Office, bytes, bytes, Sequence[SignatureRole]], bytes]
"""(office, page, record or sheet, who signs) to a signed document."""

KEYS: dict[str, Callable[[SignerPki], Office]] = {"rsa-2048": an_office, "p-256": partial(an_office, kind=KeyKind.P_256)}


def _by_us(office: Office, page: bytes, content: bytes, roles: Sequence[SignatureRole]) -> bytes:
    return office.sign(page, content, roles)


def _with_pictures(office: Office, page: bytes, content: bytes, roles: Sequence[SignatureRole]) -> bytes:
    return replace(office, pictured=True).sign(page, content, roles)


def _with_xml(office: Office, page: bytes, content: bytes, roles: Sequence[SignatureRole]) -> bytes:
    document = document_of(content)
    return office.sign(office.renderer.render(document, with_xml=isinstance(document, Record)).pdf, content, roles)


PATHS: dict[str, Sign] = {"mass": _by_us, "pyhanko": sign_plainly, "pictures": _with_pictures, "xml": _with_xml}


@dataclass(frozen=True)
class Case:
    """One document to be made and judged."""

    key: str
    form: str
    size: str = "short"
    missing: int = 0
    """How many of its signatures it still lacks."""
    path: str = "mass"

    @property
    def order(self) -> Sequence[SignatureRole]:
        """Who signs it when it is finished."""
        return SHEET_ORDER if self.form in SHEETS else DEFAULT_ORDER

    @property
    def roles(self) -> Sequence[SignatureRole]:
        """Who has signed it."""
        return self.order[: len(self.order) - self.missing]

    @property
    def name(self) -> str:
        return f"{self.key}-{self.form}-{self.size}-{len(self.roles)}-{self.path}"


def cases() -> Iterator[Case]:
    """Finished documents of every form and size, unfinished ones of every form, and each form by every other path."""
    for key, form in itertools.product(KEYS, forms()):
        for size in SIZES:
            yield Case(key, form, size)
        for missing in range(len(Case(key, form).order) - 1, 0, -1):
            yield Case(key, form, missing=missing)
        for path in PATHS:
            if path != "mass":
                yield Case(key, form, path=path)


def content_of(case: Case) -> bytes:
    """The record or sheet of a case; the same for all paths."""
    content = sample(case.form, case.size)
    content["sheet" if case.form in SHEETS else "transcript"]["id"] = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{case.form}/{case.size}"))
    return canonical(content)


@dataclass
class Documents:
    """Makes documents into a folder, each once."""

    folder: Path
    offices: Mapping[str, Office]

    def file(self, case: Case) -> Path:
        """The signed document of a case."""
        path = self.folder / f"{case.name}.pdf"
        if not path.exists():
            office, content = self.offices[case.key], content_of(case)
            path.write_bytes(PATHS[case.path](office, office.page(content).pdf, content, case.roles))
        return path

    def long_term(self, level: str) -> Path:
        """A page of ours with P-256 signatures of a PAdES level, by pyHanko alone, below a root of its own."""
        path = self.folder / f"p-256-{level}.pdf"
        if not path.exists():
            office, case = next(iter(self.offices.values())), Case("rsa-2048", "primary")
            path.write_bytes(sign_long_term(office.page(content_of(case)).pdf, level))
        return path

    def forged(self, case: Case, name: str) -> Path:
        """The document as a forger hands it on; see FORGERIES."""
        path = self.folder / f"{case.name}-{name.replace(' ', '_')}.pdf"
        if not path.exists():
            path.write_bytes(self._painted_between(case) if name == PAINTED_BETWEEN else FORGERIES[name](self.file(case).read_bytes()))
        return path

    def _painted_between(self, case: Case) -> bytes:
        office, content = self.offices[case.key], content_of(case)
        partly = painted_field(office.sign(office.page(content).pdf, content, DEFAULT_ORDER[:1]))
        # Our own signing refuses such a file; another product's doesn't.
        return sign_plainly(office, partly, content, DEFAULT_ORDER[1:])


def _changed(pdf: bytes, at: int) -> bytes:
    return pdf[:at] + bytes((pdf[at] ^ 1,)) + pdf[at + 1 :]


def _in_stream(find: Callable[[pikepdf.Pdf], pikepdf.Object], pdf: bytes, at: float = 0.5) -> bytes:
    """One bit of a stream, wherever the writer has put it: in its middle, or in another part of its length."""
    with pikepdf.open(io.BytesIO(pdf)) as document:
        raw = find(document).read_raw_bytes()
    assert pdf.count(raw) == 1
    return _changed(pdf, pdf.index(raw) + int(len(raw) * at))


def _first_content(document: pikepdf.Pdf) -> pikepdf.Object:
    contents = document.pages[0].obj.Contents
    return contents[0] if isinstance(contents, pikepdf.Array) else contents


def _metadata(document: pikepdf.Pdf) -> pikepdf.Object:
    return document.Root.Metadata


def _attachment(document: pikepdf.Pdf) -> pikepdf.Object:
    return document.Root.AF[0].EF.F


def _in_dictionary(number: int, pdf: bytes) -> bytes:
    """The last digit of the time in the dictionary of signature `number`, first is 0."""
    return _changed(pdf, [match.end() - 1 for match in re.finditer(rb"/M ?\(D(?::|\\072)\d{14}", pdf)][number])


def _in_container(number: int, pdf: bytes) -> bytes:
    """A digit of the signature value of signature `number`: the container's last byte, before what fills the place."""
    start, end = [match.span(1) for match in re.finditer(rb"/Contents ?<([0-9A-Fa-f]{1000,})>", pdf)][number]
    last = start + len(pdf[start:end].rstrip(b"0")) - 1
    digit = b"1" if pdf[last : last + 1] != b"1" else b"2"
    return pdf[:last] + digit + pdf[last + 1 :]


def painted_field(pdf: bytes) -> bytes:
    """A new signature field whose picture covers a mark, by an update: what an approval signature alone lets through."""
    writer = IncrementalPdfFileWriter(io.BytesIO(pdf))
    append_signature_field(writer, SigFieldSpec("Painted", box=(100, 400, 200, 420), on_page=0))
    field = writer.root["/AcroForm"]["/Fields"][-1]
    paint = generic.StreamObject(stream_data=b"1 1 1 rg 0 0 100 20 re f 0 g 5 5 m 95 15 l S")
    paint.update({pdf_name("/Type"): pdf_name("/XObject"), pdf_name("/Subtype"): pdf_name("/Form")})
    paint[pdf_name("/BBox")] = generic.ArrayObject(map(generic.NumberObject, (0, 0, 100, 20)))
    field["/AP"] = generic.DictionaryObject({pdf_name("/N"): writer.add_object(paint)})  # type: ignore[no-untyped-call]  # pyHanko
    writer.update_container(field)
    out = io.BytesIO()
    writer.write(out)  # type: ignore[no-untyped-call]  # pyHanko leaves it unannotated.
    return out.getvalue()


PAINTED_BETWEEN = "field painted between signatures"
FORGERIES: dict[str, Callable[[bytes], bytes]] = {
    # At its head: what a bit further inside does to compressed content is chance.
    "page content": partial(_in_stream, _first_content, at=0),
    "XMP": partial(_in_stream, _metadata),
    "attachment": partial(_in_stream, _attachment),
    **{f"dictionary {number + 1}": partial(_in_dictionary, number) for number in range(len(DEFAULT_ORDER))},
    **{f"container {number + 1}": partial(_in_container, number) for number in range(len(DEFAULT_ORDER))},
    "cut revision": forgeries.cut_short,
    "last revision removed": lambda pdf: pdf[: forgeries.revision_ends(pdf)[-2]],
    "field painted afterwards": painted_field,
    "bytes after the end": forgeries.trailing_bytes,
}
