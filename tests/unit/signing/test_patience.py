"""How long an order waits for an outside party."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.signing.domain.orders import INTENT_LIFE
from services.signing.domain.patience import LONGEST_WAIT, next_try

NOW = datetime(2026, 5, 31, 8, 0, tzinfo=UTC)


def test_pauses_grow_and_stay_at_half_an_hour() -> None:
    pauses = [next_try(NOW, tries, NOW) for tries in range(1, 8)]
    assert [(at - NOW).total_seconds() for at in pauses if at] == [15, 60, 300, 900, 1800, 1800, 1800]


@given(st.integers(1, 1000), st.timedeltas(timedelta(), timedelta(days=3)))
def test_waits_while_it_may_and_never_longer(tries: int, waited: timedelta) -> None:
    due_at = next_try(NOW - waited, tries, NOW)
    assert (due_at is None) == (waited >= LONGEST_WAIT)
    assert due_at is None or due_at > NOW


def test_wait_is_shorter_than_the_life_of_an_intent() -> None:
    assert LONGEST_WAIT < INTENT_LIFE
