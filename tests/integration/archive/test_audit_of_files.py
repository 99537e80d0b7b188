"""`hocba audit` over the archive's files: harm to an object, to the log's files or to what outsiders see is found under its invariant."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest_asyncio
from cryptography.hazmat.primitives import serialization

from services.archive.adapters.note_keys import verifier_of
from services.archive.application.check_log import CheckLog
from services.archive.application.get_proof import GetProof
from services.archive.application.ports import Vault
from services.archive.domain.document import RoleOrder
from services.audit.archive import Outsider, drawn, files_hold, outsiders_agree
from tests.integration.archive.log_world import LogWorld, make_world
from tests.integration.archive.test_admission import PUPILS, Archive, archive, staged, unique
from tests.integration.archive.test_deep_audit import Harmed, changed
from tests.support.signed_documents import shared_pki
from tests.support.vaults import a_vault

__all__ = ["archive"]
USUAL = ("homeroom_teacher", "principal", "school_seal")


@dataclass(frozen=True)
class Admitted:
    """Two documents, admitted and below a final checkpoint."""

    archive: Archive
    world: LogWorld
    outsider: Outsider

    async def findings(self, share: float = 1.0) -> dict[str, list[str]]:
        vault = a_vault(self.archive.folder, self.archive.database)
        check = CheckLog(self.world.state, self.world.store, vault.objects, vault, verifier_of(self.world.signer.public))
        return {finding.invariant: finding.problems for finding in await files_hold(check, share, "", lambda *_: None)}

    async def offline(self, vault: Vault | None = None) -> tuple[int, list[str]]:
        proofs = GetProof(self.archive.catalogue, self.world.tiles, self.world.state)
        kept = vault or a_vault(self.archive.folder, self.archive.database)
        finding = await outsiders_agree(self.archive.database, kept, proofs, self.outsider, "")
        return finding.checked, finding.problems


@pytest_asyncio.fixture
async def admitted(archive: Archive) -> AsyncIterator[Admitted]:
    await archive.admit(staged(archive, unique(PUPILS[0], 1), unique(PUPILS[1], 1)))
    world = make_world(archive.database, archive.owner_url, archive.folder)
    await world.grow(0)
    trust, policy = archive.folder / "trust", archive.folder / "policy"
    trust.mkdir()
    (trust / "root.pem").write_bytes(shared_pki().root.certificate.public_bytes(serialization.Encoding.PEM))
    yield Admitted(archive, world, Outsider(trust, policy, (RoleOrder(USUAL),)))
    for witnessing in world.witnesses.by_url.values():
        witnessing.ledger.close()


async def test_whole_files_hold_and_an_outsider_without_network_agrees(admitted: Admitted) -> None:
    assert await admitted.findings() == {"I7": [], "I11": []}
    assert await admitted.offline() == (2, [])


async def test_a_flipped_bit_in_an_object_is_found_if_the_sample_holds_it(admitted: Admitted) -> None:
    (kept,) = (admitted.archive.folder / "vault").rglob("*.zip")
    data = bytearray(kept.read_bytes())
    data[500] ^= 1
    kept.write_bytes(data)
    found = await admitted.findings()
    assert found["I11"] == []
    assert found["I7"][0].startswith("object_differs")
    assert await admitted.findings(share=0) == {"I7": [], "I11": []}


async def test_a_lost_object_is_found(admitted: Admitted) -> None:
    (kept,) = (admitted.archive.folder / "vault").rglob("*.zip")
    kept.unlink()
    assert (await admitted.findings())["I7"][0].startswith("object_missing")


async def test_a_tile_and_a_checkpoint_that_were_changed_are_found(admitted: Admitted) -> None:
    (checkpoint,) = (admitted.archive.folder / "log").rglob("checkpoint")
    checkpoint.write_bytes(b"hocba.example/test\n2\nAAAA\n\n")
    found = await admitted.findings()
    assert found["I7"] == []
    assert found["I11"][0].startswith("checkpoint_")


async def test_an_outsider_contradicts_a_service_that_hands_out_something_else(admitted: Admitted) -> None:
    async with admitted.archive.database.transaction() as connection:
        sha256 = await connection.fetchval("SELECT sha256 FROM transcripts ORDER BY leaf_id LIMIT 1")
    vault = Harmed(a_vault(admitted.archive.folder, admitted.archive.database), sha256, changed)
    checked, problems = await admitted.offline(vault)
    assert (checked, len(problems)) == (2, 1)
    assert "a verifier without network doesn't" in problems[0]


async def test_the_outsider_cannot_reach_anybody(admitted: Admitted, tmp_path: Path) -> None:
    """Shown by a command that needs the network: it fails for that very reason."""
    from services.audit import archive as audited

    script = audited._ALONE.replace("from services.__main__ import main\nmain()", "import socket\nsocket.create_connection(('127.0.0.1', 1))")
    process = await asyncio.create_subprocess_exec("python3", "-c", script, stderr=asyncio.subprocess.PIPE)
    _, told = await process.communicate()
    assert b"a verifier needs no network" in told


def test_a_sample_is_a_share_and_can_be_drawn_again() -> None:
    digests = [number.to_bytes(32, "big") for number in range(2000)]
    one = [digest for digest in digests if drawn(0.25, "a")(digest)]
    assert 400 < len(one) < 600
    assert one == [digest for digest in digests if drawn(0.25, "a")(digest)]
    assert one != [digest for digest in digests if drawn(0.25, "b")(digest)]
