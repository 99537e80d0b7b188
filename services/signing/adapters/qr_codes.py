"""QR codes of addresses that differ in their last part only, in microseconds.

For a fixed length, version, error correction and mask, every module of the code is an affine function over GF(2) of the bits of
the text (ISO/IEC 18004: Reed-Solomon and interleaving are linear, masking adds a constant). So the code of any text is the
code of one text, plus (exclusive or) a precomputed difference for each bit in which they differ. segno makes those.
"""

from __future__ import annotations

from functools import cached_property, reduce
from operator import getitem, xor
from typing import Any

import segno

MASK = 3
_BASE = 0x40


class QrCodes:
    """Codes (level M) of `prefix` followed by `length` characters of ASCII."""

    def __init__(self, prefix: str, length: int) -> None:
        self._prefix = prefix.encode("ascii")
        self._length = length

    def rows(self, suffix: str) -> tuple[int, bytes]:
        """(modules a side, the modules row by row with each row padded to whole bytes, 1 is dark); no quiet zone."""
        data = suffix.encode("ascii")
        if len(data) != self._length:
            raise ValueError(f"{suffix!r} has not {self._length} characters")
        side, row, base, differences = self._table
        code = reduce(xor, map(getitem, differences, data), base)
        return side, code.to_bytes(side * row, "big")

    @cached_property
    def _table(self) -> tuple[int, int, int, list[list[int]]]:
        plain = bytes([_BASE]) * self._length
        first = segno.make_qr(self._prefix + plain, error="m", mask=MASK, mode="byte", boost_error=False)
        side = len(first.matrix)
        row = (side + 7) // 8
        base = _bits(first.matrix, row)
        differences: list[list[int]] = []
        for place in range(self._length):
            by_bit = []
            for bit in range(8):
                changed = bytearray(plain)
                changed[place] ^= 1 << bit
                made = segno.make_qr(self._prefix + bytes(changed), error="m", mask=MASK, mode="byte", boost_error=False, version=first.version)
                by_bit.append(_bits(made.matrix, row) ^ base)
            differences.append([_combined(by_bit, value ^ _BASE) for value in range(256)])
        return side, row, base, differences


def _bits(matrix: Any, row: int) -> int:
    code = 0
    for line in matrix:
        for module in line:
            code = code << 1 | bool(module)
        code <<= 8 * row - len(line)
    return code


def _combined(by_bit: list[int], value: int) -> int:
    sum_ = 0
    for bit, difference in enumerate(by_bit):
        if value >> bit & 1:
            sum_ ^= difference
    return sum_


def drawn(side: int, rows: bytes) -> bytes:
    """The code as an inline image that fills the unit square (ISO 32000-1, 8.9.7)."""
    return b"BI/W %d/H %d/IM true/D[1 0]/F/AHx ID %b>EI " % (side, side, rows.hex().encode())
