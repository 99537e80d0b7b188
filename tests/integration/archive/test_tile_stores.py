"""The log's files behave alike in a folder and in an object store; and a log lives in either."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from services.archive.adapters.tile_objects import open_tiles
from services.archive.application.log_ports import TileStore
from services.chassis.errors import Conflict
from tests.support.s3 import S3


@pytest.fixture(params=["folder", "s3"])
def tiles(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TileStore:
    if request.param == "folder":
        return open_tiles(str(tmp_path / "log"))
    server: S3 = request.getfixturevalue("s3_server")
    for name, value in server.variables.items():
        monkeypatch.setenv(name, value)
    return open_tiles(f"{server.url}/{uuid.uuid4()}")


async def test_a_tile_is_written_once_and_a_repeat_is_harmless(tiles: TileStore) -> None:
    await tiles.keep({"tile/0/000": b"a", "tile/entries/000": b"b"})
    await tiles.keep({"tile/0/000": b"a"})
    with pytest.raises(Conflict, match="other bytes"):
        await tiles.keep({"tile/0/000": b"other"})
    assert [await tiles.read("tile/0/000"), await tiles.read("tile/entries/000"), await tiles.read("tile/0/001")] == [b"a", b"b", None]


async def test_the_checkpoint_alone_is_replaced(tiles: TileStore) -> None:
    await tiles.replace("checkpoint", b"one")
    await tiles.replace("checkpoint", b"two")
    assert await tiles.read("checkpoint") == b"two"


async def test_partial_forms_go_and_nothing_else(tiles: TileStore) -> None:
    await tiles.keep({"tile/0/000.p/3": b"a", "tile/0/000.p/7": b"b", "tile/0/000": b"full", "tile/0/001.p/1": b"c"})
    await tiles.drop_partial("tile/0/000")
    await tiles.drop_partial("tile/0/002")
    names = ("tile/0/000.p/3", "tile/0/000.p/7", "tile/0/000", "tile/0/001.p/1")
    assert [await tiles.read(name) for name in names] == [None, None, b"full", b"c"]
