"""Until when algorithms are good: a table of dates that is data, because nobody can know today what breaks tomorrow."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class KeyRow:
    """Keys of a kind (`rsa`, `ec`, ...) with at least so many bits are good until a date; None: no end is known."""

    kind: str
    bits: int
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class AlgorithmPolicy:
    """What isn't named is not accepted. An end is the first moment at which the algorithm is no longer good."""

    digests: Mapping[str, datetime | None]
    keys: Sequence[KeyRow]

    def digest_good(self, name: str, at: datetime) -> bool:
        """Whether a digest algorithm (`sha256`, ...) is good at a moment."""
        if name not in self.digests:
            return False
        until = self.digests[name]
        return until is None or at < until

    def digest_until(self, name: str) -> datetime | None:
        """Until when a digest algorithm is good; the beginning of time for one that isn't accepted."""
        return self.digests.get(name, _NEVER)

    def key_until(self, kind: str, bits: int) -> datetime | None:
        """Until when signatures by such a key are."""
        ends = [row.until for row in self.keys if row.kind == kind and bits >= row.bits]
        return None if None in ends else max((end for end in ends if end), default=_NEVER)

    def key_good(self, kind: str, bits: int, at: datetime) -> bool:
        """Whether signatures by such a key are good at a moment."""
        return any(row.kind == kind and bits >= row.bits and (row.until is None or at < row.until) for row in self.keys)
