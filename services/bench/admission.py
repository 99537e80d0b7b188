"""The part of `hocba bench archive` that admits: finished transcripts of the signing path, from a pack in staging to a final checkpoint above them.

What is measured is all of what one archive process does with a class, one class after the other as its consumer does: the pack is read, each document
checked, encrypted and stored durably (fsync), index, data keys, leaves and events committed (fsync on); beside it the log is extended, cosigned by
two witness processes and published. It ends when the last leaf is final. Not in it: Kafka, and class-subject sheets, which the bench's records don't
ask for.

`per_core_second` divides by the processor time of everybody: this process, the database's and the witnesses'. The baseline in the same rounds is the check of
the same documents alone, nothing stored.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import statistics
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CLASS = 40
PROVINCE, YEAR = "2025-01", 2025


@dataclass(frozen=True)
class Admitted:
    """Transcripts a second on the clock and of processor time; what one takes of that, in microseconds; and the rate as a part of that of bare checks."""

    transcripts: int
    classes: int
    final_per_second: float
    per_core_second: float
    archive_us: float
    database_and_witnesses_us: float
    bare_checks_per_core_second: float
    ratio: float
    ratios: list[float]


class Classes:
    """Classes of finished transcripts, as signing leaves and announces them; `earlier` are others of the same shapes."""

    def __init__(self, folder: Path, transcripts: int, say: Callable[[str], None]) -> None:
        from services.archive.application.check_document import Announced
        from services.archive.domain.sealed_record import read_facts
        from services.archive.domain.transcript import SignedDocument, TranscriptRef
        from services.bench.signing import PUPILS, Desk, _records
        from services.signing.adapters.certificates import facts_of
        from services.signing.domain.roles import DEFAULT_ORDER

        desk = Desk(folder / "signers", "rsa-2048")
        self.anchors, self.staging = desk.pki.anchors, folder / "staging"
        serials = tuple((role.value, facts_of(certificate).serial) for role, certificate in zip(DEFAULT_ORDER, desk.certificates, strict=True))
        made: list[tuple[Any, bytes]] = []
        told = time.monotonic()
        wanted = PUPILS + transcripts
        while len(made) < wanted:
            desk.take(_records(len(made)))
            for index, _, pdf in desk.signed(min(PUPILS, wanted - len(made))):
                facts = read_facts(desk.records[index])
                assert facts is not None
                digest = hashlib.sha256(desk.records[index]).digest()
                ref = TranscriptRef(facts.transcript_id, str(uuid.uuid4()), facts.version, digest, facts.public_id)
                made.append((SignedDocument(ref, hashlib.sha256(pdf).digest(), len(pdf), serials), pdf))
            if time.monotonic() - told > 2:
                told = time.monotonic()
                say(f"{len(made)} of {wanted} transcripts are signed")
        batches = [
            [(pdf, Announced(one.sha256, one.size, one.ref.content_digest, one.serials)) for one, pdf in made[start : start + CLASS]]
            for start in range(0, len(made), CLASS)
        ]
        self.documents, self.batches, self.earlier = made[PUPILS:], batches[PUPILS // CLASS :], batches[: PUPILS // CLASS]

    async def staged(self) -> list[Any]:
        """The classes as announced, their packs in staging by signing's own hand."""
        from services.archive.domain.transcript import SignedClass
        from services.signing.adapters.staging import PackStaging

        staging, school, found = PackStaging(str(self.staging)), str(uuid.uuid4()), []
        for start in range(0, len(self.documents), CLASS):
            members, class_id = self.documents[start : start + CLASS], str(uuid.uuid4())
            written = await staging.put(class_id, "finished", [(one.file_name, pdf) for one, pdf in members])
            found.append(SignedClass(class_id, school, PROVINCE, YEAR, str(uuid.uuid4()), written.name, tuple(one for one, _ in members)))
        return found


@dataclass(frozen=True)
class Round:
    """One round, in seconds: on the clock, of this process's processor time, of all others' that it has started, and of the checks alone."""

    clock: float
    archive: float
    others: float
    checks: float


async def admit_all(classes: Classes, announced: list[Any], settings: dict[str, str], published: Callable[[], Awaitable[int]]) -> Round:
    """Admit every class into an empty database and store, until all are final; then check the same documents alone."""
    from services.archive import app

    given = app.SETTINGS(**settings)  # type: ignore[arg-type]  # As the environment would give them.
    service = app.build(given)
    await service.database.open()
    admit = app.admission(given, service)
    # A process that has run for a while knows the shapes of documents, each examined in full once; these documents it has never seen.
    await asyncio.to_thread(_check, admit.check, classes.earlier)
    others, clock, archive = _others_seconds(), time.perf_counter(), time.process_time()
    for one in announced:
        done = await admit(one)
        if done.admitted != len(one.documents):
            raise RuntimeError(f"the bench's own documents are refused: {done}")
    while await published() < len(classes.documents):  # noqa: ASYNC110 - what is waited for happens in other processes too
        await asyncio.sleep(0.02)
    clock, archive, others = time.perf_counter() - clock, time.process_time() - archive, _others_seconds() - others
    await service.database.close()
    bare = app.transcript_check(given)
    await asyncio.to_thread(_check, bare, classes.earlier)
    began = time.process_time()
    await asyncio.to_thread(_check, bare, classes.batches)
    return Round(clock, archive, others, time.process_time() - began)


def summed(classes: Classes, rounds: list[Round]) -> Admitted:
    """The middle of each."""
    count = len(classes.documents)
    middle = [
        count / statistics.median(spent)
        for spent in ([one.clock for one in rounds], [one.archive + one.others for one in rounds], [one.checks for one in rounds])
    ]
    ratios = [round(one.checks / (one.archive + one.others), 3) for one in rounds]
    archive, others = (1e6 / count * statistics.median(spent) for spent in ([one.archive for one in rounds], [one.others for one in rounds]))
    clock, core, checks = (round(one, 1) for one in middle)
    return Admitted(count, len(classes.batches), clock, core, round(archive, 1), round(others, 1), checks, statistics.median(ratios), ratios)


def _check(check: Any, batches: list[Any]) -> None:
    for batch in batches:
        for verdict in check.batch(batch):
            if not verdict.accepted:
                raise RuntimeError(f"the bench's own document is refused: {verdict.first}")


def _others_seconds() -> float:
    """Processor time of all processes below this one, with those of theirs that have ended: database and witnesses. Linux."""
    parents: dict[int, int] = {}
    spent: dict[int, int] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:  # Ended between the two looks.
                continue
            parents[int(folder.name)] = int(fields[1])
            spent[int(folder.name)] = sum(map(int, fields[11:15]))
    return sum(ticks for pid, ticks in spent.items() if _below_us(pid, parents)) / os.sysconf("SC_CLK_TCK")


def _below_us(pid: int, parents: dict[int, int]) -> bool:
    while pid in parents:
        pid = parents[pid]
        if pid == os.getpid():
            return True
    return False
