"""A signer's picture on the page: a handwritten signature or the school's seal (decree 30/2020, annex I), as dots of one colour."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

MOST_BYTES = 8192
"""Of the packed dots: what each document grows by, for each signature that has a picture."""


class UnusableImage(ValueError):
    """A picture can't be used; the message says why and what would do."""


@dataclass(frozen=True, slots=True)
class Stencil:
    """Rows of dots from the top down, packed by ITU-T T.6 (fax group 4) with ink as its black. Packed once, when it is registered.

    So its bytes in a document never depend on who reads or packs pictures later on, and all pictures of a role have the same
    size, whatever was registered.
    """

    width: int
    height: int
    dots: bytes

    @property
    def digest(self) -> bytes:
        """SHA-256 over size and dots: what approvals and intents name."""
        return hashlib.sha256(b"%d %d\n%b" % (self.width, self.height, self.dots)).digest()
