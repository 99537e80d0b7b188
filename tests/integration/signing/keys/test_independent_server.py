"""Our client against a server that isn't ours: Certomancer's CSC server (version 1 of the API, synchronous, slow), as a process."""

from __future__ import annotations

import asyncio
import base64
import socket
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from services.chassis.errors import Unavailable
from services.signing.adapters.keys.csc import CscHome, Provider
from services.signing.adapters.keys.values import is_by
from services.signing.application.ports import Activated, Declined, NotKnown, Values
from services.signing.domain.remote import Item, RemoteRequest, RequestState
from services.signing.domain.roles import SignatureRole
from services.signing.domain.transcripts import Place

NOW = datetime.now(UTC)
LABELS = ("rsa-signer", "p256-signer")
CONFIGURATION = """
keysets:
  test-keys:
    path-prefix: keys
    keys:
      root: {path: root.pem}
      rsa-signer: {path: rsa-signer.pem}
      p256-signer: {path: p256-signer.pem}
pki-architectures:
  school:
    keyset: test-keys
    entity-defaults: {country-name: VN, organization-name: Hocba Test}
    entities:
      root: {common-name: Root}
      rsa-signer: {common-name: Signer one}
      p256-signer: {common-name: Signer two}
    certs:
      root:
        subject: root
        issuer: root
        validity: {valid-from: "2020-01-01T00:00:00+0000", valid-to: "2500-01-01T00:00:00+0000"}
        extensions:
          - {id: basic_constraints, critical: true, value: {ca: true}}
      rsa-signer:
        subject: rsa-signer
        issuer: root
        validity: {valid-from: "2020-01-01T00:00:00+0000", valid-to: "2100-01-01T00:00:00+0000"}
      p256-signer:
        subject: p256-signer
        issuer: root
        validity: {valid-from: "2020-01-01T00:00:00+0000", valid-to: "2100-01-01T00:00:00+0000"}
"""


def _configuration(folder: Path) -> Path:
    (folder / "keys").mkdir()
    made: dict[str, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey] = {
        "root": rsa.generate_private_key(65537, 2048),
        "rsa-signer": rsa.generate_private_key(65537, 2048),
        "p256-signer": ec.generate_private_key(ec.SECP256R1()),
    }
    for name, key in made.items():
        pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        (folder / "keys" / f"{name}.pem").write_bytes(pem)
    file = folder / "certomancer.yml"
    file.write_text(CONFIGURATION)
    return file


def _free_port() -> int:
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        return int(door.getsockname()[1])


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[CscHome]:
    file, port = _configuration(tmp_path), _free_port()
    nothing = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "ignore", "-m", "csc_dummy", str(file), str(port), "2", cwd=tmp_path, stdout=nothing, stderr=nothing
    )
    made = CscHome({"certomancer": Provider(url=f"http://localhost:{port}/csc/v1", timeout_seconds=60.0)})
    try:
        deadline = time.monotonic() + 60
        while True:
            assert process.returncode is None, "the server ended at once"
            try:
                await made.clients["certomancer"].info()
                break
            except Unavailable:
                assert time.monotonic() < deadline, "the server doesn't answer"
                await asyncio.sleep(0.1)
        yield made
    finally:
        await made.close()
        if process.returncode is None:
            process.terminate()
        await process.wait()


def _request(label: str, count: int) -> RemoteRequest:
    items = tuple(Item(f"i{n}", sha256(f"{label}/{n}".encode()).digest(), f"t{n}", 1) for n in range(count))
    name, place = f"csc:certomancer/school/{label}", Place("c", "s", "p")
    return RemoteRequest("r", "o", "m" * 8, place, SignatureRole.PRINCIPAL, name, b"", RequestState.WAITING, "", NOW, NOW + timedelta(1), None, items)


async def test_batches_are_signed_and_the_activation_is_bound_to_its_hashes(home: CscHome) -> None:
    client = home.clients["certomancer"]
    assert await client.old()
    assert {f"school/{label}" for label in LABELS} <= set(await client.credentials())
    for label in LABELS:
        request = _request(label, 10)
        certificate = base64.b64decode((await client.credential(f"school/{label}"))["cert"]["certificates"][0])
        activation = await home.activate(request)
        assert isinstance(activation, Activated)
        signed = await home.sign(request, certificate, activation)
        assert isinstance(signed, Values)
        assert all(is_by(certificate, digest, value) for digest, value in zip(request.digests, signed.values, strict=True))
        other = _request(f"another {label}", 10)
        stolen = await home.sign(replace(request, items=other.items), certificate, activation)
        assert isinstance(stolen, Declined), "the server binds activation data to the hashes, and we tell its refusal"
    assert isinstance(await home.outcome(_request("rsa-signer", 1)), NotKnown), "it keeps nothing that could be asked about"
