"""The gRPC server's side of the house: who may call, deadlines, errors, telemetry, health.

Every rule comes from the proto options of the method: a method without `allowed_callers` can be called by nobody.
The checks run in this order: deadline, certificate, token and role; then the handler; then errors become statuses.
"""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

import grpc
from google.protobuf import descriptor_pool
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from opentelemetry import trace

from hocba.options.v1 import options_pb2
from services.chassis.errors import Denied, ServiceError
from services.chassis.identity import Actor, TokenVerifier, service_actor, set_current_actor
from services.chassis.settings import ServiceSettings
from services.chassis.telemetry import log, metrics, remote_context, tracer

CODE_KEY = "hocba-error-code"
"""Trailing metadata that carries a ServiceError's code."""
TRUST_DOMAIN = "spiffe://hocba.local/"
EDGE = "edge"
MAX_MESSAGE_BYTES = 64 << 20

SERVER_OPTIONS: list[tuple[str, Any]] = [
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_connection_age_ms", 300_000),
    ("grpc.max_connection_age_grace_ms", 30_000),
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.so_reuseport", 0),
]


@dataclass(frozen=True, slots=True)
class Access:
    """Who may call a method."""

    callers: frozenset[str]
    roles: frozenset[str]


def access_table(*services: str) -> dict[str, Access]:
    """`/package.Service/Method` -> who may call it, read from the options of the named services."""
    table = {}
    for name in services:
        for method in descriptor_pool.Default().FindServiceByName(name).methods:
            options = method.GetOptions().Extensions
            table[f"/{name}/{method.name}"] = Access(frozenset(options[options_pb2.allowed_callers]), frozenset(options[options_pb2.allowed_roles]))
    return table


def caller_of(context: Any) -> str:
    """The mTLS name of the caller: the last part of the SPIFFE id in its certificate."""
    for value in context.auth_context().get("x509_subject_alternative_name", []):
        text = str(value, "utf-8")
        if text.startswith(TRUST_DOMAIN):
            return text.removeprefix(TRUST_DOMAIN)
    raise Denied("the client certificate carries no name of ours", code="no_certificate")


class Guard(grpc.aio.ServerInterceptor):  # type: ignore[type-arg]  # Generic in the stubs only.
    """Wraps every handler in the checks of this module."""

    def __init__(self, table: dict[str, Access], tokens: TokenVerifier, service: str) -> None:
        self._table, self._tokens, self._service = table, tokens, service

    async def intercept_service(self, continuation: Any, details: Any) -> Any:
        handler = await continuation(details)
        if handler is None or details.method.startswith(("/grpc.health.", "/grpc.reflection.")):
            return handler
        for kind, wrap in (("unary_unary", self._unary), ("stream_unary", self._unary), ("unary_stream", self._stream), ("stream_stream", self._stream)):
            inner = getattr(handler, kind)
            if inner:
                make = getattr(grpc, f"{kind}_rpc_method_handler")
                return make(wrap(inner, details.method), handler.request_deserializer, handler.response_serializer)
        return handler

    def _unary(self, inner: Callable[..., Awaitable[Any]], method: str) -> Callable[..., Awaitable[Any]]:
        async def call(request: Any, context: Any) -> Any:
            async with _Call(self, method, context):
                return await inner(request, context)

        return call

    def _stream(self, inner: Callable[..., AsyncIterator[Any]], method: str) -> Callable[..., AsyncIterator[Any]]:
        async def call(request: Any, context: Any) -> AsyncIterator[Any]:
            async with _Call(self, method, context):
                async for answer in inner(request, context):
                    yield answer

        return call

    def admit(self, method: str, context: Any) -> Actor:
        """The verified actor of the call; raises Denied."""
        access = self._table[method]
        caller = caller_of(context)
        if caller not in access.callers:
            raise Denied(f"{caller} may not call {method}", code="caller_not_allowed")
        header = dict(context.invocation_metadata() or ()).get("authorization", "")
        if header:
            actor = self._tokens.verify(str(header).removeprefix("Bearer "), time.time())
        elif caller != EDGE:
            return service_actor(caller)
        elif "public" in access.roles:
            return Actor("public", "public")
        else:
            raise Denied("this call needs a token: send authorization: Bearer <token>", code="no_token")
        if caller != EDGE or access.roles & {"any", "public"}:
            return actor
        # Only the roles that open this method come along: a scope held by another role must open nothing here.
        held = tuple(role for role in actor.roles if role.name in access.roles)
        if not held:
            raise Denied(f"needs one of the roles {', '.join(sorted(access.roles))}", code="role_missing")
        return replace(actor, roles=held)


class _Call:
    """One call: admitted on entry, its outcome turned into a status and counted on exit."""

    def __init__(self, guard: Guard, method: str, context: Any) -> None:
        self._guard, self._method, self._context = guard, method, context

    async def __aenter__(self) -> None:
        self._started = time.perf_counter()
        parent = remote_context({k: v for k, v in self._context.invocation_metadata() or () if isinstance(v, str)})
        self._span = tracer.start_as_current_span(self._method[1:], context=parent, kind=trace.SpanKind.SERVER)
        self._span.__enter__()
        if self._context.time_remaining() is None:
            await self._end(grpc.StatusCode.INVALID_ARGUMENT, "no_deadline", "every call needs a deadline: set a timeout")
        try:
            set_current_actor(self._guard.admit(self._method, self._context))
        except ServiceError as error:
            await self._end(grpc.StatusCode[error.status], error.code, error.message)

    async def __aexit__(self, kind: Any, error: BaseException | None, trace_back: Any) -> None:
        if error is None:
            self._count("OK")
            return
        if isinstance(error, ServiceError):
            await self._end(grpc.StatusCode[error.status], error.code, error.message)
        if isinstance(error, grpc.aio.AbortError) or not isinstance(error, Exception):
            self._count("CANCELLED")
            return
        log.error("call failed", method=self._method, exc_info=error)
        await self._end(grpc.StatusCode.INTERNAL, "internal", "an error on our side; it is logged under this call's trace")

    async def _end(self, status: grpc.StatusCode, code: str, message: str) -> None:
        self._count(status.name)
        if status is not grpc.StatusCode.INTERNAL:
            log.info("call refused", method=self._method, status=status.name, code=code)
        await self._context.abort(status, message, ((CODE_KEY, code),))

    def _count(self, status: str) -> None:
        labels = {"rpc.method": self._method[1:], "rpc.status_code": status, "service": self._guard._service}
        metrics.calls.record(time.perf_counter() - self._started, labels)
        self._span.__exit__(None, None, None)


class Server:
    """The gRPC server of a service with mTLS, health, reflection, and the guard in front of every method."""

    def __init__(self, settings: ServiceSettings, service: str, names: tuple[str, ...]) -> None:
        self._settings, self._names = settings, names
        self._guard = Guard(access_table(*names), TokenVerifier(settings.token_keys_file, settings.token_issuer), service)
        self.health: Any = health.aio.HealthServicer()  # type: ignore[attr-defined]  # The stubs do not know the asyncio half.
        self.grpc = grpc.aio.server(interceptors=[self._guard], options=SERVER_OPTIONS)
        self._plain: grpc.aio.Server | None = None
        self.address = ""

    async def start(self) -> None:
        """Open the doors; health says NOT_SERVING until `ready` is told otherwise."""
        await self.ready(False)
        health_pb2_grpc.add_HealthServicer_to_server(self.health, self.grpc)
        reflection.enable_server_reflection((*self._names, health_pb2.DESCRIPTOR.services_by_name["Health"].full_name, reflection.SERVICE_NAME), self.grpc)
        settings = self._settings
        credentials = grpc.ssl_server_credentials(
            [(settings.tls_key_file.read_bytes(), settings.tls_certificate_file.read_bytes())],
            root_certificates=settings.tls_ca_file.read_bytes(),
            require_client_auth=True,
        )
        host = settings.listen.rsplit(":", 1)[0]
        port = self.grpc.add_secure_port(settings.listen, credentials)
        self.address = f"{host}:{port}"
        await self.grpc.start()
        if settings.health_listen:
            self._plain = grpc.aio.server()
            health_pb2_grpc.add_HealthServicer_to_server(self.health, self._plain)
            self._plain.add_insecure_port(settings.health_listen)
            await self._plain.start()
        log.info("listening", address=self.address)

    async def ready(self, yes: bool) -> None:
        """Tell health checkers, of the whole server (`""`, `readiness`) and of each of its services."""
        status = health_pb2.HealthCheckResponse.SERVING if yes else health_pb2.HealthCheckResponse.NOT_SERVING
        for name in ("", "readiness", *self._names):
            await self.health.set(name, status)
        await self.health.set("liveness", health_pb2.HealthCheckResponse.SERVING)

    async def stop(self, grace: float) -> None:
        """Refuse new calls, let running ones finish within `grace` seconds."""
        await self.grpc.stop(grace)
        if self._plain:
            await self._plain.stop(0)
