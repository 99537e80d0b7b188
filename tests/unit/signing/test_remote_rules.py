"""Rules of requests to homes that answer later: names, parcels, patience, and a provider's limit."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.signing.domain.orders import INTENT_LIFE, Order, Step, renewed
from services.signing.domain.remote import UNKNOWN_LIFE, Item, RemoteRequest, RequestState, TokenBucket, parcels, pause, request_name
from services.signing.domain.roles import SignatureRole
from services.signing.domain.transcripts import Place

NOW = datetime(2026, 6, 1, 8, tzinfo=UTC)
ITEMS = tuple(Item(f"i{n}", bytes([n]) * 32, f"t{n}", 1) for n in range(7))
PLACE = Place("c", "s", "p")
REQUEST = RemoteRequest("r", "o", "m", PLACE, SignatureRole.PRINCIPAL, "csc:p/k", b"", RequestState.WAITING, "", NOW, NOW + INTENT_LIFE, None, ITEMS)


def test_a_request_is_named_by_what_it_asks_for() -> None:
    assert request_name(["a", "b"]) == request_name(["a", "b"])
    assert len({request_name(["a", "b"]), request_name(["b", "a"]), request_name(["a"])}) == 3


@given(st.integers(0, 60), st.integers(1, 20))
def test_parcels_hold_everything_once_in_order(count: int, most: int) -> None:
    items = [Item(f"i{n}", b"", f"t{n}", 1) for n in range(count)]
    made = parcels(items, most)
    assert [item for parcel in made for item in parcel] == items
    assert all(1 <= len(parcel) <= most for parcel in made)


def test_what_may_have_been_signed_is_given_up_only_after_its_activation_has_expired() -> None:
    assert REQUEST.may_be_given_up(NOW)
    sent = replace(REQUEST, state=RequestState.SIGNING, sent_at=NOW)
    assert not sent.may_be_given_up(NOW + UNKNOWN_LIFE - timedelta(seconds=1))
    assert sent.may_be_given_up(NOW + UNKNOWN_LIFE)


@pytest.mark.parametrize(("state", "is_open"), [(s, s in (RequestState.WAITING, RequestState.CONFIRMING, RequestState.SIGNING)) for s in RequestState])
def test_only_three_states_may_still_lead_to_something(state: RequestState, is_open: bool) -> None:
    assert state.is_open is is_open


def test_pauses_grow_to_a_minute() -> None:
    assert [pause(n).total_seconds() for n in (1, 2, 3, 6, 99)] == [2, 4, 8, 60, 60]


@given(st.floats(0.5, 200), st.integers(1, 50), st.lists(st.floats(0, 2), min_size=1, max_size=120))
def test_no_more_calls_go_out_than_the_provider_takes(rate: float, burst: int, gaps: list[float]) -> None:
    bucket, now, sent = TokenBucket(rate, burst), 1000.0, []
    for gap in gaps:
        now += gap
        sent.append(now + bucket.wait(now))
    sent.sort()
    for number in range(burst, len(sent)):
        # Between any call and the one `burst` places before it at least one place has come free.
        assert sent[number] - sent[number - burst] >= 1 / rate - 1e-6


def test_retry_makes_a_new_attempt_where_the_old_intents_are_void() -> None:
    order = Order("o", PLACE, Step.SIGN, "m", SignatureRole.PRINCIPAL, 2, NOW, "done", ())
    assert renewed(order, NOW + timedelta(hours=1)) == (2, NOW)
    assert renewed(order, NOW + timedelta(hours=1), spent=True) == (3, NOW + timedelta(hours=1))
