"""What a provider may do wrong: a test says so through `/control`, as often as it says."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass
class Behaviour:
    """Each number counts down once per call that it spoils; times are in seconds."""

    busy: int = 0
    """Calls answered with 429."""
    unavailable: int = 0
    """Calls answered with 503."""
    drop_after_signing: int = 0
    """signHash calls that are carried out and get no answer: the connection breaks."""
    drop_before_signing: int = 0
    """signHash calls that get no answer and aren't carried out."""
    other_hash: int = 0
    """signHash calls that sign something else."""
    forget: bool = False
    """signPolling knows nothing."""
    decline: bool = False
    """The signer says no on the phone."""
    slow_seconds: float = 0.0
    """Each call takes so much longer."""
    ready_seconds: float = 0.0
    """An asynchronous signature takes so long."""
    notify: bool = True
    """Notices are sent to the address that the client gave."""

    def spoils(self, name: str) -> bool:
        """Whether this call is one of those; counts down."""
        left: int = getattr(self, name)
        if left > 0:
            setattr(self, name, left - 1)
        return left > 0

    def change(self, wanted: dict[str, object]) -> None:
        """Set what is named; ValueError for a name that there isn't."""
        known = {field.name for field in fields(self)}
        for name, value in wanted.items():
            if name not in known:
                raise ValueError(f"no behaviour {name!r}; there is {', '.join(sorted(known))}")
            setattr(self, name, value)
