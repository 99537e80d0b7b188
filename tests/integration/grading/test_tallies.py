"""How results are spread: announced with every seal of the year for reporting's eyes only, corrected with it, and without what the archive withdraws."""

from datetime import UTC, datetime

import pytest

from hocba.archive.v1 import events_pb2 as archive_pb2
from hocba.common.v1 import common_pb2
from hocba.grading.v1 import events_pb2
from services.chassis.consumer import Received, handlers_of
from services.chassis.envelope import Envelope
from services.chassis.errors import Malformed
from services.grading.application.tally_classes import TallyClasses
from services.stack.pki import Keys
from tests.integration.grading.school import School, new_id

T2 = common_pb2.TERM_2


class Tallies:
    """What reporting reads of a school's tallies."""

    def __init__(self, school: School, keys: Keys) -> None:
        self.school, self.envelope = school, Envelope(keys.envelope_readers, keys.envelope_key("reporting"), "reporting")

    async def told(self) -> list[tuple[int, dict[tuple[str, str], int]]]:
        """(version, counts), oldest first."""
        events = await self.school.events(events_pb2.ResultsTallied)
        opened = [(event.version, self.envelope.open(event.tally, events_pb2.ResultTally)) for event in events]
        return [(version, {(count.item, count.level): count.pupils for count in tally.counts}) for version, tally in opened]

    async def revoke(self, class_id: str, transcript: common_pb2.TranscriptRef) -> None:
        """As the archive tells it."""
        event = archive_pb2.TranscriptRevoked(class_id=class_id, transcript=transcript)
        await handlers_of(self.school.consumers)[archive_pb2.TranscriptRevoked]([Received(event, new_id(), "", datetime.now(UTC), {})])


@pytest.mark.parametrize("grade", [3, 8])
async def test_a_seal_tells_counts_to_reporting_alone(school: School, grading_keys: Keys, grade: int) -> None:
    room = await school.form(grade, 3)
    await school.fill(room)
    await school.enter(room, "toan", [(room.pupils[1], "ck" if grade == 8 else "end2", "")], term=T2)
    await school.seal(room)
    ((version, counts),) = await Tallies(school, grading_keys).told()
    assert version == 1
    of_result = {item: sum(pupils for (of, _), pupils in counts.items() if of == item) for item, _ in counts}
    assert set(of_result.values()) == {2}, "who waits isn't counted"
    assert {"promotion", "subject:toan", "learning" if grade == 8 else "result"} <= set(of_result)
    (event,) = await school.events(events_pb2.ResultsTallied)
    assert (event.class_id, event.grade, event.school_year) == (room.class_id, grade, 2025)
    with pytest.raises(Malformed, match="not for signing"):
        Envelope(grading_keys.envelope_readers, grading_keys.envelope_key("signing"), "signing").open(event.tally, events_pb2.ResultTally)


async def test_a_correction_moves_a_pupil_and_a_withdrawal_takes_the_version_out(school: School, grading_keys: Keys) -> None:
    room, tallies = await school.form(8, 3), Tallies(school, grading_keys)
    await school.fill(room)
    first = await school.seal(room)
    unlock = await school.reopen(room, "toan", [room.pupils[1]])
    await school.enter(room, "toan", [(room.pupils[1], "ck", "1")], term=T2, unlock_id=unlock, reason="Nhập nhầm")
    second = await school.seal(room)
    (_, before), (version, after) = await tallies.told()
    assert version == 2
    moved = {
        level: after.get(("subject:toan", level), 0) - before.get(("subject:toan", level), 0) for item, level in {*before, *after} if item == "subject:toan"
    }
    assert sorted(moved.values()) == [-1, 1]
    # Of the pupil who was corrected the first version is withdrawn, which counts no more anyway; of another the version in force.
    old = next(one.transcript for one in first.outcomes if one.transcript.pupil_id == room.pupils[1])
    in_force = next(one.transcript for one in second.outcomes if one.transcript.pupil_id == room.pupils[0])
    await tallies.revoke(room.class_id, old)
    await tallies.revoke(room.class_id, in_force)
    told = await tallies.told()
    assert [of for of, _ in told] == [1, 2, 3, 4]
    assert told[2][1] == after
    assert sum(pupils for (item, _), pupils in told[3][1].items() if item == "learning") == 2
    # A repeat, and a version that was never sealed here, tell nothing new.
    await tallies.revoke(room.class_id, in_force)
    await tallies.revoke(room.class_id, common_pb2.TranscriptRef(transcript_id=new_id(), version=1))
    assert len(await tallies.told()) == 4


async def test_a_first_terms_seal_tells_no_results(school: School, grading_keys: Keys) -> None:
    room = await school.form(8, 1)
    await school.fill(room)
    await school.seal(room, term=common_pb2.TERM_1)
    assert await Tallies(school, grading_keys).told() == []


async def test_classes_that_are_sealed_are_told_anew(school: School, grading_keys: Keys) -> None:
    sealed, unsealed = await school.form(8, 1), await school.form(7, 1)
    await school.fill(sealed)
    await school.seal(sealed)
    heard: list[int] = []
    again = TallyClasses(school.transactions)
    assert [await again(2025, heard.append), await again(2024, heard.append), await again(0, heard.append)] == [1, 0, 1]
    assert heard == [1, 1]
    told = await Tallies(school, grading_keys).told()
    assert [version for version, _ in told] == [1, 2, 3]
    assert told[0][1] == told[2][1]
    assert {event.class_id for event in await school.events(events_pb2.ResultsTallied)} == {sealed.class_id} != {unsealed.class_id}
