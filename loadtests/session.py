"""One generator process's part of a run: its share, its book of answers, and how far the evening has come."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from locust.runners import STATE_CLEANUP, STATE_STOPPED, STATE_STOPPING

from loadtests.answers import Answer, Book
from loadtests.arrivals import Tally
from loadtests.plan import Plan

# Expected ends of a call. Anything else is shown as a failure in Locust's own tables too.
FINE = {"OK"}


class Session:
    """Shared by all users of a process; kept on Locust's environment."""

    def __init__(self, environment: Any, plan: Plan) -> None:
        self.environment, self.plan = environment, plan
        self.book = Book()
        self.began = time.monotonic()
        self.processes = max(1, int(os.environ.get("HOCBA_LOAD_PROCESSES", "1")))

    @classmethod
    def of(cls, environment: Any) -> Session:
        """The process's session, made when the first user asks."""
        if not hasattr(environment, "hocba_session"):
            environment.hocba_session = cls(environment, Plan.read())
        session: Session = environment.hocba_session
        return session

    def claim(self, part: str) -> int:
        """Return this user's share of a part that is divided over `processes` users: 0, 1, ...; each is given out once.

        Locust deals users out in an order of its own, so both teachers of a run may live in one process. The run's
        folder is what all processes have in common, and making a file there succeeds for one of them.
        """
        for share in range(self.processes):
            try:
                (self.plan.folder / f"share-{part}-{share}").touch(exist_ok=False)
            except FileExistsError:
                continue
            return share
        raise RuntimeError(f"{self.processes} shares of {part} are given out already; HOCBA_LOAD_PROCESSES must equal --processes")

    def note(self, answer: Answer, failure: str = "") -> None:
        """Write an answer into the book, and tell Locust for its live tables."""
        self.book.answers.append(answer)
        self.environment.events.request.fire(
            request_type="grpc",
            name=answer.kind,
            response_time=answer.after_ms,
            response_length=0,
            exception=None if answer.code in FINE else RuntimeError(failure),
            context={},
        )

    def tally(self, tally: Tally) -> None:
        """Add what became of one open loop's arrivals."""
        self.book.tallies.append({"planned": tally.planned, "dropped": tally.dropped, "worst_lateness_s": tally.worst_lateness_seconds})

    def evening_is_over(self, share: int, seconds: float) -> None:
        """All sheets of a share are answered: when this is so of every share, the windows may close."""
        (self.plan.folder / f"evening-{share}").write_text(f"{seconds:.1f}\n")

    def everybody_is_done(self) -> bool:
        """Whether the teachers of every process have gone home."""
        return len(list(self.plan.folder.glob("evening-*"))) >= self.processes

    def ending(self) -> bool:
        """Whether the run is being stopped: open loops then plan nothing more."""
        return self.environment.runner.state in {STATE_STOPPING, STATE_STOPPED, STATE_CLEANUP}

    def write(self) -> Path:
        """Write this process's book into the run's folder."""
        file = self.plan.folder / f"answers-{os.getpid()}.jsonl"
        self.book.write(file)
        return file
