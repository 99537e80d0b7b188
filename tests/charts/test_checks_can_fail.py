"""A check that can't fail proves nothing: each one is shown a manifest with exactly the fault it is there for."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from tests.charts import checks
from tests.charts.conftest import Objects, objects_of, rendered_text


def first(objects: Objects, kind: str) -> dict[str, Any]:
    return next(thing for thing in objects if thing["kind"] == kind)


def container(objects: Objects) -> dict[str, Any]:
    return checks.our_container(first(objects, "Deployment"))


def double(objects: Objects) -> None:
    objects.append(copy.deepcopy(first(objects, "Service")))


def inline_secret(objects: Objects) -> None:
    container(objects)["env"].append({"name": "HOCBA_ARCHIVE_DATABASE_PASSWORD", "value": "swordfish"})


def secret_object(objects: Objects) -> None:
    objects.append({"kind": "Secret", "metadata": {"name": "s"}, "stringData": {"password": "x"}})


def password_in_url(objects: Objects) -> None:
    container(objects)["env"].append({"name": "HOCBA_ARCHIVE_DATABASE_URL", "value": "postgresql://role:pass@host/db"})


def root(objects: Objects) -> None:
    checks.pod(first(objects, "Deployment"))["securityContext"]["runAsNonRoot"] = False


def job_with_capability(objects: Objects) -> None:
    checks.our_container(first(objects, "Job"))["securityContext"]["capabilities"] = {"drop": ["ALL"], "add": ["NET_ADMIN"]}


def writable_root(objects: Objects) -> None:
    container(objects)["securityContext"]["readOnlyRootFilesystem"] = False


def token(objects: Objects) -> None:
    del checks.pod(first(objects, "Deployment"))["automountServiceAccountToken"]


def host_path(objects: Objects) -> None:
    checks.pod(first(objects, "Deployment"))["volumes"].append({"name": "host", "hostPath": {"path": "/"}})


def mount_without_volume(objects: Objects) -> None:
    checks.pod(first(objects, "Deployment"))["volumes"] = []


def file_without_mount(objects: Objects) -> None:
    container(objects)["volumeMounts"] = [{"name": "tmp", "mountPath": "/tmp"}]


def probe_on_mtls_port(objects: Objects) -> None:
    container(objects)["readinessProbe"]["grpc"]["port"] = 50051


def liveness_asks_readiness(objects: Objects) -> None:
    container(objects)["livenessProbe"]["grpc"]["service"] = "readiness"


def health_closed(objects: Objects) -> None:
    container(objects)["env"] = [e for e in container(objects)["env"] if not e["name"].endswith("HEALTH_LISTEN")]


def killed_early(objects: Objects) -> None:
    checks.pod(first(objects, "Deployment"))["terminationGracePeriodSeconds"] = 30


def no_pre_stop(objects: Objects) -> None:
    del container(objects)["lifecycle"]


def no_resources(objects: Objects) -> None:
    del container(objects)["resources"]


def throttled(objects: Objects) -> None:
    container(objects)["resources"]["limits"]["cpu"] = "1"


def huddled(objects: Objects) -> None:
    checks.pod(first(objects, "Deployment"))["topologySpreadConstraints"] = []


def selects_nobody(objects: Objects) -> None:
    first(objects, "Service")["spec"]["selector"]["app.kubernetes.io/component"] = "nobody"


def selects_by_version(objects: Objects) -> None:
    first(objects, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"]["app.kubernetes.io/version"] = "0.1.0"


def account_comes_late(objects: Objects) -> None:
    first(objects, "ServiceAccount")["metadata"]["annotations"] = {}


def migrates_as_nobody(objects: Objects) -> None:
    job = checks.our_container(first(objects, "Job"))
    job["env"] = [entry for entry in job["env"] if "OWNER" not in entry["name"]]


def service_owns_tables(objects: Objects) -> None:
    container(objects)["env"].append({"name": "HOCBA_ARCHIVE_OWNER_URL", "value": "postgresql://hocba_archive_owner@h/db"})


def meets_itself(objects: Objects) -> None:
    first(objects, "CronJob")["spec"]["concurrencyPolicy"] = "Allow"


def finds_it_again(objects: Objects) -> None:
    first(objects, "CronJob")["spec"]["jobTemplate"]["spec"]["backoffLimit"] = 6


def hours_of_the_host(objects: Objects) -> None:
    del first(objects, "CronJob")["spec"]["timeZone"]


def schedule_as_root(objects: Objects) -> None:
    checks.pod(first(objects, "CronJob"))["securityContext"]["runAsNonRoot"] = False


def scaled(objects: Objects) -> dict[str, Any]:
    spec: dict[str, Any] = first(objects, "ScaledObject")["spec"]
    return spec


def fixed_count(objects: Objects) -> None:
    name = scaled(objects)["scaleTargetRef"]["name"]
    next(thing for thing in checks.of_kind(objects, "Deployment") if thing["metadata"]["name"] == name)["spec"]["replicas"] = 2


def to_zero(objects: Objects) -> None:
    scaled(objects)["minReplicaCount"] = 0


def sent_home(objects: Objects) -> None:
    scaled(objects)["fallback"]["behavior"] = "static"


def nervous(objects: Objects) -> None:
    scaled(objects)["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]["scaleDown"]["stabilizationWindowSeconds"] = 0


def number_for_string(objects: Objects) -> None:
    scaled(objects)["triggers"][0]["metadata"]["lagThreshold"] = 20


def latest(objects: Objects) -> None:
    scaled(objects)["triggers"][0]["metadata"]["offsetResetPolicy"] = "latest"


def queue_unseen(objects: Objects) -> None:
    scaled(objects)["triggers"] = [trigger for trigger in scaled(objects)["triggers"] if trigger["type"] == "kafka"]


def queue_without_password(objects: Objects) -> None:
    del scaled(objects)["triggers"][-1]["authenticationRef"]


BROKEN: list[tuple[Callable[[Objects], list[str]], Callable[[Objects], None], str]] = [
    (checks.names_are_unique, double, "minimal"),
    (checks.no_secret_inline, inline_secret, "minimal"),
    (checks.no_secret_inline, secret_object, "minimal"),
    (checks.no_secret_inline, password_in_url, "minimal"),
    (checks.pods_are_restricted, root, "minimal"),
    (checks.pods_are_restricted, job_with_capability, "minimal"),
    (checks.pods_are_restricted, writable_root, "minimal"),
    (checks.pods_are_restricted, token, "minimal"),
    (checks.pods_are_restricted, host_path, "minimal"),
    (checks.mounts_have_volumes, mount_without_volume, "minimal"),
    (checks.mounts_have_volumes, file_without_mount, "minimal"),
    (checks.probes_reach_plain_health, probe_on_mtls_port, "minimal"),
    (checks.probes_reach_plain_health, liveness_asks_readiness, "minimal"),
    (checks.probes_reach_plain_health, health_closed, "minimal"),
    (checks.pods_have_time_to_end, killed_early, "minimal"),
    (checks.pods_have_time_to_end, no_pre_stop, "minimal"),
    (checks.pods_state_resources, no_resources, "minimal"),
    (checks.pods_state_resources, throttled, "minimal"),
    (checks.pods_spread, huddled, "minimal"),
    (checks.selectors_match, selects_nobody, "minimal"),
    (checks.selectors_match, selects_by_version, "minimal"),
    (checks.migrations_run_first, account_comes_late, "minimal"),
    (checks.migrations_run_first, migrates_as_nobody, "minimal"),
    (checks.migrations_run_first, service_owns_tables, "minimal"),
    (checks.schedules_end, meets_itself, "minimal"),
    (checks.schedules_end, finds_it_again, "minimal"),
    (checks.schedules_end, hours_of_the_host, "minimal"),
    (checks.pods_are_restricted, schedule_as_root, "minimal"),
    (checks.scaled_by_lag, fixed_count, "keda"),
    (checks.scaled_by_lag, to_zero, "keda"),
    (checks.scaled_by_lag, sent_home, "keda"),
    (checks.scaled_by_lag, nervous, "keda"),
    (checks.scaled_by_lag, number_for_string, "keda"),
    (checks.scaled_by_lag, latest, "keda"),
    (checks.scaled_by_lag, queue_unseen, "keda"),
    (checks.scaled_by_lag, queue_without_password, "keda"),
]


@pytest.mark.parametrize(("check", "break_it", "values"), BROKEN, ids=lambda part: getattr(part, "__name__", str(part)))
def test_check_finds_its_fault(check: Callable[[Objects], list[str]], break_it: Callable[[Objects], None], values: str) -> None:
    objects = objects_of(rendered_text(f"{values}-values.yaml"))
    assert check(objects) == []
    break_it(objects)
    assert check(objects) != []


def test_missing_or_surplus_role_is_found() -> None:
    objects = objects_of(rendered_text("minimal-values.yaml"))
    names = [checks.component(thing) for thing in checks.of_kind(objects, "Deployment")]
    assert checks.every_entry_once(objects, names) == []
    assert checks.every_entry_once(objects, names[1:]) != []
    assert checks.every_entry_once(objects, [*names, "printing"]) != []


def test_every_check_is_proven() -> None:
    assert {check for check, _, _ in BROKEN} == set(checks.ALL)
