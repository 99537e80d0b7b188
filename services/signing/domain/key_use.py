"""What a key did, compared with what it was meant to do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class KeyUse:
    """One line of a worker's key journal: the digest that was given to a key, and the intent it was given for."""

    intent_id: str
    digest: bytes
    where: str


@dataclass(frozen=True, slots=True)
class KeyUseReport:
    """How many uses there were, and each that no intent covers."""

    uses: int
    intents: int
    problems: tuple[str, ...]


def compared(uses: Iterable[KeyUse], intended: Mapping[str, bytes]) -> KeyUseReport:
    """Every digest that a key saw must stand in an intent, recorded before; repeats after a crash are the same digest."""
    count = 0
    used: set[str] = set()
    problems: list[str] = []
    for use in uses:
        count += 1
        used.add(use.intent_id)
        wanted = intended.get(use.intent_id)
        if wanted is None:
            problems.append(f"{use.where}: intent {use.intent_id} was never recorded")
        elif wanted != use.digest:
            problems.append(f"{use.where}: intent {use.intent_id} names another digest")
    return KeyUseReport(count, len(used), tuple(problems))
