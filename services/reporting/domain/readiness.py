"""Who can sign: whether each member of staff in an office that signs, and each school for its seal, holds a valid certificate."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta

from services.reporting.domain.history import LEGAL_TIME
from services.reporting.domain.tallying import Count, Subject

SCHOOL_SEAL, ANY_OFFICE = "school_seal", "staff"
"""Kinds that are no office of a person: the seal of a school, and a member of staff in whichever offices."""
OFFICES = {
    "subject_teacher": "subject_teacher",
    "homeroom_teacher": "homeroom_teacher",
    "principal": "principal",
    "vice_principal": "principal",
    SCHOOL_SEAL: SCHOOL_SEAL,
}
"""The signature role in which each office's certificate is registered. A clerk signs with the school's seal, a registrar not at all."""
VALID, EXPIRING, EXPIRED, REVOKED, NONE = "valid", "expiring", "expired", "revoked", "none"
STATES = (VALID, EXPIRING, EXPIRED, REVOKED, NONE)
"""From the best to the worst; whoever is `expiring` still signs."""
HOLDS = (VALID, EXPIRING)


@dataclass(frozen=True, slots=True, order=True)
class Office:
    """An appointment: from the beginning of one day to the end of another (ISO dates, Viet Nam's legal time; "" is open)."""

    role: str
    valid_from: str = ""
    valid_to: str = ""

    @property
    def begins(self) -> datetime | None:
        """The first instant of it."""
        return _midnight(self.valid_from, 0)

    @property
    def ends(self) -> datetime | None:
        """The first instant after it."""
        return _midnight(self.valid_to, 1)

    def runs(self, at: datetime) -> bool:
        """Whether it is held at this time."""
        return (self.begins is None or self.begins <= at) and (self.ends is None or at < self.ends)


@dataclass(frozen=True, slots=True, order=True)
class Employed:
    """Enrollment: who signs for a school. A school's seal is told with the school, as an office of its own."""

    version: int
    school_id: str
    offices: tuple[Office, ...]


@dataclass(frozen=True, slots=True, order=True)
class Certified:
    """Signing: a certificate is registered, or revoked (version 2)."""

    version: int
    certificate_id: str
    role: str
    registered_at: str
    """RFC 3339, UTC."""
    valid_until: str
    """RFC 3339, UTC."""

    @property
    def revoked(self) -> bool:
        """Whether its authority has taken it back."""
        return self.version > 1


@dataclass(frozen=True, slots=True)
class Signer:
    """What is known of somebody who signs."""

    employed: Employed | None = None
    certificates: Mapping[str, Certified] = field(default_factory=dict)
    """By `<certificate's id>/<role>`."""


def _told(signer: Signer, news: Employed | Certified) -> Signer:
    if isinstance(news, Employed):
        return signer if signer.employed is not None and news <= signer.employed else replace(signer, employed=news)
    key = f"{news.certificate_id}/{news.role}"
    known = signer.certificates.get(key)
    return signer if known is not None and news <= known else replace(signer, certificates={**signer.certificates, key: news})


def readiness(soon: timedelta) -> Subject[Signer, Employed | Certified]:
    """The subject `staff`; a certificate that ends within `soon` is `expiring`."""

    def counts(signer: Signer, at: datetime) -> tuple[Mapping[Count, int], datetime | None]:
        if signer.employed is None:
            return {}, None
        held = {office.role for office in signer.employed.offices if office.role in OFFICES and office.runs(at)}
        states = {role: _state(_used(signer, OFFICES[role]), at, soon) for role in held}
        if people := [states[role] for role in held if role != SCHOOL_SEAL]:
            states[ANY_OFFICE] = min(people, key=STATES.index)
        return {Count("", role, state): 1 for role, state in states.items()}, min((turn for turn in _turns(signer, soon) if turn > at), default=None)

    return Subject("staff", Signer(), _told, lambda signer: signer.employed.school_id if signer.employed else "", counts)


def _used(signer: Signer, role: str) -> Certified | None:
    """The certificate that signing would use: the newest that isn't revoked; a revoked one when there is no other."""
    known = [one for one in signer.certificates.values() if one.role == role]
    return max(known, key=lambda one: (not one.revoked, one.registered_at, one.certificate_id), default=None)


def _state(certificate: Certified | None, at: datetime, soon: timedelta) -> str:
    if certificate is None:
        return NONE
    if certificate.revoked:
        return REVOKED
    until = datetime.fromisoformat(certificate.valid_until)
    return EXPIRED if until <= at else EXPIRING if until - soon <= at else VALID


def _turns(signer: Signer, soon: timedelta) -> Iterator[datetime]:
    for office in signer.employed.offices if signer.employed else ():
        yield from (turn for turn in (office.begins, office.ends) if turn is not None)
    for certificate in signer.certificates.values():
        until = datetime.fromisoformat(certificate.valid_until)
        yield from (until, until - soon)


def _midnight(day: str, later: int) -> datetime | None:
    return datetime.combine(date.fromisoformat(day) + timedelta(days=later), time(), LEGAL_TIME) if day else None
