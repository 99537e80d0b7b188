"""The national register over HTTPS: submit a manifest in pieces, take and verify the receipt, look a pupil up."""

import hashlib
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from services.archive.adapters.note_keys import verifier_of
from services.archive.application.submission_ports import Acknowledged
from services.archive.domain.signed_note import KeyText, NoteError, read_note, verified
from services.archive.domain.submission import RegisterReceipt, SubmissionError, read_results
from services.chassis.errors import Conflict, Denied, Malformed, NotFound, OutcomeUnknown, Refused, ServiceError, Unavailable

PIECE = 2 << 20
SECONDS = 120.0
_ERRORS: dict[int, type[ServiceError]] = {400: Malformed, 403: Denied, 404: NotFound, 409: Conflict, 422: Refused, 503: Unavailable}


@dataclass(frozen=True)
class HTTPRegister:
    """Fulfils the port NationalRegister."""

    url: str
    token: str
    ca: Path | None
    """Who vouches for the register's TLS certificate; None: the machine's own authorities."""
    key: KeyText
    """The public key that signs receipts."""

    async def submit(self, manifest: bytes, signature: bytes) -> Acknowledged:
        """Send what the register lacks of a manifest, then its signature; the verified answer. Safe to repeat: the same manifest gets the same receipt.

        Refused with the register's code; Unavailable when it can't be reached; OutcomeUnknown when it broke off after the signature was sent.
        """
        place = f"/v1/submissions/{hashlib.sha256(manifest).hexdigest()}"
        async with self._session() as session:
            state = await self._json(session, "GET", place)
            if state["state"] != "answered":
                received = int(state["received"])
                if received > len(manifest):
                    received = 0
                for offset in range(received, len(manifest), PIECE):
                    await self._json(session, "PUT", f"{place}?offset={offset}", manifest[offset : offset + PIECE])
            note = await self._ask(session, "POST", place, signature, sent=True)
            results = await self._ask(session, "GET", f"{place}/results")
        return self.acknowledged(manifest, note, results)

    def acknowledged(self, manifest: bytes, note: bytes, results: bytes) -> Acknowledged:
        """The answer, if the register's key has signed it for this manifest and these results; Refused otherwise."""
        try:
            told = read_note(note)
            if not verified(told, [verifier_of(self.key)]):
                raise NoteError(f"{self.key.name} has not signed it")
            receipt, outcomes = RegisterReceipt.read(told.text), read_results(results)
        except (NoteError, SubmissionError) as error:
            raise Refused(f"the register's receipt is not believed: {error}", code="receipt_invalid") from error
        if (receipt.manifest, receipt.results) != (hashlib.sha256(manifest).digest(), hashlib.sha256(results).digest()):
            raise Refused("the register's receipt is for another manifest or other results", code="receipt_invalid")
        return Acknowledged(receipt, note, results, tuple(outcomes))

    async def find(self, pupil: str) -> Sequence[dict[str, Any]]:
        """A pupil's transcripts in all provinces, by personal number or ministry code."""
        async with self._session() as session:
            told = await self._json(session, "POST", "/v1/pupils", {"pupil": pupil})
        found: list[dict[str, Any]] = told["transcripts"]
        return found

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[aiohttp.ClientSession]:
        context = ssl.create_default_context(cafile=self.ca)
        timeout, headers = aiohttp.ClientTimeout(total=SECONDS), {"Authorization": f"Bearer {self.token}"}
        async with aiohttp.ClientSession(timeout=timeout, headers=headers, connector=aiohttp.TCPConnector(ssl=context)) as session:
            yield session

    async def _json(self, session: aiohttp.ClientSession, method: str, path: str, body: bytes | dict[str, str] | None = None) -> dict[str, Any]:
        import json

        told: dict[str, Any] = json.loads(await self._ask(session, method, path, body))
        return told

    async def _ask(self, session: aiohttp.ClientSession, method: str, path: str, body: bytes | dict[str, str] | None = None, *, sent: bool = False) -> bytes:
        try:
            given: dict[str, Any] = {"json": body} if isinstance(body, dict) else {"data": body}
            async with session.request(method, self.url + path, allow_redirects=False, **given) as answer:
                data = await answer.read()
                if answer.status == 200:
                    return data
                told = await answer.json() if answer.content_type == "application/json" else {}
                kind = _ERRORS.get(answer.status, OutcomeUnknown)
                raise kind(told.get("message", f"the register answers {answer.status}"), code=told.get("code"))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            what = f"the register at {self.url} ({type(error).__name__})"
            if sent:
                raise OutcomeUnknown(f"{what} may have taken the batch; repeat, and it answers with the same receipt", code="register_broke_off") from error
            raise Unavailable(f"{what} can't be reached; nothing was submitted, repeat later", code="register_down") from error
