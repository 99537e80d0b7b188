"""Asks a time-stamp authority (RFC 3161 over HTTP) and believes no token that isn't a good answer to just that question."""

import asyncio
import os
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import aiohttp
from asn1crypto import core, tsp

from services.archive.adapters.evidence_tokens import TrustedTokens
from services.archive.application.evidence_ports import Token
from services.chassis.clock import Clock
from services.chassis.errors import Refused, Unavailable

SKEW = timedelta(minutes=5)
_MOST_BYTES = 65_536
_GRANTED = ("granted", "granted_with_mods")


@dataclass(frozen=True)
class HTTPTimeAuthority:
    """Fulfils the port TimeAuthority. `policy` is the OID that was agreed with the authority; empty: any."""

    url: str
    tokens: TrustedTokens
    clock: Clock
    policy: str = ""
    seconds: float = 10.0

    async def stamp(self, algorithm: str, imprint: bytes) -> Token:
        """A token over a digest, checked against our trust as of now."""
        if not self.url:
            raise Unavailable("no time-stamp authority is named: set HOCBA_ARCHIVE_TSA_URL", code="no_tsa")
        nonce = int.from_bytes(os.urandom(8)) | 1 << 63
        question: dict[str, Any] = {
            "version": 1,
            "message_imprint": {"hash_algorithm": {"algorithm": algorithm}, "hashed_message": imprint},
            "nonce": nonce,
            "cert_req": True,
            **({"req_policy": self.policy} if self.policy else {}),
        }
        token = _token_in(await self._asked(tsp.TimeStampReq(question).dump()))
        # Certificates are verified: away from the event loop.
        return await asyncio.to_thread(self._believed, token, algorithm, imprint, nonce)

    def _believed(self, token: bytes, algorithm: str, imprint: bytes, nonce: int) -> Token:
        try:
            stamp = self.tokens.read(token)
        except ValueError as error:
            raise _wrong(str(error)) from error
        if (stamp.algorithm, stamp.imprint) != (algorithm, imprint):
            raise _wrong("it is over something else than was asked for (imprint)")
        if self.tokens.nonce(token) != nonce:
            raise _wrong("it answers another question (nonce)")
        if self.policy and self.tokens.policy_id(token) != self.policy:
            raise _wrong(f"it is under policy {self.tokens.policy_id(token)}, not {self.policy}")
        now = self.clock.now()
        if not now - SKEW <= stamp.at <= now + SKEW:
            raise _wrong(f"it is of {stamp.at.isoformat()}, but it is {now.isoformat()}: the authority's clock or ours is wrong")
        if problem := self.tokens.problem(token, stamp.at):
            raise _wrong(problem)
        return Token(token, stamp.at, self.tokens.good_until(token))

    async def _asked(self, question: bytes) -> bytes:
        answer = bytearray()
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=self.seconds)) as session,
                session.post(self.url, data=question, headers={"Content-Type": "application/timestamp-query"}, allow_redirects=False) as response,
            ):
                if response.status != 200:
                    raise Unavailable(f"{self.url} answers with status {response.status}", code="tsa_down")
                async for chunk in response.content.iter_chunked(_MOST_BYTES):
                    answer += chunk
                    if len(answer) > _MOST_BYTES:
                        raise Unavailable(f"{self.url} answers with more than {_MOST_BYTES} bytes", code="tsa_down")
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise Unavailable(f"{self.url} doesn't answer: {type(error).__name__} {error}".rstrip(), code="tsa_down") from error
        return bytes(answer)


def _token_in(answer: bytes) -> bytes:
    """The token of a response (RFC 3161 section 2.4.2)."""
    try:
        # asn1crypto asks for a token even where the status says that there is none, so the sequence is read by hand.
        parts = core.SequenceOf.load(answer, strict=True, spec=core.Any) if answer[:1] == b"\x30" else []
        status = tsp.PKIStatusInfo.load(parts[0].dump(), strict=True)
        if status["status"].native not in _GRANTED:
            words = "; ".join(status["status_string"].native or ()) or str(status["fail_info"].native)
            raise _wrong(f"the authority refuses: {words}")
        return bytes(parts[1].dump())
    except (ValueError, TypeError, IndexError) as error:
        raise _wrong(f"the answer isn't a time-stamp response: {error}") from error


def _wrong(why: str) -> Refused:
    return Refused(f"the time stamp is not believed: {why}", code="time_stamp_wrong")
