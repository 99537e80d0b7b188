"""The key journal on a disk that fills up."""

import os
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from services.signing.adapters.key_journal import FileKeyJournal, read_journal
from services.signing.domain.intent import Intent
from services.signing.domain.roles import SignatureRole


class Now:
    def now(self) -> datetime:
        return datetime(2026, 5, 31, tzinfo=UTC)


def _intents(count: int) -> list[Intent]:
    at = Now().now()
    return [
        Intent(str(UUID(int=1)), str(UUID(int=n)), 1, SignatureRole.PRINCIPAL, b"t" * 32, b"b" * 32, bytes([n]) * 32, b"c" * 32, "0a", at, 0)
        for n in range(1, count + 1)
    ]


async def test_a_short_write_is_finished_before_the_key_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, bytes(data)[:100]))
    await FileKeyJournal(tmp_path, "w", Now()).note("key", "order", _intents(3))
    assert len(list(read_journal(tmp_path / "w.jsonl"))) == 3


async def test_a_full_disk_leaves_a_journal_that_goes_on_unbroken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = FileKeyJournal(tmp_path, "w", Now())
    await journal.note("key", "first", _intents(1))

    def full(descriptor: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(os, "write", full)
        with pytest.raises(OSError, match="No space"):
            await journal.note("key", "second", _intents(1))
    await journal.note("key", "third", _intents(1))
    assert [said["order"] for said in read_journal(tmp_path / "w.jsonl")] == ["first", "third"]
