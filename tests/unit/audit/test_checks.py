"""Each invariant holds over whole stores, and each kind of harm is found by the check that stands for it."""

from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.archive.domain import access_line
from services.archive.domain.checkpoint import Checkpoint
from services.archive.domain.merkle import leaf_hash, root_of
from services.archive.domain.signed_note import NoteSignature, SignedNote
from services.archive.domain.statement import Kind, Statement, audit_head_statement
from services.audit.checks import run_all
from services.locking.domain import audit as trail

AT = datetime(2026, 6, 1, tzinfo=UTC)
READING = access_line.Access("a", "p", ("principal@school:s",), "transcript", "t", 1, 1, "", "s", "2025-01", "", "")
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


def file(number: int) -> str:
    """The digest of an archived file; the sheet's is 9, the copy's 8."""
    return bytes([number] * 32).hex()


def leaf(index: int, number: int, kind: Kind, previous: int | None = None) -> dict[str, Any]:
    """The leaf of version `number`, of the sheet or of the copy."""
    before = None if previous is None else bytes.fromhex(file(previous))
    version = 1 if number > 7 else number
    said = Statement(kind, f"pub{number}", version, bytes.fromhex(file(number)), b"c" * 32, before, "s", AT).canonical()
    return {"log_index": index, "statement": said, "id": {8: "k", 9: "s"}.get(number, "t"), "version": version, "sha256": file(number)}


def checkpoint(leaves: list[dict[str, Any]]) -> dict[str, Any]:
    told = Checkpoint("log", len(leaves), root_of([leaf_hash(row["statement"]) for row in leaves]))
    return {"size": told.size, "root": told.root, "note": SignedNote(told.text, (NoteSignature("log", b"1234", b"signature"),)).encoded()}


def told_of(line: access_line.AccessLine) -> bytes:
    """What the log is told of a line."""
    return audit_head_statement(line.stream, line.number, line.hash, line.digest, None, AT)


def whole() -> Rows:
    """One transcript in two versions, a correction between them, a copy of the first one, everything told to everybody."""
    versions: list[dict[str, Any]] = [{"id": "t", "version": n, "class_id": "c", "digest": f"content-{n}"} for n in (1, 2)]
    leaves = [leaf(0, 9, Kind.SHEET), leaf(1, 1, Kind.ISSUE), leaf(2, 8, Kind.COPY, previous=1), leaf(3, 2, Kind.SUPERSEDE, previous=1)]
    line = trail.next_line(trail.Head("school:s", 0, trail.GENESIS), AT, "unlock", {"unlock_id": "u"})
    read = [access_line.line_behind("r", 1, access_line.GENESIS, READING, AT, bytes(16))]
    read.append(access_line.line_behind("r", 2, read[0].hash, READING, AT, bytes(16)))
    sheet = {"id": "s", "version": 1, "digest": "sheet", "class_id": "c"}
    copy = {"id": "k", "version": 1, "digest": "copy", "class_id": "c"}
    return {
        "grading.sealed_versions": [sheet, *versions],
        "signing.transcripts": [row | {"state": "signed", "failure": ""} for row in (sheet, copy, *versions)],
        "signing.sheet_needs": [{"id": "t", "version": n, "sheet_id": "s", "sheet_version": 1} for n in (1, 2)],
        "signing.completions": [{"id": "k", "version": 1, "sha256": file(8)}, {"id": "s", "version": 1, "sha256": file(9)}]
        + [{"id": "t", "version": n, "sha256": file(n)} for n in (1, 2)],
        "archive.sheets": [sheet | {"sha256": file(9)}],
        "archive.ordered_copies": [copy],
        "archive.copies": [copy | {"sha256": file(8)}],
        "signing.intents": [{"intent_id": "i", "to_be_signed": "d", "fate": "announced"}],
        "archive.transcripts": [row | {"supersedes": row["version"] - 1, "sha256": file(row["version"]), "revoked": False} for row in versions],
        "archive.rejected": [],
        "archive.void_versions": [],
        "archive.leaves": leaves,
        "archive.checkpoints": [checkpoint(leaves[:1]), checkpoint(leaves)],
        "archive.log_head": [{"sequenced": 4, "signed": 4, "published": 4}],
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
        "archive.access_lines": [asdict(line) for line in read],
        "archive.access_anchors": [{"stream": "r", "number": 1, "hash": read[0].hash, "statement": told_of(read[0])}],
        "key_uses": [{"intent": "i", "digest": "d"}, {"intent": "i", "digest": "d"}],
        "parked": [],
    }


def without_its_sheet(rows: Rows) -> None:
    """The sheet was openly refused, so nothing is lost; but the transcript that stands on it came in."""
    rows["archive.sheets"].clear()
    rows["archive.rejected"].append({"id": "s", "version": 1})


def replace_hash(rows: Rows) -> access_line.AccessLine:
    return replace(access_line.AccessLine(**rows["archive.access_lines"][0]), hash=bytes(32))


def skipped(rows: Rows) -> None:
    """Version 2 is version 3 everywhere, and nobody says what became of 2."""
    for table in rows.values():
        for row in table:
            if row.get("id") == "t" and row["version"] == 2:
                row["version"] = 3


async def broken(rows: Rows) -> set[str]:
    return {finding.invariant for finding in await run_all(KeptInMemory(rows)) if finding.problems}  # type: ignore[arg-type]  # Stands for Stores.


async def test_whole_stores_hold() -> None:
    assert await broken(whole()) == set()


HARM: dict[str, tuple[Callable[[Rows], Any], set[str]]] = {
    "a transcript was archived without its sheet": (without_its_sheet, {"I1"}),
    "a sheet has two signed forms": (lambda r: r["archive.sheets"][0].update(sha256="other"), {"I2"}),
    "signing never heard of a seal": (lambda r: r["signing.transcripts"].pop(), {"I1"}),
    "signing never heard of a copy": (lambda r: r["archive.ordered_copies"].append({"id": "l", "version": 1, "digest": "l", "class_id": "c"}), {"I1"}),
    "a sealed copy never reached the archive": (lambda r: r["archive.copies"].pop(), {"I1"}),
    "the archive holds another copy than was sealed": (lambda r: r["archive.copies"][0].update(sha256="other"), {"I2"}),
    "a copy is no leaf": (lambda r: r["archive.leaves"][2].update(id=None, version=None), {"I7"}),
    "a signed version never reached the archive": (lambda r: r["archive.transcripts"].pop(), {"I1"}),
    "the archive holds another file than was signed": (lambda r: r["archive.transcripts"][0].update(sha256="other"), {"I2", "I8"}),
    "the archive holds another content than was sealed": (lambda r: r["archive.transcripts"][0].update(digest="other"), {"I2"}),
    "a key signed another digest": (lambda r: r["key_uses"][0].update(digest="e"), {"I5"}),
    "a key was used without an intent": (lambda r: r["key_uses"].append({"intent": "j", "digest": "d"}), {"I5"}),
    "a signature that no journal knows": (lambda r: r["key_uses"].clear(), {"I5"}),
    "a mark changed without an unlock": (lambda r: r["grading.changes_after_seal"][0].update(unlock_id=""), {"I6"}),
    "one person carried both halves": (lambda r: r["locking.unlocks"][0].update(approver_person="p1"), {"I6"}),
    "a mark changed after the time was over": (lambda r: r["grading.changes_after_seal"][0].update(last_at=AT + timedelta(hours=2)), {"I6"}),
    "an audit line was rewritten": (lambda r: r["locking.audit_lines"][0].update(body="{}"), {"I6"}),
    "a class was never sealed again": (lambda r: r["locking.openings_without_reseal"].append({"unlock_id": "u", "state": "EXPIRED"}), {"I6"}),
    "a leaf names another document": (lambda r: r["archive.leaves"][1].update(statement=leaf(1, 3, Kind.ISSUE)["statement"]), {"I7", "I11"}),
    "the log was cut short": (lambda r: r["archive.leaves"].pop(), {"I7", "I11"}),
    "a version stands twice in the log": (lambda r: r["archive.leaves"].append(r["archive.leaves"][1] | {"log_index": None}), {"I7"}),
    "the log tells of an admission that nobody knows": (lambda r: r["archive.leaves"].append(leaf(4, 5, Kind.ISSUE) | {"log_index": None, "id": None}), {"I7"}),
    "a leaf was taken out of the middle": (lambda r: r["archive.leaves"][3].update(log_index=4), {"I11"}),
    "a checkpoint was rewritten": (lambda r: r["archive.checkpoints"][0].update(root=bytes(32)), {"I11"}),
    "a checkpoint's note was rewritten": (lambda r: r["archive.checkpoints"][0].update(note=r["archive.checkpoints"][1]["note"]), {"I11"}),
    "a checkpoint of more leaves than there are": (lambda r: r["archive.checkpoints"].append({"size": 5, "root": bytes(32), "note": b""}), {"I11"}),
    "the head names a checkpoint that nobody signed": (lambda r: r["archive.log_head"][0].update(published=2), {"I11"}),
    "the log supersedes another version": (lambda r: r["archive.leaves"][3].update(leaf(3, 2, Kind.SUPERSEDE, previous=9)), {"I8", "I11"}),
    "a version supersedes nothing": (lambda r: r["archive.transcripts"][1].update(supersedes=0), {"I8"}),
    "a version between two is nowhere": (skipped, {"I8"}),
    "reporting counts one too many": (lambda r: r["reporting.archived_by_class"][0].update(archived=2), {"I9"}),
    "a line of the access log was rewritten": (lambda r: r["archive.access_lines"][0].update(body="{}"), {"AL"}),
    "a line of the access log is gone": (lambda r: r["archive.access_lines"].pop(0), {"AL"}),
    "the log was told of another line": (lambda r: r["archive.access_anchors"][0].update(hash=bytes(32)), {"AL"}),
    "the log says otherwise of a line": (lambda r: r["archive.access_anchors"][0].update(statement=told_of(replace_hash(r))), {"AL"}),
    "a revoked version is counted": (lambda r: r["archive.transcripts"][1].update(revoked=True), {"I9"}),
    "the sums differ": (lambda r: r["reporting.sums"][0].update(whole=2), {"I9"}),
}


async def test_a_version_between_two_may_stand_in_the_void_register() -> None:
    rows = whole()
    skipped(rows)
    rows["archive.void_versions"].append({"id": "t", "version": 2})
    assert await broken(rows) == set()


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
    for name in ("signing.transcripts", "signing.completions", "archive.transcripts", "archive.leaves", "archive.checkpoints"):
        rows[name].pop()
    rows["archive.log_head"] = [{"sequenced": 3, "signed": 1, "published": 1}]
    assert await broken(rows) == {"I1"}
    rows["parked"] = [{"service": "signing", "key": "c"}]
    assert await broken(rows) == set()
