"""A pupil moves: both schools agree, the running year moves, signed years stay, and of two moves at once one wins."""

from __future__ import annotations

import asyncio

import pytest

from hocba.enrollment.v1 import enrollment_pb2 as pb
from hocba.enrollment.v1 import events_pb2 as ev
from services.chassis.errors import Conflict, Denied, Malformed, NotFound, Refused
from services.chassis.identity import Actor
from tests.integration.enrollment.house import YEAR, House, actor, make_rpc, new_id, office, profile


def move(pupil_id: str, to_school: str, to_class: str = "", **told: object) -> pb.TransferPupilRequest:
    values = {"transferred_on": "2026-11-16", "reason": "chuyển theo cha mẹ", "school_year": YEAR} | told
    return pb.TransferPupilRequest(request_id=new_id(), pupil_id=pupil_id, to_school_id=to_school, to_class_id=to_class, **values)  # type: ignore[arg-type]


async def transfer(house: House, who: Actor, request: pb.TransferPupilRequest) -> pb.TransferPupilResponse:
    return await house.call(who, house.rpc.TransferPupil, request)


class Two:
    """Two schools of two provinces with a class each, and a pupil of the first, enrolled there last year too."""

    def __init__(self, house: House) -> None:
        self.house = house

    async def made(self) -> Two:
        self.here, self.there = await self.house.school("79000001", "2025-79"), await self.house.school("48000001", "2025-48")
        self.class_here, self.class_there = await self.house.form(self.here, "6A1"), await self.house.form(self.there, "6B1")
        self.last_year = await self.house.form(self.here, "6A1", year=YEAR - 1)
        await self.house.enrol(self.here, self.last_year, profile(1))
        (self.ref,) = (await self.house.enrol(self.here, self.class_here, profile(1))).pupils
        self.pupil = self.ref.pupil_id
        return self


async def test_the_second_consent_moves_the_pupil_across_provinces(house: House) -> None:
    two = await Two(house).made()
    waiting = await transfer(house, office(two.there), move(two.pupil, two.there, two.class_there))
    assert waiting.state == "waiting_for_source"
    assert house.events(ev.PupilTransferred) == []
    done = await transfer(house, office(two.here), move(two.pupil, two.there))
    assert (done.state, done.transfer_id, done.pupil.version) == ("done", waiting.transfer_id, two.ref.version + 1)
    told = house.events(ev.PupilTransferred)
    assert [event.school_id for event in told] == [two.here, two.there]
    assert {(e.from_class_id, e.to_class_id, e.from_province_id, e.to_province_id, e.version, e.roll_number) for e in told} == {
        (two.class_here, two.class_there, "2025-79", "2025-48", two.ref.version + 1, 1)
    }


async def test_signed_years_stay_and_each_school_sees_its_own(house: House) -> None:
    two = await Two(house).made()
    await transfer(house, office(two.here), move(two.pupil, two.there))
    await transfer(house, office(two.there), move(two.pupil, two.there, two.class_there))
    assert house.rows("SELECT school_year, school_id::text FROM enrolments ORDER BY 1") == [(YEAR - 1, two.here), (YEAR, two.there)]
    old = await house.call(office(two.here), house.rpc.GetPupil, pb.GetPupilRequest(pupil_id=two.pupil))
    assert [(p.school_year, p.class_id, p.left_on) for p in old.places] == [(YEAR - 1, two.last_year, ""), (YEAR, two.class_here, "2026-11-16")]
    new = await house.call(office(two.there), house.rpc.GetPupil, pb.GetPupilRequest(pupil_id=two.pupil))
    assert [(p.school_year, p.class_id) for p in new.places] == [(YEAR, two.class_there)]
    assert (await house.call(office(two.here), house.rpc.ListPupils, pb.ListPupilsRequest(school_id=two.here, class_id=two.class_here))).pupils == []
    # The old school reads the pupil but can't change him any more.
    wrong = pb.CorrectPersonalNumberRequest(request_id=new_id(), school_id=two.here, pupil_id=two.pupil, personal_number="079215000001", reason="x")
    with pytest.raises(NotFound):
        await house.call(office(two.here), house.rpc.CorrectPersonalNumber, wrong)


async def test_a_pupil_can_come_back(house: House) -> None:
    two = await Two(house).made()
    both = actor(f"registrar@school:{two.here}", f"registrar@school:{two.there}")
    away = await transfer(house, both, move(two.pupil, two.there, two.class_there))
    back = await transfer(house, both, move(two.pupil, two.here, two.class_here, transferred_on="2026-11-20"))
    assert (away.state, back.state) == ("done", "done")
    assert back.pupil.version == two.ref.version + 2
    assert house.rows("SELECT school_id::text FROM enrolments WHERE school_year = %s", YEAR) == [(two.here,)]
    assert house.rows("SELECT count(*) FROM past_places") == [(2,)]
    assert house.rows("SELECT former_schools::text[] FROM pupils") == [([two.here, two.there],)]


async def test_of_two_schools_that_want_one_pupil_at_once_one_wins(house: House) -> None:
    two = await Two(house).made()
    third = await house.school("79000003")
    class_third = await house.form(third, "6C1")
    lord = actor("registrar@nation")
    for _ in range(3):  # Each round is a fresh race for the same pupil.
        before = house.rows("SELECT version FROM enrolments WHERE school_year = %s", YEAR)[0][0]
        ((at,),) = house.rows("SELECT class_id::text FROM enrolments WHERE school_year = %s", YEAR)
        goals = [(s, c) for s, c in ((two.here, two.class_here), (two.there, two.class_there), (third, class_third)) if c != at]
        outcomes = await asyncio.gather(*(transfer(house, lord, move(two.pupil, s, c, seen_version=before)) for s, c in goals), return_exceptions=True)
        won = [o for o in outcomes if isinstance(o, pb.TransferPupilResponse)]
        lost = [o for o in outcomes if isinstance(o, Conflict)]
        assert (len(won), len(lost)) == (1, 1), outcomes
        assert house.rows("SELECT version FROM enrolments WHERE school_year = %s", YEAR) == [(before + 1,)]


async def test_a_second_school_cannot_open_a_transfer_while_one_waits(house: House) -> None:
    two = await Two(house).made()
    third = await house.school("79000003")
    class_third = await house.form(third, "6C1")
    await transfer(house, office(two.there), move(two.pupil, two.there, two.class_there))
    with pytest.raises(Refused, match="chưa hoàn tất"):
        await transfer(house, office(third), move(two.pupil, third, class_third))


async def test_a_repeated_transfer_request_answers_as_the_first_time(house: House) -> None:
    two = await Two(house).made()
    both = actor(f"registrar@school:{two.here}", f"registrar@school:{two.there}")
    request = move(two.pupil, two.there, two.class_there)
    first = await transfer(house, both, request)
    assert await transfer(house, both, request) == first
    assert len(house.events(ev.PupilTransferred)) == 2


async def test_neither_side_may_speak_for_the_other_and_strangers_for_none(house: House) -> None:
    two = await Two(house).made()
    stranger = await house.school("79000009")
    with pytest.raises(Denied):
        await transfer(house, office(stranger), move(two.pupil, two.there, two.class_there))
    with pytest.raises(Denied, match="trường nhận chọn"):
        await transfer(house, office(two.here), move(two.pupil, two.there, two.class_there))
    again = await transfer(house, office(two.here), move(two.pupil, two.there))
    assert again.state == "waiting_for_target"
    repeat = await transfer(house, office(two.here), move(two.pupil, two.there))
    assert (repeat.state, repeat.transfer_id) == (again.state, again.transfer_id)


async def test_what_cannot_be_a_transfer_is_refused(house: House) -> None:
    two = await Two(house).made()
    both = actor(f"registrar@school:{two.here}", f"registrar@school:{two.there}")
    grade_7 = await house.form(two.there, "7B1", grade=7)
    other_year = await house.form(two.there, "6B1", year=YEAR - 1)
    for request, error, words in (
        (move(two.pupil, two.there, grade_7), Refused, "khối 7"),
        (move(two.pupil, two.there, other_year), Malformed, "năm học 2025-2026"),
        (move(two.pupil, two.there, two.class_here), Malformed, "không thuộc trường nhận"),
        (move(two.pupil, two.here, two.class_here), Refused, "chính lớp này"),
        (move(two.pupil, two.there, two.class_there, transferred_on="2025-11-16"), Malformed, "không thuộc năm học"),
        (move(two.pupil, two.there, two.class_there, reason=""), Malformed, "lý do"),
        (move(two.pupil, two.there, two.class_there, school_year=YEAR + 1), NotFound, "năm học"),
    ):
        with pytest.raises(error, match=words):
            await transfer(house, both, request)
    assert house.rows("SELECT count(*) FROM transfers") == [(0,)]


async def test_a_change_of_class_inside_the_school_needs_one_office(house: House) -> None:
    two = await Two(house).made()
    other = await house.form(two.here, "6A2")
    done = await transfer(house, office(two.here), move(two.pupil, two.here, other))
    assert (done.state, done.pupil.roll_number) == ("done", 1)
    assert [(e.school_id, e.to_class_id) for e in house.events(ev.PupilTransferred)] == [(two.here, other)]


async def test_a_pupil_can_leave_and_be_enrolled_again(house: House) -> None:
    two = await Two(house).made()
    left = await transfer(house, office(two.here), move(two.pupil, ""))
    assert left.state == "done"
    assert house.events(ev.PupilTransferred)[0].to_class_id == ""
    assert (await house.call(office(two.here), house.rpc.ListPupils, pb.ListPupilsRequest(school_id=two.here, class_id=two.class_here))).pupils == []
    (ref,) = (await house.enrol(two.there, two.class_there, profile(1))).pupils
    assert (ref.pupil_id, ref.version) == (two.pupil, left.pupil.version + 1)


async def test_policy_may_let_the_taking_school_decide_alone(house: House) -> None:
    two = await Two(house).made()
    house.rpc = make_rpc(house.database, house.envelope, transfer_needs_both_schools=False)
    assert (await transfer(house, office(two.there), move(two.pupil, two.there, two.class_there))).state == "done"


async def test_either_school_may_withdraw_a_waiting_transfer_and_nobody_else(house: House) -> None:
    two = await Two(house).made()
    waiting = await transfer(house, office(two.there), move(two.pupil, two.there, two.class_there))
    request = pb.WithdrawTransferRequest(request_id=new_id(), transfer_id=waiting.transfer_id)
    stranger = await house.school("79000009")
    with pytest.raises(NotFound):
        await house.call(office(stranger), house.rpc.WithdrawTransfer, request)
    for _ in range(2):
        assert (await house.call(office(two.here), house.rpc.WithdrawTransfer, request)).state == "withdrawn"
    both = actor(f"registrar@school:{two.here}", f"registrar@school:{two.there}")
    done = await transfer(house, both, move(two.pupil, two.there, two.class_there))
    assert done.state == "done"
    with pytest.raises(Refused, match="chuyển ngược"):
        await house.call(both, house.rpc.WithdrawTransfer, pb.WithdrawTransferRequest(request_id=new_id(), transfer_id=done.transfer_id))
