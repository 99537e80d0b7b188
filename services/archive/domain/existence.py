"""
Since when a document is proven to exist, and what its signatures are worth by that (ETSI EN 319 102-1 section 5.6.2: proofs of existence).

A certificate vouches for its signatures while it is in force and its algorithms are good. Once it has ended or is revoked, or its kind of key or digest
is broken, somebody may make signatures that claim an earlier time, so from then on only a proof counts that the signature was there before.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.archive.domain.findings import Finding, Reason


@dataclass(frozen=True, slots=True)
class TimeStamp:
    """A document time stamp that was good when it was made. It proves its time to whoever looks before `in_force_until`."""

    at: datetime
    in_force_until: datetime
    """The first moment at which its authority's certificates have ended, one of them is revoked, or an algorithm is no longer good."""


def judge_existence(
    signers: Iterable[tuple[str, datetime]], stamps: Sequence[TimeStamp], since: datetime | None, now: datetime
) -> tuple[datetime, tuple[Finding, ...]]:
    """(the earliest moment at which all signatures are proven to have been there, a finding for each that its certificate no longer vouched for by then).

    `signers`: role, and the first moment at which its certificates have ended, one of them is revoked, or an algorithm is no longer good. `stamps`: the
    document's own, each over those before it. `since`: what something outside of the file proves of its bytes, an evidence record for one; None: nothing.
    What nothing proves exists `now`.
    """
    proven = now if since is None else since
    for stamp in reversed(stamps):
        # Each rests on what is outside of it; one whose authority's time was over by then proves nothing, an older one may all the same.
        if proven < stamp.in_force_until:
            proven = min(proven, stamp.at)
    earliest = f"the earliest proof that it exists is of {proven.isoformat()}" if proven < now else "nothing proves that it existed before now"
    return proven, tuple(
        Finding(Reason.EXISTENCE_UNPROVEN, f"the signature of {role}: its certificate and algorithms were in force until {until.isoformat()}; {earliest}")
        for role, until in signers
        if proven >= until
    )
