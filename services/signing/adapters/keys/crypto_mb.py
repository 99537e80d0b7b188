"""Eight RSA operations at once: a thin binding to `libcrypto_mb.so` of Intel's Cryptography Primitives Library.

The library works on eight numbers side by side in the vector registers of processors with AVX512-IFMA, at two to three times
the speed of OpenSSL. It comes with the package `ipp-crypto` and names four run-time libraries of Intel's compiler, none
of whose symbols it uses; the names are taken out of a copy in memory, so that nothing under another licence has to be installed.

No blinding: the library is written for constant time. Each result is raised to the public exponent and compared with what
was to be signed before anybody sees it, since a fault in half of a CRT operation would give the key away.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sysconfig
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa

LANES = 8
EXPONENT = 65537
SIZES = (2048, 3072, 4096)
FASTER = (2048, 4096)
"""Sizes at which eight at once beat OpenSSL: 2.8 and 1.8 times; at 3072 bits they lose by a twentieth."""
_LIBRARY = "libcrypto_mb.so.13"
_UNUSED = (b"libsvml.so", b"libirng.so", b"libimf.so", b"libintlc.so.5")
_DIGEST_INFO = bytes.fromhex("3031300d060960864801650304020105000420")  # DER before a SHA-256 digest, RFC 8017 section 9.2
_DIGEST = 32
_SPARE = 64  # The library may read a vector's length past the end of a number.
_LANE_BITS = 4

_Pointers = ctypes.c_void_p * LANES


class NotHere(Exception):
    """This machine can't do it; the message says why. OpenSSL can."""


@dataclass(frozen=True)
class _Number:
    """A number in memory, little-endian, where the library can read it."""

    buffer: ctypes.Array[ctypes.c_char]

    @classmethod
    def of(cls, value: int, size: int) -> _Number:
        return cls(ctypes.create_string_buffer(value.to_bytes(size, "little"), size + _SPARE))

    @property
    def address(self) -> int:
        return ctypes.addressof(self.buffer)


class LaneKey:
    """An RSA key as the library wants it."""

    def __init__(self, key: rsa.RSAPrivateKey) -> None:
        numbers = key.private_numbers()
        self.bits = key.key_size
        size = self.bits // 8
        self.modulus = _Number.of(numbers.public_numbers.n, size)
        self.parts = tuple(_Number.of(part, size // 2) for part in (numbers.p, numbers.q, numbers.dmp1, numbers.dmq1, numbers.iqmp))

    @staticmethod
    def fits(key: rsa.RSAPrivateKey) -> bool:
        """Whether the library knows keys of this size, exponent and make."""
        numbers = key.private_numbers()
        even = numbers.p.bit_length() == numbers.q.bit_length() == key.key_size // 2
        return key.key_size in SIZES and numbers.public_numbers.e == EXPONENT and even


class _Bench:
    """Where eight numbers of one size lie while they are worked on, with the library's methods for that size."""

    def __init__(self, library: ctypes.CDLL, bits: int) -> None:
        self.size = bits // 8
        name = f"mbx_RSA{bits // 1024}K"
        self.private, self.public = (getattr(library, f"{name}_{kind}")() for kind in ("private_crt_Method", "pub65537_Method"))
        self.scratch = [ctypes.create_string_buffer(library.mbx_RSA_Method_BufSize(method) + _SPARE) for method in (self.private, self.public)]
        self.padded = b"\x00\x01" + b"\xff" * (self.size - 3 - len(_DIGEST_INFO) - _DIGEST) + b"\x00" + _DIGEST_INFO
        self.input, self.output, self.check = (ctypes.create_string_buffer(self.size * LANES + _SPARE) for _ in range(3))

    def lanes(self, buffer: ctypes.Array[ctypes.c_char]) -> ctypes.Array[ctypes.c_void_p]:
        start = ctypes.addressof(buffer)
        return _Pointers(*(start + self.size * lane for lane in range(LANES)))


class CryptoMb:
    """PKCS#1 v1.5 signatures over SHA-256 digests, eight at a time. One call at a time per object."""

    def __init__(self, library: ctypes.CDLL, where: Path) -> None:
        self._library = library
        self.where = where
        self._lock = threading.Lock()
        self._benches: dict[int, _Bench] = {}

    def sign(self, keys: Sequence[LaneKey], digests: Sequence[bytes]) -> list[bytes | None]:
        """Eight keys of one size (they may differ) and eight digests; None in a lane whose result didn't pass the check."""
        bits = keys[0].bits
        if len(keys) != LANES or len(digests) != LANES or any(key.bits != bits for key in keys) or any(len(d) != _DIGEST for d in digests):
            raise ValueError("eight keys of one size and eight SHA-256 digests are needed")
        with self._lock:  # The buffers are the object's; the library itself lets go of the interpreter.
            bench = self._benches.get(bits) or self._benches.setdefault(bits, _Bench(self._library, bits))
            return self._sign(bench, bits, keys, digests)

    def _sign(self, bench: _Bench, bits: int, keys: Sequence[LaneKey], digests: Sequence[bytes]) -> list[bytes | None]:
        wanted = b"".join(bench.padded + digest for digest in digests)
        ctypes.memmove(bench.input, wanted, len(wanted))
        parts = [_Pointers(*(key.parts[n].address for key in keys)) for n in range(5)]
        given, made, checked = (bench.lanes(buffer) for buffer in (bench.input, bench.output, bench.check))
        status = self._library.mbx_rsa_private_crt_mb8(given, made, *parts, bits, bench.private, bench.scratch[0])
        moduli = _Pointers(*(key.modulus.address for key in keys))
        status |= self._library.mbx_rsa_public_mb8(made, checked, moduli, bits, bench.public, bench.scratch[1])
        values, proofs = bench.output.raw, bench.check.raw
        results: list[bytes | None] = []
        for lane in range(LANES):
            place = slice(lane * bench.size, (lane + 1) * bench.size)
            fault = (status >> (lane * _LANE_BITS)) & (2**_LANE_BITS - 1)
            results.append(None if fault or proofs[place] != wanted[place] else values[place])
        return results


def load(where: Path | None = None) -> CryptoMb:
    """The library, or NotHere with the reason: not installed, no such instructions, not loadable."""
    path = where or Path(sysconfig.get_path("data")) / "lib" / _LIBRARY
    try:
        image = path.read_bytes()
    except OSError:
        raise NotHere(f"{_LIBRARY} isn't installed; the package ipp-crypto brings it") from None
    try:
        library = _loaded(_without(image, _UNUSED))
        library.mbx_is_crypto_mb_applicable.argtypes = [ctypes.c_uint64]
        if not library.mbx_is_crypto_mb_applicable(0):
            raise NotHere("the processor has no AVX512-IFMA")
        _declare(library)
    except (OSError, AttributeError, ValueError, struct.error) as error:
        raise NotHere(f"{_LIBRARY} can't be loaded: {error}") from None
    return CryptoMb(library, path)


def _declare(library: ctypes.CDLL) -> None:
    pointer, number = ctypes.c_void_p, ctypes.c_int
    for bits in SIZES:
        for kind in ("private_crt_Method", "pub65537_Method"):
            method = getattr(library, f"mbx_RSA{bits // 1024}K_{kind}")
            method.restype, method.argtypes = pointer, []
    library.mbx_RSA_Method_BufSize.restype, library.mbx_RSA_Method_BufSize.argtypes = number, [pointer]
    for name, arrays in (("mbx_rsa_private_crt_mb8", 7), ("mbx_rsa_public_mb8", 3)):
        function = getattr(library, name)
        function.restype, function.argtypes = ctypes.c_uint32, [_Pointers] * arrays + [number, pointer, pointer]


def _loaded(image: bytes) -> ctypes.CDLL:
    descriptor = os.memfd_create("crypto_mb", os.MFD_CLOEXEC)
    try:
        with os.fdopen(os.dup(descriptor), "wb") as file:
            file.write(image)
        # RTLD_NOW: a symbol that is missing after all shows here and not in the middle of a signature.
        return ctypes.CDLL(f"/proc/self/fd/{descriptor}", mode=os.RTLD_NOW | os.RTLD_LOCAL)
    finally:
        os.close(descriptor)


def _without(image: bytes, names: Sequence[bytes]) -> bytes:
    """The ELF file without these names in its list of needed libraries (generic ABI, chapter 5)."""
    if image[:6] != b"\x7fELF\x02\x01":
        raise ValueError("not a 64-bit little-endian ELF file")
    offset, size, count = struct.unpack_from("<Q", image, 32)[0], *struct.unpack_from("<HH", image, 54)
    headers = [struct.unpack_from("<IIQQQQQQ", image, offset + n * size) for n in range(count)]
    load, dynamic, needed, text = 1, 2, 1, 5
    start, length = next((h[2], h[5]) for h in headers if h[0] == dynamic)
    entries = [struct.unpack_from("<qQ", image, start + n) for n in range(0, length, 16)]
    address = next(value for tag, value in entries if tag == text)
    strings = next(h[2] + address - h[3] for h in headers if h[0] == load and h[3] <= address < h[3] + h[5])

    def name_at(value: int) -> bytes:
        return image[strings + value : image.index(b"\0", strings + value)]

    kept = [struct.pack("<qQ", *e) for e in entries if e[0] != needed or name_at(e[1]) not in names]
    table = b"".join(kept).ljust(length, b"\0")
    return image[:start] + table + image[start + length :]
