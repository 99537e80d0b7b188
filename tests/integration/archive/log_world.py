"""A transparency log over a database and a folder of a test's own, with witnesses in the same process."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import asyncpg

from services.archive.adapters.admissions import queue_leaves
from services.archive.adapters.log_state import PostgresLogState
from services.archive.adapters.note_keys import NoteSigner, new_key, read_signer, verifier_of
from services.archive.adapters.tile_folder import open_folder
from services.archive.application.check_log import CheckLog, LogInspection
from services.archive.application.extend_log import BATCH, ExtendLog
from services.archive.application.log_ports import TileStore, WitnessAnswer
from services.archive.application.log_tiles import LogTiles
from services.archive.application.publish_log import Publication, PublishLog
from services.archive.domain.signed_note import COSIGNATURE_ED25519, COSIGNATURE_ML_DSA_44, ED25519
from services.archive.domain.statement import Kind, Statement
from services.archive.domain.witness_policy import WitnessPolicy, read_policy
from services.chassis.clock import SystemClock
from services.chassis.database import Database
from services.witness.ledger import Ledger
from services.witness.witnessing import Witnessing
from tests.support.vaults import a_vault

ORIGIN = "hocba.example/test"
SCHOOL = str(uuid.uuid4())


@dataclass
class Witnesses:
    """Fulfils the port WitnessClient: the real rule and ledger, without a network. `moods` are how they misbehave."""

    by_url: dict[str, Witnessing]
    moods: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, int]] = field(default_factory=list)

    async def add_checkpoint(self, url: str, body: bytes) -> WitnessAnswer | None:
        """The answer, or what the mood makes of it."""
        mood = self.moods.get(url, "")
        if mood == "down":
            return None
        if mood == "broken":
            return WitnessAnswer(500, "oh no\n")
        told = self.by_url[url].add_checkpoint(body)
        self.asked.append((url, told.status))
        if mood == "forges" and told.status == 200:
            # A cosignature of something else, under the right name.
            return WitnessAnswer(200, told.body.replace("A", "B").replace("x", "y"))
        if mood == "garbage":
            return WitnessAnswer(200, "<html>maintenance</html>")
        return WitnessAnswer(told.status, told.body)


@dataclass
class LogWorld:
    """The log's use cases; `folder` holds tiles, keys, and what the witnesses remember."""

    database: Database
    owner_url: str
    folder: Path
    signer: NoteSigner
    policy: WitnessPolicy
    witnesses: Witnesses
    elsewhere: TileStore | None = None
    """Where the log's files are, if not in `folder`."""

    @property
    def state(self) -> PostgresLogState:
        return PostgresLogState(self.database)

    @property
    def store(self) -> TileStore:
        return self.elsewhere or open_folder(self.folder / "log")

    @property
    def tiles(self) -> LogTiles:
        return LogTiles(self.store)

    def extend(self, batch: int = BATCH) -> ExtendLog:
        return ExtendLog(self.state, self.store, self.signer, SystemClock(), batch)

    def publisher(self) -> PublishLog:
        return PublishLog(self.state, self.store, self.policy, verifier_of, self.witnesses, SystemClock())

    async def grow(self, count: int, batch: int = BATCH) -> Publication:
        """Queue so many leaves, extend the log by all that waits, and publish."""
        await self.queue(count)
        extend = self.extend(batch)
        epoch = await extend.take_over()
        while await extend(epoch):
            pass
        return await self.publisher()()

    async def queue(self, count: int) -> list[bytes]:
        """Statements that wait for their place, in one transaction as an admission writes them."""
        entries = [statement() for _ in range(count)]
        async with self.database.transaction() as connection:
            await queue_leaves(connection, entries)
        return entries

    async def check(self, *, mend: bool = False, documents: bool = False) -> LogInspection:
        vault = a_vault(self.folder, self.database)
        return await CheckLog(self.state, self.store, vault.objects, vault, verifier_of(self.signer.public))(documents=documents, mend=mend)

    def files(self) -> dict[str, bytes]:
        """Every file of the log."""
        root = self.folder / "log"
        return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}

    async def do_as_owner(self, *statements: str) -> None:
        """What only somebody behind the service's back can do."""
        owner = await asyncpg.connect(self.owner_url)
        try:
            for text in statements:
                await owner.execute(text)
        finally:
            await owner.close()


def statement() -> bytes:
    """A statement about a document that nobody has seen."""
    sha256 = uuid.uuid4().bytes * 2
    return Statement(Kind.ISSUE, uuid.uuid4().hex, 1, sha256, sha256, None, SCHOOL, datetime.now(UTC)).canonical()


def make_witnesses(folder: Path, log: NoteSigner) -> tuple[WitnessPolicy, Witnesses]:
    """Three witnesses, one of them with an ML-DSA key, two of whom are enough; file `policy` says so."""
    lines, by_url = [f"log {log.public.text}"], {}
    for number, kind in enumerate((COSIGNATURE_ED25519, COSIGNATURE_ED25519, COSIGNATURE_ML_DSA_44)):
        signer = make_signer(folder / f"witness-{number}.key", f"witness-{number}.example", kind)
        url = f"http://witness-{number}"
        by_url[url] = Witnessing({log.public.name: log.public}, signer, Ledger.open(folder / f"witness-{number}"), lambda: datetime.now(UTC))
        lines.append(f"witness W{number} {signer.public.text} {url}")
    text = "\n".join([*lines, "group two 2 W0 W1 W2", "quorum two"])
    # For those who read it from a file, as a verifier does.
    (folder / "policy").write_text(text)
    return read_policy(text), Witnesses(by_url)


def make_signer(file: Path, name: str, kind: int = ED25519) -> NoteSigner:
    """A key in a file."""
    if not file.exists():
        file.write_text(new_key(name, kind))
    return read_signer(file)


def make_world(database: Database, owner_url: str, folder: Path) -> LogWorld:
    """A whole world."""
    signer = make_signer(folder / "log.key", ORIGIN)
    return LogWorld(database, owner_url, folder, signer, *make_witnesses(folder, signer))
