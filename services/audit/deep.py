"""Every archived document of a range, judged again from its bytes: by the archive's own check and by pyHanko's full validation.

A document takes a quarter of a second of one core, so several processes share the work, and a range may be cut off and
resumed: after each batch a line is appended to a file, and what that file tells needn't be judged again.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from asn1crypto import x509
from cryptography.hazmat.primitives.serialization import Encoding

from services.archive.adapters.cms_signatures import CmsSignatures
from services.archive.adapters.record_tables import xml_table
from services.archive.adapters.trust_store import TrustStore, read_trust
from services.archive.application.check_document import Announced, CheckDocument
from services.archive.application.ports import Location, Vault
from services.archive.domain.document import CLASS_SHEET, ROLES, Profile, RoleOrder, transcript_of
from services.chassis.clock import SystemClock
from services.chassis.database import SYSTEM, Database, Queries
from services.chassis.errors import Malformed, NotFound, Refused, Unavailable
from services.signing.adapters.full_validation import faults

QUERIES = Queries(Path(__file__).with_name("queries.sql"))
LONGEST_LIST = 1000
"""How many documents with findings a report names; it counts all of them."""
_PER_PROCESS = 16


@dataclass(frozen=True, slots=True)
class Range:
    """Which documents are meant; empty fields don't narrow."""

    province: str = ""
    school: str = ""
    class_id: str = ""
    since: datetime | None = None
    until: datetime | None = None
    """Admitted from `since` on and before `until`."""
    share: float = 1.0
    """Of the range, as a sample: those whose digest with `seed` comes first. The same seed draws the same documents."""
    seed: str = ""

    def parameters(self) -> tuple[object, ...]:
        """The parameters of the named statements, in their order."""
        return self.province, self.school, self.class_id, self.since, self.until, self.share, self.seed

    def told(self) -> dict[str, Any]:
        """As plain data; two ranges are alike when this is."""
        return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in asdict(self).items()}


@dataclass(frozen=True, slots=True)
class Law:
    """By what documents are judged: the folder of trust anchors, and the orders of signatures that transcripts may have."""

    trust: Path
    role_orders: tuple[RoleOrder, ...] = (RoleOrder(ROLES),)


@dataclass(frozen=True, slots=True)
class Archived:
    """A document as the archive's index has it."""

    index: int
    """The number of its admission."""
    kind: str
    name: str
    version: int
    content_digest: bytes
    place: Location


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found wrong with one document: (code, detail) each; or why it could not be read, which is no verdict on it."""

    index: int
    document: str
    findings: tuple[tuple[str, str], ...] = ()
    unread: str = ""


@dataclass
class Report:
    """What became of a range. `unread` documents were neither found good nor bad; a resumed audit looks at them again."""

    checked: int = 0
    faulty: int = 0
    by_finding: Counter[str] = field(default_factory=Counter)
    listed: list[Verdict] = field(default_factory=list)
    unread: dict[int, Verdict] = field(default_factory=dict)
    through: int = 0
    """The last admission that was come by."""

    def add(self, verdicts: Iterable[Verdict]) -> None:
        """Count a batch in; what could not be read before may be in it again."""
        for verdict in verdicts:
            self.unread.pop(verdict.index, None)
            self.through = max(self.through, verdict.index)
            if verdict.unread:
                self.unread[verdict.index] = verdict
                continue
            self.checked += 1
            self.faulty += bool(verdict.findings)
            self.by_finding.update({code for code, _ in verdict.findings})
            if verdict.findings and len(self.listed) < LONGEST_LIST:
                self.listed.append(verdict)


class Trail:
    """The file by which an audit resumes: a line that says the range, then one per batch. Without a path nothing is kept."""

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def resume(self, wanted: Range) -> Report:
        """The report as far as the file tells; Malformed when it is about another range or isn't such a file."""
        report = Report()
        if self._path is None:
            return report
        if not self._path.exists():
            self._path.write_bytes(_line({"range": wanted.told()}))
        try:
            with self._path.open("rb+") as file:
                told = json.loads(file.readline())["range"]
                if told != wanted.told():
                    raise Malformed(f"{self._path} is about another range: {told}; give that range, or another file", code="another_range")
                end = file.tell()
                while (line := file.readline()).endswith(b"\n"):
                    report.add(_verdict(*verdict) for verdict in json.loads(line))
                    end = file.tell()
                # A line that was cut off in the writing has no end; its batch is judged again.
                file.truncate(end)
        except (ValueError, KeyError, TypeError) as error:
            raise Malformed(f"{self._path} is no file of a deep audit ({error}); give another file", code="no_trail") from error
        return report

    def note(self, verdicts: Sequence[Verdict]) -> None:
        """Append a batch."""
        if self._path is not None:
            with self._path.open("ab") as file:
                file.write(_line([[verdict.index, verdict.document, verdict.findings, verdict.unread] for verdict in verdicts]))


async def audit(database: Database, vault: Vault, law: Law, wanted: Range, processes: int, resume: Path | None, advance: Callable[[int], None]) -> Report:
    """Judge the range in so many processes, beginning with what the file `resume` tells; `advance` hears how many more are judged each time."""
    read_trust(law.trust)  # Said once and at once when it can't be read, not by each process.
    trail = Trail(resume)
    report = trail.resume(wanted)
    advance(report.checked)
    # Spawned, not forked: what an event loop and a pool of connections hold doesn't survive a fork.
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        async for documents in _batches(database, wanted, report, processes * _PER_PROCESS):
            verdicts = await asyncio.gather(*(_judged(vault, pool, document, law) for document in documents))
            trail.note(verdicts)
            report.add(verdicts)
            advance(sum(not verdict.unread for verdict in verdicts))
    return report


async def count(database: Database, wanted: Range) -> int:
    """How many documents a range has."""
    async with database.transaction(SYSTEM) as connection:
        return int(await connection.fetchval(QUERIES["archive.documents_count"], *wanted.parameters()))


async def _batches(database: Database, wanted: Range, report: Report, size: int) -> AsyncIterator[Sequence[Archived]]:
    """What is still to be judged: those that could not be read before, then the rest in the order of admission."""
    again, after = sorted(report.unread), report.through
    while True:
        async with database.transaction(SYSTEM) as connection:
            rows = await connection.fetch(QUERIES["archive.documents"], *wanted.parameters(), after, again, size)
        if not rows:
            return
        yield [_archived(row) for row in rows]
        last = rows[-1]["leaf_id"]
        again, after = [index for index in again if index > last], max(after, last)


def _archived(row: Any) -> Archived:
    place = Location(row["object_name"], row["pack_offset"], row["size"], row["sha256"], row["owner_id"], row["province_id"], bool(row["cipher"]))
    return Archived(row["leaf_id"], row["kind"], row["name"], row["version"], row["content_digest"], place)


async def _judged(vault: Vault, pool: Executor, document: Archived, law: Law) -> Verdict:
    named = f"{document.kind} {document.name} v{document.version}"
    try:
        pdf = await vault.read(document.place)
    except (NotFound, Refused) as harmed:
        # Gone, or stored bytes or key are damaged: no one will ever read it as it is.
        return Verdict(document.index, named, ((harmed.code, harmed.message),))
    except Unavailable as error:
        return Verdict(document.index, named, unread=error.message)
    return Verdict(document.index, named, tuple(await asyncio.get_running_loop().run_in_executor(pool, judge, pdf, document, law)))


_trusted = lru_cache(maxsize=1)(read_trust)
"""What a process trusts, read once for the whole audit."""


def judge(pdf: bytes, document: Archived, law: Law) -> list[tuple[str, str]]:
    """What speaks against a document, as (code, detail): the archive's own findings, then pyHanko's. Runs in a worker process.

    Policy may know several orders of signatures in a province: the one under which least speaks against it counts.
    """
    profiles = (
        [CLASS_SHEET] if document.kind == "sheet" else [transcript_of(order.roles) for order in law.role_orders if order.holds_in(document.place.province_id)]
    )
    return min((_found(pdf, document, profile, _trusted(law.trust)) for profile in profiles), key=len)


def _found(pdf: bytes, document: Archived, profile: Profile, trusted: TrustStore) -> list[tuple[str, str]]:
    check = CheckDocument(profile, CmsSignatures(lambda: trusted, SystemClock()), None, xml_table().difference)
    verdict = check(pdf, Announced(document.place.sha256, document.place.size, document.content_digest))
    found = [(finding.reason.value, finding.detail) for finding in verdict.findings]
    roots, others = ([x509.Certificate.load(one.public_bytes(Encoding.DER)) for one in some] for some in (trusted.anchors, trusted.intermediates))
    fields = [signature.field for signature in profile.signatures]
    return found + [(f"pyhanko_{fault.code}", fault.detail) for fault in faults(pdf, fields, roots, others)]


def _verdict(index: int, document: str, findings: list[list[str]], unread: str) -> Verdict:
    return Verdict(index, document, tuple((code, detail) for code, detail in findings), unread)


def _line(told: object) -> bytes:
    return json.dumps(told, ensure_ascii=False).encode() + b"\n"
