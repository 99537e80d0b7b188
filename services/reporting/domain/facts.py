"""
What is known of one pupil's school year, gathered from six services' events in any order.

Each kind of news has a version of its own, and only a higher one replaces what is known (a tie, which no producer makes,
is settled by comparing the content, so that the order still doesn't matter). Hence repeats and reorders are harmless,
and reading every topic again from its start leads to the same facts.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

HOMEROOM_TEACHER, PRINCIPAL, SCHOOL_SEAL = "homeroom_teacher", "principal", "school_seal"
ROLES = (HOMEROOM_TEACHER, PRINCIPAL, SCHOOL_SEAL)
"""Signature roles in signing order."""


@dataclass(frozen=True, slots=True, order=True)
class Placed:
    """Enrollment: the pupil is in this class, or has left hocba's schools (`active` false)."""

    version: int
    active: bool
    class_id: str
    school_id: str


@dataclass(frozen=True, slots=True, order=True)
class Identified:
    """Enrollment: whether there is a personal number, and how it fared at the population register."""

    version: int
    has_number: bool
    state: str = "unchecked"
    """What the population register said: `unchecked`, `matched`, `mismatched`, `unknown`."""
    missing: tuple[str, ...] = ()
    """Names of the fields that the school hasn't written down."""


@dataclass(frozen=True, slots=True, order=True)
class Outcome:
    """Grading: how the pupil came out of sealing a class in a class version; `version` is the transcript's (0: it waits)."""

    class_version: int
    sealed: bool
    version: int
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Judged:
    """Grading: an outcome, and the class it was reached in."""

    class_id: str
    outcome: Outcome


@dataclass(frozen=True, slots=True, order=True)
class Trouble:
    """Something failed for a version: signing in a role, or admission. The latest report of a version counts."""

    version: int
    at: str
    """When it was announced, RFC 3339 in UTC: it only settles which of two reports on one version is the later."""
    reason: str


@dataclass(frozen=True, slots=True)
class Approved:
    """Signing: a role approved this version."""

    role: str
    version: int


@dataclass(frozen=True, slots=True)
class Signed:
    """Signing: a role's signature is on this version."""

    role: str
    version: int


@dataclass(frozen=True, slots=True)
class NotSigned:
    """Signing: a role's signature failed."""

    role: str
    trouble: Trouble


@dataclass(frozen=True, slots=True)
class Archived:
    """Archive: this version is issued."""

    version: int


@dataclass(frozen=True, slots=True)
class Revoked:
    """Archive: this version was issued, and is withdrawn."""

    version: int


@dataclass(frozen=True, slots=True)
class Rejected:
    """Archive: this version was refused."""

    trouble: Trouble


@dataclass(frozen=True, slots=True)
class Submitted:
    """National register: this version was handed over by the province."""

    version: int


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """National register: this version was taken over, with a receipt."""

    version: int


News = Placed | Identified | Judged | Approved | Signed | NotSigned | Archived | Revoked | Rejected | Submitted | Acknowledged


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that is known of one pupil's school year."""

    placed: Placed | None = None
    identified: Identified | None = None
    outcomes: Mapping[str, Outcome] = field(default_factory=dict)
    """The newest outcome in each class that sealed the pupil."""
    sealed: tuple[int, str] = (0, "")
    """(highest sealed version, the class that sealed it)."""
    approved: Mapping[str, int] = field(default_factory=dict)
    signed: Mapping[str, int] = field(default_factory=dict)
    unsigned: Mapping[str, Trouble] = field(default_factory=dict)
    archived: int = 0
    revoked: int = 0
    rejected: Trouble | None = None
    submitted: int = 0
    acknowledged: int = 0

    def told(self, news: News) -> "Facts":
        """The facts after one more piece of news; the very same object when it was known or is outdated."""
        match news:
            case Placed():
                return self if self.placed is not None and news <= self.placed else replace(self, placed=news)
            case Identified():
                return self if self.identified is not None and news <= self.identified else replace(self, identified=news)
            case Judged():
                return self._judged(news)
            case Approved(role, version):
                return self if version <= self.approved.get(role, 0) else replace(self, approved={**self.approved, role: version})
            case Signed(role, version):
                return self if version <= self.signed.get(role, 0) else replace(self, signed={**self.signed, role: version})
            case NotSigned(role, trouble):
                known = self.unsigned.get(role)
                return self if known is not None and trouble <= known else replace(self, unsigned={**self.unsigned, role: trouble})
            case Archived(version):
                return self if version <= self.archived else replace(self, archived=version)
            case Revoked(version):
                return self if version <= self.revoked else replace(self, revoked=version)
            case Rejected(trouble):
                return self if self.rejected is not None and trouble <= self.rejected else replace(self, rejected=trouble)
            case Submitted(version):
                return self if version <= self.submitted else replace(self, submitted=version)
            case Acknowledged(version):
                return self if version <= self.acknowledged else replace(self, acknowledged=version)

    def _judged(self, news: Judged) -> "Facts":
        known = self.outcomes.get(news.class_id)
        outcomes = self.outcomes if known is not None and news.outcome <= known else {**self.outcomes, news.class_id: news.outcome}
        sealed = max(self.sealed, (news.outcome.version, news.class_id)) if news.outcome.sealed else self.sealed
        if outcomes is self.outcomes and sealed == self.sealed:
            return self
        return replace(self, outcomes=outcomes, sealed=sealed)
