"""
Objects of operators (KEDA, Strimzi) have no schema in Kubernetes, so a misspelt key would be dropped without a word.

What KEDA 2.x and Strimzi 1.x read is written down here as closed schemas, of the parts that the chart uses.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # Stubs for the sake of one test would be one more lock entry.

from tests.charts import checks
from tests.charts.conftest import CI_FILES, Objects, objects_of, rendered_text


def closed(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    """An object with these keys and no other."""
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


STRING, WHOLE = {"type": "string"}, {"type": "integer", "minimum": 0}
BOOLEAN_WORD, NUMBER_WORD = {"enum": ["true", "false"]}, {"type": "string", "pattern": "^[0-9]+$"}
POLICIES = {"type": "array", "items": closed({"type": {"enum": ["Percent", "Pods"]}, "value": WHOLE, "periodSeconds": WHOLE}, "type", "value", "periodSeconds")}
RULES = closed({"stabilizationWindowSeconds": WHOLE, "policies": POLICIES, "selectPolicy": {"enum": ["Max", "Min", "Disabled"]}})
# Every value of a trigger's metadata is a string: KEDA's own type says so, and the API server refuses others.
KAFKA_TRIGGER = closed(
    {
        "bootstrapServers": STRING,
        "consumerGroup": STRING,
        "topic": STRING,
        "lagThreshold": NUMBER_WORD,
        "activationLagThreshold": NUMBER_WORD,
        "offsetResetPolicy": {"enum": ["earliest", "latest"]},
        "allowIdleConsumers": BOOLEAN_WORD,
        "excludePersistentLag": BOOLEAN_WORD,
        "limitToPartitionsWithLag": BOOLEAN_WORD,
        "ensureEvenDistributionOfPartitions": BOOLEAN_WORD,
        "version": STRING,
        "tls": {"enum": ["enable", "disable"]},
        "sasl": STRING,
    },
    "bootstrapServers",
    "consumerGroup",
    "topic",
    "lagThreshold",
)
POSTGRESQL_TRIGGER = closed(
    {
        "host": STRING,
        "port": NUMBER_WORD,
        "userName": STRING,
        "dbName": STRING,
        "sslmode": {"enum": ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]},
        "query": STRING,
        "targetQueryValue": NUMBER_WORD,
        "activationTargetQueryValue": NUMBER_WORD,
    },
    "host",
    "port",
    "userName",
    "dbName",
    "sslmode",
    "query",
    "targetQueryValue",
)


def trigger(kind: str, metadata: dict[str, Any]) -> dict[str, Any]:
    """A trigger of one kind, with how KEDA shows itself there."""
    reference = closed({"name": STRING, "kind": STRING}, "name")
    return closed({"type": {"const": kind}, "name": STRING, "metadata": metadata, "authenticationRef": reference}, "type", "metadata")


FALLBACK = closed(
    {"failureThreshold": WHOLE, "replicas": WHOLE, "behavior": {"enum": ["static", "currentReplicas", "currentReplicasIfHigher", "currentReplicasIfLower"]}},
    "failureThreshold",
    "replicas",
)
SPECIFICATIONS: dict[tuple[str, str], dict[str, Any]] = {
    ("keda.sh/v1alpha1", "ScaledObject"): closed(
        {
            "scaleTargetRef": closed({"apiVersion": STRING, "kind": STRING, "name": STRING, "envSourceContainerName": STRING}, "name"),
            "pollingInterval": WHOLE,
            "cooldownPeriod": WHOLE,
            "initialCooldownPeriod": WHOLE,
            "idleReplicaCount": {"const": 0},
            "minReplicaCount": WHOLE,
            "maxReplicaCount": WHOLE,
            "fallback": FALLBACK,
            "advanced": closed(
                {
                    "restoreToOriginalReplicaCount": {"type": "boolean"},
                    "horizontalPodAutoscalerConfig": closed({"name": STRING, "behavior": closed({"scaleUp": RULES, "scaleDown": RULES})}),
                }
            ),
            "triggers": {
                "type": "array",
                "minItems": 1,
                "items": {
                    "if": {"properties": {"type": {"const": "postgresql"}}},
                    "then": trigger("postgresql", POSTGRESQL_TRIGGER),
                    "else": trigger("kafka", KAFKA_TRIGGER),
                },
            },
        },
        "scaleTargetRef",
        "triggers",
    ),
    ("keda.sh/v1alpha1", "TriggerAuthentication"): closed(
        {
            "secretTargetRef": {
                "type": "array",
                "items": closed(
                    {"parameter": {"enum": ["ca", "cert", "key", "keyPassword", "username", "password"]}, "name": STRING, "key": STRING},
                    "parameter",
                    "name",
                    "key",
                ),
            }
        }
    ),
    ("monitoring.coreos.com/v1", "PrometheusRule"): closed(
        {
            "groups": {
                "type": "array",
                "minItems": 1,
                "items": closed(
                    {
                        "name": STRING,
                        "rules": {
                            "type": "array",
                            "minItems": 1,
                            "items": closed(
                                {
                                    "alert": STRING,
                                    "expr": STRING,
                                    "for": {"type": "string", "pattern": "^[0-9]+[smhd]$"},
                                    "labels": {"type": "object", "additionalProperties": STRING},
                                    "annotations": {"type": "object", "additionalProperties": STRING},
                                },
                                "alert",
                                "expr",
                            ),
                        },
                    },
                    "name",
                    "rules",
                ),
            }
        },
        "groups",
    ),
    ("kafka.strimzi.io/v1", "KafkaTopic"): closed(
        {
            "topicName": STRING,
            "partitions": {"type": "integer", "minimum": 1},
            "replicas": {"type": "integer", "minimum": 1},
            "config": closed(
                {
                    "cleanup.policy": {"enum": ["delete", "compact"]},
                    "message.timestamp.type": {"enum": ["CreateTime", "LogAppendTime"]},
                    "min.insync.replicas": {"type": "integer", "minimum": 1},
                    "retention.ms": {"type": "integer", "minimum": -1},
                    "unclean.leader.election.enable": {"type": "boolean"},
                }
            ),
        },
        "partitions",
        "replicas",
    ),
}


def faults(objects: Objects) -> list[str]:
    """What an operator would not understand."""
    found = []
    for thing in objects:
        schema = SPECIFICATIONS.get((thing["apiVersion"], thing["kind"]))
        if schema is not None:
            found += [f"{checks.name_of(thing)}: {error.json_path}: {error.message}" for error in Draft202012Validator(schema).iter_errors(thing["spec"])]
    return found


@pytest.mark.parametrize("values", CI_FILES)
def test_operators_understand_their_objects(values: str) -> None:
    assert faults(objects_of(rendered_text(values))) == []


def test_every_object_without_a_kubernetes_schema_has_one_here() -> None:
    rendered = objects_of(rendered_text("full-values.yaml"))
    foreign = {
        (thing["apiVersion"], thing["kind"])
        for thing in rendered
        if "." in thing["apiVersion"].split("/")[0] and not thing["apiVersion"].split("/")[0].endswith("k8s.io")
    }
    assert foreign == set(SPECIFICATIONS)


def typo(objects: Objects) -> None:
    _spec(objects, "ScaledObject")["triggers"][0]["metadata"]["lagTreshold"] = "10"


def number(objects: Objects) -> None:
    _spec(objects, "ScaledObject")["triggers"][0]["metadata"]["lagThreshold"] = 10


def misplaced(objects: Objects) -> None:
    _spec(objects, "ScaledObject")["advanced"]["behavior"] = {}


def parameter(objects: Objects) -> None:
    _spec(objects, "TriggerAuthentication")["secretTargetRef"][0]["parameter"] = "cacert"


def retention(objects: Objects) -> None:
    _spec(objects, "KafkaTopic")["config"]["retention.hours"] = 1


@pytest.mark.parametrize("break_it", [typo, number, misplaced, parameter, retention], ids=lambda part: str(part.__name__))
def test_misunderstanding_is_found(break_it: Callable[[Objects], None]) -> None:
    objects = objects_of(rendered_text("full-values.yaml"))
    break_it(objects)
    assert len(faults(objects)) == 1


def _spec(objects: Objects, kind: str) -> dict[str, Any]:
    spec: dict[str, Any] = checks.of_kind(objects, kind)[0]["spec"]
    return spec
