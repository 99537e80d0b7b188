"""All of it as processes: a service and workers, a provider that asks a phone, and a school with a token and an agent."""

from __future__ import annotations

import asyncio
import json
import os
import re
import resource
import socket
import sys
import tempfile
import uuid
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
from cryptography.hazmat.primitives.serialization import pkcs12

from hocba.signing.v1 import signing_pb2 as rpc
from services.signing.adapters.key_journal import read_journal
from services.signing.adapters.keys.csc import CscHome, read_providers
from services.signing.domain.roles import DEFAULT_ORDER
from services.stack import processes
from services.stack.places import CHECKOUT, Places
from services.stack.processes import Stack
from services.stack.signer_pki import Signer, SignerPki
from tests.integration.signing.test_processes import CLASSES, LIMIT, PUPILS, WIRE, Neighbours, neighbours
from tests.integration.signing.world import NAMES, SCHOOL, STAFF
from tests.support.eventually import eventually
from tests.support.places import scratch_places
from tests.support.remote_signing import StandIn, a_stand_in
from tests.support.softhsm import PIN, SoftHsm, a_softhsm

HOMEROOM, PRINCIPAL, SEAL = DEFAULT_ORDER
HOMES = {HOMEROOM: "", PRINCIPAL: "csc:standin/", SEAL: "agent:"}
CLASS = CLASSES[0]
PUPILS_HERE = len(PUPILS[CLASS])


@dataclass
class School:
    """A school's office: a token, a PIN file, an account, and the agent's command."""

    stack: Stack
    hsm: SoftHsm
    folder: Path
    certificate: Path

    async def agent(self, *more: str) -> tuple[int, dict[str, Any]]:
        """One round of `hocba agent`: its exit code and what it says."""
        process = await asyncio.create_subprocess_exec(*self.words("--once", *more), env=self.environment(), cwd=CHECKOUT, stdout=asyncio.subprocess.PIPE)
        async with asyncio.timeout(LIMIT):
            said, _ = await process.communicate()
        assert process.returncode is not None
        return process.returncode, json.loads(said or b"{}")

    def words(self, *more: str) -> list[str]:
        options = {"school": SCHOOL, "certificate": self.certificate, "library": self.hsm.library, "token": "seal", "key": "school-seal"}
        options |= {"pin-file": self.hsm.pins / "seal", "state": self.folder / "agent"}
        return [sys.executable, "-m", "services", "agent", "--json", *more, *(f"--{name}={value}" for name, value in options.items())]

    def environment(self) -> dict[str, str]:
        deployment = self.stack.deployment
        leaf = deployment.keys.leaf("edge")
        token = self.folder / "token"
        token.write_text(deployment.token("clerk", f"person-{STAFF[SEAL]}", [f"clerk@school:{SCHOOL}"]))
        door = {"CA_FILE": deployment.keys.ca, "CERTIFICATE_FILE": leaf.certificate, "KEY_FILE": leaf.key, "TOKEN_FILE": token}
        return {**os.environ, "HOCBA_EDGE_ADDRESS": deployment.addresses["signing"], **{f"HOCBA_EDGE_{name}": str(path) for name, path in door.items()}}


def free_port() -> int:
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        return int(door.getsockname()[1])


async def certified(around: Neighbours, pki: SignerPki) -> None:
    for role in DEFAULT_ORDER:
        staff = "" if role is SEAL else STAFF[role]
        (made,) = pki.make([Signer(f"p-{role}", NAMES[role], "Trường Mẫu", "Thành phố Mẫu", staff_id=staff)])
        request = rpc.RegisterCertificateRequest(
            request_id=str(uuid.uuid4()),
            school_id=SCHOOL,
            staff_id=staff,
            role=WIRE[role],
            certificate=made.certificate,
            chain=made.chain,
            key_name=HOMES[role] + made.signer.key_name,
        )
        await eventually(partial(around._registered, request), within=LIMIT, what=f"{role} certified")


async def rows(stack: Stack, sql: str) -> list[Any]:
    connection = await asyncpg.connect(stack.deployment.databases["signing"])
    try:
        await connection.execute("SET hocba.scope = 'system'")
        return list(await connection.fetch(sql))
    finally:
        await connection.close()


async def signed_by(stack: Stack, role: str) -> bool:
    return len(await rows(stack, f"SELECT FROM signature WHERE role = '{role}'")) == PUPILS_HERE


def _seal_into(hsm: SoftHsm, pki: SignerPki) -> None:
    hsm.make_token("seal")
    key, _, _ = pkcs12.load_key_and_certificates((pki.keys / f"p-{SEAL}.p12").read_bytes(), pki.password_file.read_bytes())
    hsm.put("seal", "school-seal", key, 1)  # type: ignore[arg-type]
    (pki.keys / f"p-{SEAL}.p12").unlink()  # It is in the token and nowhere else.


async def test_class_is_signed_by_a_file_a_phone_and_a_token_whatever_breaks() -> None:
    with scratch_places("keys-processes") as places, tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        pki = SignerPki(places.make().keys / "signers")
        async with a_stand_in(folder / "provider", pki.keys, pki.password_file, "--confirmation", "manual") as stand_in:
            notices = free_port()
            file = stand_in.providers_file(folder, mode="A", asked_by="clientData", notices_url=f"http://127.0.0.1:{notices}/notices/standin")
            told = {"remote_providers_file": str(file), "webhook_listen": f"127.0.0.1:{notices}"}
            async with processes.running(places, services=["signing"], workers=1, durable=False, remote_signing=True, overrides={"signing": told}) as stack:
                pki = SignerPki(stack.deployment.signers)  # Read anew: now it names the stack's trust services.
                async with neighbours(stack) as around:
                    await around.appoint()
                    await certified(around, pki)
                    await around.seal(CLASS)
                    await _approved(around)
                with a_softhsm(folder / "hsm") as hsm:
                    _seal_into(hsm, pki)
                    await _principal_confirms(stack, stand_in)
                    school = School(stack, hsm, folder, pki.folder / "certificates" / f"p-{SEAL}.cer")
                    await _seal_is_put_on(school)
                assert resource.prlimit(stack.pid("signing-worker-1"), resource.RLIMIT_CORE) == (0, 0), "a worker with keys writes no core"
                await _provider_of_the_stack_answers(stack)
                _accounts_agree(places, await rows(stack, "SELECT intent_id::text AS intent, to_be_signed FROM intent"), folder)
                assert await rows(stack, "SELECT FROM void_intent") == []
                assert await rows(stack, "SELECT FROM void_value") == []


async def _approved(around: Neighbours) -> None:
    async def ready() -> list[Any] | None:
        found = await around.stub.ListManifests(rpc.ListManifestsRequest(school_id=SCHOOL), metadata=around.as_("principal"), timeout=10)
        return list(found.manifests) or None

    (summary,) = await eventually(ready, within=LIMIT, what="the manifest")
    for role, office in ((HOMEROOM, "homeroom_teacher"), (PRINCIPAL, "principal"), (SEAL, "clerk")):
        request = rpc.ApproveManifestRequest(request_id=str(uuid.uuid4()), manifest_id=summary.manifest_id, role=WIRE[role], merkle_root=summary.merkle_root)
        await around.stub.ApproveManifest(request, metadata=around.as_(office), timeout=10)


async def _principal_confirms(stack: Stack, stand_in: StandIn) -> None:
    async def asked() -> bool:
        return bool((await stand_in.seen())["waiting"] == 1)

    await eventually(asked, within=LIMIT, what="the principal's phone rings")
    orders = await rows(stack, "SELECT state FROM signing_order WHERE role = 'principal'")
    assert [row["state"] for row in orders] == ["released"]
    # The service that asks is killed while the person thinks; the next one goes on where it was.
    stack.kill("signing")
    stack.start("signing")
    await stack.wait_ready(["signing"])
    await stand_in.behave(ready_seconds=0.5)
    assert await stand_in.phone("confirm") == 1
    await eventually(lambda: signed_by(stack, "principal"), within=LIMIT, what="the principal's signatures")
    assert sum((await stand_in.seen())["signed"].values()) == PUPILS_HERE, "one use of the key for each"


async def _seal_is_put_on(school: School) -> None:
    async def waits() -> bool:
        return bool(await rows(school.stack, "SELECT FROM remote_request WHERE home = 'agent' AND state = 'waiting'"))

    await eventually(waits, within=LIMIT, what="a request for the agent")
    hsm = school.hsm
    hsm.set_pin_file("seal", "0000")
    code, said = await school.agent()
    assert (code, said["code"], said["mend"]) == (2, "pin_wrong", True)
    hsm.set_pin_file("seal", PIN)
    hsm.take_away()
    code, said = await school.agent()
    assert (code, said["code"], said["open"]) == (1, "keys_away", 1)
    hsm.bring_back()
    await school.stack.stop("signing")
    code, said = await school.agent()
    assert (code, said["mend"]) == (1, False)
    school.stack.start("signing")
    await school.stack.wait_ready(["signing"])
    code, said = await school.agent()
    assert (code, said["signatures"], said["delivered"], said["trouble"]) == (0, PUPILS_HERE, 1, "")
    assert PIN not in json.dumps(said)
    await eventually(lambda: signed_by(school.stack, "school_seal"), within=LIMIT, what="the seal")
    assert await school.agent() == (0, {"delivered": 0, "signatures": 0, "open": 0, "code": "", "trouble": "", "mend": False})


async def _provider_of_the_stack_answers(stack: Stack) -> None:
    """The one that a stack brings by itself when it is asked to."""
    home = CscHome(read_providers(stack.deployment.providers))
    assert f"p-{PRINCIPAL}" in await home.clients["standin"].credentials()
    await home.close()


def _accounts_agree(places: Places, intents: list[Any], folder: Path) -> None:
    """Each intent stands in a journal of ours, the seal's in the agent's as well, and no secret stands in a log."""
    planned = {row["intent"]: row["to_be_signed"].hex() for row in intents}
    ours = [line for path in (places.state / "key-journal").glob("*.jsonl") for line in read_journal(path)]
    theirs = list(read_journal(folder / "agent" / "journal" / "agent.jsonl"))
    assert {line["intent"] for line in ours} == set(planned)
    assert all(planned[line["intent"]] == line["digest"] for line in [*ours, *theirs])
    assert len({line["intent"] for line in theirs}) == PUPILS_HERE
    logs = "".join(path.read_text(errors="replace") for path in places.logs.glob("signing*.log"))
    assert "started" in logs
    assert not re.search(r"secret-of-this-test|notices-of-this-test", logs)
    assert PIN not in logs
