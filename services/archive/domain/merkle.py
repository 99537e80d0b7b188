"""
The Merkle tree of RFC 6962 section 2.1 (RFC 9162 section 2.1), over SHA-256.

    leaf(d) = SHA-256(0x00 || d)    node(l, r) = SHA-256(0x01 || l || r)    root of nothing = SHA-256("")

A `Node` gives the hash of the perfect subtree number `index` of 2^`level` leaves; proofs are made of such subtrees alone.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence

Node = Callable[[int, int], bytes]
Range = tuple[int, int]
"""Leaves [start, end)."""
HASH_BYTES = 32
EMPTY = hashlib.sha256(b"").digest()
LONGEST_PATH = 63
"""Hashes in a proof of a tree that anybody could fill."""


def leaf_hash(entry: bytes) -> bytes:
    """The hash of a leaf."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Frontier:
    """The right edge of a growing tree: appends leaf by leaf, knows the root at any moment, keeps log2(size) hashes."""

    def __init__(self) -> None:
        self.size = 0
        self._subtrees: list[bytes] = []  # One for each bit of the size, the largest first.

    def append(self, leaf: bytes) -> None:
        """One more leaf hash."""
        full = self.size
        while full & 1:
            leaf = node_hash(self._subtrees.pop(), leaf)
            full >>= 1
        self._subtrees.append(leaf)
        self.size += 1

    @property
    def root(self) -> bytes:
        """The root now."""
        return _folded(self._subtrees) if self._subtrees else EMPTY


def root_of(leaves: Sequence[bytes]) -> bytes:
    """The root over these leaf hashes."""
    frontier = Frontier()
    for leaf in leaves:
        frontier.append(leaf)
    return frontier.root


def range_hash(node: Node, leaves: Range) -> bytes:
    """The hash over a range that begins at a multiple of the next power of two, as every range of a proof does."""
    start, end = leaves
    return _folded([node(level, index) for level, index in nodes_of((start, end))]) if end > start else EMPTY


def nodes_of(leaves: Range) -> Iterator[tuple[int, int]]:
    """(level, index) of the perfect subtrees that make up such a range, from the left."""
    start, end = leaves
    while start < end:
        level = (end - start).bit_length() - 1
        yield level, start >> level
        start += 1 << level


def inclusion_ranges(index: int, size: int) -> list[Range]:
    """The ranges whose hashes prove that leaf `index` is in the tree of `size` leaves, from the leaf up (RFC 9162 section 2.1.3.1)."""
    if not 0 <= index < size:
        raise ValueError(f"leaf {index} is not in a tree of {size}")
    found: list[Range] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            found.append((middle, end))
            end = middle
        else:
            found.append((start, middle))
            start = middle
    return found[::-1]


def consistency_ranges(old: int, new: int) -> list[Range]:
    """The ranges whose hashes prove that the tree of `new` leaves begins with that of `old` (RFC 9162 section 2.1.4.1)."""
    if not 0 <= old <= new:
        raise ValueError(f"a tree of {new} can't continue one of {old}")
    if old in (0, new):
        return []
    found: list[Range] = []
    start, end = 0, new
    while end != old:
        middle = start + _split(end - start)
        if old <= middle:
            found.append((middle, end))
            end = middle
        else:
            found.append((start, middle))
            start = middle
    # The old tree's own root is known to who asks, unless it is only a part of what is left.
    return [*([(start, end)] if start else []), *found[::-1]]


def inclusion_root(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """The root that a path leads to from a leaf; None when no tree of this size has such a path (RFC 9162 section 2.1.3.2)."""
    if not 0 <= index < size:
        return None
    node, last = index, size - 1
    for neighbour in path:
        if last == 0:
            return None
        if node % 2 or node == last:
            leaf = node_hash(neighbour, leaf)
            while node % 2 == 0 and node:
                node, last = node // 2, last // 2
        else:
            leaf = node_hash(leaf, neighbour)
        node, last = node // 2, last // 2
    return leaf if last == 0 else None


def is_consistent(old: int, old_root: bytes, new: int, new_root: bytes, path: Sequence[bytes]) -> bool:
    """Whether the path proves that the new tree begins with the old one (RFC 9162 section 2.1.4.2)."""
    if not 0 <= old <= new:
        return False
    if old == new:
        return not path and old_root == new_root
    if old == 0:
        return not path and old_root == EMPTY
    hashes = list(path) if old & (old - 1) else [old_root, *path]
    if not hashes:
        return False
    node, last = old - 1, new - 1
    while node % 2:
        node, last = node // 2, last // 2
    first = second = hashes[0]
    for neighbour in hashes[1:]:
        if last == 0:
            return False
        if node % 2 or node == last:
            first, second = node_hash(neighbour, first), node_hash(neighbour, second)
            while node % 2 == 0 and node:
                node, last = node // 2, last // 2
        else:
            second = node_hash(second, neighbour)
        node, last = node // 2, last // 2
    return last == 0 and first == old_root and second == new_root


def _split(count: int) -> int:
    """The largest power of two below `count`."""
    return 1 << ((count - 1).bit_length() - 1)


def _folded(subtrees: Sequence[bytes]) -> bytes:
    """The hash over neighbouring subtrees of falling size."""
    *rest, digest = subtrees
    for left in reversed(rest):
        digest = node_hash(left, digest)
    return digest
