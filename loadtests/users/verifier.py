"""The public: people who scan a QR code and ask whether a transcript stands. They bring no token."""

from __future__ import annotations

import base64
import random
import secrets
import time
from itertools import takewhile

import gevent
from gevent.pool import Pool
from locust import User, task
from locust.exception import StopUser

from hocba.archive.v1 import archive_pb2 as pb
from hocba.archive.v1 import archive_pb2_grpc
from loadtests.answers import Answer
from loadtests.arrivals import OpenLoop, poisson
from loadtests.rpc import call, channel
from loadtests.session import Session

UNKNOWN_SHARE = 0.2
"""Part of the questions that are about nothing we know: typing errors, and people who try their luck."""


class Verifier(User):
    """Asks for the status of archived transcripts, and of ids that were never given out, in an open loop."""

    def on_start(self) -> None:
        """Start with no id known; the observer's file brings them as transcripts are archived."""
        self.session = Session.of(self.environment)
        self.plan = self.session.plan
        self.share = self.session.claim("statuses")
        self.draw = random.Random(self.plan.seed * 31 + self.share)  # noqa: S311 - load, not secrets
        self.known: list[str] = []
        self.read_at = 0.0

    @task
    def ask_all(self) -> None:
        """Play the plan of questions until the run ends, then wait for the last answers."""
        pool = Pool()
        loop = OpenLoop(time.monotonic, gevent.sleep, lambda at: pool.spawn(self.ask, at), lambda: len(pool), self.plan.in_flight)
        curve = self.plan.statuses.shared(self.session.processes)
        try:
            plan = poisson(curve, self.plan.seed * 13 + self.share)
            loop.play(takewhile(lambda _: not self.session.ending(), plan))
        finally:
            pool.join(timeout=20)
            self.session.tally(loop.tally)
        raise StopUser

    def ask(self, planned_at: float) -> None:
        """Ask one question and compare the answer with what the archive itself has announced."""
        known = self._known()
        expected = "valid" if known and self.draw.random() >= UNKNOWN_SHARE else "unknown"
        public_id = self.draw.choice(known) if expected == "valid" else never_given_out()
        stub = archive_pb2_grpc.ArchiveStub(channel(self.plan.doors, "archive"))
        outcome = call(stub.GetStatus, pb.GetStatusRequest(public_id=public_id))
        said = outcome.message.status if outcome.code == "OK" else ""
        self.session.note(
            Answer(
                "status",
                planned_at - self.session.began,
                (time.monotonic() - planned_at) * 1000,
                outcome.code,
                outcome.tries,
                contradicts=f"said {said}, expected {expected}" if said and said != expected else "",
            ),
            f"{outcome.code}: {outcome.details}",
        )

    def _known(self) -> list[str]:
        if time.monotonic() - self.read_at > 1.0:
            self.read_at = time.monotonic()
            if self.plan.public_ids_file.exists():
                self.known = self.plan.public_ids_file.read_text(encoding="ascii").split()
        return self.known


def never_given_out() -> str:
    """A public id of the right form that nobody was given: 128 random bits in base32."""
    return base64.b32encode(secrets.token_bytes(16)).decode().rstrip("=").lower()
