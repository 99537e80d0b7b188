"""The gRPC client's side of the house: mTLS, a deadline on every call, retries of UNAVAILABLE only, errors come back as ours."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import grpc
from opentelemetry import propagate

from services.chassis.errors import KINDS, OutcomeUnknown, ServiceError, Unavailable
from services.chassis.rpc import CODE_KEY, MAX_MESSAGE_BYTES

DEADLINE_SECONDS = 15.0
REPEAT_SECONDS = 0.2
_SERVICE_CONFIG = {
    # Behind a headless Service every pod gets its share; one address is a round of one.
    "loadBalancingConfig": [{"round_robin": {}}],
    "methodConfig": [
        {
            "name": [{}],
            "retryPolicy": {"maxAttempts": 4, "initialBackoff": "0.1s", "maxBackoff": "2s", "backoffMultiplier": 3, "retryableStatusCodes": ["UNAVAILABLE"]},
        }
    ],
}


def channel_options(server_name: str) -> list[tuple[str, Any]]:
    """Options of a channel to the named service, for asyncio and plain channels alike."""
    return [
        ("grpc.ssl_target_name_override", f"{server_name}.hocba.local"),
        ("grpc.service_config", json.dumps(_SERVICE_CONFIG)),
        ("grpc.enable_retries", 1),
        ("grpc.initial_reconnect_backoff_ms", 200),
        ("grpc.min_reconnect_backoff_ms", 500),
        ("grpc.max_reconnect_backoff_ms", 3_000),  # The default lets a caller stay away for two minutes after a restart.
        ("grpc.keepalive_time_ms", 10_000),
        ("grpc.keepalive_timeout_ms", 5_000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
        ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
        ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ]


def open_channel(address: str, server_name: str, *, ca: Path, certificate: Path, key: Path, patience_seconds: float = 0) -> grpc.aio.Channel:
    """A channel to one of our services; calls raise ServiceError kinds instead of gRPC's own errors.

    With patience, a unary call whose outcome is unknown, or whose server is away, is repeated as it is for so long:
    every write carries a request id, so the repeat gets the first answer.
    """
    credentials = grpc.ssl_channel_credentials(ca.read_bytes(), key.read_bytes(), certificate.read_bytes())
    interceptors: Any = [_Outgoing(patience_seconds)]
    return grpc.aio.secure_channel(address, credentials, options=channel_options(server_name), interceptors=interceptors)


def error_of(error: grpc.aio.AioRpcError) -> ServiceError:
    """Our error for a gRPC one. A deadline leaves the outcome unknown: repeat with the same request id."""
    code = next((str(value) for key, value in _pairs(error.trailing_metadata()) if key == CODE_KEY), None)
    status = error.code()
    if status in (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED):
        return OutcomeUnknown(f"no answer in time: {error.details()}", code="deadline")
    for kind in KINDS:
        if kind.status == status.name:
            return kind(error.details() or status.name, code=code)
    return ServiceError(f"{status.name}: {error.details()}", code=code)


def _pairs(metadata: Any) -> list[tuple[str, Any]]:
    return [(item[0], item[1]) for item in metadata or ()]


class _Outgoing(grpc.aio.UnaryUnaryClientInterceptor):  # type: ignore[type-arg]  # Generic in the stubs only.
    """Adds the deadline and the trace context to unary calls, translates their errors, and repeats while its patience lasts."""

    def __init__(self, patience_seconds: float) -> None:
        self._patience = patience_seconds

    async def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
        carrier: dict[str, str] = {}
        propagate.inject(carrier)
        metadata = list(details.metadata or ())
        metadata += [(k, v) for k, v in carrier.items() if k not in dict(metadata)]
        details = grpc.aio.ClientCallDetails(
            details.method,
            details.timeout or DEADLINE_SECONDS,
            grpc.aio.Metadata(*metadata),
            details.credentials,
            True if details.wait_for_ready is None else details.wait_for_ready,
        )
        give_up = time.monotonic() + self._patience
        while True:
            try:
                return await (await continuation(details, request))
            except grpc.aio.AioRpcError as error:
                ours = error_of(error)
                if not isinstance(ours, OutcomeUnknown | Unavailable) or time.monotonic() > give_up:
                    raise ours from error
            await asyncio.sleep(REPEAT_SECONDS)
