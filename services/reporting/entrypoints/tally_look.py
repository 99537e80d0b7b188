"""The dashboard's sections on what is counted beside the pupils, as its templates show them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.reporting import contracts
from services.reporting.application.tally_ports import Tally


@dataclass(frozen=True, slots=True)
class Office:
    """One line: an office, and how many of those who hold it can sign."""

    code: str
    signers: int
    holding: int
    expiring: int
    expired: int
    revoked: int
    without: int

    @property
    def share(self) -> float:
        """Of those who hold the office, from 0 to 1."""
        return self.holding / self.signers


@dataclass(frozen=True, slots=True)
class Sections:
    """What a page shows of it: of its scope, and of the scope's parts."""

    staff: tuple[Tally, Sequence[Tally]]
    expiring_days: int

    @property
    def offices(self) -> list[Office]:
        """Of the scope; the first counts each member of staff once."""
        return _offices(self.staff[0])

    @property
    def staff_parts(self) -> list[tuple[Tally, Office]]:
        """Each part with its members of staff, counted once each."""
        return [(part, offices[0]) for part in self.staff[1] if (offices := _offices(part)) and offices[0].code == "staff"]


def _offices(tally: Tally) -> list[Office]:
    return [
        Office(told.office, told.signers, told.holding, told.expiring, told.expired, told.revoked, told.without) for told in contracts.readiness(tally).offices
    ]
