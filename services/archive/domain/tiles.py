"""
Tiles: how the log's tree and its entries lie in files that never change (C2SP tlog-tiles).

    tile/<L>/<N>[.p/<W>]          hashes of level 8L, 256 of them (8,192 bytes) or W for the partial tile at the right edge
    tile/entries/<N>[.p/<W>]      the entries below a tile of level 0, each behind its length (16 bits, big-endian)

What a tile holds follows from the entries alone, so writing it twice writes the same bytes.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from services.archive.domain.merkle import HASH_BYTES, Range, nodes_of, root_of

HEIGHT = 8
WIDTH = 1 << HEIGHT
LARGEST_ENTRY = 0xFFFF
CHECKPOINT = "checkpoint"
_NUMBER = r"(?:x\d{3}/)*\d{3}"
NAME = re.compile(rf"tile/(?:entries|\d|[1-5]\d|6[0-3])/{_NUMBER}(?:\.p/(?:[1-9]|[1-9]\d|1\d\d|2[0-4]\d|25[0-5]))?", re.ASCII)
"""What the name of a tile or entry bundle looks like."""


@dataclass(frozen=True, slots=True)
class Tile:
    """The tile number `index` of a level, so many hashes wide."""

    level: int
    index: int
    width: int = WIDTH

    @property
    def name(self) -> str:
        """Its path below the log's prefix."""
        return f"tile/{self.level}/{_number(self.index)}{_suffix(self.width)}"

    @property
    def entries_name(self) -> str:
        """The path of the entry bundle below it; only tiles of level 0 have one."""
        assert self.level == 0
        return f"tile/entries/{_number(self.index)}{_suffix(self.width)}"

    @property
    def whole(self) -> "Tile":
        """The full tile that it becomes."""
        return Tile(self.level, self.index)


@dataclass(frozen=True, slots=True)
class TileHashes:
    """Hashes of tiles that were read, by (level, index) of the tile."""

    tiles: Mapping[tuple[int, int], bytes]

    def node(self, level: int, index: int) -> bytes:
        """The hash of a perfect subtree; KeyError when its tile wasn't read or is too narrow."""
        tile_level, height = divmod(level, HEIGHT)
        first = index << height
        data = self.tiles[tile_level, first >> HEIGHT]
        begin = (first % WIDTH) * HASH_BYTES
        hashes = split_hashes(data[begin : begin + (HASH_BYTES << height)])
        if len(hashes) != 1 << height:
            raise KeyError(f"tile {tile_level}/{first >> HEIGHT} holds too few hashes")
        return hashes[0] if height == 0 else root_of(hashes)


def tile_at(level: int, index: int, size: int) -> Tile:
    """The tile as a tree of `size` leaves has it: full, or partial at the right edge."""
    return Tile(level, index, min(WIDTH, (size >> HEIGHT * level) - index * WIDTH))


def tiles_of(ranges: Iterable[Range], size: int) -> set[Tile]:
    """The tiles of a tree of `size` leaves in which the hashes of these ranges stand."""
    found = set()
    for leaves in ranges:
        for level, index in nodes_of(leaves):
            tile_level, height = divmod(level, HEIGHT)
            found.add(tile_at(tile_level, (index << height) >> HEIGHT, size))
    return found


def right_edge(size: int) -> list[Tile]:
    """The partial tiles of a tree of `size` leaves, from level 0 up; none at a level that ends with a full one."""
    return [tile for tile in _last_tiles(size) if tile.width < WIDTH]


def grown(old: int, edge: Mapping[int, bytes], leaves: Sequence[bytes]) -> dict[Tile, bytes]:
    """Every tile that a tree of `old` leaves lacks to be one with these leaf hashes more; `edge` holds its partial tiles by level."""
    made: dict[Tile, bytes] = {}
    level, count, new = 0, old, list(leaves)
    while new:
        index, width = divmod(count, WIDTH)
        hashes = [*split_hashes(edge[level] if width else b""), *new]
        full = len(hashes) // WIDTH
        above = []
        for number in range(full):
            tile = hashes[number * WIDTH : (number + 1) * WIDTH]
            made[Tile(level, index + number)] = b"".join(tile)
            above.append(root_of(tile))
        if rest := hashes[full * WIDTH :]:
            made[Tile(level, index + full, len(rest))] = b"".join(rest)
        level, count, new = level + 1, count >> HEIGHT, above
    return made


def changed(old: int, new: int) -> Iterator[Tile]:
    """The tiles that a tree of `new` leaves has and one of `old` had not, from level 0 up."""
    for level, (before, after) in enumerate(zip(_counts(old, new), _counts(new, new), strict=True)):
        if after > before:
            for index in range(before // WIDTH, (after - 1) // WIDTH + 1):
                yield tile_at(level, index, new)


def bundle_of(entries: Iterable[bytes]) -> bytes:
    """An entry bundle; ValueError for an entry that is too long."""
    parts = []
    for entry in entries:
        if len(entry) > LARGEST_ENTRY:
            raise ValueError(f"an entry has {len(entry)} bytes; the most is {LARGEST_ENTRY}")
        parts.append(len(entry).to_bytes(2, "big") + entry)
    return b"".join(parts)


def entries_of(bundle: bytes) -> list[bytes]:
    """The entries of a bundle; ValueError when it ends in the middle of one."""
    found, at = [], 0
    while at < len(bundle):
        end = at + 2 + int.from_bytes(bundle[at : at + 2], "big")
        if at + 2 > len(bundle) or end > len(bundle):
            raise ValueError("the bundle ends in the middle of an entry")
        found.append(bundle[at + 2 : end])
        at = end
    return found


def split_hashes(data: bytes) -> list[bytes]:
    """The hashes of a tile; ValueError when its length is no multiple of a hash's."""
    if len(data) % HASH_BYTES:
        raise ValueError(f"a tile of {len(data)} bytes")
    return [data[a:b] for a, b in pairwise(range(0, len(data) + 1, HASH_BYTES))]


def _counts(size: int, largest: int) -> list[int]:
    """How many hashes each level of tiles has, for as many levels as the larger tree has."""
    levels = max(1, -(-largest.bit_length() // HEIGHT))
    return [size >> HEIGHT * level for level in range(levels)]


def _last_tiles(size: int) -> list[Tile]:
    return [tile_at(level, (count - 1) // WIDTH, size) for level, count in enumerate(_counts(size, size)) if count]


def _number(index: int) -> str:
    groups = [f"{index % 1000:03d}"]
    while index := index // 1000:
        groups.append(f"x{index % 1000:03d}")
    return "/".join(reversed(groups))


def _suffix(width: int) -> str:
    return "" if width == WIDTH else f".p/{width}"
