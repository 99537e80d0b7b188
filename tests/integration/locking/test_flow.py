"""The life of windows, locks and unlocks, told by what grading hears, what is announced and what is written down."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import replace
from datetime import UTC, timedelta

import pytest

from hocba.common.v1 import common_pb2
from hocba.locking.v1 import events_pb2
from services.locking.application.move_unlock import Move
from services.locking.application.ports import Filters
from services.locking.domain.policy import Wait
from services.locking.domain.refusals import Denied, Invalid, Refusal, Refused, Unknown
from services.locking.domain.scope import Area, Scope
from services.locking.domain.terms import Period, Term
from tests.integration.locking.world import (
    DEPUTY,
    HOMEROOM,
    HOUR,
    MINISTRY,
    OFFICER,
    OTHER_SCHOOL,
    PRINCIPAL,
    PROVINCE,
    SCHOOL,
    TEACHER,
    YEAR,
    World,
    actions,
    caller,
    pupils_of,
)


async def refused(call: Awaitable[object]) -> Refusal:
    try:
        await call
    except (Refused, Denied) as no:
        return no.refusal
    raise AssertionError("it was not refused")


async def test_window_reaches_grading_and_its_closing_locks_every_class(world: World) -> None:
    places = await world.enrol(3)
    window = await world.open(hours=8)
    assert await world.errands() == 3
    for place in places:
        lease = world.grading.window(place.class_id, common_pb2.TERM_2)
        assert lease is not None
        assert (lease.version, lease.closes_at.ToDatetime(UTC)) == (1, world.clock.now() + 8 * HOUR)
    assert [confirmed for _, confirmed in await world.read.windows(OFFICER, Scope(Area.PROVINCE, PROVINCE), YEAR)] == [True]
    world.clock.turn(8 * HOUR)
    done = await world.round()
    assert (done.closed, done.turned) == (3, 1)
    locks = await world.events(events_pb2.ClassLocked)
    assert {lock.class_id for lock in locks} == {str(place.class_id) for place in places}
    assert {(lock.class_version, lock.sealed, lock.waiting, lock.cause, lock.term) for lock in locks} == {(1, 3, 0, "window_closed", 0)}
    assert [moved.state for moved in await world.events(events_pb2.WindowMoved)] == ["open", "closed"]
    lock, unlocked = await world.read.lock(PRINCIPAL, places[0].class_id, Period.YEAR)
    assert lock.answer is not None
    assert (lock.answer.class_version, len(lock.answer.outcomes), unlocked) == (1, 3, False)
    assert await world.faults() == []
    assert (await world.rows("SELECT count(*) AS n FROM errands"))[0]["n"] == 0
    assert window.version == 1


async def test_first_term_is_frozen_alone_and_the_year_with_the_second(world: World) -> None:
    (place,) = await world.enrol(1)
    await world.open(hours=1, term=Term.TERM_1, seals_year=False)
    await world.open(hours=3)
    world.clock.turn(2 * HOUR)
    await world.round()
    world.clock.turn(2 * HOUR)
    await world.round()
    assert [lock.term for lock in await world.events(events_pb2.ClassLocked)] == [common_pb2.TERM_1, common_pb2.TERM_UNSPECIFIED]
    assert await refused(world.lock(place)) == Refusal.CLASS_IS_LOCKED


async def test_school_may_only_narrow_and_a_class_that_comes_later_gets_its_lease(world: World) -> None:
    await world.enrol(1)
    await world.open(hours=8)
    school = Scope(Area.SCHOOL, PROVINCE, SCHOOL)
    assert await refused(world.open(school, 9, by=PRINCIPAL)) == Refusal.OUTSIDE_FRAME
    await world.open(school, 4, by=PRINCIPAL)
    (late,) = await world.enrol(1)
    await world.errands()
    for place in world.classes:
        lease = world.grading.window(place.class_id, common_pb2.TERM_2)
        assert lease is not None
        assert lease.closes_at.ToDatetime(UTC) == world.clock.now() + 4 * HOUR
    assert late.class_id != world.classes[0].class_id


async def test_longer_shorter_and_withdrawn_windows_reach_grading_as_new_versions(world: World) -> None:
    (place,) = await world.enrol(1)
    window = await world.open(hours=2)
    for hours in (5, 3):
        await world.open(hours=hours, window_id=window.window_id)
    await world.errands()
    lease = world.grading.window(place.class_id, common_pb2.TERM_2)
    assert lease is not None
    assert (lease.version, lease.closes_at.ToDatetime(UTC)) == (3, world.clock.now() + 3 * HOUR)
    assert await world.grading.save(place.class_id, str(pupils_of(place)[0]), "8.0")
    await world.close(window)
    await world.round()
    assert not await world.grading.save(place.class_id, str(pupils_of(place)[0]), "9.0")
    assert len(await world.events(events_pb2.ClassLocked)) == 1
    assert await refused(world.open(hours=9, window_id=window.window_id)) == Refusal.WINDOW_IS_CLOSED
    with pytest.raises(Refused):
        await world.open(Scope(Area.SCHOOL, PROVINCE, SCHOOL), 1, by=PRINCIPAL)


async def test_window_that_never_opened_is_withdrawn_without_a_seal(world: World) -> None:
    (place,) = await world.enrol(1)
    window = await world.open(hours=9, start=5)
    assert (await world.close(window)).withdrawn
    await world.errands()
    lease = world.grading.window(place.class_id, common_pb2.TERM_2)
    assert lease is None or lease.withdrawn
    world.clock.turn(20 * HOUR)
    await world.round()
    assert world.grading.trouble.count("SealClass") == 0
    await world.open(hours=2)


async def test_only_the_scopes_own_authority_sets_its_window(world: World) -> None:
    await world.enrol(1)
    school = Scope(Area.SCHOOL, PROVINCE, SCHOOL)
    for scope, wrong in ((school, OFFICER), (Scope(Area.PROVINCE, PROVINCE), PRINCIPAL), (Scope(Area.NATION), OFFICER), (school, TEACHER)):
        assert await refused(world.open(scope, by=wrong)) == Refusal.ROLE_MISSING
    await world.open(Scope(Area.NATION), 20, by=MINISTRY)


async def test_unlock_from_request_to_second_version(world: World) -> None:
    (place,) = await world.locked(1)
    pupil = str(pupils_of(place)[0])
    assert not await world.grading.save(place.class_id, pupil, "9.0")
    unlock_id = await world.ask(place)
    assert [step.state for step in (await world.move(unlock_id, Move.CONFIRM, PRINCIPAL)).steps] == ["REQUESTED", "CONFIRMED", "REPORTED"]
    await world.move(unlock_id, Move.ACKNOWLEDGE, OFFICER)
    assert not await world.grading.save(place.class_id, pupil, "9.0")
    await world.errands()
    scope = world.grading.books[str(place.class_id)].scopes[str(unlock_id)]
    assert (scope.reason, scope.pupils) == ("Nhập nhầm điểm cuối kỳ II của một học sinh.", frozenset({pupil}))
    assert world.signing.trouble.subjects("HaltClass") == [str(unlock_id)]
    _, unlocked = await world.read.lock(PRINCIPAL, place.class_id, Period.YEAR)
    assert unlocked
    assert await world.grading.save(place.class_id, pupil, "9.0")
    assert not await world.grading.save(place.class_id, str(pupils_of(place)[1]), "9.0")
    await world.move(unlock_id, Move.FINISH, TEACHER)
    await world.errands()
    assert not await world.grading.save(place.class_id, pupil, "10")
    view = await world.read.unlock(TEACHER, unlock_id)
    assert (view.unlock.state, view.sealed_class_version) == ("RESEALED", 2)
    lock, _ = await world.read.lock(PRINCIPAL, place.class_id, Period.YEAR)
    assert lock.answer is not None
    assert {str(o.pupil_id): (o.version, o.corrections) for o in lock.answer.outcomes}[pupil] == (2, 1)
    assert {o.version for o in lock.answer.outcomes if str(o.pupil_id) != pupil} == {1}
    moved = await world.events(events_pb2.UnlockMoved)
    states = ["requested", "confirmed", "reported", "acknowledged", "granting", "granted", "corrected", "sealed"]
    assert [(event.version, event.state) for event in moved] == list(enumerate(states, start=1))
    assert [lock.cause for lock in await world.events(events_pb2.ClassLocked)] == ["window_closed", "unlock"]
    lines = await world.rows("SELECT action, body, hash FROM audit_lines WHERE stream = $1 ORDER BY number", f"school:{SCHOOL}")
    assert actions(lines)[2:] == [f"unlock_{verb}" for verb in ("request", "confirm", "report", "acknowledge", "begin_grant", "opened", "finish")] + [
        "lock_intended",
        "lock_held",
        "unlock_resealed",
    ]
    assert not any("Nhập nhầm" in line["body"] for line in lines), "the chain can't forget, so it holds no text"
    assert {event.audit.hash for event in moved} <= {bytes(line["hash"]) for line in lines}
    assert await world.faults() == []


async def test_signing_is_halted_before_grading_reopens(world: World) -> None:
    (place,) = await world.locked(1)
    unlock_id = await world.ask(place)
    await world.move(unlock_id, Move.CONFIRM, PRINCIPAL)
    await world.move(unlock_id, Move.ACKNOWLEDGE, OFFICER)
    world.signing.trouble.down = True
    await world.errands()
    assert world.grading.trouble.count("ReopenScope") == 0
    assert await world.state(unlock_id) == "GRANTING"
    world.signing.trouble.down = False
    world.clock.turn(timedelta(minutes=1))
    await world.errands()
    assert await world.state(unlock_id) == "GRANTED"


async def test_expiry_seals_again_without_anybody(world: World) -> None:
    (place,) = await world.locked(1)
    unlock_id = await world.granted(place)
    await world.round()
    assert await world.state(unlock_id) == "GRANTED"
    world.clock.turn(48 * HOUR)
    assert not await world.grading.save(place.class_id, str(pupils_of(place)[0]), "9.0")
    assert await refused(world.move(unlock_id, Move.FINISH, TEACHER)) == Refusal.TIME_IS_OVER
    await world.round()
    assert await world.state(unlock_id) == "RESEALED"
    assert world.grading.books[str(place.class_id)].version == 2
    assert {o[0] for o in world.grading.books[str(place.class_id)].sealed.values()} == {1}, "nothing changed, so no pupil has a new version"


async def test_principal_withdraws_an_open_unlock_and_objection_stops_one(world: World) -> None:
    first, second = await world.locked(2)
    for place, move, by in ((first, Move.FINISH, PRINCIPAL), (second, Move.OBJECT, OFFICER)):
        unlock_id = await world.granted(place)
        view = await world.move(unlock_id, move, by, "có dấu hiệu bất thường")
        assert view.unlock.state == "WITHDRAWN"
        await world.errands()
        assert await world.state(unlock_id) == "RESEALED"


async def test_objection_holds_the_grant_until_lifted_or_lapsed(world: World) -> None:
    first, second = await world.locked(2)
    lifted, lapsed = await world.ask(first), await world.ask(second)
    for unlock_id in (lifted, lapsed):
        await world.move(unlock_id, Move.CONFIRM, PRINCIPAL)
        await world.move(unlock_id, Move.OBJECT, OFFICER)
    world.clock.turn(100 * HOUR)
    await world.round()
    assert [await world.state(unlock_id) for unlock_id in (lifted, lapsed)] == ["OBJECTED", "OBJECTED"]
    await world.move(lifted, Move.ACKNOWLEDGE, OFFICER)
    world.clock.turn(200 * HOUR)
    await world.round()
    assert await world.state(lapsed) == "LAPSED"
    assert await world.state(lifted) == "RESEALED"


async def test_silence_of_the_department_is_consent_after_the_policys_time(world: World) -> None:
    await world.policy(wait=Wait.FOR_A_TIME, wait_hours=6)
    (place,) = await world.locked(1)
    unlock_id = await world.ask(place)
    await world.move(unlock_id, Move.CONFIRM, PRINCIPAL)
    world.clock.turn(5 * HOUR)
    await world.round()
    assert await world.state(unlock_id) == "REPORTED"
    world.clock.turn(HOUR)
    await world.round()
    assert await world.state(unlock_id) == "GRANTED"


async def test_unlock_keeps_the_policy_it_was_requested_under(world: World) -> None:
    first, second = await world.locked(2)
    before = await world.ask(first)
    policy = await world.policy(wait=Wait.NEVER, open_for_hours=1)
    after = await world.ask(second)
    assert policy.version == 1
    for unlock_id, expected in ((before, "REPORTED"), (after, "GRANTED")):
        await world.move(unlock_id, Move.CONFIRM, PRINCIPAL)
        await world.errands()
        assert await world.state(unlock_id) == expected
    assert (await world.policy(wait=Wait.NEVER)).version == 2


async def test_report_by_hand_waits_for_the_principals_letter(world: World) -> None:
    await world.policy(report_by_hand=True, wait=Wait.NEVER)
    (place,) = await world.locked(1)
    unlock_id = await world.ask(place)
    await world.move(unlock_id, Move.CONFIRM, PRINCIPAL)
    await world.round()
    assert await world.state(unlock_id) == "CONFIRMED"
    await world.move(unlock_id, Move.REPORT, PRINCIPAL)
    await world.errands()
    assert await world.state(unlock_id) == "GRANTED"


async def test_second_unlock_of_a_class_waits_until_the_first_is_sealed(world: World) -> None:
    (place,) = await world.locked(1)
    first = await world.granted(place)
    second = await world.ask(place, pupils=(pupils_of(place)[1],))
    await world.move(second, Move.CONFIRM, PRINCIPAL)
    await world.move(second, Move.ACKNOWLEDGE, OFFICER)
    await world.round()
    assert await world.state(second) == "ACKNOWLEDGED"
    await world.move(first, Move.FINISH, TEACHER)
    await world.errands()
    world.clock.turn(timedelta(seconds=6))
    await world.round()
    assert [await world.state(unlock_id) for unlock_id in (first, second)] == ["RESEALED", "GRANTED"]


async def test_grading_that_refuses_to_reopen_ends_the_unlock_and_seals_again(world: World) -> None:
    (place,) = await world.locked(1)
    unlock_id = await world.ask(place)
    await world.move(unlock_id, Move.CONFIRM, PRINCIPAL)
    world.grading.trouble.next["ReopenScope"].append("no")
    await world.move(unlock_id, Move.ACKNOWLEDGE, OFFICER)
    await world.errands()
    assert await world.state(unlock_id) == "RESEALED"
    assert [event.state for event in await world.events(events_pb2.UnlockMoved)][-3:] == ["granting", "withdrawn", "sealed"]


async def test_pupils_who_become_ready_are_sealed_under_a_new_lock(world: World) -> None:
    (place,) = await world.enrol(1)
    book, late = world.grading.books[str(place.class_id)], str(pupils_of(place)[2])
    book.waiting[late] = "no_personal_number"
    await world.open(hours=1)
    world.clock.turn(2 * HOUR)
    await world.round()
    lock, _ = await world.read.lock(PRINCIPAL, place.class_id, Period.YEAR)
    assert lock.answer is not None
    assert (lock.answer.sealed, lock.answer.waiting) == (2, 1)
    world.clock.turn(25 * HOUR)
    await world.round()
    assert world.grading.trouble.count("SealClass") == 1, "nobody became ready, so nothing is sealed again"
    del book.waiting[late]
    await world.follow.pupils([place.class_id])
    world.clock.turn(timedelta(minutes=1))
    done = await world.round()
    assert done.late == 1
    locks = await world.events(events_pb2.ClassLocked)
    assert [(lock.cause, lock.sealed, lock.waiting, lock.class_version) for lock in locks] == [("window_closed", 2, 1, 1), ("late", 3, 0, 2)]
    assert len({lock.lock_id for lock in locks}) == 2
    world.clock.turn(100 * HOUR)
    assert (await world.round()).late == 0


async def test_principal_locks_early_and_late_by_hand(world: World) -> None:
    (place,) = await world.enrol(1)
    book, late = world.grading.books[str(place.class_id)], str(pupils_of(place)[2])
    book.waiting[late] = "missing_marks"
    await world.open(hours=8)
    lock = await world.lock(place)
    assert lock.state == "INTENDED"
    assert await refused(world.lock(place)) == Refusal.LOCK_UNDER_WAY
    await world.errands()
    assert not await world.grading.save(place.class_id, late, "5.0")
    world.clock.turn(9 * HOUR)
    await world.round()
    assert world.grading.trouble.count("SealClass") == 1, "the closing finds the class locked already"
    del book.waiting[late]
    await world.lock(place)
    await world.errands()
    assert [lock.cause for lock in await world.events(events_pb2.ClassLocked)] == ["manual", "late"]
    assert {row["reason"] for row in await world.rows("SELECT reason FROM locks")} == {"nghỉ hè sớm"}


async def test_lock_by_hand_is_refused_while_an_unlock_is_open(world: World) -> None:
    (place,) = await world.locked(1)
    await world.granted(place)
    assert await refused(world.lock(place)) == Refusal.UNLOCK_IS_OPEN


async def test_closing_of_another_term_waits_for_an_open_unlock(world: World) -> None:
    (place,) = await world.enrol(1)
    await world.open(hours=1, term=Term.TERM_1, seals_year=False)
    await world.open(hours=20)
    world.clock.turn(2 * HOUR)
    await world.round()
    unlock_id = await world.ask(place, term=Term.TERM_1)
    await world.move(unlock_id, Move.CONFIRM, PRINCIPAL)
    await world.move(unlock_id, Move.ACKNOWLEDGE, OFFICER)
    await world.errands()
    world.clock.turn(20 * HOUR)
    await world.round()
    assert world.grading.trouble.count("SealClass") == 1
    await world.move(unlock_id, Move.FINISH, TEACHER)
    await world.errands()
    assert [(lock.cause, lock.term) for lock in await world.events(events_pb2.ClassLocked)] == [
        ("window_closed", common_pb2.TERM_1),
        ("unlock", common_pb2.TERM_1),
        ("window_closed", common_pb2.TERM_UNSPECIFIED),
    ]


async def test_who_may_request(world: World) -> None:
    (place,) = await world.locked(1)
    stranger = caller("stranger", ("subject_teacher", f"school:{SCHOOL}"))
    elsewhere = caller("teacher", ("subject_teacher", f"school:{OTHER_SCHOOL}"))
    assert await refused(world.ask(place, by=stranger)) == Refusal.NOT_YOUR_SHEET
    assert await refused(world.ask(place, subject="ngu_van")) == Refusal.NOT_YOUR_SHEET
    assert await refused(world.ask(place, subject="")) == Refusal.NOT_YOUR_SHEET
    assert await refused(world.ask(place, by=PRINCIPAL)) == Refusal.ROLE_MISSING
    with pytest.raises(Unknown):
        await world.ask(place, by=elsewhere)
    with pytest.raises(Invalid):
        await world.ask(place, pupils=(SCHOOL,))
    await world.ask(place, by=HOMEROOM)
    await world.ask(place, by=HOMEROOM, subject="")
    (open_class,) = await world.enrol(1)
    assert await refused(world.ask(open_class)) == Refusal.NOT_LOCKED


async def test_second_account_of_the_requester_and_officer_of_the_school_are_refused(world: World) -> None:
    (place,) = await world.locked(1)
    unlock_id = await world.ask(place)
    twin = caller("teacher", ("principal", f"school:{SCHOOL}"), account="another account")
    own = caller("teacher", ("principal", f"school:{SCHOOL}"), account=TEACHER.account_id)
    assert await refused(world.move(unlock_id, Move.CONFIRM, twin)) == Refusal.SAME_PERSON_OTHER_ACCOUNT
    assert await refused(world.move(unlock_id, Move.CONFIRM, own)) == Refusal.REQUESTER_CANNOT_CONFIRM
    assert await refused(world.move(unlock_id, Move.CONFIRM, DEPUTY)) == Refusal.ROLE_MAY_NOT_CONFIRM
    await world.move(unlock_id, Move.CONFIRM, PRINCIPAL)
    for person, refusal in (("deputy", Refusal.OFFICER_SERVES_AT_SCHOOL), ("principal", Refusal.SAME_PERSON_OTHER_ACCOUNT)):
        inside = caller(person, ("doet_officer", f"province:{PROVINCE}"), account="department account")
        assert await refused(world.move(unlock_id, Move.ACKNOWLEDGE, inside)) == refusal
    assert await refused(world.move(unlock_id, Move.ACKNOWLEDGE, PRINCIPAL)) == Refusal.ROLE_MISSING


async def test_requests_of_another_school_are_as_if_not_there(world: World) -> None:
    (place,) = await world.locked(1)
    unlock_id = await world.ask(place)
    other = caller("other", ("principal", f"school:{OTHER_SCHOOL}"))
    colleague = caller("colleague", ("subject_teacher", f"school:{SCHOOL}"))
    for nosy in (other, colleague):
        with pytest.raises(Unknown):
            await world.read.unlock(nosy, unlock_id)
        assert await world.read.unlocks(nosy, Filters()) == []
    with pytest.raises(Unknown):
        await world.move(unlock_id, Move.CONFIRM, other)
    for entitled in (PRINCIPAL, TEACHER, HOMEROOM, OFFICER):
        assert [view.unlock.unlock_id for view in await world.read.unlocks(entitled, Filters(state="REQUESTED"))] == [unlock_id]


async def test_repeated_request_makes_one_unlock_and_another_body_is_a_conflict(world: World) -> None:
    from services.chassis.errors import Conflict
    from services.locking.application import request_unlock
    from tests.integration.locking.world import a_request

    (place,) = await world.locked(1)
    request = a_request()
    command = request_unlock.Command(
        request, TEACHER, place.class_id, Term.TERM_2, "toan", (pupils_of(place)[0],), "Nhập nhầm điểm của học sinh.", "12/BB", timedelta(0)
    )
    first = await world.request_unlock(command)
    assert await world.request_unlock(command) == first
    with pytest.raises(Conflict):
        await world.request_unlock(replace(command, request=replace(request, digest=b"another body")))
    assert (await world.rows("SELECT count(*) AS n FROM unlocks"))[0]["n"] == 1
