"""While a class is checked, the event loop answers."""

import asyncio
import threading
from collections.abc import Iterable
from typing import Any

from services.archive.application.admit_transcripts import AdmitTranscripts
from services.archive.application.check_document import Announced, Verdict
from services.archive.domain.findings import Finding, Reason
from services.archive.domain.pack import build_pack
from services.archive.domain.transcript import SignedClass, SignedDocument, TranscriptRef


class StagingOfOne:
    """A pack with one document."""

    def __init__(self, name: str) -> None:
        self._data = build_pack({name: b"document"}).data

    async def read(self, name: str) -> bytes:
        return self._data


class SlowCheck:
    """A check that goes on only when the event loop has done something else meanwhile."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop, self.go_on = loop, threading.Event()

    def batch(self, documents: Iterable[tuple[bytes, Announced]]) -> list[Verdict]:
        self.loop.call_soon_threadsafe(self.go_on.set)
        assert self.go_on.wait(10), "the event loop stood still"
        return [Verdict(b"", (Finding(Reason.MALFORMED, ""),), frozenset(), (), None) for _ in documents]


async def test_event_loop_is_free_while_a_class_is_checked() -> None:
    document = SignedDocument(TranscriptRef("t", "p", 1, b"", "x"), b"", 8, ())
    check: Any = SlowCheck(asyncio.get_running_loop())
    nothing: Any = None
    admit = AdmitTranscripts(StagingOfOne(document.file_name), nothing, nothing, check, nothing)
    good, bad = await admit._checked(SignedClass("c", "s", "v", 2025, "m", "pack", (document,)), (document,))
    assert (good, [rejection.reason for rejection in bad]) == ([], [Reason.MALFORMED])
