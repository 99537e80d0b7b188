"""Merkle tree over a manifest's lines: RFC 6962 section 2.1 with SHA-256.

Leaves and inner nodes are hashed under different prefixes, so that no list of lines can be read as another one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence


def leaf_hash(line: bytes) -> bytes:
    """Hash of one line: 32 bytes."""
    return hashlib.sha256(b"\x00" + line).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node: 32 bytes."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def merkle_root(lines: Sequence[bytes]) -> bytes:
    """Root over the lines in their order; of no lines it is SHA-256 of nothing, as the RFC defines."""
    if not lines:
        return hashlib.sha256(b"").digest()
    # Each pass pairs neighbours and carries an odd last node up unchanged, which yields the RFC's left-full tree.
    level = [leaf_hash(line) for line in lines]
    while len(level) > 1:
        paired = [node_hash(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
        if len(level) % 2:
            paired.append(level[-1])
        level = paired
    return level[0]
