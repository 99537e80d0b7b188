"""Eight RSA operations at once must be bit for bit what OpenSSL does one at a time, and a wrong lane must never get out.

Where the processor lacks the instructions there is nothing to compare; then the reason must be one that a person understands.
"""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa, utils
from hypothesis import given, settings
from hypothesis import strategies as st

from services.signing.adapters.keys import crypto_mb
from services.signing.adapters.keys.crypto_mb import LANES, CryptoMb, LaneKey, NotHere
from services.signing.adapters.keys.pkcs12 import Pkcs12Keys
from services.signing.domain.key_names import KeyName
from tests.support.key_files import write_key

DIGEST = st.binary(min_size=32, max_size=32)


def capable() -> bool:
    """Whether this processor could do it, by the kernel's word rather than the library's."""
    flags = Path("/proc/cpuinfo")
    return platform.machine() == "x86_64" and flags.exists() and "avx512ifma" in flags.read_text()


@cache
def keys(bits: int) -> list[rsa.RSAPrivateKey]:
    return [rsa.generate_private_key(65537, bits) for _ in range(3)]


def one_by_one(key: rsa.RSAPrivateKey, digest: bytes) -> bytes:
    return key.sign(digest, padding.PKCS1v15(), utils.Prehashed(hashes.SHA256()))


def test_library_is_there_exactly_where_the_processor_can() -> None:
    if capable():
        assert crypto_mb.load().where.name.startswith("libcrypto_mb")
    else:
        with pytest.raises(NotHere, match=r"AVX512-IFMA|isn't installed|can't be loaded"):
            crypto_mb.load()


def test_library_that_is_not_there_or_is_no_library_says_so(tmp_path: Path) -> None:
    with pytest.raises(NotHere, match="ipp-crypto"):
        crypto_mb.load(tmp_path / "nothing")
    (tmp_path / "text").write_text("not an ELF file")
    with pytest.raises(NotHere, match="can't be loaded"):
        crypto_mb.load(tmp_path / "text")


@settings(max_examples=25)
@given(
    bits=st.sampled_from([2048, 2048, 3072, 4096]),
    digests=st.lists(DIGEST, min_size=LANES, max_size=LANES),
    choice=st.lists(st.integers(0, 2), min_size=LANES, max_size=LANES),
)
def test_mixed_keys_and_any_digests_give_what_openssl_gives(bits: int, digests: list[bytes], choice: list[int]) -> None:
    if not capable():
        return
    chosen = [keys(bits)[n] for n in choice]
    made = _library().sign([LaneKey(key) for key in chosen], digests)
    assert made == [one_by_one(key, digest) for key, digest in zip(chosen, digests, strict=True)]


@cache
def _library() -> CryptoMb:
    return crypto_mb.load()


class Faulty:
    """The real library with something that goes wrong in between."""

    def __init__(self, library: Any, change: Callable[[Any], None], status: int = 0) -> None:
        self._library, self._change, self._status = library, change, status

    def __getattr__(self, name: str) -> Any:
        return getattr(self._library, name)

    def mbx_rsa_private_crt_mb8(self, given: Any, made: Any, *rest: Any) -> int:
        status: int = self._library.mbx_rsa_private_crt_mb8(given, made, *rest)
        self._change(made)
        return status | self._status


def flip(lane: int) -> Callable[[Any], None]:
    """A bit that turns over in one lane, as a fault attack would have it."""

    def change(made: Any) -> None:
        byte = ctypes.c_ubyte.from_address(made[lane] + 17)
        byte.value ^= 0x20

    return change


@pytest.mark.parametrize("bits", [2048, 4096])
def test_lane_with_a_fault_is_withheld_and_the_others_are_right(bits: int) -> None:
    if not capable():
        return
    key, digests = keys(bits)[0], [bytes([n]) * 32 for n in range(LANES)]
    library: Any = _library()
    faulty = CryptoMb(Faulty(library._library, flip(5)), library.where)  # type: ignore[arg-type]
    made = faulty.sign([LaneKey(key)] * LANES, digests)
    assert [value is None for value in made] == [lane == 5 for lane in range(LANES)]
    told = CryptoMb(Faulty(library._library, lambda _: None, status=0x3 << 8), library.where)  # type: ignore[arg-type]
    assert [value is None for value in told.sign([LaneKey(key)] * LANES, digests)] == [lane == 2 for lane in range(LANES)]


class WrongLane:
    """Stands for a library that gets one lane wrong, on any processor."""

    def sign(self, keys: list[LaneKey], digests: list[bytes]) -> list[bytes | None]:
        return [None if n == 2 else b"right" for n in range(LANES)]


async def test_lane_that_failed_is_done_again_by_openssl_and_counted(tmp_path: Path) -> None:
    key = keys(2048)[0]
    write_key(tmp_path, "seal", key)
    home = Pkcs12Keys(tmp_path, tmp_path / "password", WrongLane())  # type: ignore[arg-type]
    digests = [bytes([n]) * 32 for n in range(6)]
    values = await home.sign(KeyName.read("seal"), digests)
    assert values == [b"right", b"right", one_by_one(key, digests[2]), b"right", b"right", b"right"]
    assert home.redone == 1


@pytest.mark.parametrize("count", [1, 2, 3, 8, 9, 17])
async def test_any_number_of_documents_comes_out_in_order(tmp_path: Path, count: int) -> None:
    key = keys(2048)[0]
    write_key(tmp_path, "seal", key)
    home = Pkcs12Keys(tmp_path, tmp_path / "password", _library() if capable() else None)
    digests = [bytes([n]) * 32 for n in range(count)]
    assert await home.sign(KeyName.read("seal"), digests) == [one_by_one(key, digest) for digest in digests]
    assert home.redone == 0
