"""What a transcript's signatures must be when it is issued: policy of a province, with validity, because the law leaves it open.

B-B: the document is issued with its signatures alone, and evidence over batches of documents follows. B-LTA: time stamps and
revocation data are put into the document before it is issued (ETSI EN 319 142-1), so that it proves itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum


class SignatureLevel(StrEnum):
    """PAdES baseline level; the value is its name in ETSI EN 319 142-1."""

    B_B = "B-B"
    B_LTA = "B-LTA"


@dataclass(frozen=True, slots=True)
class PolicyRule:
    """One line of policy; an empty list means all, and both ends of the validity count."""

    signature_level: SignatureLevel
    provinces: tuple[str, ...] = ()
    school_levels: tuple[str, ...] = ()
    valid_from: date = date.min
    valid_until: date = date.max
    record_xml: bool = False
    """Whether transcripts carry their record as XML too."""

    def covers(self, province_id: str, school_level: str, day: date) -> bool:
        """Whether the rule speaks of a class of this level in this province on a day."""
        placed = not self.provinces or province_id in self.provinces
        levelled = not self.school_levels or school_level.lower() in self.school_levels
        return placed and levelled and self.valid_from <= day <= self.valid_until


@dataclass(frozen=True, slots=True)
class Policies:
    """All rules, the most general first: of those that speak of a class the last one counts."""

    rules: Sequence[PolicyRule] = ()

    def asks_for_xml(self, province_id: str, school_level: str, day: date) -> bool:
        """Whether transcripts that are set on a day carry their record as XML too; not where no rule speaks."""
        return [False, *(rule.record_xml for rule in self.rules if rule.covers(province_id, school_level, day))][-1]

    def level_for(self, province_id: str, school_level: str, day: date) -> SignatureLevel:
        """The level for a manifest that is made on a day; B-B where no rule speaks."""
        found = [rule.signature_level for rule in self.rules if rule.covers(province_id, school_level, day)]
        return found[-1] if found else SignatureLevel.B_B
