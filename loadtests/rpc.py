"""
gRPC for Locust users.

gRPC's C core blocks the thread it is called from, and under Locust that thread runs everybody: without `init_gevent` the
calls of all users are made one after the other, without one error to show for it. It must come before any channel, so it
stands here at import, and this module is the only place that opens channels. Channels are opened at the first call and
not at import, since `locust --processes` forks after importing, and a channel does not survive a fork.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import grpc
import grpc.experimental.gevent  # type: ignore[import-not-found]  # grpc-stubs leave it out.
from google.protobuf.message import Message

from loadtests.plan import Doors
from services.chassis.rpc_client import channel_options

grpc.experimental.gevent.init_gevent()

M = TypeVar("M", bound=Message)

DEADLINE_SECONDS = 15.0
TRIES = 3
OUTCOME_UNKNOWN = {grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNKNOWN, grpc.StatusCode.CANCELLED}

_channels: dict[str, grpc.Channel] = {}


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a call ended: its message or None, the status' name, the server's words, and how often it was tried."""

    message: Any
    code: str
    details: str
    tries: int


def channel(doors: Doors, service: str) -> grpc.Channel:
    """This process's one channel to a service, opened at the first call."""
    if service not in _channels:
        credentials = grpc.ssl_channel_credentials(doors.ca.read_bytes(), doors.key.read_bytes(), doors.certificate.read_bytes())
        # Left to us: a retry inside gRPC would look like one slow try.
        options = [(name, value) for name, value in channel_options(service) if name not in {"grpc.enable_retries", "grpc.service_config"}]
        _channels[service] = grpc.secure_channel(doors.addresses[service], credentials, options=[*options, ("grpc.enable_retries", 0)])
    return _channels[service]


def call(method: Callable[..., M], request: Message, token: str = "") -> Outcome:
    """Call as a careful client does: with a deadline, and the same request again when its outcome is unknown.

    That is harmless by contract: writes carry a request id. Never raises for a status; whatever came last is returned.
    """
    metadata = (("authorization", f"Bearer {token}"),) if token else ()
    tries = 0
    while True:
        tries += 1
        try:
            return Outcome(method(request, timeout=DEADLINE_SECONDS, metadata=metadata), "OK", "", tries)
        except grpc.RpcError as error:
            status = error.code()
            if status not in OUTCOME_UNKNOWN or tries == TRIES:
                return Outcome(None, status.name, str(error.details()), tries)
        time.sleep(0.2 * 2**tries)
