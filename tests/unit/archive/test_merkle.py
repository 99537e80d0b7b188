"""The tree of RFC 6962: the known roots, and every proof of every small tree, right ones and wrong ones."""

import hashlib
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.archive.domain.merkle import (
    EMPTY,
    Frontier,
    consistency_ranges,
    inclusion_ranges,
    inclusion_root,
    is_consistent,
    leaf_hash,
    node_hash,
    range_hash,
    root_of,
)

ENTRIES = [bytes.fromhex(text) for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
"""Of the first 1 to 8 entries, as the certificate-transparency project has published them."""
LEAVES = [leaf_hash(str(number).encode()) for number in range(600)]
SIZES = [*range(1, 70), 255, 256, 257, 513]


def by_the_book(leaves: list[bytes]) -> bytes:
    """MTH as RFC 6962 section 2.1 writes it."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    half = 1 << ((len(leaves) - 1).bit_length() - 1)
    return node_hash(by_the_book(leaves[:half]), by_the_book(leaves[half:]))


@cache
def node(level: int, index: int) -> bytes:
    return LEAVES[index] if level == 0 else node_hash(node(level - 1, 2 * index), node(level - 1, 2 * index + 1))


@cache
def root(size: int) -> bytes:
    return by_the_book(LEAVES[:size])


def inclusion(index: int, size: int) -> list[bytes]:
    return [range_hash(node, leaves) for leaves in inclusion_ranges(index, size)]


def consistency(old: int, new: int) -> list[bytes]:
    return [range_hash(node, leaves) for leaves in consistency_ranges(old, new)]


@pytest.mark.parametrize("size", range(1, 9))
def test_known_roots(size: int) -> None:
    assert root_of([leaf_hash(entry) for entry in ENTRIES[:size]]).hex() == ROOTS[size - 1]


def test_root_of_nothing() -> None:
    assert Frontier().root == root_of([]) == EMPTY
    assert EMPTY.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize("size", SIZES)
def test_frontier_and_ranges_agree_with_the_book(size: int) -> None:
    assert root_of(LEAVES[:size]) == range_hash(node, (0, size)) == root(size)


@pytest.mark.parametrize("size", SIZES)
def test_every_leaf_is_proven_and_no_path_proves_anything_else(size: int) -> None:
    for index in range(size):
        path = inclusion(index, size)
        assert inclusion_root(LEAVES[index], index, size, path) == root(size)
        assert inclusion_root(LEAVES[index], index, size, [*path, bytes(32)]) is None
        assert inclusion_root(leaf_hash(b"another"), index, size, path) != root(size)
        if path:
            assert inclusion_root(LEAVES[index], index, size, path[:-1]) is None
            assert inclusion_root(LEAVES[index], (index + 1) % size, size, path) != root(size)


@pytest.mark.parametrize("new", SIZES)
def test_every_earlier_tree_is_proven_and_no_other(new: int) -> None:
    for old in range(1, new + 1):
        path = consistency(old, new)
        assert is_consistent(old, root(old), new, root(new), path)
        assert not is_consistent(old, root(old), new, root(new), [*path, bytes(32)])
        assert not is_consistent(old, bytes(32), new, root(new), path)
        assert not is_consistent(old, root(old), new, bytes(32), path)
        assert not path or not is_consistent(old, root(old), new, root(new), path[:-1])
    assert is_consistent(0, EMPTY, new, root(new), [])
    assert not is_consistent(0, root(1), new, root(new), [])
    assert not is_consistent(new + 1, root(new + 1), new, root(new), [])


@given(st.data())
def test_a_changed_hash_proves_nothing(data: st.DataObject) -> None:
    new = data.draw(st.integers(2, 513))
    old = data.draw(st.integers(1, new - 1))

    def continues(path: list[bytes]) -> bool:
        return is_consistent(old, root(old), new, root(new), path)

    def includes(path: list[bytes]) -> bool:
        return inclusion_root(LEAVES[old], old, new, path) == root(new)

    for path, holds in ((consistency(old, new), continues), (inclusion(old, new), includes)):
        at, bit = data.draw(st.integers(0, len(path) - 1)), data.draw(st.integers(0, 255))
        changed = bytearray(path[at])
        changed[bit // 8] ^= 1 << bit % 8
        assert holds(path)
        assert not holds([*path[:at], bytes(changed), *path[at + 1 :]])


@pytest.mark.parametrize("index", [3, 4, -1])
def test_what_a_tree_does_not_have_has_no_proof(index: int) -> None:
    with pytest.raises(ValueError, match="not in a tree"):
        inclusion_ranges(index, 3)
    assert inclusion_root(LEAVES[0], index, 3, []) is None


@pytest.mark.parametrize("old", [4, -1])
def test_a_tree_continues_no_larger_one(old: int) -> None:
    with pytest.raises(ValueError, match="can't continue"):
        consistency_ranges(old, 3)
