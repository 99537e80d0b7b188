"""Values that are wrong are refused by name, before anything reaches a cluster."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from tests.charts.conftest import CHART, template

REFUSED = [
    ("kafka.bootstrapServers=", "bootstrapServers"),
    ("kafka.bootstrapServers=kafka", "bootstrapServers"),
    ("postgresql.host=", "postgresql/host"),
    ("postgresql.password=swordfish", "password"),
    ("kafak.tls=true", "kafak"),
    ("image.digest=sha256:123", "digest"),
    ("telemetry.export=jaeger", "export"),
    ("defaults.replica=3", "replica"),
    ("services.grading.replica=3", "replica"),
    ("services.grading.replicas=0", "replicas"),
    ("services.grading.service=gradebook", "service"),
    ("services.grading.autoscaling.kind=vpa", "kind"),
    ("services.grading.secrets.database=", "database"),
    ("services.grading.secrets.password=x", "password"),
    ("services.grading.settings.Bad-Name=1", "Bad-Name"),
    ("services.signing-worker.autoscaling.lagTreshold=10", "lagTreshold"),
    ("services.signing-worker.autoscaling.lag[0].topic=orders", "topic"),
    ("services.printing.replicas=1", "printing"),
    ("migrations.mode=init", "mode"),
    ("trust.existingSecret=", "trust"),
    ("networkPolicy.kafka.ports[0]=70000", "ports"),
    # What a schema can't say: the template refuses with a sentence.
    ("services.grading.autoscaling.kind=keda", "hpa is what it needs"),
    ("services.signing-worker.autoscaling.kind=keda,services.signing-worker.autoscaling.max=13", "further pods would idle"),
    ("services.signing-worker.autoscaling.kind=keda,services.signing-worker.autoscaling.min=13", "is more than max"),
    ("services.grading.graceSeconds=30", "terminationGracePeriodSeconds"),
    ("services.locking.calls[0]=gradebook", "no entry of services"),
    ("kafka.tls=true", "caSecret"),
    ("kafka.tls=true,kafka.caSecret=ca,services.signing-worker.autoscaling.kind=keda", "scalerTlsSecret"),
    ("kafka.topicsBy=strimzi", "strimziCluster"),
    ("telemetry.export=otlp", "otlpEndpoint"),
    ("objectStores.archive=", "needs the object store archive"),
    ("objectStores.archive=bucket", "objectStores/archive"),
    ("objectStores.log=", "needs the object store log"),
    ("timeStamps.url=", "needs a time-stamp authority"),
    ("timeStamps.url=tsa.example.org", "timeStamps/url"),
    ("services.archive.settings.log_policy_file=", "the policy that names its witnesses"),
    ("services.archive.secrets.more.log=", "secrets.more.log is empty"),
    ("services.archive.settings.wrapping_keys_dir=", "no home of wrapping keys"),
]


@pytest.mark.parametrize(("setting", "named"), REFUSED, ids=[setting for setting, _ in REFUSED])
def test_wrong_value_is_refused_by_name(setting: str, named: str) -> None:
    outcome = template("minimal-values.yaml", "--set", setting)
    assert outcome.returncode != 0
    assert named in outcome.stderr


def test_release_without_addresses_is_refused() -> None:
    outcome = template("minimal-values.yaml", "--set", "kafka=null,postgresql=null")
    assert outcome.returncode != 0


def test_schema_closes_every_object_the_chart_owns() -> None:
    schema: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    open_ones = [path for path, node in _objects(schema, "") if "properties" in node and node.get("additionalProperties") is not False]
    assert open_ones == []


def test_schema_and_values_name_the_same_keys() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    for part in [(), ("image",), ("kafka",), ("postgresql",), ("telemetry",), ("migrations",), ("networkPolicy",), ("serviceAccount",), ("defaults",)]:
        node, given = schema, values
        for key in part:
            node, given = node["properties"][key], given[key]
        assert set(node["properties"]) - {"global"} == set(given), f"{part}: schema and values.yaml differ"


def _objects(node: Any, path: str) -> list[tuple[str, dict[str, Any]]]:
    if isinstance(node, list):
        return [found for place, inner in enumerate(node) for found in _objects(inner, f"{path}/{place}")]
    if not isinstance(node, dict):
        return []
    own = [(path or "/", node)] if node.get("type") == "object" else []
    return own + [found for key, inner in node.items() for found in _objects(inner, f"{path}/{key}")]
