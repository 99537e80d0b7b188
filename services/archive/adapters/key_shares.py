"""A wrapping key in shares on paper: any three of five bring it back, two tell nothing (SLIP-0039, Shamir's secret sharing).

Each share is a line of 33 English words with a checksum, meant to be kept by five persons in five places.
"""

from collections.abc import Sequence

from shamir_mnemonic import MnemonicError, combine_mnemonics, generate_mnemonics

from services.chassis.errors import Malformed

SHARES, NEEDED = 5, 3


def shares_of(key: bytes) -> list[str]:
    """Five shares of a key of 32 bytes."""
    (shares,) = generate_mnemonics(1, [(NEEDED, SHARES)], key, iteration_exponent=0)
    return list(shares)


def key_of(shares: Sequence[str]) -> bytes:
    """The key; Malformed when the shares are too few, misspelt, or of different keys."""
    try:
        return bytes(combine_mnemonics([" ".join(share.split()) for share in shares]))
    except MnemonicError as error:
        raise Malformed(f"the shares don't make a key: {error}", code="key_shares") from None
