"""
The alerts speak of what the archive's role `watch` really exports, of every duty, and of nothing else.

Names are those that OTLP's metrics get in Prometheus: dots become underscores, and a unit of seconds a suffix.
"""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from services.archive.domain.duties import Duty, Standing, State, waiting
from services.archive.entrypoints import watch
from services.chassis import telemetry
from services.chassis.clock import SystemClock
from tests.charts import checks
from tests.charts.conftest import objects_of, rendered_text, template

_WORDS = {"max", "by", "time", "absent", "or", "duty", "of"}
_MATCHERS, _NAMES = re.compile(r"\{[^}]*\}"), re.compile(r"[a-z_][a-z0-9_]*")


def rules(values: str = "full-values.yaml", *more: str) -> list[dict[str, Any]]:
    """The rules about the archive."""
    objects = checks.of_kind(objects_of(template(values, *more).stdout if more else rendered_text(values)), "PrometheusRule")
    (thing,) = [thing for thing in objects if thing["metadata"]["name"].endswith("-archive")]
    (group,) = thing["spec"]["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


def metrics_of(expression: str) -> set[str]:
    """The metrics that an expression asks for."""
    return set(_NAMES.findall(_MATCHERS.sub("", expression))) - _WORDS


async def exported(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """What a look of the role leaves behind, as Prometheus names it."""
    reader, stop = InMemoryMetricReader(), asyncio.Event()
    monkeypatch.setattr("services.chassis.telemetry.otel_metrics.get_meter", MeterProvider([reader]).get_meter)
    monkeypatch.setattr(watch, "metrics", telemetry._Metrics())

    async def look() -> list[Standing]:
        stop.set()
        return [waiting(Duty.LOG, None, timedelta(hours=1), SystemClock().now())]

    await watch.DutyWatch(look, SystemClock(), 60).run(stop)  # type: ignore[arg-type]  # What is looked at is no matter here.
    data = reader.get_metrics_data()
    assert data is not None
    found = [metric for resource in data.resource_metrics for scope in resource.scope_metrics for metric in scope.metrics]
    return {metric.name.replace(".", "_") + ("_seconds" if metric.unit == "s" else "") for metric in found}


async def test_every_metric_of_a_rule_is_exported(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = set().union(*(metrics_of(rule["expr"]) for rule in rules()))
    assert asked == {"hocba_archive_duty_state", "hocba_archive_watched_seconds"}
    assert asked <= await exported(monkeypatch)


def test_every_duty_has_an_alert_when_it_is_overdue_and_one_before() -> None:
    states = {f"== {state.rank}": state for state in State}
    found = {(match[1], states[rule["expr"].rpartition(") ")[2]]) for rule in rules() if (match := re.search(r'duty="([a-z_]+)"', rule["expr"]))}
    assert found == {(duty.value, state) for duty in Duty for state in (State.OVERDUE, State.SOON)}
    assert [rule["alert"] for rule in rules() if rule["expr"].endswith(f"== {State.UNKNOWN.rank}")] == ["HocbaArchiveUnknown"]


def test_rules_look_at_their_own_release_alone_and_say_what_to_do() -> None:
    for rule in rules():
        for matchers in _MATCHERS.findall(rule["expr"]):
            assert 'namespace="full",cluster="north"' in matchers
        assert rule["labels"]["severity"] in {"info", "warning", "critical"}
        assert set(rule["annotations"]) == {"summary", "description"}
    assert len({rule["alert"] for rule in rules()}) == len(rules())
    plain = rules("full-values.yaml", "--set", "alerts.selector=")
    assert {rule["expr"] for rule in plain if rule["alert"] == "HocbaArchiveUnknown"} == {"max by (duty, of) (hocba_archive_duty_state) == 2"}


def test_alerts_without_metrics_and_matchers_that_are_none_are_refused() -> None:
    for option, said in (("telemetry.export=none", "telemetry.export to otlp"), ("alerts.selector=namespace", "alerts/selector")):
        outcome = template("full-values.yaml", "--set", option)
        assert outcome.returncode != 0
        assert said in outcome.stderr
