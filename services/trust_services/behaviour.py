"""How the stand-in may be told to misbehave, as outside services do: for tests, by `PUT /behaviour`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Stamping(StrEnum):
    """What the time-stamp authority does."""

    NORMAL = "normal"
    WRONG_NONCE = "wrong_nonce"
    NO_NONCE = "no_nonce"
    WRONG_IMPRINT = "wrong_imprint"
    WRONG_POLICY = "wrong_policy"
    WRONG_SIGNATURE = "wrong_signature"
    EXPIRED = "expired"  # its certificate ended yesterday
    STRANGER = "stranger"  # its certificate is of an authority that nobody knows
    WRONG_USAGE = "wrong_usage"  # its certificate isn't for time stamps
    EARLY = "early"  # it stamps the time of an hour ago
    REJECTS = "rejects"
    GARBAGE = "garbage"
    DOWN = "down"
    SLOW = "slow"


class Answering(StrEnum):
    """What the OCSP responder, or the place of the revocation lists, does."""

    NORMAL = "normal"
    WRONG_NONCE = "wrong_nonce"
    NO_NONCE = "no_nonce"
    UNKNOWN = "unknown"
    STALE = "stale"  # its answer ended an hour ago
    STRANGER = "stranger"  # signed by an authority that nobody knows
    OTHER = "other"  # an answer about another certificate
    NOT_A_RESPONDER = "not_a_responder"  # signed with a certificate of the right authority that isn't a responder's
    TRY_LATER = "try_later"
    GARBAGE = "garbage"
    DOWN = "down"
    SLOW = "slow"


@dataclass(frozen=True, slots=True)
class Behaviour:
    """One choice for each service; `seconds` is how long a slow answer takes, `at` the time that all tell instead of the machine's."""

    tsa: Stamping = Stamping.NORMAL
    ocsp: Answering = Answering.NORMAL
    crl: Answering = Answering.NORMAL
    seconds: float = 30.0
    at: datetime | None = None

    @classmethod
    def of(cls, told: dict[str, object]) -> Behaviour:
        """From JSON; what isn't named is normal, and an unknown name or word is a ValueError."""
        if unknown := set(told) - {"tsa", "ocsp", "crl", "seconds", "at"}:
            raise ValueError(f"no such service: {', '.join(sorted(unknown))}")
        ocsp, crl = (Answering(str(told.get(name, "normal"))) for name in ("ocsp", "crl"))
        at = datetime.fromisoformat(str(told["at"])) if told.get("at") else None
        return cls(Stamping(str(told.get("tsa", "normal"))), ocsp, crl, float(str(told.get("seconds", 30))), at)
