"""Who calls, who works at a school, and who may therefore give a role's approval."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from services.signing.domain.roles import OFFICES, SignatureRole

# Roles that one named member of staff holds for a class or a subject; anybody else needs to act for that very person.
_NAMED = (SignatureRole.HOMEROOM_TEACHER, SignatureRole.SUBJECT_TEACHER)


@dataclass(frozen=True, slots=True)
class Caller:
    """A verified caller; `roles` are (name, scope) pairs such as ("principal", "school:<uuid>")."""

    account_id: str
    person_id: str
    roles: tuple[tuple[str, str], ...] = ()
    service: str = ""

    @property
    def only_teaches(self) -> bool:
        """Whether the caller is nothing but a subject teacher, who sees no transcripts and no other teacher's sheets."""
        return bool(self.roles) and all(name == "subject_teacher" for name, _ in self.roles)

    def holds(self, names: Iterable[str], *scopes: str) -> bool:
        """Whether one of the roles is held in one of the scopes."""
        wanted = set(names)
        return any(name in wanted and scope in scopes for name, scope in self.roles)


@dataclass(frozen=True, slots=True)
class Appointment:
    """An office for a time; a deputy's names for whom and by which decision."""

    role: str
    valid_from: str
    valid_to: str
    acts_for_staff_id: str
    authority: str

    def runs_on(self, day: date) -> bool:
        """Whether the appointment is valid on a day; both ends count."""
        return (not self.valid_from or self.valid_from <= day.isoformat()) and (not self.valid_to or day.isoformat() <= self.valid_to)


@dataclass(frozen=True, slots=True)
class StaffMember:
    """A member of staff as enrollment appointed him or her; one human being may be two of them, with one `person_id`."""

    staff_id: str
    school_id: str
    version: int
    person_id: str
    full_name: str
    appointments: tuple[Appointment, ...]


@dataclass(frozen=True, slots=True)
class Authority:
    """In which capacity somebody approves: the member of staff, and the decision when he or she acts for another."""

    staff_id: str
    authority: str = ""


def authority_for(role: SignatureRole, own: Sequence[StaffMember], answerable_staff_id: str | None, day: date) -> Authority | None:
    """How a person may approve in a role, from the person's own staff rows; None when he or she may not.

    `answerable_staff_id` is who answers for the list: the class's homeroom teacher for transcripts, the responsible
    teacher for a class-subject sheet. A deputy or a vice principal needs a recorded decision.
    """
    for member in own:
        for held in member.appointments:
            if held.role not in OFFICES[role] or not held.runs_on(day):
                continue
            if role in _NAMED:
                if member.staff_id == answerable_staff_id:
                    return Authority(member.staff_id)
                if held.acts_for_staff_id and held.acts_for_staff_id == answerable_staff_id and held.authority:
                    return Authority(member.staff_id, held.authority)
                continue
            if held.role == "vice_principal" or held.acts_for_staff_id:
                if held.authority:
                    return Authority(member.staff_id, held.authority)
                continue
            return Authority(member.staff_id)
        if role in _NAMED and member.staff_id == answerable_staff_id:
            return Authority(member.staff_id)
    return None


def may_see_sheet(own: Sequence[StaffMember], responsible_staff_id: str | None) -> bool:
    """Whether a subject teacher's own staff rows show that the sheet is his or hers, or that of a colleague acted for."""
    acts_for = {held.acts_for_staff_id for member in own for held in member.appointments if held.authority}
    return responsible_staff_id is not None and responsible_staff_id in {member.staff_id for member in own} | acts_for
