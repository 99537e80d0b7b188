"""
The term's end as Locust runs it: `locust -f loadtests/locustfile.py`, with HOCBA_LOAD_PLAN naming the plan.

This file names the users and the shape, and nothing more. Importing it makes gRPC safe under gevent (loadtests/rpc.py)
and opens no channel, so `--processes` may fork after it.
"""

from __future__ import annotations

import json
import time
from typing import Any

from locust import LoadTestShape, events
from locust.runners import MasterRunner

from loadtests.session import Session
from loadtests.users.department import Department
from loadtests.users.signer import Signers
from loadtests.users.teacher import Teacher
from loadtests.users.verifier import Verifier

__all__ = ["Department", "Signers", "Teacher", "TermEnd", "Verifier"]


class TermEnd(LoadTestShape):
    """Evening and night of a term's last day.

    The rates are in the open loops' curves; the shape says who is there and when it is over: when every transcript that was
    sealed ready is archived, or when the night has passed.
    """

    def tick(self) -> tuple[int, float, list[Any]] | None:
        """Everybody from the start; nobody once the journey is at its end."""
        session = Session.of(self.runner.environment)  # type: ignore[union-attr]  # Locust sets the runner before the first tick.
        if time.monotonic() - session.began > session.plan.evening_seconds + session.plan.night_seconds or self._arrived(session):
            return None
        return 2 * session.processes + 2, 100.0, [Teacher, Verifier, Signers, Department]

    def _arrived(self, session: Session) -> bool:
        try:
            journey = json.loads(session.plan.journey_file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return False
        return bool(session.everybody_is_done() and journey["classes_sealed"] >= session.plan.classes > 0 and journey["under_way"] == 0)


def keep_the_book(environment: Any, **_: Any) -> None:
    """Write the answers of this process. A master has none: its workers asked."""
    if not isinstance(environment.runner, MasterRunner) and hasattr(environment, "hocba_session"):
        Session.of(environment).write()
    # Locust's own verdict knows percentages only; ours is `python -m loadtests.verdict`.
    environment.process_exit_code = 0


events.quitting.add_listener(keep_the_book)  # type: ignore[no-untyped-call]  # Locust leaves its event hooks untyped.
