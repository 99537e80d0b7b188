"""The stand-in of the certificate authority's services as a process of its own, for tests that need revocation or time."""

from __future__ import annotations

import contextlib
import json
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.stack import ports
from services.stack.children import Child, spawn
from services.stack.places import CHECKOUT, Places
from services.stack.signer_pki import SignerPki
from tests.support.eventually import eventually


@dataclass
class Trust:
    """A test PKI and the process that answers for it."""

    pki: SignerPki
    url: str
    _words: list[str | Path]
    _log: Path
    _child: Child | None = None

    @property
    def tsa(self) -> str:
        return f"{self.url}/tsa"

    async def start(self) -> None:
        """Start the process and wait until it answers."""
        self._child = spawn("trust-services", self._words, log=self._log, env={"PYTHONUNBUFFERED": "1"}, cwd=CHECKOUT)
        await eventually(self._answers, what=f"trust services at {self.url}")

    def stop(self) -> None:
        """End the process; nobody answers any more."""
        if self._child is not None:
            self._child.stop(2.0)

    def behave(self, **how: Any) -> None:
        """Tell it how to (mis)behave; what isn't named is normal again."""
        with urllib.request.urlopen(urllib.request.Request(f"{self.url}/behaviour", json.dumps(how).encode(), method="PUT"), timeout=5) as answer:
            assert answer.status == 204

    def asked(self) -> dict[str, int]:
        """How often each service was asked."""
        with urllib.request.urlopen(f"{self.url}/asked", timeout=5) as answer:
            counts: dict[str, int] = json.load(answer)
            return counts

    def get(self, path: str, body: bytes | None = None, kind: str = "") -> bytes:
        """What it answers at a path."""
        asking = urllib.request.Request(self.url + path, body, {"Content-Type": kind} if kind else {})
        with urllib.request.urlopen(asking, timeout=5) as answer:
            content: bytes = answer.read()
            return content

    def _answers(self) -> bool:
        try:
            self.asked()
        except OSError:
            return False
        return True


@contextlib.contextmanager
def trust_in(places: Places, **options: Any) -> Iterator[Trust]:
    """A PKI below `places` with its services' address; `start` the process before use, it ends with the block."""
    port = ports.choose(places, ("trust-services",))["trust-services"]
    trust = another_for(SignerPki(places.keys / "signers", services=f"http://{ports.LOOPBACK}:{port}", **options), port, places)
    try:
        yield trust
    finally:
        trust.stop()


def another_for(pki: SignerPki, port: int, places: Places) -> Trust:
    """A process for a PKI at a port of its own; the caller starts and stops it."""
    words: list[str | Path] = [sys.executable, "-m", "services.trust_services", f"--listen={ports.LOOPBACK}:{port}"]
    return Trust(pki, f"http://{ports.LOOPBACK}:{port}", [*words, f"--authority={pki.authority}", "--obey-tests"], places.logs / f"trust-services-{port}.log")
