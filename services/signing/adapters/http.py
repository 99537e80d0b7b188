"""HTTP to outside parties: bounded in time and size, and an error that says what went wrong and where."""

from __future__ import annotations

from dataclasses import dataclass

import aiohttp

from services.chassis.errors import Unavailable

_CHUNK = 65536


@dataclass(frozen=True, slots=True)
class Http:
    """A client for short questions; `seconds` is for the whole of each."""

    seconds: float = 10.0

    def session(self) -> aiohttp.ClientSession:
        """Connections that are kept for the length of a block."""
        return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=self.seconds))

    async def post(self, session: aiohttp.ClientSession, url: str, body: bytes, content_type: str, at_most: int) -> bytes:
        """The answer to a question; Unavailable when there is none."""
        return await self._asked(session, "POST", url, at_most, data=body, headers={"Content-Type": content_type})

    async def get(self, session: aiohttp.ClientSession, url: str, at_most: int) -> bytes:
        """What lies at an address; Unavailable when nothing does."""
        return await self._asked(session, "GET", url, at_most)

    async def _asked(self, session: aiohttp.ClientSession, method: str, url: str, at_most: int, **more: object) -> bytes:
        content = bytearray()
        try:
            async with session.request(method, url, allow_redirects=False, **more) as answer:  # type: ignore[arg-type]  # aiohttp types each option.
                if answer.status != 200:
                    raise Unavailable(f"{url} answers with status {answer.status}", code="http")
                async for chunk in answer.content.iter_chunked(_CHUNK):
                    content += chunk
                    if len(content) > at_most:
                        raise Unavailable(f"{url} answers with more than {at_most} bytes", code="http")
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise Unavailable(f"{url} doesn't answer: {type(error).__name__} {error}".rstrip(), code="http") from None
        return bytes(content)
