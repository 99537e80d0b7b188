"""Find a pupil's transcripts across all provinces, for a transfer or an admission."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.chassis.clock import Clock
from services.chassis.errors import Denied
from services.register.application.ports import Account, FoundRecord, Register

LONGEST_PUPIL = 35


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a transcript, as it stands now."""

    record: FoundRecord
    status: str
    """valid, superseded, withdrawn"""


@dataclass(frozen=True, slots=True)
class FindPupil:
    """For accounts that have the right; each question is kept."""

    register: Register
    clock: Clock

    async def __call__(self, account: Account, pupil: str) -> Sequence[Version]:
        """Every version of every transcript of the pupil with this personal number or ministry code. Denied without the right."""
        if not account.may_find:
            raise Denied("this account may not look pupils up; ask the register's operator for the right", code="may_not_find")
        return versions(await self.register.find(account.department, pupil[:LONGEST_PUPIL], self.clock.now()))


def versions(records: Sequence[FoundRecord]) -> list[Version]:
    """Versions with their status. A withdrawal counts for the document that it names, whatever came after it."""
    withdrawn = {(one.department, one.sha256) for one in records if one.operation == "CANCEL"}
    latest: dict[tuple[str, str], int] = {}
    issued = [one for one in records if one.operation != "CANCEL"]
    for one in issued:
        key = (one.department, one.transcript_id)
        latest[key] = max(latest.get(key, 0), one.version)
    found = []
    for one in issued:
        status = "valid" if latest[one.department, one.transcript_id] == one.version else "superseded"
        found.append(Version(one, "withdrawn" if (one.department, one.sha256) in withdrawn else status))
    return found
