"""Renders the unsigned page: typst sets it, pikepdf adds the empty signature fields.

Deterministic to the byte: no clock, no randomness, no system font and no network is read. The template digest covers
everything besides the record that the bytes depend on, so it stands in every manifest and every intent.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

import pikepdf
import segno
import typst
from pikepdf import Array, Dictionary, Name, String

from services.signing.domain.record import Level, Record, UnreadableRecord
from services.signing.domain.roles import DEFAULT_ORDER, SignatureRole
from services.signing.domain.sheet import Surroundings, lookup_url, sheet_of

FORMS = Path(__file__).parent / "forms"
_MM = 72 / 25.4
_PRINTED_AND_LOCKED = 132  # ISO 32000-1 table 165: Print and Locked, as PDF/A asks of a widget
_SIGNATURES_APPEND_ONLY = 3  # ISO 32000-1 table 219
_QR_QUIET = 4  # modules of quiet zone on each side, ISO/IEC 18004 section 6.3.8


@dataclass(frozen=True, slots=True)
class SignatureBox:
    """Place of one signature on the last page: points from the lower left corner."""

    field: str
    role: SignatureRole
    left: float
    bottom: float
    width: float
    height: float


@dataclass(frozen=True)
class Form:
    """One version of one official form: a folder of data, found by name."""

    folder: Path

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What form.json says."""
        return cast(dict[str, Any], json.loads((self.folder / "form.json").read_text(encoding="utf-8")))

    @property
    def template_version(self) -> str:
        """Name and version, for example "primary/v1"."""
        return f"{self.facts['form']}/{self.facts['version']}"

    @cached_property
    def boxes(self) -> tuple[SignatureBox, ...]:
        """The signature boxes in the form's order."""
        return tuple(SignatureBox(b["field"], SignatureRole(b["role"]), b["x"] * _MM, b["y"] * _MM, b["w"] * _MM, b["h"] * _MM) for b in self.facts["boxes"])

    def box_of(self, role: SignatureRole) -> SignatureBox:
        """The box of one role."""
        return next(box for box in self.boxes if box.role is role)

    def files(self) -> list[Path]:
        """Every file that the page is made from, in a fixed order."""
        parts = [FORMS / part for part in self.facts["parts"]]
        return sorted([*self.folder.iterdir(), *parts, *(FORMS / "fonts").glob("*.ttf")])


def form_of(level: Level, form_version: str = "v1") -> Form:
    """The form of a level in one version; an unknown one is refused with the list of what there is."""
    folder = FORMS / level.value.lower() / form_version
    if not (folder / "form.json").is_file():
        known = ", ".join(sorted(p.parent.relative_to(FORMS).as_posix() for p in FORMS.glob("*/*/form.json")))
        raise LookupError(f"no form {level.value.lower()}/{form_version}; there are {known}")
    return Form(folder)


@dataclass(frozen=True, slots=True)
class Body:
    """An unsigned page and what it was made from."""

    pdf: bytes
    digest: bytes
    template_version: str
    template_digest: bytes


class TypstRenderer:
    """Turns records into unsigned PDF/A-3 pages. Not safe for several threads at once: give each its own."""

    def __init__(self, verification_url: str, form_version: str = "v1", order: Sequence[SignatureRole] = DEFAULT_ORDER) -> None:
        self._verification_url = verification_url
        self._form_version = form_version
        self._order = tuple(order)
        fonts = typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[str(FORMS / "fonts")])
        self._compiler = typst.Compiler(root=str(FORMS), font_paths=fonts)
        self._digests: dict[str, bytes] = {}

    def render(self, record: Record, banner: str = "") -> Body:
        """The page of one record. Text that the form's font can't show is refused, never replaced by boxes."""
        form = form_of(record.level, self._form_version)
        url = lookup_url(self._verification_url, record.public_id)
        around = Surroundings(form.facts["title"], form.template_version, self._verification_url, qr_svg(url), banner)
        inputs = {
            "sheet": json.dumps(sheet_of(record, around), ensure_ascii=False),
            "record": record.content.decode(),
        }
        try:
            laid_out = self._compiler.compile(
                input=str(form.folder / "form.typ"),
                format="pdf",
                pdf_standards=["a-3b"],
                pdf_tags=False,
                sys_inputs=inputs,
                timestamp=0,
            )
        except typst.TypstError as error:
            raise UnreadableRecord(f"the form {form.template_version} can't be set: {error.message}") from None
        pdf = with_signature_fields(cast(bytes, laid_out), form.boxes, self._order)
        return Body(pdf, hashlib.sha256(pdf).digest(), form.template_version, self.template_digest(form))

    def template_digest(self, form: Form) -> bytes:
        """SHA-256 over all that the bytes depend on besides the record: files, makers' versions and settings."""
        known = self._digests.get(form.template_version)
        if known is None:
            digest = hashlib.sha256()
            for file in form.files():
                digest.update(f"{file.relative_to(FORMS).as_posix()}\0".encode())
                digest.update(hashlib.sha256(file.read_bytes()).digest())
            makers = {name: version(name) for name in ("typst", "pikepdf", "segno")}
            digest.update(json.dumps([makers, self._verification_url, self._order], sort_keys=True).encode())
            known = self._digests[form.template_version] = digest.digest()
        return known


def qr_svg(content: str) -> str:
    """A QR code (level M) as one SVG path of horizontal runs; separate squares would show seams in print."""
    matrix = segno.make(content, error="m", micro=False, boost_error=False).matrix
    size = len(matrix) + 2 * _QR_QUIET
    runs: list[str] = []
    for y, row in enumerate(matrix):
        x = 0
        while x < len(row):
            start = x
            while x < len(row) and row[x]:
                x += 1
            if x > start:
                runs.append(f"M{start + _QR_QUIET} {y + _QR_QUIET}h{x - start}v1h-{x - start}z")
            x += 1
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size} {size}"><path d="{"".join(runs)}" fill="#000"/></svg>'


def with_signature_fields(laid_out: bytes, boxes: Sequence[SignatureBox], order: Sequence[SignatureRole]) -> bytes:
    """Add one empty, visible signature field per role to the last page and write one plain revision.

    All fields are there before the first signature, because a field added later could paint over the page. The last
    signer's field locks everything (FieldMDP All, P=1), so that nothing at all may follow it.
    """
    with pikepdf.open(io.BytesIO(laid_out)) as pdf:
        page = pdf.pages[-1]
        widgets = []
        for box in sorted(boxes, key=lambda b: order.index(b.role)):
            empty = pdf.make_stream(b"", Type=Name.XObject, Subtype=Name.Form, BBox=Array([0, 0, 1, 1]))
            widget = Dictionary(
                Type=Name.Annot,
                Subtype=Name.Widget,
                FT=Name.Sig,
                T=String(box.field),
                F=_PRINTED_AND_LOCKED,
                Rect=Array([_point(v) for v in (box.left, box.bottom, box.left + box.width, box.bottom + box.height)]),
                P=page.obj,
                AP=Dictionary(N=empty),
            )
            if box.role is order[-1]:
                widget.Lock = pdf.make_indirect(Dictionary(Type=Name.SigFieldLock, Action=Name.All, P=1))
            widgets.append(pdf.make_indirect(widget))
        page.obj.Annots = pdf.make_indirect(Array(widgets))
        pdf.Root.AcroForm = pdf.make_indirect(Dictionary(Fields=Array(widgets), SigFlags=_SIGNATURES_APPEND_ONLY))
        out = io.BytesIO()
        # Later revisions are plain cross-reference tables, so the first one has to be one too.
        pdf.save(
            out,
            deterministic_id=True,
            object_stream_mode=pikepdf.ObjectStreamMode.disable,
            compress_streams=True,
            fix_metadata_version=False,
            min_version="1.7",
        )
        return out.getvalue()


def _point(value: float) -> Any:
    """Hundredths of a point: written without a float's tail of digits."""
    return Decimal(round(value * 100)) / 100
