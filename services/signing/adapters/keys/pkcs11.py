"""Keys in PKCS#11 tokens: hardware modules, USB tokens, SoftHSM. Each session is a process (`pkcs11_session`)."""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.chassis.errors import Refused, Unavailable
from services.chassis.telemetry import log
from services.signing.adapters.keys.pkcs11_session import AWAY, REFUSED
from services.signing.domain.key_names import KeyName

_PROGRAM = "services.signing.adapters.keys.pkcs11_session"
_LONGEST_LINE = 64 * 1024 * 1024
_LEAST_SHARE = 4
"""Fewer digests than this aren't worth another session."""
_PIN_CODES = ("pin_wrong", "pin_locked", "pin_expired")


@dataclass(frozen=True, slots=True)
class TokenLibrary:
    """The vendor's library, the PIN file or a folder of PIN files named as the tokens, and how many sessions a token may have."""

    library: Path
    pins: Path
    sessions: int = 2
    answer_seconds: float = 60.0

    def pin_file(self, token: str) -> Path:
        """Where the PIN of a token is."""
        return self.pins / token if self.pins.is_dir() else self.pins


class _Lost(Exception):
    """The session ended, hangs, or lost its token; whatever it was doing may have been done."""


class _Session:
    """A child process with an open session."""

    def __init__(self, process: Process, seconds: float) -> None:
        self.process, self._seconds = process, seconds

    @classmethod
    async def open(cls, library: TokenLibrary, token: str) -> _Session:
        words = [sys.executable, "-m", _PROGRAM, str(library.library), token, str(library.pin_file(token))]
        process = await asyncio.create_subprocess_exec(*words, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, limit=_LONGEST_LINE)
        session = cls(process, library.answer_seconds)
        try:
            await session.ask({"key": "", "digests": []})
        except Refused:
            await session.end()  # Nobody would ask it again.
            raise
        return session

    async def ask(self, question: dict[str, Any]) -> list[bytes]:
        """Signature values; _Lost when the process can't be used any more. Anything but an answer ends the process."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            async with asyncio.timeout(self._seconds):
                self.process.stdin.write(json.dumps(question).encode() + b"\n")
                await self.process.stdin.drain()
                line = await self.process.stdout.readline()
            answer = json.loads(line)
        except (OSError, TimeoutError, ValueError) as error:
            await self.end()
            raise _Lost(f"its process gave no answer ({type(error).__name__})") from None
        except BaseException:  # Cancelled in between: an answer that comes now would be taken for the next one.
            await self.end()
            raise
        if answer.get("error") == REFUSED:
            raise Refused(answer["message"], code=answer["code"])
        if answer.get("error") == AWAY:
            await self.end()
            raise _Lost(answer["message"])
        return [bytes.fromhex(value) for value in answer["values"]]

    async def end(self) -> None:
        """End the process, however it is."""
        with suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()
        if self.process.stdin is not None:
            self.process.stdin.close()


class _Pool:
    """The sessions with one token."""

    def __init__(self, library: TokenLibrary, token: str) -> None:
        self._library, self._token = library, token
        self._idle: list[_Session] = []
        self._places = asyncio.Semaphore(library.sessions)
        self._opening = asyncio.Lock()
        self._refused_pin: tuple[tuple[int, ...], Refused] | None = None

    async def sign(self, key: str, digests: Sequence[bytes]) -> list[bytes]:
        shares = min(self._library.sessions, max(1, len(digests) // _LEAST_SHARE))
        size = -(-len(digests) // shares)
        parts = [digests[start : start + size] for start in range(0, len(digests), size)]
        async with asyncio.TaskGroup() as group:
            made = [group.create_task(self._part(key, part)) for part in parts]
        return [value for task in made for value in task.result()]

    async def _part(self, key: str, digests: Sequence[bytes]) -> list[bytes]:
        question = {"key": key, "digests": [digest.hex() for digest in digests]}
        async with self._places:
            for last in (False, True):
                try:
                    session = self._idle.pop() if self._idle else await self._opened()
                    try:
                        values = await session.ask(question)
                    except Refused:
                        self._idle.append(session)
                        raise
                except _Lost as lost:
                    log.warning("token session lost", token=self._token, reason=str(lost), again=not last)
                    if last:
                        raise Unavailable(f"token {self._token!r} is away: {lost}", code="keys_away") from None
                    await self._drop_idle()  # Whatever ended this session has most likely ended the others.
                    continue
                self._idle.append(session)
                return values
        raise AssertionError

    async def _opened(self) -> _Session:
        # One after the other, and never again with a PIN that was refused: tokens lock themselves after a few.
        async with self._opening:
            mark = self._pin_mark()
            if self._refused_pin is not None and self._refused_pin[0] == mark:
                raise self._refused_pin[1]
            try:
                return await _Session.open(self._library, self._token)
            except Refused as refused:
                if refused.code in _PIN_CODES:
                    self._refused_pin = mark, refused
                raise

    def _pin_mark(self) -> tuple[int, ...]:
        try:
            found = self._library.pin_file(self._token).stat()
        except OSError:
            return ()
        return found.st_mtime_ns, found.st_size, found.st_ino

    async def _drop_idle(self) -> None:
        idle, self._idle = self._idle, []
        for session in idle:
            await session.end()

    async def close(self) -> None:
        await self._drop_idle()

    @property
    def pids(self) -> list[int]:
        return [session.process.pid for session in self._idle]


class Pkcs11Keys:
    """Signs with keys by label in tokens by label; a lost session is opened anew once, then the token counts as away."""

    def __init__(self, library: TokenLibrary) -> None:
        self._library = library
        self._pools: dict[str, _Pool] = {}

    async def sign(self, name: KeyName, digests: Sequence[bytes]) -> list[bytes]:
        """RSA PKCS#1 v1.5, or ECDSA in DER with the token's own randomness."""
        if Path(name.container).name != name.container or name.container.startswith("."):
            raise Refused(f"token label {name.container!r} can't name a PIN file; register the certificate again", code="key_unknown")
        pool = self._pools.get(name.container) or self._pools.setdefault(name.container, _Pool(self._library, name.container))
        try:
            return await pool.sign(name.key, digests)
        except* Refused as refused:
            raise _first(refused) from None
        except* Unavailable as away:
            raise _first(away) from None

    def pids(self, token: str) -> list[int]:
        """Processes of the sessions that wait for work."""
        return self._pools[token].pids if token in self._pools else []

    async def close(self) -> None:
        """End all sessions."""
        for pool in self._pools.values():
            await pool.close()


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    found: BaseException = group
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found
