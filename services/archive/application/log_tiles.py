"""Reads the log's tree from its tiles; what is missing or cut short is a Refused, never a guess."""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from services.archive.application.log_ports import TileStore
from services.archive.domain.merkle import HASH_BYTES, Range, consistency_ranges, inclusion_ranges, range_hash
from services.archive.domain.tiles import WIDTH, Tile, TileHashes, bundle_of, entries_of, tiles_of
from services.chassis.errors import Refused


@dataclass(frozen=True)
class LogTiles:
    """Tiles of one store; the last `kept` full ones that were read are kept in memory (8 kB each), since they never change."""

    store: TileStore
    kept: int = 0
    _cache: OrderedDict[tuple[int, int], bytes] = field(default_factory=OrderedDict)

    async def root(self, size: int) -> bytes:
        """The root of the tree of the first `size` leaves."""
        [digest] = await self._hashes([(0, size)], size)
        return digest

    async def inclusion(self, index: int, size: int) -> Sequence[bytes]:
        """The path from leaf `index` to that root."""
        return await self._hashes(inclusion_ranges(index, size), size)

    async def consistency(self, old: int, new: int) -> Sequence[bytes]:
        """The proof that the tree of `new` leaves begins with that of `old`."""
        return await self._hashes(consistency_ranges(old, new), new)

    async def tile(self, tile: Tile) -> bytes:
        """A tile; of a partial one that is no longer there, the beginning of the full one (C2SP tlog-tiles)."""
        key = (tile.level, tile.index)
        if (data := self._cache.get(key)) is not None:
            self._cache.move_to_end(key)
            return data[: tile.width * HASH_BYTES]
        data = await self._read(tile.name, tile.whole.name)
        if len(data) < tile.width * HASH_BYTES:
            raise damaged(tile.name, "cut short")
        if self.kept and len(data) == WIDTH * HASH_BYTES:
            self._cache[key] = data
            if len(self._cache) > self.kept:
                self._cache.popitem(last=False)
        return data[: tile.width * HASH_BYTES]

    async def entries(self, tile: Tile) -> list[bytes]:
        """The entries below a tile of level 0."""
        try:
            found = entries_of(await self._read(tile.entries_name, tile.whole.entries_name))
        except ValueError as error:
            raise damaged(tile.entries_name, str(error)) from error
        if len(found) < tile.width:
            raise damaged(tile.entries_name, "cut short")
        return found[: tile.width]

    async def _hashes(self, ranges: Sequence[Range], size: int) -> list[bytes]:
        tiles = await self._tiles(tiles_of(ranges, size))
        return [range_hash(tiles.node, leaves) for leaves in ranges]

    async def _tiles(self, wanted: Iterable[Tile]) -> TileHashes:
        return TileHashes({(tile.level, tile.index): await self.tile(tile) for tile in wanted})

    async def _read(self, name: str, whole: str) -> bytes:
        data = await self.store.read(name)
        if data is None and whole != name:
            data = await self.store.read(whole)
        if data is None:
            raise damaged(name, "missing")
        return data


def damaged(name: str, what: str) -> Refused:
    """The error for a file of the log that isn't what it was."""
    return Refused(f"the log's file {name} is {what}; `hocba archive fsck --mend` makes it again from the database", code="log_damaged")


def files_of(tile: Tile, data: bytes, entries: Sequence[bytes]) -> dict[str, bytes]:
    """A tile as files: itself, and at level 0 the bundle of its entries."""
    return {tile.name: data} | ({tile.entries_name: bundle_of(entries)} if tile.level == 0 else {})
