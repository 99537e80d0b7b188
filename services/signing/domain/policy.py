"""Who signs a transcript, in which order, and what its signatures must be when it is issued: policy of a province, with validity,
because the law leaves it open and changes.

B-B: the document is issued with its signatures alone, and evidence over batches of documents follows. B-LTA: time stamps and
revocation data are put into the document before it is issued (ETSI EN 319 142-1), so that it proves itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import date
from enum import StrEnum
from typing import Any

from services.signing.domain.documents import DocumentKind
from services.signing.domain.roles import COPY_ORDER, DEFAULT_ORDER, PRINTED, SHEET_ORDER, SignatureRole


class SignatureLevel(StrEnum):
    """PAdES baseline level; the value is its name in ETSI EN 319 142-1."""

    B_B = "B-B"
    B_LTA = "B-LTA"


@dataclass(frozen=True, slots=True)
class Policy:
    """What holds for the pages of a class; fixed when they are made."""

    signature_level: SignatureLevel = SignatureLevel.B_B
    roles: tuple[SignatureRole, ...] = DEFAULT_ORDER
    """Who signs a transcript, in signing order."""
    sheets_required: bool = False
    """Whether every record must name class-subject sheets. Those that it names are signed before it in any case."""
    deputies: tuple[SignatureRole, ...] = tuple(SignatureRole)
    """In which roles a deputy with a recorded decision may approve."""
    record_xml: bool = False
    """Whether transcripts carry their record as XML too."""

    def of(self, kind: DocumentKind) -> Policy:
        """The same for a kind of document: a class-subject sheet has its teacher's signature alone, a certified copy the seal's."""
        own = {DocumentKind.SHEET: SHEET_ORDER, DocumentKind.COPY: COPY_ORDER}
        return replace(self, roles=own[kind]) if kind in own else self


@dataclass(frozen=True, slots=True)
class PolicyRule:
    """One rule: what it says (None: nothing), and of whom; an empty list means all, and both ends of the validity count."""

    signature_level: SignatureLevel | None = None
    provinces: tuple[str, ...] = ()
    school_levels: tuple[str, ...] = ()
    valid_from: date = date.min
    valid_until: date = date.max
    roles: tuple[SignatureRole, ...] | None = None
    sheets_required: bool | None = None
    deputies: tuple[SignatureRole, ...] | None = None
    record_xml: bool | None = None

    @property
    def says(self) -> dict[str, Any]:
        """What the rule sets, by the policy's name for it."""
        return {name: getattr(self, name) for name in SETTINGS if getattr(self, name) is not None}

    def covers(self, province_id: str, school_level: str, day: date) -> bool:
        """Whether the rule speaks of a class of this level in this province on a day."""
        placed = not self.provinces or province_id in self.provinces
        levelled = not self.school_levels or school_level.lower() in self.school_levels
        return placed and levelled and self.valid_from <= day <= self.valid_until

    def fault(self) -> str:
        """Why no class could be signed by this rule, or empty."""
        if not self.says:
            return f"it says nothing; it may set {', '.join(SETTINGS)}"
        if self.valid_from > self.valid_until:
            return f"valid_from {self.valid_from} is behind valid_until {self.valid_until}"
        if self.roles is not None:
            if not self.roles or len(set(self.roles)) != len(self.roles):
                return "roles names each role once, and at least one"
            if lacking := [role.value for role in PRINTED if role not in self.roles]:
                return f"roles lacks {lacking[0]}, whose block is printed on every form; only the school's seal may be left out"
            if set(self.roles) & set(SHEET_ORDER):
                return "roles are those on the transcript; a subject teacher signs the class-subject sheet (sheets_required)"
            if self.deputies is not None and (idle := set(self.deputies) - set(self.roles) - set(SHEET_ORDER)):
                return f"deputies may sign as {sorted(idle)[0]}, but roles has no such signature"
        return ""


SETTINGS = tuple(field.name for field in fields(Policy))


@dataclass(frozen=True, slots=True)
class Policies:
    """All rules, the most general first: of those that speak of a class and set the same thing, the last one counts."""

    rules: Sequence[PolicyRule] = ()

    def policy_for(self, province_id: str, school_level: str, day: date) -> Policy:
        """The policy for pages that are made on a day; the defaults where no rule speaks."""
        said: dict[str, Any] = {}
        for rule in self.rules:
            if rule.covers(province_id, school_level, day):
                said |= rule.says
        return Policy(**said)

    def contradiction(self) -> tuple[int, int, str] | None:
        """(index, index, setting) of two rules that speak of the same classes in the same days and set one thing differently."""
        seen: dict[tuple[object, ...], tuple[int, object]] = {}
        for index, rule in enumerate(self.rules):
            about = (frozenset(rule.provinces), frozenset(rule.school_levels), rule.valid_from, rule.valid_until)
            for setting, value in rule.says.items():
                first, before = seen.setdefault((*about, setting), (index, value))
                if before != value:
                    return first, index, setting
        return None
