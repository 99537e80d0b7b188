"""A dossier from elsewhere on a real database and store: kept once, as it came, handed on with what is known here; a changed one is refused."""

import hashlib
import json
import os
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from services.archive.adapters.cms_signatures import CmsSignatures
from services.archive.adapters.dossiers import PostgresDossiers
from services.archive.adapters.evidence_tokens import TrustedTokens
from services.archive.adapters.note_keys import verifier_of
from services.archive.adapters.trust_store import read_algorithms, read_trust
from services.archive.adapters.trusted_proofs import evidence_proof, read_policies
from services.archive.application.check_bundle import CheckBundle
from services.archive.application.check_document import CheckDocument
from services.archive.application.check_log import CheckLog
from services.archive.application.check_standing import CheckStanding
from services.archive.application.dossier_ports import Recipient
from services.archive.application.ports import Viewer
from services.archive.application.receive_dossier import ReceiveDossier
from services.archive.application.revocation_ports import Caller
from services.archive.domain.document import TRANSCRIPT
from services.archive.domain.dossier import Dossier
from services.archive.domain.revocation import Person
from services.archive.domain.status_list import Mark
from services.audit.archive import files_hold
from services.chassis.clock import SystemClock
from services.chassis.database import Database
from services.chassis.errors import Refused
from tests.integration.archive.log_world import make_world
from tests.support.postgres import DatabaseFactory
from tests.support.proven import NOW, Proving
from tests.support.signed_documents import record_bytes, signed_transcript
from tests.support.vaults import a_vault

NUMBER = "001312000017"
SCHOOL, PUPIL = str(uuid.uuid4()), str(uuid.uuid4())
REGISTRAR = Caller(Person("account", "person"), Viewer(schools=(SCHOOL,)))


def transcript(year: int) -> bytes:
    pupil = {"name": "Nguyễn Thị Hoa", "born_on": "2012-03-04", "personal_number": NUMBER}
    return signed_transcript(
        record_bytes(str(uuid.UUID(int=year)), school_year=f"{year}-{year + 1}", pupil=pupil, school_class={"name": "3A", "grade": year - 2018})
    )


@dataclass
class World:
    database: Database
    owner_url: str
    receive: ReceiveDossier
    dossiers: PostgresDossiers
    trust: Path
    here: Proving
    elsewhere: Proving


@pytest_asyncio.fixture
async def world(make_database: DatabaseFactory, tmp_path: Path) -> AsyncIterator[World]:
    databases = make_database("archive")
    database = Database(databases.url, name="test", pool=3)
    await database.open()
    # Two installations, each with its own log; the receiver trusts both.
    here, elsewhere = Proving(tmp_path, "here.example"), Proving(tmp_path, "elsewhere.example")
    trust = (here.trust, elsewhere.trust)[1]
    store, algorithms = read_trust(trust), read_algorithms(trust)
    tokens = TrustedTokens(lambda: store, lambda: algorithms)
    document = CheckDocument(TRANSCRIPT, CmsSignatures(lambda: store, SystemClock()))
    check = CheckBundle(CheckStanding(read_policies(trust), verifier_of), document, lambda record, data: evidence_proof(record, data, tokens, NOW), NOW)
    dossiers = PostgresDossiers(database)
    receive = ReceiveDossier(lambda: check, a_vault(tmp_path, database), dossiers, SystemClock())
    yield World(database, databases.owner_url, receive, dossiers, trust, here, elsewhere)
    await database.close()


def recipient(caller: Caller = REGISTRAR, school: str = SCHOOL) -> Recipient:
    return Recipient(caller, school, "01", PUPIL)


async def test_a_chain_of_two_installations_is_kept_once_and_comes_back_as_it_came(world: World) -> None:
    data = Dossier.of([*world.here.bundles([transcript(2023)]), *world.elsewhere.bundles([transcript(2021), transcript(2020)])]).encoded()
    first = await world.receive(recipient(), data, NUMBER)
    assert (first.reasons, first.missing, first.already, first.sha256) == ((), (2022,), False, hashlib.sha256(data).digest())
    assert [verdict.log.leaf.checkpoint.origin for _, verdict in first.years if verdict.log.leaf] == ["elsewhere.example"] * 2 + ["here.example"]
    assert (await world.receive(recipient(), data, NUMBER)).already
    [kept] = await world.dossiers.of_pupil(REGISTRAR.viewer, PUPIL)
    assert await world.receive.vault.read(kept.place) == data
    assert b"Hoa" not in b"".join(path.read_bytes() for path in world.trust.parent.rglob("*.zip"))
    # Another school sees nothing of it, and can't hand in anything for this one.
    stranger = Caller(Person("other", "other"), Viewer(schools=(str(uuid.uuid4()),)))
    assert await world.dossiers.of_pupil(stranger.viewer, PUPIL) == []
    with pytest.raises(Refused, match="isn't yours"):
        await world.receive(recipient(stranger), data, NUMBER)


async def test_fsck_opens_every_received_dossier(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.archive.adapters.log_state._PACKS_AT_ONCE", 1)
    for year, pupil in ((2022, PUPIL), (2023, PUPIL), (2024, str(uuid.uuid4()))):
        to = replace(recipient(), pupil_id=pupil)
        await world.receive(to, Dossier.of(world.here.bundles([transcript(year)])).encoded(), NUMBER)
    log = make_world(world.database, world.owner_url, tmp_path)
    steps: list[tuple[str, int, int]] = []
    vault = a_vault(tmp_path, world.database)
    check = CheckLog(log.state, None, vault.objects, vault, None)
    found = await check(lambda *step: steps.append(step))
    assert (found.whole, found.dossiers, found.documents, steps) == (True, 3, 0, [("documents", done, 3) for done in (1, 2, 3)])
    first, second = sorted((tmp_path / "vault").rglob("*.zip"))[:2]
    data = bytearray(first.read_bytes())
    data[len(data) // 2] ^= 1
    first.chmod(0o644)
    first.write_bytes(data)
    second.unlink()
    found = await check()
    assert sorted(fault.code for fault in found.faults) == ["archive_damaged", "object_missing"]
    assert all(fault.detail.startswith("dossier ") for fault in found.faults)
    assert {fault.where for fault in found.faults} == {str(path.relative_to(tmp_path / "vault")) for path in (first, second)}
    objects, _ = await files_hold(check, 1.0, "", lambda *_: None)
    assert (objects.invariant, objects.checked, len(objects.problems)) == ("I7", 3, 2)
    for witnessing in log.witnesses.by_url.values():
        witnessing.ledger.close()


async def test_what_is_kept_can_not_be_changed(world: World) -> None:
    await world.receive(recipient(), Dossier.of(world.here.bundles([transcript(2023)])).encoded(), NUMBER)
    owner = await asyncpg.connect(world.owner_url)
    for statement in ("UPDATE received_dossiers SET size = 1", "DELETE FROM received_dossiers", "TRUNCATE received_dossiers"):
        with pytest.raises(asyncpg.RestrictViolationError):
            await owner.execute(statement)
    await owner.close()


async def test_a_tampered_a_strange_and_a_revoked_one_are_refused_with_reasons(world: World) -> None:
    bundles = world.here.bundles([transcript(2023), transcript(2024)], {1: Mark.REVOKED})
    data = Dossier.of(bundles[:1]).encoded()
    tampered = bytearray(data)
    tampered[len(data) // 2] ^= 1
    refusals = {
        "container": await world.receive(recipient(), bytes(tampered), NUMBER),
        "2024-2025: revoked": await world.receive(recipient(), Dossier.of(bundles).encoded(), NUMBER),
        "another personal number": await world.receive(recipient(), data, "001399999999"),
        "none of those that are trusted": await world.receive(
            recipient(), Dossier.of(Proving(world.trust.parent / "x", "stranger.example").bundles([transcript(2023)])).encoded(), NUMBER
        ),
    }
    for why, receipt in refusals.items():
        assert why in " ".join(receipt.reasons)
    assert await world.dossiers.of_pupil(REGISTRAR.viewer, PUPIL) == []


def verify(*arguments: str | Path) -> tuple[int, str]:
    words = [sys.executable, "-m", "services", "verify", *map(str, arguments)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, env={**os.environ, "NO_COLOR": "1"})
    return done.returncode, done.stdout + done.stderr


def verify_json(*arguments: str | Path) -> tuple[int, Any]:
    code, out = verify(*arguments, "--json")
    return code, json.loads(out)


def test_the_command_checks_bundles_and_dossiers_with_one_directory_of_trust(tmp_path: Path) -> None:
    proving = Proving(tmp_path)
    old, new = proving.bundles([transcript(2021), transcript(2023)], {0: Mark.SUPERSEDED})
    (tmp_path / "new.asice").write_bytes(new.encoded())
    (tmp_path / "old.asice").write_bytes(old.encoded())
    code, (good, bad) = verify_json(tmp_path / "new.asice", tmp_path / "old.asice", "--trust", proving.trust)
    assert (code, good["accepted"], good["log"]["standing"], good["evidence"]["whole"], bad["reason"]) == (1, True, "latest", True, "superseded")
    code, words = verify(tmp_path / "new.asice", "--trust", proving.trust)
    order = ["nhật ký minh bạch", "phiên bản mới nhất", "Bằng chứng lưu trữ"]
    assert (code, [words.index(each) for each in order] == sorted(words.index(each) for each in order)) == (0, True)
    assert "tra cứu bằng mã QR" not in words
    (tmp_path / "dossier.zip").write_bytes(Dossier.of(proving.bundles([transcript(2021), transcript(2023)])).encoded())
    code, report = verify_json(tmp_path / "dossier.zip", "--trust", proving.trust)
    assert (code, report["accepted"], report["missing_school_years"], len(report["dossier"])) == (0, True, ["2022-2023"], 2)
    code, words = verify(tmp_path / "dossier.zip", "--trust", proving.trust, "--lang", "en")
    assert (code, "no transcript of the school years: 2022-2023" in words) == (0, True)
    (tmp_path / "changed.asice").write_bytes(new.encoded() + b"x")
    code, words = verify(tmp_path / "changed.asice", "--trust", proving.trust)
    assert (code, "container_unreadable" in words) == (1, True)
