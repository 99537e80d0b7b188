"""The service as a process: mTLS, tokens, a file streamed through the CLI, and a stop in the middle that the CLI survives."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest_asyncio

from hocba.common.v1 import common_pb2
from hocba.enrollment.v1 import enrollment_pb2 as pb
from hocba.enrollment.v1 import enrollment_pb2_grpc
from services.chassis.rpc_client import open_channel
from services.stack import pki, ports
from services.stack.postgresql import Databases
from tests.integration.enrollment.house import YEAR, new_id, profile, roster
from tests.support.places import scratch_places
from tests.support.postgres import DatabaseFactory


@dataclass
class Served:
    """A running enrollment and what opens it."""

    keys: pki.Keys
    address: str
    databases: Databases

    async def cli(self, *arguments: str, role: str) -> tuple[int, str]:
        """Exit code and output of `hocba enrollment ...`."""
        leaf, token = self.keys.leaf("edge"), self.keys.folder / "token"
        token.write_text(self.keys.token("office", "office", (role,)))
        told = {"ADDRESS": self.address, "CA_FILE": self.keys.ca, "CERTIFICATE_FILE": leaf.certificate, "KEY_FILE": leaf.key, "TOKEN_FILE": token}
        env = os.environ | {f"HOCBA_EDGE_{name}": str(value) for name, value in told.items()} | {"PYTHONPATH": "protos", "COLUMNS": "240"}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "services", "enrollment", *arguments, env=env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        out, _ = await asyncio.wait_for(process.communicate(), 60)
        return process.returncode or 0, out.decode()


@pytest_asyncio.fixture
async def served(make_database: DatabaseFactory) -> AsyncIterator[Served]:
    databases = make_database("enrollment")
    with scratch_places("enrollment") as places:
        keys = pki.prepare(places)
        leaf, port = keys.leaf("enrollment"), ports.choose(places, ("enrollment",))["enrollment"]
        told = {
            "LISTEN": f"127.0.0.1:{port}",
            "DATABASE_URL": databases.url,
            "KAFKA_BOOTSTRAP": "127.0.0.1:9",
            "TLS_CA_FILE": keys.ca,
            "TLS_CERTIFICATE_FILE": leaf.certificate,
            "TLS_KEY_FILE": leaf.key,
            "TOKEN_KEYS_FILE": keys.token_keys,
            "ENVELOPE_READERS_FILE": keys.envelope_readers,
            "IMPORT_CHUNK_ROWS": 50,
        }
        env = os.environ | {f"HOCBA_ENROLLMENT_{name}": str(value) for name, value in told.items()} | {"PYTHONPATH": "protos"}
        with (places.logs / "enrollment.log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(sys.executable, "-m", "services", "enrollment", "serve", env=env, stdout=log, stderr=log)
        yield Served(keys, f"127.0.0.1:{port}", databases)
        process.terminate()
        await asyncio.wait_for(process.wait(), 30)


async def _school(served: Served, code: str) -> str:
    leaf = served.keys.leaf("edge")
    officer = (("authorization", "Bearer " + served.keys.token("o", "o", ("doet_officer@province:2025-79",))),)
    async with open_channel(served.address, "enrollment", ca=served.keys.ca, certificate=leaf.certificate, key=leaf.key) as channel:
        request = pb.RegisterSchoolRequest(
            request_id=new_id(), code=code, name="Trường THCS Số Một", province_id="2025-79", levels=[common_pb2.LEVEL_LOWER_SECONDARY], valid_from="2010-08-01"
        )
        answer = await enrollment_pb2_grpc.EnrollmentStub(channel).RegisterSchool(request, metadata=officer, timeout=40)
    return answer.school_id


async def test_the_command_imports_through_the_real_door(served: Served, tmp_path: Path) -> None:
    school = await _school(served, "79000001")
    file = tmp_path / "ds.csv"
    file.write_bytes(roster([(f"6A{1 + n // 40}", profile(n)) for n in range(120)] + [("6A1", profile(0)), ("6A1", profile(500, personal_number=""))]))
    role, place = f"registrar@school:{school}", ("--school", "79000001", "--year", str(YEAR), "--json")
    code, out = await served.cli("import", str(file), "--dry-run", *place, role=role)
    assert (code, json.loads(out)["rows_taken"]) == (1, 121)
    code, out = await served.cli("import", str(file), *place, role=role)
    told = json.loads(out)
    assert (code, told["rows_read"], told["rows_taken"], told["rows_refused"], told["rows_resumed"]) == (1, 122, 121, 1, 0)
    assert [(f["row"], f["warning"]) for f in told["faults"] if f["row"] > 100] == [(122, False), (123, True)]
    again = json.loads((await served.cli("import", str(file), *place, role=role))[1])
    assert (again["rows_taken"], again["rows_resumed"]) == (121, 122)
    code, out = await served.cli("import", str(file), "--school", "79000001", "--year", str(YEAR), role=role)
    assert "Học sinh này đã có ở dòng 2" in " ".join(out.split())
    code, out = await served.cli("import", str(file), *place, role="registrar@school:00000000-0000-4000-8000-000000000000")
    assert (code, "không được nhập danh sách" in out) == (2, True)
