"""Traces, metrics and JSON logs, set up in one call; none of them ever holds personal data.

Logs carry ids, counts and codes. `_redact` is the last net: values of keys that could name a person are blanked,
and so is anything that looks like a personal number.
"""

import json
import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from datetime import UTC, datetime
from typing import Any

import structlog
from opentelemetry import metrics as otel_metrics
from opentelemetry import propagate, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import ConsoleMetricExporter, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter

log: structlog.stdlib.BoundLogger = structlog.get_logger()
tracer = trace.get_tracer("hocba")

_PERSONAL_KEYS = re.compile(r"name$|birth|address|personal|mark|comment|father|mother|guardian|payload|token|password|pin$")
_ALLOWED_KEYS = frozenset({"address", "service_name", "topic_name", "logger_name"})
_PERSONAL_NUMBER = re.compile(r"(?<!\d)\d{12}(?!\d)")
# PostgreSQL tells the values of a refused row in an error's DETAIL, up to the next error of a chain.
_ROW_VALUES = re.compile(r"DETAIL:  .*?(?=\nHINT:|\n\n(?:During handling|The above exception)|\Z)", re.DOTALL)


class _Metrics:
    """Every metric of the house, by name, with its unit; labels hold service, method, code, type, lane, state, duty or witness, never a person or a school."""

    def __init__(self) -> None:
        meter = otel_metrics.get_meter("hocba")
        self.calls = meter.create_histogram("rpc.server.call.duration", unit="s", description="gRPC calls by method and status")
        self.http_requests = meter.create_histogram("http.server.request.duration", unit="s", description="HTTP requests by route, status and outcome")
        self.relayed = meter.create_counter("hocba.outbox.relayed", unit="{event}", description="events that brokers have acknowledged")
        self.waiting = meter.create_gauge("hocba.outbox.waiting", unit="{event}", description="events that brokers have not acknowledged yet")
        self.oldest = meter.create_gauge("hocba.outbox.oldest", unit="s", description="how long the oldest of them has waited")
        self.consumed = meter.create_counter("hocba.consumer.events", unit="{event}", description="events applied, by type")
        self.parked = meter.create_counter("hocba.consumer.parked", unit="{event}", description="events put aside, by type")
        self.duty_state = meter.create_gauge("hocba.archive.duty.state", unit="{state}", description="0 kept, 1 soon overdue, 2 unknown, 3 overdue; by duty")
        self.duty_left = meter.create_gauge("hocba.archive.duty.left", unit="s", description="until a duty is overdue; negative afterwards; by duty")
        self.watched = meter.create_gauge("hocba.archive.watched", unit="s", description="when the archive's duties were looked at, in seconds since 1970")
        self.backlog = meter.create_gauge("hocba.work.backlog", unit="{document}", description="work that waits or is under way, by lane and state")
        self.discrepancies = meter.create_gauge("hocba.reconcile.differences", unit="{transcript}", description="found by the last whole comparison, by state")
        self.reconciled = meter.create_gauge("hocba.reconcile.age", unit="s", description="how long ago that was")
        self.event_age = meter.create_histogram("hocba.consumer.event_age", unit="s", description="from announcement to application")


metrics = _Metrics()


def configure(service: str, *, level: str, export: str, otlp_endpoint: str, instance: str) -> None:
    """Set up logging, and tracing and metrics if asked for. Call once per process."""
    libraries = logging.StreamHandler(sys.stderr)
    libraries.setFormatter(_JSONLines(service, instance))
    libraries.addFilter(_Calm())
    logging.basicConfig(level=level.upper(), handlers=[libraries])
    logging.getLogger("aiokafka").setLevel(logging.ERROR)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
            _trace_ids,
            structlog.processors.format_exc_info,
            redact,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service, instance=instance)
    resource = Resource.create({"service.name": f"hocba-{service}", "service.instance.id": instance})
    # Spans are made even when nobody exports them: logs and events then share trace ids across services.
    traces = TracerProvider(resource=resource)
    trace.set_tracer_provider(traces)
    if export == "none":
        return
    spans, readings = _exporters(export, otlp_endpoint)
    traces.add_span_processor(BatchSpanProcessor(spans))
    otel_metrics.set_meter_provider(MeterProvider(resource=resource, metric_readers=[PeriodicExportingMetricReader(readings)]))


class _JSONLines(logging.Formatter):
    """What libraries log, in the shape of our own lines."""

    def __init__(self, service: str, instance: str) -> None:
        super().__init__()
        self._fixed = {"service": service, "instance": instance}

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat()
        line = {"event": record.getMessage(), "logger": record.name, **self._fixed, "level": record.levelname.lower(), "ts": at}
        return json.dumps(redact(None, "", line), ensure_ascii=False)


class _Calm(logging.Filter):
    """Lets one line of a kind through in a while: a client that retries logs hundreds a second while a broker is away."""

    SECONDS = 10.0

    def __init__(self) -> None:
        super().__init__()
        self._last: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        kind = (record.name, str(record.msg))
        if record.created - self._last.get(kind, 0.0) < self.SECONDS:
            return False
        self._last[kind] = record.created
        return True


def _exporters(export: str, endpoint: str) -> tuple[Any, Any]:
    if export == "console":
        return ConsoleSpanExporter(out=sys.stderr), ConsoleMetricExporter(out=sys.stderr)
    from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter(endpoint=endpoint, insecure=True), OTLPMetricExporter(endpoint=endpoint, insecure=True)


def current_traceparent() -> str:
    """The W3C trace context of the running span, or an empty string."""
    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    return carrier.get("traceparent", "")


def remote_context(headers: Mapping[str, str]) -> Any:
    """The trace context that a caller or an event brought along."""
    return propagate.extract(dict(headers))


def _trace_ids(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        event["trace_id"], event["span_id"] = f"{context.trace_id:032x}", f"{context.span_id:016x}"
    return event


def redact(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Blank what could name a person; the last net under code that should not have logged it."""
    for key, value in list(event.items()):
        if key not in _ALLOWED_KEYS and _PERSONAL_KEYS.search(key):
            event[key] = "[redacted]"
        elif isinstance(value, str):
            event[key] = _ROW_VALUES.sub("DETAIL: [redacted]", _PERSONAL_NUMBER.sub("[redacted]", value))
    return event
