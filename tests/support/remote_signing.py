"""The stand-in of a remote signing provider as a process, with its control door."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

CLIENT, SECRET, NOTICES = "hocba-test", "secret-of-this-test", "notices-of-this-test"


@dataclass
class StandIn:
    """A running stand-in: where it is and how it is told what to do."""

    address: str
    process: asyncio.subprocess.Process
    secret_file: Path
    notices_file: Path
    http: aiohttp.ClientSession

    @property
    def url(self) -> str:
        return f"{self.address}/csc/v2"

    async def behave(self, **how: Any) -> None:
        """Set what goes wrong from now on."""
        async with self.http.post(f"{self.address}/control", json=how) as answer:
            assert answer.status == 200, await answer.text()

    async def phone(self, answer: str) -> int:
        """The signer confirms or declines all that waits; gives how many there were."""
        async with self.http.post(f"{self.address}/phone/{answer}") as said:
            return int((await said.json())["answered"])

    async def seen(self) -> dict[str, Any]:
        """What it was asked (`calls`), how many digests its keys signed by client data (`signed`), who waits (`waiting`)."""
        async with self.http.get(f"{self.address}/control") as said:
            found: dict[str, Any] = await said.json()
            return found

    def providers_file(self, folder: Path, **more: Any) -> Path:
        """A file of providers that names this one `standin`."""
        settings = {"url": self.url, "client_id": CLIENT, "client_secret_file": str(self.secret_file), "notices_token_file": str(self.notices_file), **more}
        file = folder / "providers.toml"
        file.write_text("[standin]\n" + "".join(f"{name} = {_toml(value)}\n" for name, value in settings.items()))
        return file


def _toml(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool | int | float) else f'"{value}"'


def _written(folder: Path) -> tuple[Path, Path]:
    folder.mkdir(parents=True, exist_ok=True)
    secret, notices = folder / "client-secret", folder / "notices-token"
    secret.write_text(SECRET)
    notices.write_text(NOTICES)
    return secret, notices


@asynccontextmanager
async def a_stand_in(folder: Path, keys: Path, password_file: Path, *options: str, listen: str = "127.0.0.1:0") -> AsyncIterator[StandIn]:
    """A stand-in for the length of the block."""
    secret, notices = _written(folder)
    words = ["--keys", str(keys), "--password-file", str(password_file), "--client-id", CLIENT, "--client-secret-file", str(secret)]
    words += ["--notices-token-file", str(notices), "--listen", listen, "--control", *options]
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "services.remote_signing", *words, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        async with asyncio.timeout(30):
            line = (await process.stdout.readline()).decode()
        found = re.search(r"http://\S+", line)
        assert found, f"the stand-in didn't start: {line}"
        async with aiohttp.ClientSession() as http:
            yield StandIn(found.group(), process, secret, notices, http)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
