"""Witnesses over HTTP (C2SP tlog-witness)."""

import aiohttp

from services.archive.application.log_ports import WitnessAnswer

SECONDS = 3.0
_LARGEST_ANSWER = 64 * 1024


class HTTPWitnesses:
    """Fulfils the port WitnessClient."""

    async def add_checkpoint(self, url: str, body: bytes) -> WitnessAnswer | None:
        """The answer, or None when there is none within three seconds."""
        try:
            # A session for each question: there is one a second at the most, and a witness may be anywhere tomorrow.
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=SECONDS)) as session,
                session.post(f"{url}/add-checkpoint", data=body, allow_redirects=False) as answer,
            ):
                told = await answer.content.read(_LARGEST_ANSWER)
                return WitnessAnswer(answer.status, told.decode("utf-8", "replace"))
        except (aiohttp.ClientError, TimeoutError, OSError):
            return None
