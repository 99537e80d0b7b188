"""Teachers on the last evening of a term: class sheets, saved as a whole, at moments of their own choosing."""

from __future__ import annotations

import random
import time
import uuid
from typing import Any

import gevent
from gevent.pool import Pool
from locust import User, task
from locust.exception import StopUser

from hocba.common.v1.common_pb2 import Term
from hocba.grading.v1 import grading_pb2 as pb
from hocba.grading.v1 import grading_pb2_grpc
from loadtests.answers import Answer
from loadtests.arrivals import OpenLoop, poisson
from loadtests.marks import sheet
from loadtests.plan import Gradebook, Plan
from loadtests.rpc import call, channel
from loadtests.session import Session

CORRECTED_SHARE = 0.2
"""Part of a class that is written again when a sheet is opened a second time."""


class Teacher(User):
    """All teachers of one share of the evening: an open loop in one user, so that no answer delays another's arrival."""

    def on_start(self) -> None:
        """Open nothing yet; claim a share of the evening."""
        self.session = Session.of(self.environment)
        self.plan: Plan = self.session.plan
        self.share = self.session.claim("sheets")
        self.draw = random.Random(self.plan.seed * 1000 + self.share)  # noqa: S311 - marks, not secrets
        # Every sheet once, in an order nobody planned; after that, corrections until the evening is over.
        mine = list(self.plan.gradebooks[self.share :: self.session.processes])
        self.draw.shuffle(mine)
        self.mine, self.turn = mine, 0

    @task
    def evening(self) -> None:
        """Play the whole evening once, wait for the last answers, and go home."""
        pool = Pool()
        loop = OpenLoop(time.monotonic, gevent.sleep, lambda at: pool.spawn(self.save, at), lambda: len(pool), self.plan.in_flight)
        began = time.monotonic()
        curve = self.plan.sheets.shared(self.session.processes)
        loop.play(poisson(curve, self.plan.seed * 7 + self.share))
        # What chance has left out is saved in the last minutes: a sheet that nobody fills can't be sealed.
        while self.turn < len(self.mine):
            if len(pool) < self.plan.in_flight:
                loop.play([0.05])
            else:
                gevent.sleep(0.05)
        pool.join()
        self.session.tally(loop.tally)
        self.session.evening_is_over(self.share, time.monotonic() - began)
        raise StopUser

    def save(self, planned_at: float) -> None:
        """Save one sheet and note what was accepted; faults of single cells are not accepted marks."""
        book, first = self._next_book()
        if book is None:
            return
        cells = tuple(sheet(book, self.draw, 1.0 if first else CORRECTED_SHARE))
        stub = grading_pb2_grpc.GradingStub(channel(self.plan.doors, "grading"))
        method: Any = stub.EnterSheet if book.subject else stub.EnterHomeroom
        outcome = call(method, request_of(book, cells), self.plan.tokens[book.account])
        after_ms = (time.monotonic() - planned_at) * 1000
        version, kept = 0, cells
        if outcome.code == "OK":
            version = outcome.message.version
            faulty = {(fault.pupil_id, fault.column) for fault in outcome.message.faults}
            kept = tuple(cell for cell in cells if cell[:2] not in faulty)
        self.session.note(
            Answer(
                "sheet",
                planned_at - self.session.began,
                after_ms,
                outcome.code,
                outcome.tries,
                book.class_id,
                book.subject,
                book.term,
                version,
                kept,
                contradicts=f"{len(cells) - len(kept)} cells refused" if len(kept) < len(cells) else "",
            ),
            f"{outcome.code}: {outcome.details}",
        )

    def _next_book(self) -> tuple[Gradebook | None, bool]:
        place, self.turn = self.turn, self.turn + 1
        if not self.mine:
            return None, False
        return self.mine[place % len(self.mine)], place < len(self.mine)


def request_of(book: Gradebook, cells: tuple[tuple[str, str, str], ...]) -> pb.EnterSheetRequest | pb.EnterHomeroomRequest:
    """The request that saves `cells`, with an id of its own that stays the same in every retry."""
    wire = [pb.Cell(pupil_id=pupil, column=column, value=value) for pupil, column, value in cells]
    request_id, term = str(uuid.uuid4()), Term.ValueType(book.term)
    if book.subject:
        return pb.EnterSheetRequest(request_id=request_id, class_id=book.class_id, subject=book.subject, term=term, cells=wire)
    return pb.EnterHomeroomRequest(request_id=request_id, class_id=book.class_id, term=term, cells=wire)
