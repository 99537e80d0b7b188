"""In which role a caller acts; the one place where roles and scopes meet locking's own roster."""

from __future__ import annotations

from services.locking.application.ports import Work
from services.locking.domain.people import NATION, Caller, Party, province, school
from services.locking.domain.refusals import Denied, Refusal
from services.locking.domain.scope import Authority, Place, Scope
from services.locking.domain.unlock import Unlock

HEADS = ("principal", "vice_principal")
TEACHERS = ("subject_teacher", "homeroom_teacher")
ROLE_FOR = {Authority.MINISTRY: "ministry_officer", Authority.PROVINCE: "doet_officer", Authority.SCHOOL: "principal"}


def speaks_for(caller: Caller, scope: Scope) -> None:
    """Let pass whoever decides for a scope: its own authority, neither the one above nor the one below."""
    held_in = {
        Authority.MINISTRY: NATION,
        Authority.PROVINCE: f"province:{scope.province_id}",
        Authority.SCHOOL: f"school:{scope.school_id}",
    }[scope.authority]
    if caller.role_in(held_in, ROLE_FOR[scope.authority]) is None:
        raise Denied(Refusal.ROLE_MISSING, f"{ROLE_FOR[scope.authority]} @ {held_in}")


async def as_head(work: Work, caller: Caller, place: Place, *roles: str) -> Party:
    """The caller as (vice) principal of the place's school."""
    return await _party(work, caller, caller.role_in(school(place.school_id), *(roles or HEADS)), f"{'/'.join(roles or HEADS)} @ {school(place.school_id)}")


async def as_officer(work: Work, caller: Caller, place: Place) -> Party:
    """The caller as officer of the place's province."""
    return await _party(work, caller, caller.role_in(province(place.province_id), "doet_officer"), f"doet_officer @ {province(place.province_id)}")


async def as_teacher(work: Work, caller: Caller, place: Place, subject: str) -> Party:
    """The caller as teacher of the subject, or as homeroom teacher, by the token and by enrollment's word."""
    role = caller.role_in(school(place.school_id), *TEACHERS) or caller.role_in(f"class:{place.class_id}", *TEACHERS)
    party = await _party(work, caller, role, f"{'/'.join(TEACHERS)} @ {school(place.school_id)}")
    if not await work.roster.teaches(caller.person_id, place.class_id, subject):
        raise Denied(Refusal.NOT_YOUR_SHEET)
    return party


async def as_requester(work: Work, caller: Caller, unlock: Unlock) -> Party:
    """The caller as whoever asked for the unlock; the rules compare the human being."""
    return await _party(work, caller, unlock.requester.role, "")


async def _party(work: Work, caller: Caller, role: str | None, needed: str) -> Party:
    if role is None:
        raise Denied(Refusal.ROLE_MISSING, needed)
    return Party(caller.account_id, caller.person_id, role, await work.roster.schools_of(caller.person_id))
