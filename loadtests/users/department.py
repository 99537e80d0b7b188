"""The department of education: closes the windows when the evening is over, and so lets the sealing begin."""

from __future__ import annotations

import time
import uuid

from locust import User, constant, task
from locust.exception import StopUser

from hocba.locking.v1 import locking_pb2 as pb
from hocba.locking.v1 import locking_pb2_grpc
from loadtests.answers import Answer
from loadtests.rpc import call, channel
from loadtests.session import Session


class Department(User):
    """One officer who watches the clock."""

    wait_time = constant(0.5)
    fixed_count = 1

    @task
    def close_windows(self) -> None:
        """Close every window once all teachers are done; until then, look again."""
        session = Session.of(self.environment)
        if not session.everybody_is_done():
            return
        stub = locking_pb2_grpc.LockingStub(channel(session.plan.doors, "locking"))
        for window in session.plan.windows:
            began = time.monotonic()
            request = pb.CloseWindowRequest(request_id=str(uuid.uuid4()), window_id=window.window_id, reason="Hết hạn nhập điểm")
            outcome = call(stub.CloseWindow, request, session.plan.tokens[window.account])
            answer = Answer("close window", began - session.began, (time.monotonic() - began) * 1000, outcome.code, outcome.tries)
            session.note(answer, f"{outcome.code}: {outcome.details}")
        raise StopUser
