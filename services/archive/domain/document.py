"""What a transcript's or a class-subject sheet's PDF must look like, and what was read from one: the shape that hocba's signing gives its documents."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING

from services.archive.domain.findings import Finding

if TYPE_CHECKING:
    from services.archive.domain.pdf_file import PdfFile

HOMEROOM_TEACHER = "homeroom_teacher"
PRINCIPAL = "principal"
SCHOOL_SEAL = "school_seal"
SUBJECT_TEACHER = "subject_teacher"
ROLES = (HOMEROOM_TEACHER, PRINCIPAL, SCHOOL_SEAL)
"""Signature roles of a transcript in signing order."""


@dataclass(frozen=True, slots=True)
class SignatureRule:
    """A signature that must be there: whose it is, and the form field that carries it."""

    role: str
    field: str


@dataclass(frozen=True, slots=True)
class Profile:
    """Who signs, in which order, and under which file name the machine-readable record is attached.

    The first signature certifies (DocMDP, P=2: only further signing is allowed); the last one locks everything (FieldMDP
    All, P=1), because an approval signature alone doesn't keep others from painting over the page. An only signature does
    both at once, so it certifies with P=1.
    """

    signatures: tuple[SignatureRule, ...]
    attachment: str
    time_stamps: tuple[str, ...] = ()
    """The fields of the two document time stamps that may follow the last signature."""
    body_revisions: int = 1
    """How many revisions the unsigned body has; the first signature covers them all."""
    alternative: str = ""
    """Under which name the record may be attached as XML too; empty: it may not."""
    is_sheet: bool = False
    """Whether what is attached is a class-subject sheet and no transcript's record."""
    is_copy: bool = False
    """Whether it is a certified copy, whose alternative is the original, or an extract."""
    is_extract: bool = False
    """Whether it is an extract, whose alternative is the chosen part of the original's record."""

    def signed_revisions(self) -> Iterator[tuple[int, SignatureRule]]:
        """(index of the revision, the signature that it adds), in signing order."""
        return enumerate(self.signatures, start=self.body_revisions)


TRANSCRIPT = Profile(
    signatures=(
        SignatureRule(HOMEROOM_TEACHER, "HomeroomTeacher"),
        SignatureRule(PRINCIPAL, "Principal"),
        SignatureRule(SCHOOL_SEAL, "SchoolSeal"),
    ),
    attachment="hoc-ba.json",
    alternative="hoc-ba.xml",
    time_stamps=("TimeStamp1", "TimeStamp2"),
)
CLASS_SHEET = Profile(
    signatures=(SignatureRule(SUBJECT_TEACHER, "SubjectTeacher"),),
    attachment="bang-diem.json",
    time_stamps=TRANSCRIPT.time_stamps,
    is_sheet=True,
)
COPY = Profile(
    signatures=(SignatureRule(SCHOOL_SEAL, "SchoolSeal"),),
    attachment="sao-y.json",
    alternative="tep-goc.pdf",
    time_stamps=TRANSCRIPT.time_stamps,
    is_copy=True,
)
EXTRACT = replace(COPY, attachment="trich-sao.json", alternative="tu-ban-goc.json", is_extract=True)


def order_of(text: str) -> tuple[str, ...]:
    """An order of roles, with commas between them; ValueError when it can't be one."""
    order = tuple(role.strip() for role in text.split(","))
    if not set(order) <= set(ROLES) or len(set(order)) != len(order):
        raise ValueError(f"{text!r} is no order of {', '.join(ROLES)}, each at most once")
    return order


@dataclass(frozen=True, slots=True)
class RoleOrder:
    """An order of signatures that policy knows, and where: in these provinces, or everywhere when it names none."""

    roles: tuple[str, ...]
    provinces: frozenset[str] = frozenset()

    def holds_in(self, province_id: str) -> bool:
        """Whether transcripts of this province may be signed so; of an unknown province ("") anything that is known may be."""
        return not self.provinces or not province_id or province_id in self.provinces


def role_orders(text: str) -> tuple[RoleOrder, ...]:
    """Orders with `;` between them, such as `homeroom_teacher,principal,school_seal; 2025-79,2025-01: homeroom_teacher,principal`.

    The first is the usual one and holds everywhere. ValueError when one can't be, or stands twice.
    """
    orders = []
    for part in text.split(";"):
        provinces, colon, roles = part.rpartition(":")
        named = frozenset(province.strip() for province in provinces.split(","))
        if colon and not all(named):
            raise ValueError(f"{part.strip()!r} names an empty province before its colon")
        orders.append(RoleOrder(order_of(roles), named if colon else frozenset()))
    if orders[0].provinces:
        raise ValueError(f"{text.split(';')[0].strip()!r} is the usual order and must hold everywhere: put one without provinces first")
    if len({order.roles for order in orders}) != len(orders):
        raise ValueError("the same order stands twice; name its provinces once")
    return tuple(orders)


def transcript_of(roles: tuple[str, ...]) -> Profile:
    """The profile of a transcript that these roles sign, in this order; policy of a province may leave one out or turn two round."""
    fields = {rule.role: rule for rule in TRANSCRIPT.signatures}
    return replace(TRANSCRIPT, signatures=tuple(fields[role] for role in roles))


@dataclass(frozen=True, slots=True)
class FiledSignature:
    """A signature as it stands in the file; whether it is valid is for the cryptographic check to say."""

    role: str
    field: str
    digest: bytes
    """SHA-256 over the bytes that it covers."""
    contents: bytes
    """The CMS structure (DER), with the zeros that pad it."""
    claimed_at: datetime | None
    """The signing time that the signature's dictionary claims (/M)."""


@dataclass(frozen=True, slots=True)
class Examination:
    """What was read from a document, and everything that is wrong with its structure."""

    findings: tuple[Finding, ...]
    signatures: tuple[FiledSignature, ...]
    record: bytes | None
    """The attached machine-readable record, exactly as attached."""
    sha256: bytes
    """Of the whole document."""
    time_stamps: tuple[FiledSignature, ...] = ()
    """Those that prove the time of all signatures, if the document has them; `role` and `field` are the field's name."""
    certificates: tuple[bytes, ...] = ()
    """DER, from the validation data."""
    xml: bytes | None = None
    """The record as XML, if it is attached like that too; a certified copy's original; an extract's part."""
    file: "PdfFile | None" = field(default=None, compare=False, repr=False)
    """What it was read from; None when a known shape saved the reading."""
