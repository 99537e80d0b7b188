"""`hocba bench keys`: signatures per second of each home of keys, next to bare key operations in the same run.

Homes in this process are counted by processor time, those that are other processes (token sessions, a remote provider) by the
clock, each next to the bare operation counted alike. Rounds take turns, and the middle ratio counts.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import secrets
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

PASSWORD = b"only for this bench"
NO_SOFTHSM = "the Debian package softhsm2 isn't installed"
_LIBRARIES = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so", "/usr/local/lib/softhsm/libsofthsm2.so")

Sign = Callable[[list[bytes]], Awaitable[Any]]


@dataclass(frozen=True)
class Line:
    """One home: its rate, that of the bare operation beside it, and the middle of the rounds' ratios."""

    home: str
    algorithm: str
    counted_by: str
    per_second: float
    bare_per_second: float
    ratio: float


def attach(group: typer.Typer) -> None:
    """Add the command to `hocba bench`."""

    @group.command("keys")
    def keys(
        batch: Annotated[int, typer.Option(min=8, help="digests per call: a class has about 40")] = 40,
        rounds: Annotated[int, typer.Option(min=1, help="rounds of each home and its baseline, in turn")] = 5,
        as_json: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
    ) -> None:
        """Signatures per second of each home of keys, as a multiple of the bare key operation."""
        lines, absent = asyncio.run(measure(batch, rounds))
        if as_json:
            typer.echo(json.dumps({"batch": batch, "rounds": rounds, "homes": [asdict(line) for line in lines], "absent": absent}, indent=1))
            return
        typer.echo(f"{'home':<22}{'algorithm':<12}{'counted by':<12}{'per second':>12}{'bare':>10}{'ratio':>8}")
        for line in lines:
            typer.echo(f"{line.home:<22}{line.algorithm:<12}{line.counted_by:<12}{line.per_second:>12,.0f}{line.bare_per_second:>10,.0f}{line.ratio:>8.2f}")
        for home, reason in absent.items():
            typer.echo(f"{home}: not measured, {reason}")


async def measure(batch: int, rounds: int) -> tuple[list[Line], dict[str, str]]:
    """Every home that this machine has, and why the others aren't measured."""
    from services.signing.adapters.keys import crypto_mb
    from services.signing.adapters.keys.pkcs12 import Pkcs12Keys
    from services.signing.domain.key_names import KeyName

    digests = [secrets.token_bytes(32) for _ in range(batch)]
    lines: list[Line] = []
    absent: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="bench-keys-") as scratch:
        folder = Path(scratch)
        made = await asyncio.to_thread(_make_keys, folder)
        bare = {name: _bare(key) for name, key in made.items()}
        files = Pkcs12Keys(folder, folder / "password")
        for name in made:
            lines.append(await _compare("pkcs12, OpenSSL", name, "processor", _of(files, KeyName.read(name)), bare[name], digests, rounds))
        try:
            mass = Pkcs12Keys(folder, folder / "password", crypto_mb.load())
            for name in ("rsa-2048", "rsa-4096"):
                lines.append(await _compare("pkcs12, crypto_mb", name, "processor", _of(mass, KeyName.read(name)), bare[name], digests, rounds))
        except crypto_mb.NotHere as reason:
            absent["pkcs12, crypto_mb"] = str(reason)
        await _tokens(folder, made, bare, digests, rounds, lines, absent)
        await _remote(folder, bare, digests, rounds, lines)
    return lines, absent


def _of(home: Any, name: Any) -> Sign:
    return lambda digests: home.sign(name, digests)


def _bare(key: Any) -> Sign:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

    hashed = utils.Prehashed(hashes.SHA256())

    async def sign(digests: list[bytes]) -> None:
        for digest in digests:
            if isinstance(key, rsa.RSAPrivateKey):
                key.sign(digest, padding.PKCS1v15(), hashed)
            else:
                key.sign(digest, ec.ECDSA(hashed))

    return sign


async def _compare(home: str, algorithm: str, counted_by: str, ours: Sign, bare: Sign, digests: list[bytes], rounds: int) -> Line:
    clock = time.process_time if counted_by == "processor" else time.perf_counter
    await ours(digests)  # Loads the key, opens sessions.
    await bare(digests)
    speeds = []
    for _ in range(rounds):
        pair = []
        for sign in (ours, bare):
            started = clock()
            await sign(digests)
            pair.append(len(digests) / (clock() - started))
        speeds.append(pair)
    mine, theirs = (statistics.median(column) for column in zip(*speeds, strict=True))
    ratio = statistics.median(a / b for a, b in speeds)
    return Line(home, algorithm, counted_by, round(mine, 1), round(theirs, 1), round(ratio, 3))


def _make_keys(folder: Path) -> dict[str, Any]:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12

    made: dict[str, Any] = {f"rsa-{bits}": rsa.generate_private_key(65537, bits) for bits in (2048, 3072, 4096)}
    made["p-256"] = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    (folder / "password").write_bytes(PASSWORD)
    for name, key in made.items():
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key()).serial_number(1)
        certificate = builder.not_valid_before(now).not_valid_after(now + timedelta(days=1)).sign(key, hashes.SHA256())
        store = pkcs12.serialize_key_and_certificates(name.encode(), key, certificate, None, BestAvailableEncryption(PASSWORD))
        (folder / f"{name}.p12").write_bytes(store)
    return made


async def _tokens(
    folder: Path, made: dict[str, Any], bare: dict[str, Sign], digests: list[bytes], rounds: int, lines: list[Line], absent: dict[str, str]
) -> None:
    from services.signing.adapters.keys.pkcs11 import Pkcs11Keys, TokenLibrary
    from services.signing.domain.key_names import KeyName

    library = softhsm()
    if library is None:
        absent["pkcs11, SoftHSM2"] = NO_SOFTHSM
        return
    await asyncio.to_thread(make_token, folder, {name: made[name] for name in ("rsa-2048", "p-256")})
    for sessions in (1, 2):
        home = Pkcs11Keys(TokenLibrary(library, folder / "pin", sessions))
        for name in ("rsa-2048", "p-256"):
            sign = _of(home, KeyName.read(f"pkcs11:bench/{name}"))
            lines.append(await _compare(f"pkcs11, {sessions} session{'s' * (sessions > 1)}", name, "clock", sign, bare[name], digests, rounds))
        await home.close()


def softhsm() -> Path | None:
    """The library of SoftHSM2, where its tool is installed too."""
    library = next((Path(place) for place in _LIBRARIES if shutil.which(place, mode=os.F_OK)), None)
    return library if shutil.which("softhsm2-util") else None


def make_token(folder: Path, made: dict[str, Any]) -> None:
    """A SoftHSM2 token `bench` with these keys under their names, its PIN in the file `pin`; for this process and its children."""
    from cryptography.hazmat.primitives import serialization

    (folder / "tokens").mkdir()
    (folder / "pin").write_text("1234-bench")
    (folder / "softhsm2.conf").write_text(f"directories.tokendir = {folder / 'tokens'}\nlog.level = ERROR\n")
    os.environ["SOFTHSM2_CONF"] = str(folder / "softhsm2.conf")
    words = [["--init-token", "--free", "--label", "bench", "--so-pin", "1234-bench-so", "--pin", "1234-bench"]]
    for number, name in enumerate(made):
        pem = folder / f"{name}.pem"
        plain = serialization.NoEncryption()
        pem.write_bytes(made[name].private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
        words.append(["--import", str(pem), "--token", "bench", "--label", name, "--id", f"{number:02x}", "--pin", "1234-bench"])
    for each in words:
        subprocess.run(["softhsm2-util", *each], check=True, capture_output=True)


async def _remote(folder: Path, bare: dict[str, Sign], digests: list[bytes], rounds: int, lines: list[Line]) -> None:
    """One authorisation and one signHash per batch, at the stand-in; its key operations are part of the time."""
    from services.signing.adapters.keys.csc import CscHome, Provider
    from services.signing.application.ports import Activated
    from services.signing.domain.remote import Item, RemoteRequest, RequestState
    from services.signing.domain.roles import SignatureRole
    from services.signing.domain.transcripts import Place

    words = [sys.executable, "-m", "services.remote_signing", "--keys", str(folder), "--password-file", str(folder / "password"), "--hashes-per-call", "500"]
    process = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        found = re.search(r"http://\S+", (await asyncio.wait_for(process.stdout.readline(), 30)).decode())
        assert found is not None
        home = CscHome({"bench": Provider(url=f"{found.group()}/csc/v2", calls_per_second=10_000)})
        now, place = datetime.now(UTC), Place("", "", "")
        for name in ("rsa-2048", "p-256"):
            certificate = await asyncio.to_thread(_certificate, folder / f"{name}.p12")

            async def sign(digests: list[bytes], name: str = name, certificate: bytes = certificate) -> None:
                items = tuple(Item(str(n), digest, "", 1) for n, digest in enumerate(digests))
                key, role, waiting = f"csc:bench/{name}", SignatureRole.PRINCIPAL, RequestState.WAITING
                request = RemoteRequest(secrets.token_hex(8), "", "", place, role, key, b"", waiting, "", now, now, None, items)
                activation = await home.activate(request)
                assert isinstance(activation, Activated)
                await home.sign(request, certificate, activation)

            lines.append(await _compare("csc, stand-in", name, "clock", sign, bare[name], digests, rounds))
        await home.close()
    finally:
        process.terminate()
        await process.wait()


def _certificate(file: Path) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, pkcs12

    _, certificate, _ = pkcs12.load_key_and_certificates(file.read_bytes(), PASSWORD)
    assert certificate is not None
    return certificate.public_bytes(Encoding.DER)
