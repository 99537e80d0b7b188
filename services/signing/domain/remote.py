"""Requests to homes of keys that answer later: what state one is in, and what may be done about it."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from services.signing.domain.key_names import Home, KeyName
from services.signing.domain.roles import SignatureRole
from services.signing.domain.transcripts import Place

_NAMESPACE = uuid.UUID("3d0f6c52-5a0e-5f0c-8f6e-2b8f3f0a91d7")

MOST_ATTEMPTS = 3
"""Attempts that a provider gets before a person has to look."""
UNKNOWN_LIFE = timedelta(minutes=10)
"""After so long a provider that knows nothing of a request can't carry it out any more: its activation data has expired."""


class RequestState(StrEnum):
    """Where a request is. From `signing` on the key may have been used: it is asked about, never sent again."""

    WAITING = "waiting"
    CONFIRMING = "confirming"
    SIGNING = "signing"
    DONE = "done"
    FAILED = "failed"
    LOST = "lost"
    CANCELLED = "cancelled"

    @property
    def is_open(self) -> bool:
        """Whether something may still come of it."""
        return self in (RequestState.WAITING, RequestState.CONFIRMING, RequestState.SIGNING)


@dataclass(frozen=True, slots=True)
class Item:
    """One digest of a request, and the intent that it belongs to."""

    intent_id: str
    digest: bytes
    transcript_id: str
    version: int


@dataclass(frozen=True, slots=True)
class RemoteRequest:
    """Digests of one order that one key shall sign. `reference` is the provider's name for it, once there is one."""

    request_id: str
    order_id: str
    manifest_id: str
    place: Place
    role: SignatureRole
    key_name: str
    certificate_sha256: bytes
    state: RequestState
    reference: str
    created_at: datetime
    expires_at: datetime
    sent_at: datetime | None
    items: tuple[Item, ...]

    @property
    def home(self) -> Home:
        """The home of its key."""
        return KeyName.read(self.key_name).home

    @property
    def digests(self) -> list[bytes]:
        """What is to be signed, in order."""
        return [item.digest for item in self.items]

    def may_be_given_up(self, now: datetime) -> bool:
        """Whether a provider that doesn't know the request has had all the time in which it could still carry it out."""
        return self.sent_at is None or now - self.sent_at >= UNKNOWN_LIFE


def request_name(intent_ids: Sequence[str]) -> str:
    """A request's id follows from its intents, so that asking for the same thing twice is one request."""
    return str(uuid.uuid5(_NAMESPACE, "/".join(intent_ids)))


def parcels(items: Sequence[Item], most: int) -> list[tuple[Item, ...]]:
    """Items in as many requests as it takes when each may hold so many."""
    return [tuple(items[start : start + most]) for start in range(0, len(items), most)]


def pause(tries: int) -> timedelta:
    """How long to wait before asking again after so many tries in vain: 1 s, doubled up to a minute."""
    return timedelta(seconds=min(60, 2 ** min(tries, 6)))


class TokenBucket:
    """A provider's limit: `rate` calls a second, of which `burst` may come at once."""

    def __init__(self, rate: float, burst: int) -> None:
        self._rate, self._burst = rate, burst
        self._level, self._at = float(burst), 0.0

    def wait(self, now: float) -> float:
        """Take a place; gives the seconds to wait until it is free. `now` is in seconds of any steady clock."""
        self._level = min(self._burst, self._level + (now - self._at) * self._rate)
        self._at = now
        self._level -= 1
        return max(0.0, -self._level / self._rate)
