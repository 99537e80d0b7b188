"""Merkle trees over salted rows: RFC 6962 section 2.1 with SHA-256, the leaf's input being salt and row.

Leaves and inner nodes are hashed under different prefixes, so that no row can be read as a node. The salt is random and
as long as the hash: who holds one row's proof learns nothing about the rows beside it, however few contents are likely.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass


def leaf_hash(salt: bytes, row: bytes) -> bytes:
    """Hash of one salted row: 32 bytes."""
    return hashlib.sha256(b"\x00" + salt + row).digest()


@dataclass(frozen=True, slots=True)
class Tree:
    """A tree by its levels, leaves first; never empty."""

    levels: tuple[tuple[bytes, ...], ...]

    @property
    def root(self) -> bytes:
        """The root: 32 bytes."""
        return self.levels[-1][0]

    def path(self, index: int) -> list[bytes]:
        """The audit path of a leaf, from its neighbour up (RFC 6962 section 2.1.1)."""
        path: list[bytes] = []
        for level in self.levels[:-1]:
            neighbour = index ^ 1
            # An odd last node goes up as it is, so there is nothing to hash it with on this level.
            if neighbour < len(level):
                path.append(level[neighbour])
            index //= 2
        return path


def tree_of(leaves: Sequence[bytes]) -> Tree:
    """The tree over leaf hashes in their order."""
    if not leaves:
        raise ValueError("a tree needs at least one leaf")
    levels = [tuple(leaves)]
    while len(levels[-1]) > 1:
        below = levels[-1]
        above = [hashlib.sha256(b"\x01" + below[at] + below[at + 1]).digest() for at in range(0, len(below) - 1, 2)]
        levels.append((*above, below[-1]) if len(below) % 2 else tuple(above))
    return Tree(tuple(levels))
