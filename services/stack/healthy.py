"""
Is this process ready? Exit status 0 when its plaintext health port says so, else 1: for container health checks.

    python -m services.stack.healthy 127.0.0.1:8081
"""

from __future__ import annotations

import sys

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

SECONDS = 2.0


def ready(address: str) -> bool:
    """Whether `readiness` is SERVING at `address` within two seconds."""
    with grpc.insecure_channel(address, options=[("grpc.enable_retries", 0)]) as channel:
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service="readiness"), timeout=SECONDS)
        except grpc.RpcError:
            return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


if __name__ == "__main__":
    sys.exit(0 if ready(sys.argv[1]) else 1)
