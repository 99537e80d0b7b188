"""What the agent does with one open request: show it, write it down, have it signed, keep the values, bring them back.

Whatever breaks in between is met again in the next round: values that are kept are brought without the token, a request that
isn't is signed anew. The service takes the first value of each digest and leaves a second one alone.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from services.chassis.errors import OutcomeUnknown, Refused, ServiceError, Unavailable
from services.signing.application.ports import CheckValue, KeyJournal, KeyStore

AT_ONCE = 10
"""Digests per call to the token, so that the progress moves and a token pulled out costs little."""


@dataclass(frozen=True, slots=True)
class Use:
    """One digest for the token; what the journal writes down."""

    intent_id: str
    to_be_signed: bytes
    certificate_sha256: bytes


@dataclass(frozen=True, slots=True)
class Open:
    """A request as the service tells it: the digests, and what the person beside the token is shown."""

    signing_request_id: str
    order_id: str
    manifest_id: str
    merkle_root: bytes
    school_name: str
    class_id: str
    school_year: int
    grade: int
    role: str
    expires_at: datetime
    uses: tuple[Use, ...]


class Service(Protocol):
    """The signing service from outside."""

    async def list_open(self) -> list[Open]:
        """What waits for our certificate."""
        ...

    async def submit(self, signing_request_id: str, values: dict[str, bytes]) -> str:
        """Bring values; the request's state then."""
        ...


class Watcher(Protocol):
    """Whoever looks on: a person's screen, or lines of JSON."""

    def found(self, requests: Sequence[Open]) -> bool:
        """What is about to be signed; False when the person says no."""
        ...

    def signed(self, request: Open, count: int) -> None:
        """So many more digests of a request are signed."""
        ...

    def delivered(self, request: Open, state: str) -> None:
        """The values are with the service."""
        ...

    def ended(self) -> None:
        """The round is over, however it went."""
        ...


@dataclass(frozen=True, slots=True)
class Round:
    """What one look at the service led to. `trouble` is a sentence for people; `mend` says that trying again can't help."""

    delivered: int = 0
    signatures: int = 0
    open: int = 0
    code: str = ""
    trouble: str = ""
    mend: bool = False


class KeptValues:
    """Values that were signed and not yet delivered, one file per request. They are no secret."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, request: Open) -> dict[str, bytes] | None:
        """The values of a request, if they are all here."""
        try:
            said = json.loads(self._place(request).read_bytes())
            values = {use.intent_id: bytes.fromhex(said[use.intent_id]) for use in request.uses}
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return values

    def keep(self, request: Open, values: dict[str, bytes]) -> None:
        """All of it on disk, or nothing."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = self._place(request).with_suffix(".new")
        with draft.open("w") as file:
            file.write(json.dumps({intent: value.hex() for intent, value in values.items()}))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._place(request))

    def forget(self, request: Open) -> None:
        """They are where they belong."""
        self._place(request).unlink(missing_ok=True)

    def _place(self, request: Open) -> Path:
        return self._folder / f"{request.signing_request_id}.json"


@dataclass(frozen=True, slots=True)
class Agent:
    """The agent for one key."""

    service: Service
    keys: KeyStore
    key_name: str
    certificate: bytes
    journal: KeyJournal
    kept: KeptValues
    check: CheckValue
    watcher: Watcher

    async def round(self) -> Round:
        """Look once and do what there is; trouble ends the round, not the agent."""
        delivered = signatures = 0
        requests: list[Open] = []
        try:
            requests = await self.service.list_open()
            if requests and not self.watcher.found(requests):
                return Round(open=len(requests), code="not_wanted", trouble="nothing was signed, as was asked")
            for request in requests:
                values = self.kept.read(request)
                if values is None:
                    values = await self._sign(request)
                    signatures += len(values)
                    self.kept.keep(request, values)
                state = await self.service.submit(request.signing_request_id, values)
                self.kept.forget(request)
                self.watcher.delivered(request, state)
                delivered += 1
        except (Unavailable, OutcomeUnknown) as error:
            return Round(delivered, signatures, len(requests) - delivered, error.code, error.message)
        except ServiceError as error:
            return Round(delivered, signatures, len(requests) - delivered, error.code, error.message, mend=True)
        finally:
            self.watcher.ended()
        return Round(delivered, signatures)

    async def _sign(self, request: Open) -> dict[str, bytes]:
        values: dict[str, bytes] = {}
        for start in range(0, len(request.uses), AT_ONCE):
            uses = request.uses[start : start + AT_ONCE]
            await self.journal.note(self.key_name, request.order_id, uses)
            made = await self.keys.sign(self.key_name, [use.to_be_signed for use in uses])
            for use, value in zip(uses, made, strict=True):
                if not self.check(self.certificate, use.to_be_signed, value):
                    raise Refused("the token's key isn't that of the certificate; give another --key or --certificate", code="wrong_key")
                values[use.intent_id] = value
            self.watcher.signed(request, len(uses))
        return values
