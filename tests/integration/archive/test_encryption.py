"""What the archive keeps is encrypted: nobody reads it without the province's key, which may change and may be lost and found."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace
from hashlib import sha256
from itertools import combinations
from pathlib import Path

import pytest
import pytest_asyncio
from cryptography.exceptions import InvalidTag

from services.archive.adapters.data_keys import PostgresDataKeys
from services.archive.adapters.key_shares import key_of, shares_of
from services.archive.adapters.object_stores import open_store
from services.archive.adapters.vault import EncryptedVault, decrypted, encrypted
from services.archive.adapters.wrapping_keys import FileWrappingKeys
from services.archive.adapters.wrapping_keys_pkcs11 import Pkcs11WrappingKeys
from services.archive.application.ports import Deposit, Location, WrappedKey, WrappingKeys
from services.archive.application.rewrap_data_keys import RewrapDataKeys
from services.archive.domain.pack import Pack
from services.chassis.clock import SystemClock
from services.chassis.database import Database
from services.chassis.errors import Conflict, Malformed, Refused, Unavailable
from tests.support.postgres import DatabaseFactory
from tests.support.softhsm import SoftHsm, a_softhsm

PROVINCE = "2025-79"
TOKEN = "archive"


@dataclass
class Homes:
    """The same keys' home, opened as often as processes would."""

    folder: Path
    hsm: SoftHsm | None
    modules: list[Pkcs11WrappingKeys] = field(default_factory=list)

    def open(self) -> WrappingKeys:
        if self.hsm is None:
            return FileWrappingKeys(self.folder / "keys")
        self.modules.append(Pkcs11WrappingKeys(self.hsm.library, TOKEN, self.hsm.pins / TOKEN))
        return self.modules[-1]

    def lose(self) -> None:
        """Everything in it is gone."""
        if self.hsm is None:
            shutil.rmtree(self.folder / "keys")
            return
        shutil.rmtree(self.hsm.tokens)
        self.hsm.tokens.mkdir()
        self.hsm.make_token(TOKEN)


@pytest.fixture(params=["files", "module"])
def homes(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Homes]:
    if request.param == "files":
        yield Homes(tmp_path, None)
        return
    with a_softhsm(tmp_path / "hsm") as hsm:
        hsm.make_token(TOKEN)
        homes = Homes(tmp_path, hsm)
        yield homes
        for module in homes.modules:
            module.close()


@pytest_asyncio.fixture
async def database(make_database: DatabaseFactory) -> AsyncIterator[Database]:
    opened = Database(make_database("archive").url, name="encryption-test", pool=4)
    await opened.open()
    yield opened
    await opened.close()


def vault(homes: Homes, database: Database, folder: Path) -> EncryptedVault:
    return EncryptedVault(open_store(str(folder / "vault")), PostgresDataKeys(database), homes.open(), SystemClock())


def deposits(*texts: bytes) -> list[Deposit]:
    return [Deposit(f"{index}.pdf", str(uuid.uuid5(uuid.NAMESPACE_OID, f"pupil {index}")), text) for index, text in enumerate(texts)]


def place_of(pack: Pack, deposit: Deposit) -> Location:
    return Location(
        pack.object_name(2025), pack.places[deposit.file_name].offset, len(deposit.data), sha256(deposit.data).digest(), deposit.owner_id, PROVINCE, True
    )


async def test_a_province_without_a_key_keeps_nothing_and_says_how_to_mend_it(homes: Homes, database: Database, tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="hocba archive keys new 2025-79"):
        await vault(homes, database, tmp_path).keep(PROVINCE, 2025, deposits(b"one"))
    assert not list((tmp_path / "vault").rglob("*.zip"))


async def test_documents_come_back_and_a_repeat_by_another_process_writes_the_same_bytes(homes: Homes, database: Database, tmp_path: Path) -> None:
    homes.open().put(f"{PROVINCE}/1", os.urandom(32))
    kept = deposits(b"Nguyen Van Mot" * 100, b"Tran Thi Hai" * 100)
    pack = await vault(homes, database, tmp_path).keep(PROVINCE, 2025, kept)
    again = vault(homes, database, tmp_path)
    assert await again.keep(PROVINCE, 2025, kept) == pack
    assert [await again.read(place_of(pack, deposit)) for deposit in kept] == [deposit.data for deposit in kept]
    (stored,) = [file.read_bytes() for file in (tmp_path / "vault").rglob("*.zip")]
    assert stored == pack.data
    assert b"Nguyen" not in stored
    assert b"Tran" not in stored


async def test_no_document_opens_as_another_ones_or_with_another_ones_key(homes: Homes, database: Database, tmp_path: Path) -> None:
    homes.open().put(f"{PROVINCE}/1", os.urandom(32))
    first, second = deposits(b"a" * 50, b"b" * 50)
    opened = vault(homes, database, tmp_path)
    pack = await opened.keep(PROVINCE, 2025, [first, second])
    for wrong in (
        replace(place_of(pack, first), offset=place_of(pack, second).offset),
        replace(place_of(pack, first), sha256=bytes(32)),
        replace(place_of(pack, first), owner_id=second.owner_id),
    ):
        with pytest.raises(Refused, match="damaged"):
            await opened.read(wrong)


def test_a_ciphertext_is_bound_to_owner_and_document_even_under_the_same_key() -> None:
    key, owner, data = b"k" * 32, str(uuid.uuid4()), b"a document"
    stored, digest = encrypted(key, owner, data), sha256(data).digest()
    assert decrypted(key, owner, digest, stored) == data
    for other_owner, other_digest in ((str(uuid.uuid4()), digest), (owner, bytes(32))):
        with pytest.raises(InvalidTag):
            decrypted(key, other_owner, other_digest, stored)


async def test_renewing_the_wrapping_key_leaves_every_object_as_it_is(homes: Homes, database: Database, tmp_path: Path) -> None:
    homes.open().put(f"{PROVINCE}/1", os.urandom(32))
    kept = deposits(*(bytes([65 + i]) * 40 for i in range(7)))
    pack = await vault(homes, database, tmp_path).keep(PROVINCE, 2025, kept)
    before = {file: file.stat().st_mtime_ns for file in (tmp_path / "vault").rglob("*.zip")}
    homes.open().put(f"{PROVINCE}/2", os.urandom(32))
    heard: list[tuple[int, int]] = []
    rewrap = RewrapDataKeys(PostgresDataKeys(database), homes.open())
    done = await rewrap(PROVINCE, lambda done, left: heard.append((done, left)))
    assert (done.wrapping_key, done.data_keys, heard) == (f"{PROVINCE}/2", 7, [(7, 0)])
    assert (await rewrap(PROVINCE)).data_keys == 0
    assert {file: file.stat().st_mtime_ns for file in (tmp_path / "vault").rglob("*.zip")} == before
    wrapped = await PostgresDataKeys(database).of(PROVINCE, [deposit.owner_id for deposit in kept])
    assert {key.wrapping_key for key in wrapped.values()} == {f"{PROVINCE}/2"}
    opened = vault(homes, database, tmp_path)
    assert [await opened.read(place_of(pack, deposit)) for deposit in kept] == [deposit.data for deposit in kept]


async def test_a_wrapping_that_another_process_renewed_meanwhile_is_not_renewed_twice(homes: Homes, database: Database, tmp_path: Path) -> None:
    homes.open().put(f"{PROVINCE}/1", os.urandom(32))
    await vault(homes, database, tmp_path).keep(PROVINCE, 2025, deposits(b"one"))
    keys = PostgresDataKeys(database)
    (old,) = (await keys.of(PROVINCE, [deposits(b"one")[0].owner_id])).values()
    new = replace(old, wrapping_key=f"{PROVINCE}/2", wrapped=b"new")
    assert [await keys.rewrapped([old], [new]), await keys.rewrapped([old], [replace(new, wrapped=b"newer")])] == [1, 0]


async def test_a_lost_wrapping_key_comes_back_from_any_three_of_five_shares(homes: Homes, database: Database, tmp_path: Path) -> None:
    key = os.urandom(32)
    shares = shares_of(key)
    homes.open().put(f"{PROVINCE}/1", key)
    (kept,) = deposits(b"kept for fifty years")
    pack = await vault(homes, database, tmp_path).keep(PROVINCE, 2025, [kept])
    homes.lose()
    with pytest.raises(Unavailable, match="hocba archive keys recover 2025-79/1"):
        await vault(homes, database, tmp_path).read(place_of(pack, kept))
    for three in combinations(shares, 3):
        assert key_of(three) == key
    homes.open().put(f"{PROVINCE}/1", key_of([shares[4], shares[0], shares[2]]))
    assert await vault(homes, database, tmp_path).read(place_of(pack, kept)) == kept.data


def test_a_key_is_never_replaced_by_another_one(homes: Homes) -> None:
    homes.open().put(f"{PROVINCE}/1", b"k" * 32)
    with pytest.raises(Conflict, match="left as it is"):
        homes.open().put(f"{PROVINCE}/1", b"x" * 32)


def test_a_changed_wrapping_or_another_context_is_refused(homes: Homes) -> None:
    home = homes.open()
    home.put(f"{PROVINCE}/1", os.urandom(32))
    key = WrappedKey(str(uuid.uuid4()), PROVINCE, f"{PROVINCE}/1", b"")
    wrapped = home.wrap(key.wrapping_key, b"d" * 32, key.context)
    assert home.unwrap(key.wrapping_key, wrapped, key.context) == b"d" * 32
    for changed in (wrapped[:-1] + bytes([wrapped[-1] ^ 1]), bytes([wrapped[0] ^ 1]) + wrapped[1:]):
        with pytest.raises(Refused, match="was changed"):
            home.unwrap(key.wrapping_key, changed, key.context)
    with pytest.raises(Refused, match="was changed"):
        home.unwrap(key.wrapping_key, wrapped, replace(key, owner_id=str(uuid.uuid4())).context)


def test_the_latest_key_wraps(homes: Homes) -> None:
    for number in (1, 2, 10):
        homes.open().put(f"{PROVINCE}/{number}", os.urandom(32))
    homes.open().put("2025-7/99", os.urandom(32))
    assert homes.open().current(PROVINCE) == f"{PROVINCE}/10"


async def test_a_module_that_went_away_is_found_again_and_a_wrong_pin_is_tried_once(tmp_path: Path) -> None:
    with a_softhsm(tmp_path / "hsm") as hsm:
        hsm.make_token(TOKEN)
        home = Pkcs11WrappingKeys(hsm.library, TOKEN, hsm.pins / TOKEN)
        home.put(f"{PROVINCE}/1", os.urandom(32))
        hsm.take_away()
        home.close()
        with pytest.raises(Unavailable, match="NoSuchToken"):
            home.current(PROVINCE)
        hsm.bring_back()
        assert home.current(PROVINCE) == f"{PROVINCE}/1"
        home.close()
        hsm.set_pin_file(TOKEN, "000000")
        with pytest.raises(Unavailable, match="PinIncorrect"):
            home.current(PROVINCE)


def test_too_few_misspelt_or_mixed_shares_make_no_key() -> None:
    one, other = shares_of(b"1" * 32), shares_of(b"2" * 32)
    for wrong in (one[:2], [*one[:2], other[0]], [*one[:2], one[2].replace(one[2].split()[5], "zebra")], []):
        with pytest.raises(Malformed, match="shares don't make a key"):
            key_of(wrong)
