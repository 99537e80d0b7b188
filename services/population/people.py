"""How the stand-in answers: the same number gets the same answer for the same seed, in whatever order it is asked.

It keeps no register of persons. Most numbers match what is asked; a share differs in some fields, isn't known, is slow, or makes the
gateway fail. A test that needs a certain answer asks with a number that ends in one of the fixed endings.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum

FIELDS = ("full_name", "birth_date", "gender")


class Answer(StrEnum):
    """What a question gets."""

    MATCH = "match"
    MISMATCH = "mismatch"
    NOT_FOUND = "not_found"
    SLOW = "slow"  # a match, but later than most callers wait
    UNAVAILABLE = "unavailable"


ENDINGS = {"9990": Answer.MATCH, "9991": Answer.MISMATCH, "9992": Answer.NOT_FOUND, "9993": Answer.SLOW, "9994": Answer.UNAVAILABLE}
"""The last four digits of a number that force an answer."""


@dataclass(frozen=True, slots=True)
class Shares:
    """Answers out of a thousand that aren't a match; the rest is."""

    mismatch: int = 30
    not_found: int = 15
    slow: int = 3
    unavailable: int = 2

    def __post_init__(self) -> None:
        if min(self.mismatch, self.not_found, self.slow, self.unavailable) < 0 or self.mismatch + self.not_found + self.slow + self.unavailable > 1000:
            raise ValueError("shares are counts out of 1000 and may not exceed it together")


@dataclass(frozen=True, slots=True)
class People:
    """Answers by seed."""

    seed: int = 0
    shares: Shares = Shares()

    def answer(self, personal_number: str) -> tuple[Answer, tuple[str, ...]]:
        """Give the answer for a number, with the fields that differ (of a mismatch only)."""
        draw = hashlib.sha256(f"{self.seed}:{personal_number}".encode()).digest()
        fields = tuple(field for position, field in enumerate(FIELDS) if draw[8] >> position & 1) or ("full_name",)
        forced = ENDINGS.get(personal_number[-4:])
        if forced is None:
            forced = self._drawn(int.from_bytes(draw[:8], "big") % 1000)
        return forced, fields if forced is Answer.MISMATCH else ()

    def _drawn(self, thousandth: int) -> Answer:
        for share, answer in (
            (self.shares.mismatch, Answer.MISMATCH),
            (self.shares.not_found, Answer.NOT_FOUND),
            (self.shares.slow, Answer.SLOW),
            (self.shares.unavailable, Answer.UNAVAILABLE),
        ):
            if thousandth < share:
                return answer
            thousandth -= share
        return Answer.MATCH
