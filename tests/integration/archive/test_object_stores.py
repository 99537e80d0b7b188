"""Staging and vault behave alike on every kind of store: written once, read by range, honest about what is missing."""

import errno
import os
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from services.archive.adapters.object_stores import ObjectStaging, ObjectStore, open_staging, open_store
from services.chassis.errors import Conflict, NotFound, Unavailable
from tests.support.s3 import S3

NAME = "packs/2025/ab/abcd.zip"


def local(folder: Path) -> ObjectStore:
    return open_store(str(folder / "vault"))


def by_file_url(folder: Path) -> ObjectStore:
    return open_store((folder / "kho lưu #1").as_uri())


def in_memory(folder: Path) -> ObjectStore:
    return open_store("memory:///")


Open = Callable[[Path], ObjectStore]


@pytest.fixture(params=[local, by_file_url, in_memory, "s3"])
def open_it(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Open:
    if request.param != "s3":
        return cast(Open, request.param)
    server: S3 = request.getfixturevalue("s3_server")
    for name, value in server.variables.items():
        monkeypatch.setenv(name, value)
    return lambda folder: open_store(f"{server.url}/{uuid.uuid4()}")


async def test_object_is_kept_once_and_read_by_range(open_it: Open, tmp_path: Path) -> None:
    vault = open_it(tmp_path)
    await vault.keep(NAME, b"0123456789")
    await vault.keep(NAME, b"0123456789")
    assert await vault.read(NAME, 3, 4) == b"3456"
    assert await ObjectStaging(vault.store).read(NAME) == b"0123456789"


async def test_other_bytes_under_a_known_name_are_refused_and_change_nothing(open_it: Open, tmp_path: Path) -> None:
    vault = open_it(tmp_path)
    await vault.keep(NAME, b"first")
    with pytest.raises(Conflict, match="other bytes"):
        await vault.keep(NAME, b"second")
    assert await vault.read(NAME, 0, 5) == b"first"


async def test_missing_object_is_not_found(open_it: Open, tmp_path: Path) -> None:
    vault = open_it(tmp_path)
    with pytest.raises(NotFound):
        await vault.read(NAME, 0, 1)
    with pytest.raises(NotFound):
        await ObjectStaging(vault.store).read(NAME)


async def test_store_that_cannot_be_written_is_unavailable_rather_than_an_answer(tmp_path: Path) -> None:
    vault = open_store(str(tmp_path / "vault"))
    # A file where a folder must be: what a broken mount looks like, for root too.
    (tmp_path / "vault" / "packs").write_bytes(b"")
    with pytest.raises(Unavailable):
        await vault.keep(NAME, b"x")


async def test_store_that_finds_the_disk_full_only_when_it_syncs_is_unavailable_and_the_repeat_keeps_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    vault = open_store(str(tmp_path / "vault"))
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(Unavailable, match="No space left"):
            await vault.keep(NAME, b"x")
    await vault.keep(NAME, b"x")
    assert await vault.read(NAME, 0, 1) == b"x"


async def test_staging_and_vault_may_be_named_by_url(tmp_path: Path) -> None:
    staging = open_staging(tmp_path.as_uri())
    (tmp_path / "pack.zip").write_bytes(b"x")
    assert await staging.read("pack.zip") == b"x"
    assert replace(staging) == staging
