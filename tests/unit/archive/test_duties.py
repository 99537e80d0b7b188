"""How a duty stands against its limit, when algorithms end, and that a look tells every duty even when one can't be judged."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.archive.application.duty_ports import Check, LastStamp, Pending
from services.archive.application.evidence_ports import Waiting
from services.archive.application.watch_duties import Limits, WatchDuties
from services.archive.domain.algorithms import AlgorithmPolicy, KeyRow
from services.archive.domain.duties import Duty, Standing, State, ending, waiting, worst
from services.archive.domain.statement import FORM_OF_THE_REGISTER, Kind, Statement, said_at
from services.chassis.errors import Unavailable

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NOTHING = Pending(0, None)


@pytest.mark.parametrize(
    ("gone", "state"),
    [(None, State.KEPT), (2 * HOUR, State.KEPT), (2 * HOUR + timedelta(seconds=1), State.SOON), (4 * HOUR, State.SOON), (5 * HOUR, State.OVERDUE)],
)
def test_half_of_the_limit_is_kept_to_act_in(gone: timedelta | None, state: State) -> None:
    found = waiting(Duty.EVIDENCE, None if gone is None else NOW - gone, 4 * HOUR, NOW)
    assert (found.state, found.left) == (state, 4 * HOUR - (gone or timedelta()))


@pytest.mark.parametrize(
    ("left", "state"), [(200, State.KEPT), (180, State.KEPT), (179, State.SOON), (90, State.SOON), (89, State.OVERDUE), (-1, State.OVERDUE)]
)
def test_what_ends_is_told_of_well_before(left: int, state: State) -> None:
    found = ending(Duty.RENEWAL, NOW + left * DAY, 90 * DAY, NOW)
    assert (found.state, found.left) == (state, (left - 90) * DAY)


def test_without_an_end_nothing_is_due() -> None:
    found = ending(Duty.RENEWAL, None, 90 * DAY, NOW)
    assert (found.state, found.left) == (State.KEPT, None)


def test_what_nobody_knows_is_worse_than_a_warning_and_better_than_overdue() -> None:
    assert worst([]) is State.KEPT
    assert [worst([Standing(Duty.LOG, one, None), Standing(Duty.LOG, State.UNKNOWN, None)]) for one in State] == [State.UNKNOWN] * 3 + [State.OVERDUE]


def test_algorithms_end_when_the_table_says() -> None:
    first, later = datetime(2030, 1, 1, tzinfo=UTC), datetime(2040, 1, 1, tzinfo=UTC)
    policy = AlgorithmPolicy({"sha256": first, "sha512": None}, [KeyRow("rsa", 2048, first), KeyRow("rsa", 3072, later), KeyRow("ec", 256)])
    assert (policy.digest_until("sha256"), policy.digest_until("sha512")) == (first, None)
    assert (policy.key_until("rsa", 2048), policy.key_until("rsa", 4096), policy.key_until("ec", 384)) == (first, later, None)
    for unknown in (policy.digest_until("md5"), policy.key_until("rsa", 1024), policy.key_until("dsa", 2048)):
        assert unknown is not None
        assert unknown < NOW, "what isn't named is not accepted"


def test_a_statement_of_either_form_says_when() -> None:
    statement = Statement(Kind.ISSUE, "id", 1, bytes(32), bytes(32), None, "-", NOW).canonical()
    assert said_at(statement) == NOW
    assert said_at(statement.replace(b"hocba/leaf/1", FORM_OF_THE_REGISTER.encode()).replace(b"\n-\n-\n", b"\n0\n-\n")) == NOW


@dataclass
class Ledger:
    """What the database knows, as told."""

    stamps: Sequence[LastStamp] = ()
    unproven: datetime | None = None
    not_final: datetime | None = None
    owed: Mapping[str, datetime] = field(default_factory=dict)
    aside: Pending = NOTHING
    not_admitted: Pending = NOTHING
    first: datetime | None = None
    checks: Sequence[Check] = ()

    async def waiting(self, at_most: int) -> Waiting:
        return Waiting(0, None, self.unproven)

    async def last_stamps(self) -> Sequence[LastStamp]:
        return self.stamps

    async def first_not_final(self) -> datetime | None:
        return self.not_final

    async def owed_since(self, witnesses: Sequence[str], patience: int) -> Mapping[str, datetime]:
        return self.owed

    async def parked(self) -> Pending:
        return self.aside

    async def refused(self) -> Pending:
        return self.not_admitted

    async def begun(self) -> datetime | None:
        return self.first

    async def last_checks(self) -> Sequence[Check]:
        return self.checks


class At:
    """A clock that stands."""

    def now(self) -> datetime:
        return NOW


async def look(ledger: Any, weak_at: Any = lambda stamp: stamp.good_until) -> dict[tuple[str, str], Standing]:
    limits = Limits(4 * HOUR, 90 * DAY, HOUR, 2 * HOUR, HOUR, 3 * DAY, 3 * DAY, 16 * DAY)
    found = await WatchDuties(ledger, ledger, weak_at, ("W0", "W1"), limits, At())()
    return {(one.duty.value, one.of): one for one in found}


async def test_a_new_archive_owes_nothing() -> None:
    found = await look(Ledger())
    assert {state for one in found.values() if (state := one.state)} == {State.KEPT}
    assert {duty for duty, _ in found} == set(Duty)


async def test_each_duty_is_overdue_by_its_own_limit() -> None:
    long_ago = NOW - 1000 * DAY
    told = Ledger(
        [LastStamp("sha256", b"", NOW + 9000 * DAY), LastStamp("sha256", b"", NOW + DAY)],
        long_ago,
        long_ago,
        {"W1": long_ago},
        Pending(3, long_ago),
        Pending(2, long_ago),
        long_ago,
    )
    found = await look(told)
    assert [key for key, one in found.items() if one.state is not State.OVERDUE] == [("witness", "W0")]
    assert (found["parked", ""].count, found["refused", ""].count, found["renewal", ""].since) == (3, 2, NOW + DAY)


async def test_a_check_of_all_documents_is_one_of_the_log_and_faults_are_overdue_at_once() -> None:
    recent, older = NOW - HOUR, NOW - 10 * DAY
    found = await look(Ledger(first=older, checks=[Check(True, 0, recent)]))
    assert (found["log_check", ""].state, found["document_check", ""].state) == (State.KEPT, State.KEPT)
    found = await look(Ledger(first=older, checks=[Check(False, 0, recent)]))
    assert (found["log_check", ""].state, found["document_check", ""].state) == (State.KEPT, State.SOON)
    found = await look(Ledger(first=older, checks=[Check(True, 0, older), Check(False, 7, recent)]))
    assert (found["log_check", ""].state, found["log_check", ""].count, found["document_check", ""].state) == (State.OVERDUE, 7, State.SOON)


async def test_a_table_of_algorithms_that_can_not_be_read_hides_nothing_else() -> None:
    def unreadable(_: LastStamp) -> datetime:
        raise Unavailable("the table can't be read")

    found = await look(Ledger([LastStamp("sha256", b"", NOW)], aside=Pending(1, NOW - DAY)), unreadable)
    assert (found["renewal", ""].state, found["parked", ""].state) == (State.UNKNOWN, State.OVERDUE)
