"""What every home of keys promises, asked of each in the same words."""

from __future__ import annotations

import os
import resource
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

from services.chassis.errors import Refused, ServiceError, Unavailable
from services.signing.adapters.keys import crypto_mb
from services.signing.adapters.keys.csc import CscHome, Provider
from services.signing.adapters.keys.pkcs11 import Pkcs11Keys, TokenLibrary
from services.signing.adapters.keys.pkcs12 import Pkcs12Keys
from services.signing.adapters.keys.router import KeyRouter
from services.signing.application.ports import Activated, Declined, Values
from services.signing.domain.key_names import Home, KeyName
from services.signing.domain.remote import Item, RemoteRequest, RequestState
from services.signing.domain.roles import SignatureRole
from services.signing.domain.transcripts import Place as SchoolPlace
from tests.support.key_files import PASSWORD, write_credential, write_key
from tests.support.softhsm import PIN, SoftHsm, a_softhsm

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
SOMEWHERE = SchoolPlace("c", "s", "p")
HASHED = utils.Prehashed(hashes.SHA256())
DIGESTS = [sha256(bytes([n])).digest() for n in range(21)]


@dataclass
class Place:
    """A home with three keys in it, and the ways to disturb it."""

    home: Home
    router: KeyRouter
    prefix: str
    secret: str
    spoil_secret: Callable[[], None]
    mend_secret: Callable[[], None]
    take_away: Callable[[], None]
    bring_back: Callable[[], None]
    afresh: Callable[[], Awaitable[None]]

    async def sign(self, label: str, digests: list[bytes]) -> list[bytes]:
        return await self.router.sign(f"{self.prefix}{label}", digests)


@pytest.fixture(scope="session")
def keys() -> dict[str, Key]:
    sized = {f"rsa{bits}": rsa.generate_private_key(65537, bits) for bits in (2048, 3072, 4096)}
    return {**sized, "p256": ec.generate_private_key(ec.SECP256R1())}


@pytest.fixture(params=["pkcs12", "pkcs12-mass", "pkcs11", "csc"])
async def place(request: pytest.FixtureRequest, tmp_path: Path, keys: dict[str, Key]) -> AsyncIterator[Place]:
    if request.param == "csc":
        provider = _Provider(tmp_path, keys)
        try:
            yield provider.place()
        finally:
            await provider.home.close()
            provider.stop()
        return
    if request.param.startswith("pkcs12"):
        yield _files(tmp_path, keys, mass=request.param.endswith("mass"))
        return
    with a_softhsm(tmp_path / "hsm") as hsm:
        hsm.make_token("school")
        for number, (label, key) in enumerate(keys.items()):
            hsm.put("school", label, key, number)
        home = Pkcs11Keys(TokenLibrary(hsm.library, hsm.pins, sessions=2))
        try:
            yield _token(hsm, home)
        finally:
            await home.close()


def _files(folder: Path, keys: dict[str, Key], mass: bool) -> Place:
    files = folder / "keys"
    files.mkdir()
    for label, key in keys.items():
        write_key(files, label, key)
    try:
        library = crypto_mb.load() if mass else None
    except crypto_mb.NotHere:
        library = None  # Such a processor runs OpenSSL, here as in production.
    router = KeyRouter({Home.PKCS12: Pkcs12Keys(files, files / "password", library)})

    async def afresh() -> None:
        router.homes = {Home.PKCS12: Pkcs12Keys(files, files / "password", library)}

    return Place(
        Home.PKCS12,
        router,
        "pkcs12:",
        PASSWORD.decode(),
        spoil_secret=lambda: _write(files / "password", b"another"),
        mend_secret=lambda: _write(files / "password", PASSWORD),
        take_away=lambda: _rename(files, folder / "away"),
        bring_back=lambda: _rename(folder / "away", files),
        afresh=afresh,
    )


def _token(hsm: SoftHsm, home: Pkcs11Keys) -> Place:
    return Place(
        Home.PKCS11,
        KeyRouter({Home.PKCS11: home}),
        "pkcs11:school/",
        PIN,
        spoil_secret=lambda: hsm.set_pin_file("school", "0000"),
        mend_secret=lambda: hsm.set_pin_file("school", PIN),
        take_away=hsm.take_away,
        bring_back=hsm.bring_back,
        afresh=home.close,
    )


class _AtOnce:
    """A remote home that is asked and waited for, so that the suite can ask it like the others."""

    def __init__(self, home: CscHome, certificates: dict[str, bytes]) -> None:
        self.home, self.certificates = home, certificates

    async def sign(self, name: KeyName, digests: Sequence[bytes]) -> list[bytes]:
        items = tuple(Item(f"i{n}", digest, f"t{n}", 1) for n, digest in enumerate(digests))
        now, role, key_name = datetime.now(UTC), SignatureRole.PRINCIPAL, f"csc:{name.container}/{name.key}"
        request = RemoteRequest(uuid.uuid4().hex, "o", "m", SOMEWHERE, role, key_name, b"", RequestState.WAITING, "", now, now, None, items)
        answer: object = await self.home.activate(request)
        if isinstance(answer, Activated):
            answer = await self.home.sign(request, self.certificates[name.key], answer)
        if isinstance(answer, Declined):
            raise Refused(answer.message, code=answer.code)
        assert isinstance(answer, Values)
        return list(answer.values)


class _Provider:
    """The stand-in as a process that can be taken away and started again in the same place."""

    def __init__(self, folder: Path, keys: dict[str, Key]) -> None:
        self.folder, self.process = folder / "provider", None
        self.folder.mkdir()
        certificates = {label: write_credential(self.folder, label, key) for label, key in keys.items()}
        self.secret, self.ours = self.folder / "secret", folder / "our-secret"
        self.secret.write_text(PASSWORD.decode())
        self.ours.write_text(PASSWORD.decode())
        with socket.socket() as door:
            door.bind(("127.0.0.1", 0))
            self.place_of_it = f"127.0.0.1:{door.getsockname()[1]}"
        self.start()
        settings = Provider(url=f"http://{self.place_of_it}/csc/v2", client_id="suite", client_secret_file=self.ours)
        self.home = CscHome({"school": settings})
        self.at_once = _AtOnce(self.home, certificates)

    process: subprocess.Popen[bytes] | None

    def start(self) -> None:
        words = ["--keys", str(self.folder), "--password-file", str(self.folder / "password"), "--listen", self.place_of_it]
        words += ["--client-id", "suite", "--client-secret-file", str(self.secret)]
        self.process = subprocess.Popen([sys.executable, "-m", "services.remote_signing", *words], stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        assert b"listening" in self.process.stdout.readline()

    def stop(self) -> None:
        if self.process is not None and self.process.stdout is not None:
            self.process.terminate()
            self.process.wait()
            self.process.stdout.close()
            self.process = None

    def place(self) -> Place:
        async def afresh() -> None:
            for client in self.home.clients.values():
                client._token = ("", 0.0)
            await self.home.close()

        return Place(
            Home.CSC,
            KeyRouter({Home.CSC: self.at_once}),
            "csc:school/",
            PASSWORD.decode(),
            spoil_secret=lambda: _write(self.ours, b"0000"),
            mend_secret=lambda: _write(self.ours, PASSWORD),
            take_away=self.stop,
            bring_back=self.start,
            afresh=afresh,
        )


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def _rename(one: Path, other: Path) -> None:
    one.rename(other)


def verify(key: Key, digest: bytes, value: bytes) -> None:
    if isinstance(key, rsa.RSAPrivateKey):
        key.public_key().verify(value, digest, padding.PKCS1v15(), HASHED)
    else:
        key.public_key().verify(value, digest, ec.ECDSA(HASHED))


@pytest.mark.parametrize("label", ["rsa2048", "rsa3072", "rsa4096", "p256"])
async def test_many_digests_give_right_values_in_their_order(place: Place, keys: dict[str, Key], label: str) -> None:
    values = await place.sign(label, DIGESTS)
    assert len(values) == len(DIGESTS)
    for digest, value in zip(DIGESTS, values, strict=True):
        verify(keys[label], digest, value)


@pytest.mark.parametrize("label", ["rsa2048", "p256"])
async def test_same_digest_gives_the_same_bytes_where_the_home_says_so(place: Place, label: str) -> None:
    first, second = await place.sign(label, DIGESTS[:2]), await place.sign(label, DIGESTS[:2])
    if place.home is Home.PKCS12 or label == "rsa2048":
        assert first == second


async def test_nothing_to_sign_is_nothing(place: Place) -> None:
    assert await place.sign("rsa2048", []) == []


async def test_unknown_key_is_refused(place: Place) -> None:
    with pytest.raises(Refused) as refused:
        await place.sign("nobody", DIGESTS[:1])
    assert refused.value.code in ("key_unknown", "remote_refused")
    assert len(await place.sign("rsa2048", DIGESTS[:1])) == 1, "the home goes on serving others"


async def test_wrong_secret_is_refused_told_to_nobody_and_heals(place: Place) -> None:
    place.spoil_secret()
    for _ in range(5):  # A token that locks itself after three wrong PINs must not get them from us.
        with pytest.raises(Refused) as refused:
            await place.sign("rsa2048", DIGESTS)
        assert refused.value.code in ("key_locked", "pin_wrong", "provider_refuses_us")
    assert place.secret not in _everything(refused.value)
    assert "0000" not in _everything(refused.value)
    place.mend_secret()
    assert len(await place.sign("rsa2048", DIGESTS)) == len(DIGESTS)


async def test_home_that_is_away_is_unavailable_and_comes_back(place: Place, keys: dict[str, Key]) -> None:
    await place.sign("p256", DIGESTS[:1])
    await place.afresh()
    place.take_away()
    with pytest.raises(Unavailable) as away:
        await place.sign("rsa2048", DIGESTS[:1])
    assert away.value.code in ("keys_away", "provider_away")
    assert place.secret not in _everything(away.value)
    place.bring_back()
    (value,) = await place.sign("rsa2048", DIGESTS[:1])
    verify(keys["rsa2048"], DIGESTS[0], value)


async def test_secret_shows_in_no_representation_and_in_no_environment(place: Place, capfd: pytest.CaptureFixture[str]) -> None:
    await place.sign("rsa2048", DIGESTS[:9])
    home = place.router.homes[place.home]
    said = repr(place.router) + repr(home) + "".join(repr(value) for value in vars(home).values()) + "".join(capfd.readouterr())
    assert place.secret not in said
    assert place.secret not in " ".join(os.environ.values())
    if isinstance(home, Pkcs11Keys):
        for pid in home.pids("school"):
            assert place.secret.encode() not in _seen_from_outside(pid)


def _seen_from_outside(pid: int) -> bytes:
    """What anybody on the machine may see of a process."""
    return Path(f"/proc/{pid}/environ").read_bytes() + Path(f"/proc/{pid}/cmdline").read_bytes()


def _everything(error: BaseException) -> str:
    """All that a log with a traceback could show of an error."""
    seen, said = error, ""
    while seen is not None:
        said += repr(seen) + str(seen) + repr(getattr(seen, "message", ""))
        seen = seen.__cause__ or seen.__context__  # type: ignore[assignment]
    return said


async def test_bare_name_is_a_file_and_an_unknown_home_is_refused(tmp_path: Path, keys: dict[str, Key]) -> None:
    router = _files(tmp_path, keys, mass=False).router
    assert await router.sign("p256", DIGESTS[:1]) == await router.sign("pkcs12:p256", DIGESTS[:1])
    with pytest.raises(Refused):
        await router.sign("vault:p256", DIGESTS[:1])
    with pytest.raises(Unavailable):
        await router.sign("pkcs11:school/p256", DIGESTS[:1])


@pytest.fixture
async def token(tmp_path: Path, keys: dict[str, Key]) -> AsyncIterator[tuple[SoftHsm, Pkcs11Keys]]:
    with a_softhsm(tmp_path / "hsm") as hsm:
        hsm.make_token("school")
        hsm.put("school", "p256", keys["p256"], 1)
        home = Pkcs11Keys(TokenLibrary(hsm.library, hsm.pins, sessions=3, answer_seconds=5.0))
        try:
            yield hsm, home
        finally:
            await home.close()


async def test_killed_sessions_cost_nothing_but_time(token: tuple[SoftHsm, Pkcs11Keys], keys: dict[str, Key]) -> None:
    _, home = token
    router = KeyRouter({Home.PKCS11: home})
    await router.sign("pkcs11:school/p256", DIGESTS)
    before = home.pids("school")
    assert len(before) == 3, "many digests are shared out among the sessions"
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    for digest, value in zip(DIGESTS, await router.sign("pkcs11:school/p256", DIGESTS), strict=True):
        verify(keys["p256"], digest, value)
    assert not set(before) & set(home.pids("school"))


async def test_session_that_hangs_is_ended_and_replaced(token: tuple[SoftHsm, Pkcs11Keys]) -> None:
    _, home = token
    router = KeyRouter({Home.PKCS11: home})
    await router.sign("pkcs11:school/p256", DIGESTS[:1])
    (pid,) = home.pids("school")
    os.kill(pid, signal.SIGSTOP)
    assert len(await router.sign("pkcs11:school/p256", DIGESTS[:1])) == 1
    assert pid not in home.pids("school")


async def test_token_pulled_out_in_the_middle_comes_back(token: tuple[SoftHsm, Pkcs11Keys]) -> None:
    hsm, home = token
    router = KeyRouter({Home.PKCS11: home})
    await router.sign("pkcs11:school/p256", DIGESTS)
    hsm.take_away()
    for pid in home.pids("school"):
        os.kill(pid, signal.SIGKILL)
    with pytest.raises(Unavailable):
        await router.sign("pkcs11:school/p256", DIGESTS)
    hsm.bring_back()
    assert len(await router.sign("pkcs11:school/p256", DIGESTS)) == len(DIGESTS)


async def test_session_processes_write_no_core(token: tuple[SoftHsm, Pkcs11Keys]) -> None:
    _, home = token
    await KeyRouter({Home.PKCS11: home}).sign("pkcs11:school/p256", DIGESTS[:1])
    (pid,) = home.pids("school")
    assert resource.prlimit(pid, resource.RLIMIT_CORE) == (0, 0)


async def test_refused_pin_leaves_no_process_behind(token: tuple[SoftHsm, Pkcs11Keys]) -> None:
    hsm, home = token
    hsm.set_pin_file("school", "0000")
    with pytest.raises(Refused):
        await KeyRouter({Home.PKCS11: home}).sign("pkcs11:school/p256", DIGESTS)
    assert _sessions_of(hsm) == []


def _sessions_of(hsm: SoftHsm) -> list[str]:
    """Command lines of all session processes with a token of this module."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            line = (process / "cmdline").read_bytes().decode()
            if "pkcs11_session" in line and str(hsm.pins) in line:
                found.append(line)
    return found


async def test_each_kind_of_error_is_ours(token: tuple[SoftHsm, Pkcs11Keys], tmp_path: Path) -> None:
    hsm, home = token
    no_library = Pkcs11Keys(TokenLibrary(tmp_path / "nothing.so", hsm.pins))
    no_pins = Pkcs11Keys(TokenLibrary(hsm.library, tmp_path / "nowhere"))
    for wrong in (no_library, no_pins):
        with pytest.raises(Unavailable):
            await KeyRouter({Home.PKCS11: wrong}).sign("pkcs11:school/p256", DIGESTS[:1])
    with pytest.raises(ServiceError):
        await KeyRouter({Home.PKCS11: home}).sign("pkcs11:../school/p256", DIGESTS[:1])
