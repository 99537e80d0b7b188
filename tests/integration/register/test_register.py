"""The register over HTTPS and PostgreSQL: what it takes, what it refuses, and that the same batch always gets the same receipt."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import asyncpg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.serialization import pkcs7, pkcs12

from services.archive.adapters.department_key import FileDepartmentKey
from services.archive.adapters.note_keys import new_key, read_signer
from services.archive.adapters.register_client import HTTPRegister
from services.archive.application.submission_ports import Acknowledged
from services.archive.domain.signed_note import ED25519
from services.archive.domain.statement import Kind
from services.archive.domain.submission import Result
from services.chassis.errors import Conflict, Denied, Refused
from services.register.adapters.store import PostgresRegister
from services.register.app import register_of, serving
from services.register.application.ports import Account
from services.register.settings import RegisterSettings
from services.stack import pki
from services.stack.places import CHECKOUT
from services.stack.signer_pki import KeyKind, Signer, SignerPki
from tests.support.places import scratch_places
from tests.support.postgres import DatabaseFactory
from tests.support.registers import Department

NOW = datetime(2026, 7, 1, 8, tzinfo=UTC)


@dataclass
class SettableClock:
    at: datetime = NOW

    def now(self) -> datetime:
        return self.at


@dataclass
class World:
    """A register, and the department of a province with its client and key."""

    settings: RegisterSettings
    register: PostgresRegister
    department: Department
    client: HTTPRegister
    key: FileDepartmentKey
    signers: SignerPki
    certificate: bytes
    database_url: str
    clock: SettableClock = field(default_factory=SettableClock)

    async def send(self, manifest: bytes) -> Acknowledged:
        return await self.client.submit(manifest, await self.key.sign(manifest))

    async def count(self, table: str) -> int:
        connection = await asyncpg.connect(self.database_url)
        try:
            found: int = await connection.fetchval(f"SELECT count(*) FROM {table}")
            return found
        finally:
            await connection.close()


def digest_of(certificate: bytes) -> bytes:
    return x509.load_der_x509_certificate(certificate).fingerprint(hashes.SHA256())


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> SignerPki:
    return SignerPki(tmp_path_factory.mktemp("authority"), now=NOW - timedelta(days=30))


def department_signer(name: str) -> Signer:
    return Signer(f"doet-{name}", f"Sở GDĐT {name}", f"Sở Giáo dục và Đào tạo {name}", "Việt Nam", key_kind=KeyKind.P_256)


@pytest.fixture
async def world(make_database: DatabaseFactory, authority: SignerPki, tmp_path: Path) -> AsyncIterator[World]:
    with scratch_places("register") as places:
        keys = pki.prepare(places)
        leaf = keys.leaf("register")
        key = tmp_path / "register.key"
        key.write_text(new_key("register.example", ED25519))
        settings = RegisterSettings(make_database("register").url, tmp_path / "state", key, authority.anchors, leaf.certificate, leaf.key)
        clock = SettableClock()
        signed = authority.make([department_signer("79")])[0]
        department = Department.new(tmp_path)
        async with serving(settings, "127.0.0.1:0", clock) as address, register_of(settings.database_url) as register:
            await register.open_account(Account(department.name, "Sở GDĐT 79", department.policy_text, True), "token-79", NOW)
            await register.approve(department.name, digest_of(signed.certificate), NOW)
            client = HTTPRegister(f"https://{address}", "token-79", keys.ca, read_signer(key).public)
            password = authority.password_file
            department_key = FileDepartmentKey.read(authority.keys / "doet-79.p12", password)
            yield World(settings, register, department, client, department_key, authority, signed.certificate, settings.database_url, clock)


async def test_batch_is_taken_and_its_receipt_is_signed(world: World) -> None:
    for number in range(1, 6):
        world.department.issue(number)
    manifest = world.department.manifest()
    answer = await world.send(manifest)
    assert (answer.receipt.applied, answer.receipt.ignored, answer.receipt.rejected) == (5, 0, 0)
    assert answer.receipt.manifest == hashlib.sha256(manifest).digest()
    assert answer.receipt.register == "register.example"
    assert await world.count("records") == 5
    assert not list((world.settings.state / "uploads").rglob("*.*")), "the manifest holds personal numbers; it goes once it is answered"


async def test_same_batch_gets_the_same_receipt_later_and_with_another_signature(world: World) -> None:
    world.department.issue(1)
    manifest = world.department.manifest()
    first = await world.send(manifest)
    world.clock.at += timedelta(days=3)
    again = await world.send(manifest)
    assert (again.note, again.results) == (first.note, first.results)
    await world.register.revoke(digest_of(world.certificate), world.clock.at, "lost")
    assert (await world.send(manifest)).note == first.note
    assert await world.count("records") == 1


async def test_rejected_record_does_not_sink_its_batch(world: World) -> None:
    for number in range(1, 5):
        world.department.issue(number)
    told = json.loads(world.department.manifest())
    told["records"][1]["index"] = 0
    told["records"][2]["personal_number"] = told["records"][2]["ministry_code"] = None
    answer = await world.send(json.dumps(told).encode())
    reasons = [(one.result, one.reason) for one in answer.outcomes]
    assert reasons == [(Result.APPLIED, ""), (Result.REJECTED, "proof_broken"), (Result.REJECTED, "pupil_unnamed"), (Result.APPLIED, "")]
    assert await world.count("records") == 2


async def test_late_batch_is_ignored_where_something_higher_is_held(world: World) -> None:
    world.department.issue(1)
    world.department.issue(2)
    late = world.department.manifest()
    second = world.department.issue(1, 2)
    assert (await world.send(world.department.manifest(second))).receipt.applied == 1
    answer = await world.send(late)
    assert [(one.result, one.reason) for one in answer.outcomes] == [(Result.IGNORED, "revision_not_above"), (Result.APPLIED, "")]


async def test_partial_upload_goes_on_where_it_broke_off(world: World) -> None:
    world.department.issue(1)
    manifest = world.department.manifest()
    digest = hashlib.sha256(manifest).digest()
    async with world.client._session() as session:
        place = f"/v1/submissions/{digest.hex()}"
        assert await world.client._json(session, "PUT", place, manifest[:100]) == {"received": 100}
        with pytest.raises(Conflict, match="go on at 100"):
            await world.client._json(session, "PUT", f"{place}?offset=200", manifest[200:])
        with pytest.raises(Refused, match="100 bytes are here") as refused:
            await world.client._ask(session, "POST", place, await world.key.sign(manifest))
        assert refused.value.code == "manifest_incomplete"
        assert await world.client._json(session, "GET", place) == {"state": "open", "received": 100}
    assert (await world.send(manifest)).receipt.applied == 1


async def refusal(sending: Awaitable[Acknowledged]) -> str:
    with pytest.raises(Refused) as refused:
        await sending
    return refused.value.code


async def test_altered_manifest_is_refused(world: World) -> None:
    world.department.issue(1)
    manifest = world.department.manifest()
    altered = manifest.replace(b"000000000001", b"000000000002", 1)
    assert altered != manifest
    assert await refusal(world.client.submit(altered, await world.key.sign(manifest))) == "signature_invalid"
    assert await world.count("submissions") == 0


async def test_certificates_that_may_not_sign(world: World, authority: SignerPki, tmp_path: Path) -> None:
    world.department.issue(1)
    manifest = world.department.manifest()
    authority.make([department_signer("other")])
    other = FileDepartmentKey.read(authority.keys / "doet-other.p12", authority.password_file)
    assert await refusal(world.client.submit(manifest, await other.sign(manifest))) == "certificate_not_approved"
    strangers = SignerPki(tmp_path / "strangers", now=NOW - timedelta(days=30))
    stranger = strangers.make([department_signer("79")])[0]
    await world.register.approve(world.department.name, digest_of(stranger.certificate), NOW)
    key = FileDepartmentKey.read(strangers.keys / "doet-79.p12", strangers.password_file)
    assert await refusal(world.client.submit(manifest, await key.sign(manifest))) == "certificate_untrusted"
    world.clock.at += timedelta(days=4000)
    assert await refusal(world.send(manifest)) == "certificate_not_in_force"
    world.clock.at = NOW
    await world.register.revoke(digest_of(world.certificate), NOW, "lost")
    assert await refusal(world.send(manifest)) == "certificate_revoked"
    with pytest.raises(Conflict, match="revoked"):
        await world.register.approve(world.department.name, digest_of(world.certificate), NOW)
    assert await world.count("submissions") == 0


async def test_certificate_that_its_authority_has_revoked(world: World, tmp_path: Path) -> None:
    world.department.issue(1)
    manifest = world.department.manifest()
    issuing = x509.load_der_x509_certificate((world.signers.folder / "issuing.cer").read_bytes())
    key = serialization.load_der_private_key((world.signers.authority / "issuing.key").read_bytes(), None)
    entry = x509.RevokedCertificateBuilder().serial_number(x509.load_der_x509_certificate(world.certificate).serial_number).revocation_date(NOW).build()
    times = x509.CertificateRevocationListBuilder().issuer_name(issuing.subject).last_update(NOW).next_update(NOW + timedelta(days=1))
    listed = times.add_revoked_certificate(entry).sign(key, hashes.SHA256())  # type: ignore[arg-type]  # An RSA key, as the authority's is.
    file = world.signers.anchors / "issuing.crl"
    file.write_bytes(listed.public_bytes(serialization.Encoding.DER))
    try:
        assert await refusal(world.send(manifest)) == "certificate_revoked"
    finally:
        file.unlink()


async def test_plain_cms_of_another_library_is_taken(world: World) -> None:
    world.department.issue(1)
    manifest = world.department.manifest()
    held = pkcs12.load_pkcs12((world.signers.keys / "doet-79.p12").read_bytes(), world.signers.password_file.read_bytes())
    assert held.cert is not None
    builder = pkcs7.PKCS7SignatureBuilder().set_data(manifest).add_signer(held.cert.certificate, held.key, hashes.SHA256())  # type: ignore[arg-type]
    for one in held.additional_certs:
        builder = builder.add_certificate(one.certificate)
    options = [pkcs7.PKCS7Options.DetachedSignature, pkcs7.PKCS7Options.Binary]
    assert (await world.client.submit(manifest, builder.sign(serialization.Encoding.DER, options))).receipt.applied == 1


@pytest.mark.parametrize("wrong", [lambda s: b"", lambda s: s[:-1], lambda s: s + b"\0", lambda s: b"0" * 4000], ids=["empty", "cut", "longer", "garbage"])
async def test_signature_that_is_none(world: World, wrong: Callable[[bytes], bytes]) -> None:
    world.department.issue(1)
    manifest = world.department.manifest()
    assert await refusal(world.client.submit(manifest, wrong(await world.key.sign(manifest)))) == "signature_invalid"


async def test_log_with_two_roots_for_one_size_is_refused(world: World) -> None:
    world.department.issue(1)
    await world.send(world.department.manifest())
    world.department.entries.clear()
    world.department.records.clear()
    world.department.issue(2)
    assert await refusal(world.send(world.department.manifest())) == "log_forked"


async def test_batch_of_another_department_is_refused(world: World) -> None:
    world.department.issue(1)
    told = json.loads(world.department.manifest()) | {"department": "2025-01"}
    assert await refusal(world.send(json.dumps(told).encode())) == "department_differs"


async def test_nobody_without_an_account(world: World) -> None:
    world.department.issue(1)
    with pytest.raises(Denied):
        await replace(world.client, token="token-78").submit(world.department.manifest(), b"")
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientError):  # The tests' authority is no authority of the machine's.
            await session.get(f"{world.client.url}/v1")


async def test_receipt_of_another_key_is_not_believed(world: World, tmp_path: Path) -> None:
    other = tmp_path / "other.key"
    other.write_text(new_key("register.example", ED25519))
    world.department.issue(1)
    manifest = world.department.manifest()
    with pytest.raises(Refused, match="not believed"):
        await replace(world.client, key=read_signer(other).public).submit(manifest, await world.key.sign(manifest))
    assert (await world.send(manifest)).receipt.applied == 1


async def test_pupil_is_found_across_departments(world: World, authority: SignerPki, tmp_path: Path) -> None:
    world.department.issue(1, number="079000000001")
    world.department.issue(1, 2, number="079000000001")
    world.department.issue(2)
    await world.send(world.department.manifest())
    world.department.issue(1, 2, kind=Kind.REVOKE, number="")
    await world.send(world.department.manifest(world.department.records[-1]))
    other = Department.new(tmp_path, "2025-01")
    other.issue(77, number="079000000001")
    signed = authority.make([department_signer("01")])[0]
    await world.register.open_account(Account(other.name, "Sở GDĐT 01", other.policy_text, False), "token-01", NOW)
    await world.register.approve(other.name, digest_of(signed.certificate), NOW)
    key, client = FileDepartmentKey.read(authority.keys / "doet-01.p12", authority.password_file), replace(world.client, token="token-01")
    await client.submit(other.manifest(), await key.sign(other.manifest()))
    found = await world.client.find("079000000001")
    assert [(one["department"], one["version"], one["status"]) for one in found] == [
        ("2025-01", 1, "valid"),
        ("2025-79", 1, "superseded"),
        ("2025-79", 2, "withdrawn"),
    ]
    assert found[0]["transcript"] == str(uuid.UUID(int=77))
    assert found[0]["sha256"] == hashlib.sha256(b"77/1").hexdigest()
    assert await world.client.find("C2") != []
    assert await world.client.find("nobody") == []
    with pytest.raises(Denied):
        await client.find("079000000001")
    assert await world.count("lookups") == 3


async def test_database_holds_no_pupils_number(world: World) -> None:
    world.department.issue(1, number="079000000001")
    await world.send(world.department.manifest())
    connection = await asyncpg.connect(world.database_url)
    try:
        for table in ("accounts", "certificates", "checkpoints", "submissions", "records"):
            for row in await connection.fetch(f"SELECT t::text AS told FROM {table} t"):
                assert "079000000001" not in row["told"]
                assert b"079000000001".hex() not in row["told"]
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("UPDATE records SET version = 9")
    finally:
        await connection.close()


@pytest.fixture
def vendor(tmp_path: Path) -> Path:
    """What the example of another product has made."""
    producer, folder = CHECKOUT / "examples" / "other_vendor" / "produce.py", tmp_path / "vendor"
    subprocess.run([sys.executable, "-I", str(producer), str(folder), "--transcripts", "12"], check=True, cwd=tmp_path)
    return folder


async def test_another_vendors_province_submits(world: World, vendor: Path) -> None:
    folder = vendor
    root, before = folder / "trust" / "root.cer", world.signers.anchors / "vendor.cer"
    world.clock.at = datetime.now(UTC)  # The example's certificate is in force from today on.
    await world.register.open_account(Account("2025-01", "Sở GDĐT 01", (folder / "policy").read_text(), False), "token-01", world.clock.at)
    await world.register.approve("2025-01", digest_of((folder / "department.cer").read_bytes()), world.clock.at)
    before.write_bytes(root.read_bytes())
    try:
        client = replace(world.client, token="token-01")
        answer = await client.submit((folder / "submission.json").read_bytes(), (folder / "submission.json.p7s").read_bytes())
    finally:
        before.unlink()
    assert (answer.receipt.applied, answer.receipt.rejected) == (14, 0)
    assert [one["status"] for one in await world.client.find("001000000000")] == ["superseded", "valid"]
    assert [one["status"] for one in await world.client.find("001000000001")] == ["withdrawn"]
