"""Each invariant holds over whole stores, and each kind of harm is found by the check that stands for it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.archive.domain import register
from services.audit.checks import run_all
from services.locking.domain import audit as trail

AT = datetime(2026, 6, 1, tzinfo=UTC)
Rows = dict[str, list[dict[str, Any]]]


class KeptInMemory:
    """The rows of the named statements, as a test wants them."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    async def rows(self, name: str) -> list[dict[str, Any]]:
        return self._rows[name]

    def key_uses(self) -> list[tuple[str, str]]:
        return [(row["intent"], row["digest"]) for row in self._rows["key_uses"]]

    async def parked_keys(self) -> dict[str, set[str]]:
        return {service: {row["key"] for row in self._rows["parked"] if row["service"] == service} for service in ("signing", "archive", "reporting")}


def statement(version: int) -> bytes:
    previous = None if version == 1 else 1
    return register.Statement("issue" if version == 1 else "supersede", "pub", version, bytes([version]) * 32, b"c" * 32, previous, "s", AT).canonical()


def whole() -> Rows:
    """One transcript in two versions, a correction between them, everything told to everybody."""
    versions: list[dict[str, Any]] = [{"id": "t", "version": n, "class_id": "c", "digest": f"content-{n}"} for n in (1, 2)]
    hashes, before = [], register.GENESIS
    for version in (1, 2):
        before = register.link(before, statement(version))
        hashes.append(before)
    line = trail.next_line(trail.Head("school:s", 0, trail.GENESIS), AT, "unlock", {"unlock_id": "u"})
    sheet = {"id": "s", "version": 1, "digest": "sheet", "class_id": "c"}
    return {
        "grading.sealed_versions": [sheet, *versions],
        "signing.transcripts": [row | {"state": "signed", "failure": ""} for row in (sheet, *versions)],
        "signing.sheet_needs": [{"id": "t", "version": n, "sheet_id": "s", "sheet_version": 1} for n in (1, 2)],
        "signing.completions": [{"id": "s", "version": 1, "sha256": "file-s"}] + [{"id": "t", "version": n, "sha256": f"file-{n}"} for n in (1, 2)],
        "archive.sheets": [sheet | {"sha256": "file-s"}],
        "signing.intents": [{"intent_id": "i", "to_be_signed": "d", "fate": "announced"}],
        "archive.transcripts": [row | {"supersedes": row["version"] - 1, "sha256": f"file-{row['version']}"} for row in versions],
        "archive.rejected": [],
        "archive.register": [{"register_index": n, "statement": statement(n), "hash": hashes[n - 1], "sha256": bytes([n]) * 32} for n in (1, 2)],
        "archive.register_head": [{"entries": 2, "hash": hashes[1]}],
        "grading.changes_after_seal": [{"unlock_id": "u", "first_at": AT, "last_at": AT, "changes": 1}],
        "locking.unlocks": [
            {
                "unlock_id": "u",
                "state": "RESEALED",
                "requester_person": "p1",
                "approver_person": "p2",
                "requester_account": "a1",
                "approver_account": "a2",
                "until": AT + timedelta(hours=1),
                "requested_at": AT - timedelta(hours=1),
            }
        ],
        "locking.openings_without_reseal": [],
        "locking.audit_lines": [{"stream": line.stream, "number": line.number, "body": line.body, "hash": line.hash}],
        "locking.audit_heads": [{"stream": line.stream, "number": line.number, "hash": line.hash}],
        "reporting.archived_by_class": [{"class_id": "c", "archived": 1}],
        "reporting.sums": [{"what": "archived: classes against schools", "parts": 1, "whole": 1}],
        "key_uses": [{"intent": "i", "digest": "d"}, {"intent": "i", "digest": "d"}],
        "parked": [],
    }


def without_its_sheet(rows: Rows) -> None:
    """The sheet was openly refused, so nothing is lost; but the transcript that stands on it came in."""
    rows["archive.sheets"].clear()
    rows["archive.rejected"].append({"id": "s", "version": 1})


async def broken(rows: Rows) -> set[str]:
    return {finding.invariant for finding in await run_all(KeptInMemory(rows)) if finding.problems}  # type: ignore[arg-type]  # Stands for Stores.


async def test_whole_stores_hold() -> None:
    assert await broken(whole()) == set()


HARM: dict[str, tuple[Callable[[Rows], Any], set[str]]] = {
    "a transcript was archived without its sheet": (without_its_sheet, {"I1"}),
    "a sheet has two signed forms": (lambda r: r["archive.sheets"][0].update(sha256="other"), {"I2"}),
    "signing never heard of a seal": (lambda r: r["signing.transcripts"].pop(), {"I1"}),
    "a signed version never reached the archive": (lambda r: r["archive.transcripts"].pop(), {"I1"}),
    "the archive holds another file than was signed": (lambda r: r["archive.transcripts"][0].update(sha256="other"), {"I2"}),
    "the archive holds another content than was sealed": (lambda r: r["archive.transcripts"][0].update(digest="other"), {"I2"}),
    "a key signed another digest": (lambda r: r["key_uses"][0].update(digest="e"), {"I5"}),
    "a key was used without an intent": (lambda r: r["key_uses"].append({"intent": "j", "digest": "d"}), {"I5"}),
    "a signature that no journal knows": (lambda r: r["key_uses"].clear(), {"I5"}),
    "a mark changed without an unlock": (lambda r: r["grading.changes_after_seal"][0].update(unlock_id=""), {"I6"}),
    "one person carried both halves": (lambda r: r["locking.unlocks"][0].update(approver_person="p1"), {"I6"}),
    "a mark changed after the time was over": (lambda r: r["grading.changes_after_seal"][0].update(last_at=AT + timedelta(hours=2)), {"I6"}),
    "an audit line was rewritten": (lambda r: r["locking.audit_lines"][0].update(body="{}"), {"I6"}),
    "a class was never sealed again": (lambda r: r["locking.openings_without_reseal"].append({"unlock_id": "u", "state": "EXPIRED"}), {"I6"}),
    "a register line was rewritten": (lambda r: r["archive.register"][0].update(statement=statement(2)), {"I7"}),
    "the register was cut short": (lambda r: r["archive.register"].pop(), {"I7"}),
    "a version supersedes nothing": (lambda r: r["archive.transcripts"][1].update(supersedes=0), {"I8"}),
    "reporting counts one too many": (lambda r: r["reporting.archived_by_class"][0].update(archived=2), {"I9"}),
    "the sums differ": (lambda r: r["reporting.sums"][0].update(whole=2), {"I9"}),
}


@pytest.mark.parametrize("harm", HARM)
async def test_harm_is_found_by_its_check(harm: str) -> None:
    rows = whole()
    do, expected = HARM[harm]
    do(rows)
    assert await broken(rows) == expected


@pytest.mark.parametrize(
    ("service", "key", "accounts"),
    [("archive", "c", True), ("archive", "another-class", False), ("reporting", "c", False), ("signing", "c", False)],
)
async def test_only_a_parked_record_of_its_class_at_its_reader_accounts_for_what_seems_lost(service: str, key: str, accounts: bool) -> None:
    rows = whole()
    rows["archive.transcripts"].pop()
    rows["parked"] = [{"service": service, "key": key}]
    assert await broken(rows) == (set() if accounts else {"I1"})


async def test_a_seal_parked_by_signing_is_accounted_for() -> None:
    rows = whole()
    for name in ("signing.transcripts", "signing.completions", "archive.transcripts", "archive.register"):
        rows[name].pop()
    rows["archive.register_head"] = [{"entries": 1, "hash": rows["archive.register"][0]["hash"]}]
    assert await broken(rows) == {"I1"}
    rows["parked"] = [{"service": "signing", "key": "c"}]
    assert await broken(rows) == set()
