"""Tiles: their names and widths, and that the tree read from them is the tree of the entries, however it grew."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.archive.domain.merkle import consistency_ranges, inclusion_ranges, inclusion_root, is_consistent, leaf_hash, range_hash, root_of
from services.archive.domain.tiles import NAME, Tile, TileHashes, bundle_of, changed, entries_of, grown, right_edge, tile_at, tiles_of

LEAVES = [leaf_hash(number.to_bytes(4, "big")) for number in range(70_000)]


def tiles_by_growth(steps: list[int]) -> dict[Tile, bytes]:
    """Every tile that is written while a log grows by these steps."""
    kept: dict[Tile, bytes] = {}
    size = 0
    for step in steps:
        made = grown(size, {tile.level: kept[tile] for tile in right_edge(size)}, LEAVES[size : size + step])
        assert set(made) == set(changed(size, size + step))
        kept |= made
        size += step
    return kept


def hashes(kept: dict[Tile, bytes], wanted: set[Tile]) -> TileHashes:
    return TileHashes({(tile.level, tile.index): kept[tile] for tile in wanted})


@pytest.mark.parametrize(
    ("tile", "name"),
    [
        (Tile(0, 0), "tile/0/000"),
        (Tile(1, 1234067), "tile/1/x001/x234/067"),
        (Tile(0, 273, 112), "tile/0/273.p/112"),
        (Tile(2, 1000, 1), "tile/2/x001/000.p/1"),
    ],
)
def test_names(tile: Tile, name: str) -> None:
    assert tile.name == name
    assert NAME.fullmatch(name)


def test_names_of_bundles() -> None:
    assert (Tile(0, 1001).entries_name, Tile(0, 1, 7).entries_name) == ("tile/entries/x001/001", "tile/entries/001.p/7")
    assert NAME.fullmatch("tile/entries/x001/001")


@pytest.mark.parametrize(
    "name", ["tile/0/1", "tile/00/001", "tile/64/001", "tile/0/001.p/0", "tile/0/001.p/256", "tile/0/../001", "checkpoint", "tile/0/x1/001"]
)
def test_other_names_are_none(name: str) -> None:
    assert not NAME.fullmatch(name)


def test_widths_at_70000() -> None:
    kept = tiles_by_growth([70_000])
    assert sum(tile.level == 0 and tile.width == 256 for tile in kept) == 273
    assert {(tile.level, tile.index, tile.width) for tile in right_edge(70_000)} == {(0, 273, 112), (1, 1, 17), (2, 0, 1)}
    assert all(len(data) == 32 * tile.width for tile, data in kept.items())


def test_widths_at_256() -> None:
    assert set(tiles_by_growth([256])) == {Tile(0, 0), Tile(1, 0, 1)}
    assert right_edge(256) == [Tile(1, 0, 1)]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 700), min_size=1, max_size=12))
def test_the_way_it_grew_leaves_no_trace(steps: list[int]) -> None:
    size, kept = sum(steps), tiles_by_growth(steps)
    at_once = tiles_by_growth([size])
    assert {tile: data for tile, data in kept.items() if tile in at_once} == at_once
    assert range_hash(hashes(kept, tiles_of([(0, size)], size)).node, (0, size)) == root_of(LEAVES[:size])


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_proofs_from_tiles(data: st.DataObject) -> None:
    size = data.draw(st.sampled_from([1, 2, 255, 256, 257, 65_535, 65_536, 65_537, 70_000]) | st.integers(1, 70_000))
    kept = {**ALL, **{tile: ALL_FULL[tile.whole][: 32 * tile.width] for tile in right_edge(size)}}
    root = root_of(LEAVES[:size])
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    ranges = inclusion_ranges(index, size)
    wanted = tiles_of(ranges, size)
    assert len(wanted) <= 2 * 3, "two tiles a level at the most"
    path = [range_hash(hashes(kept, wanted).node, one) for one in ranges]
    assert inclusion_root(LEAVES[index], index, size, path) == root
    ranges = consistency_ranges(old, size)
    path = [range_hash(hashes(kept, tiles_of(ranges, size)).node, one) for one in ranges]
    assert is_consistent(old, root_of(LEAVES[:old]), size, root, path)


ALL = tiles_by_growth([70_000])
ALL_FULL = {tile.whole: data for tile, data in ALL.items()}


def test_tile_that_is_too_narrow_gives_no_hash() -> None:
    with pytest.raises(KeyError):
        TileHashes({(0, 0): b"x" * 64}).node(2, 0)
    with pytest.raises(KeyError):
        TileHashes({}).node(0, 0)
    assert tile_at(0, 1, 300) == Tile(0, 1, 44)


@given(st.lists(st.binary(max_size=300), max_size=20))
def test_bundle_gives_its_entries_back(entries: list[bytes]) -> None:
    bundle = bundle_of(entries)
    assert entries_of(bundle) == entries
    if bundle:
        with pytest.raises(ValueError, match="middle"):
            entries_of(bundle + b"\x00")
        with pytest.raises(ValueError, match="middle"):
            entries_of(bundle + b"\x00\x05abc")


def test_entry_that_is_too_long() -> None:
    assert entries_of(bundle_of([b"x" * 65_535])) == [b"x" * 65_535]
    with pytest.raises(ValueError, match="65536 bytes"):
        bundle_of([b"x" * 65_536])
