"""The chart renders for every ci file, is valid for Kubernetes, and its objects hold what the house promises."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.charts import checks
from tests.charts.conftest import CHART, CI_FILES, Objects, objects_of, rendered_text, run_helm, template

KINDS_WITHOUT_SCHEMA = {"ScaledObject", "TriggerAuthentication", "PrometheusRule", "KafkaTopic"}
KUBERNETES = ("1.30", "1.37")
VALUES: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
PAGES = ("archive", "reporting")


def validate(manifest: Path, version: str) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("kubernetes-validate")
    return subprocess.run([str(program), "--strict", "--kubernetes-version", version, str(manifest)], check=False, capture_output=True, text=True)


@pytest.mark.parametrize("values", CI_FILES)
def test_lint_is_clean(values: str) -> None:
    outcome = run_helm("lint", "--strict", str(CHART), "--values", str(CHART / "ci" / values))
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


@pytest.mark.parametrize("version", KUBERNETES)
@pytest.mark.parametrize("values", CI_FILES)
def test_manifest_is_valid_for_kubernetes(values: str, version: str, tmp_path: Path) -> None:
    kept = [thing for thing in objects_of(rendered_text(values)) if thing["kind"] not in KINDS_WITHOUT_SCHEMA]
    manifest = tmp_path / "manifest.yaml"
    manifest.write_text(yaml.safe_dump_all(kept), encoding="utf-8")
    outcome = validate(manifest, version)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    assert "WARN" not in outcome.stdout + outcome.stderr, "a kind without a schema slipped through unchecked"


def test_unknown_field_is_invalid_for_kubernetes(tmp_path: Path) -> None:
    thing = next(thing for thing in objects_of(rendered_text("minimal-values.yaml")) if thing["kind"] == "Deployment")
    thing["spec"]["replica"] = 2
    manifest = tmp_path / "manifest.yaml"
    manifest.write_text(yaml.safe_dump(thing), encoding="utf-8")
    assert validate(manifest, KUBERNETES[-1]).returncode != 0


@pytest.mark.parametrize("check", checks.ALL, ids=lambda check: str(check.__name__))
def test_objects_hold(rendered: Objects, check: Callable[[Objects], list[str]]) -> None:
    assert check(rendered) == []


def test_every_service_and_role_is_rendered_once(rendered: Objects) -> None:
    assert checks.every_entry_once(rendered, VALUES["services"]) == []
    services = {entry["service"] for entry in VALUES["services"].values()}
    assert services == {"enrollment", "grading", "locking", "signing", "archive", "reporting"}


def test_entry_that_is_switched_off_leaves_nothing_behind() -> None:
    outcome = template("minimal-values.yaml", "--set", "services.reporting.enabled=false")
    left = [checks.name_of(thing) for thing in objects_of(outcome.stdout) if "reporting" in thing["metadata"]["name"]]
    assert outcome.returncode == 0
    assert left == []


def test_each_owned_database_is_migrated_once(render: Callable[[str], Objects]) -> None:
    jobs = checks.of_kind(render("minimal-values.yaml"), "Job")
    assert [checks.our_container(job)["args"] for job in jobs] == [
        [service, "migrate"] for service in sorted({entry["service"] for entry in VALUES["services"].values()})
    ]
    assert checks.of_kind(render("keda-values.yaml"), "Job") == [], "mode none renders no Job"


def test_plain_migration_jobs_are_named_anew_each_revision(render: Callable[[str], Objects]) -> None:
    for job in checks.of_kind(render("full-values.yaml"), "Job"):
        assert job["metadata"]["name"].endswith("-1"), "a Job can't be changed, so a revision needs a name of its own"
        assert "helm.sh/hook" not in job["metadata"]["annotations"]


def test_image_is_named_by_digest_where_one_is_given(render: Callable[[str], Objects]) -> None:
    images = {checks.our_container(thing)["image"] for thing in checks.of_kind(render("full-values.yaml"), "Deployment", "Job")}
    assert len(images) == 1
    assert "@sha256:" in images.pop()


def test_pages_have_doors_of_their_own(rendered: Objects) -> None:
    """The public page and the dashboard: a port that the process opens, and a Service for it alone."""
    for component in PAGES:
        (pods,) = [thing for thing in checks.of_kind(rendered, "Deployment") if checks.component(thing) == component]
        ports = {port["name"]: port["containerPort"] for port in checks.our_container(pods)["ports"]}
        assert checks.variables(pods)[f"HOCBA_{component.upper()}_PAGE_LISTEN"] == f"0.0.0.0:{ports['page']}"
        (door,) = [thing for thing in checks.of_kind(rendered, "Service") if thing["metadata"]["name"].endswith(f"-{component}-page")]
        assert door["spec"]["ports"] == [{"name": "http", "port": 80, "targetPort": "page", "appProtocol": "http"}]
    opened = [
        checks.component(thing) for thing in checks.of_kind(rendered, "Deployment") if "page" in {p["name"] for p in checks.our_container(thing)["ports"]}
    ]
    assert sorted(opened) == sorted(PAGES)


def test_browsers_come_to_the_pages_alone(render: Callable[[str], Objects]) -> None:
    let_in = {
        (checks.component(policy), rule["ports"][0]["port"], tuple(peer["podSelector"]["matchLabels"]))
        for policy in checks.of_kind(render("minimal-values.yaml"), "NetworkPolicy")
        for rule in policy["spec"]["ingress"]
        for peer in rule["from"]
        if "podSelector" in peer
    }
    assert {(component, port) for component, port, labels in let_in if "hocba.web/access" in labels} == {(component, "page") for component in PAGES}
    assert {labels for _, port, labels in let_in if port == "page"} == {("hocba.web/access",)}


def test_workers_scale_on_lag_within_their_partitions(render: Callable[[str], Objects]) -> None:
    (scaled,) = checks.of_kind(render("keda-values.yaml"), "ScaledObject")
    lag = {t["metadata"]["topic"]: int(t["metadata"]["lagThreshold"]) for t in scaled["spec"]["triggers"] if t["type"] == "kafka"}
    assert lag == {"hocba.signing.order.v1": 20, "hocba.signing.express.v1": 5}
    assert scaled["spec"]["maxReplicaCount"] <= max(VALUES["kafka"]["topics"][topic]["partitions"] for topic in lag)
    assert scaled["spec"]["pollingInterval"] == 10


def test_workers_scale_on_what_waits_for_its_turn_too(render: Callable[[str], Objects]) -> None:
    objects = render("keda-values.yaml")
    (scaled,) = checks.of_kind(objects, "ScaledObject")
    (queue,) = [t for t in scaled["spec"]["triggers"] if t["type"] == "postgresql"]
    assert queue["metadata"]["targetQueryValue"] == "20"
    assert (queue["metadata"]["dbName"], queue["metadata"]["userName"]) == ("hocba_signing", "hocba_signing")
    (shown,) = [a for a in checks.of_kind(objects, "TriggerAuthentication") if a["metadata"]["name"] == queue["authenticationRef"]["name"]]
    assert shown["spec"]["secretTargetRef"] == [{"parameter": "password", "name": "hocba-signing-database", "key": "password"}]


def test_scaler_shows_a_certificate_where_brokers_ask_for_one(render: Callable[[str], Objects]) -> None:
    (scaled,) = checks.of_kind(render("full-values.yaml"), "ScaledObject")
    authentication = checks.of_kind(render("full-values.yaml"), "TriggerAuthentication")[0]
    for trigger in (t for t in scaled["spec"]["triggers"] if t["type"] == "kafka"):
        assert trigger["metadata"]["tls"] == "enable"
        assert trigger["authenticationRef"]["name"] == authentication["metadata"]["name"]
        assert trigger["metadata"]["topic"].startswith("north.")
        assert trigger["metadata"]["consumerGroup"].startswith("north.")


def test_every_pass_through_reaches_the_pods(render: Callable[[str], Objects]) -> None:
    for thing in checks.of_kind(render("full-values.yaml"), "Deployment"):
        spec, container = checks.pod(thing), checks.our_container(thing)
        labels = thing["spec"]["template"]["metadata"]["labels"]
        assert labels["tier"] == "backend"
        assert labels["team"] == "transcripts"
        assert spec["nodeSelector"]
        assert spec["tolerations"]
        assert spec["affinity"]
        assert spec["hostAliases"]
        assert (spec["priorityClassName"], spec["runtimeClassName"]) == ("transcripts", "gvisor")
        assert spec["imagePullSecrets"] == [{"name": "registry"}]
        assert {"name": "TZ", "value": "UTC"} in container["env"]
        assert container["envFrom"]
        assert {"name": "scratch", "mountPath": "/scratch"} in container["volumeMounts"]
        assert [helper["name"] for helper in spec["initContainers"] + spec["containers"][1:]] == ["wait", "sidecar"]


def test_one_entry_overrides_the_defaults_and_no_other_entry(render: Callable[[str], Objects]) -> None:
    deployments = {checks.component(thing): thing for thing in checks.of_kind(render("full-values.yaml"), "Deployment")}
    assert deployments["grading"]["spec"]["replicas"] == 4, "preserveReplicas keeps the count while scaling is being turned on"
    assert deployments["archive"]["spec"]["replicas"] == 2
    assert checks.pod(deployments["grading"])["topologySpreadConstraints"][0]["whenUnsatisfiable"] == "DoNotSchedule"
    assert checks.pod(deployments["archive"])["topologySpreadConstraints"][0]["whenUnsatisfiable"] == "ScheduleAnyway"
    urls = {name: checks.variables(thing)[f"HOCBA_{name.upper()}_DATABASE_URL"] for name, thing in deployments.items() if name != "signing-worker"}
    assert "@postgresql-grading.data.svc:6432/hocba_grading" in urls["grading"]
    assert "@postgresql.data.svc:6432/hocba_archive" in urls["archive"]


def test_topics_outlive_the_release(render: Callable[[str], Objects]) -> None:
    topics = checks.of_kind(render("full-values.yaml"), "KafkaTopic")
    assert {topic["spec"]["topicName"] for topic in topics} == {f"north.{name}" for name in VALUES["kafka"]["topics"]}
    for topic in topics:
        assert topic["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
        assert topic["spec"]["config"]["min.insync.replicas"] == topic["spec"]["replicas"] - 1
    retention = {topic["spec"]["topicName"]: topic["spec"]["config"]["retention.ms"] for topic in topics}
    assert retention["north.hocba.grading.class.v1"] == 2880 * 3_600_000
    assert retention["north.hocba.archive.admission.v1"] == -1


def test_rendering_is_repeatable() -> None:
    assert template("full-values.yaml").stdout == template("full-values.yaml").stdout, "a random value would restart pods at each upgrade"


def test_only_workers_hold_the_keys_that_sign(rendered: Objects) -> None:
    holders = {
        checks.component(thing)
        for thing in checks.of_kind(rendered, "Deployment", "Job")
        for volume in checks.pod(thing)["volumes"]
        if volume.get("secret", {}).get("secretName") == "hocba-signing-keys"
    }
    assert holders == {"signing-worker"}


def test_journal_of_the_keys_outlives_the_pods(rendered: Objects) -> None:
    (worker,) = [thing for thing in checks.of_kind(rendered, "Deployment") if checks.component(thing) == "signing-worker"]
    place = checks.variables(worker)["HOCBA_SIGNING_KEY_JOURNAL_DIR"]
    (mount,) = [mount for mount in checks.our_container(worker)["volumeMounts"] if mount["mountPath"] == place]
    (volume,) = [volume for volume in checks.pod(worker)["volumes"] if volume["name"] == mount["name"]]
    assert volume["persistentVolumeClaim"]["claimName"] == "hocba-key-journal"


def test_what_runs_by_the_calendar_has_the_files_of_its_service(render: Callable[[str], Objects]) -> None:
    objects = render("minimal-values.yaml")
    scheduled = {checks.component(thing): thing for thing in checks.of_kind(objects, "CronJob")}
    assert set(scheduled) == {name for name, its in VALUES["schedules"].items() if its.get("enabled", True)}
    for name, thing in scheduled.items():
        (beside,) = [other for other in checks.of_kind(objects, "Deployment") if checks.component(other) == VALUES["schedules"][name]["beside"]]
        served = {name: value for name, value in checks.variables(beside).items() if not name.endswith("PAGE_LISTEN")}
        assert checks.variables(thing) == served
        more = [mount for mount in checks.our_container(thing)["volumeMounts"] if mount not in checks.our_container(beside)["volumeMounts"]]
        assert {mount["name"] for mount in more} == set(VALUES["schedules"][name].get("secrets", {}).get("more", {}))
        (policy,) = [other for other in checks.of_kind(objects, "NetworkPolicy") if checks.component(other) == name]
        assert policy["spec"]["ingress"] == []


def test_a_province_submits_to_the_register_it_names(render: Callable[[str], Objects]) -> None:
    (thing,) = [thing for thing in checks.of_kind(render("full-values.yaml"), "CronJob") if checks.component(thing) == "register-submission"]
    words = checks.our_container(thing)["args"]
    assert words[:3] == ["register", "submit", "2025-79"]
    mounts = {mount["mountPath"] for mount in checks.our_container(thing)["volumeMounts"]}
    assert {word.partition("=")[2].rpartition("/")[0] for word in words if "=/" in word} <= mounts
    (policy,) = [other for other in checks.of_kind(render("full-values.yaml"), "NetworkPolicy") if checks.component(other) == "register-submission"]
    assert {"ports": [{"port": 443, "protocol": "TCP"}], "to": [{"ipBlock": {"cidr": "10.9.3.0/24"}}]} in policy["spec"]["egress"]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (("--set", "schedules.archive-check.beside=printing"), "schedules.archive-check.beside names printing"),
        (("--set", "schedules.register-submission.enabled=true"), "which province submits"),
        (
            ("--set", "schedules.archive.beside=archive,schedules.archive.schedule=@daily,schedules.archive.command={archive,fsck}"),
            "the name of an entry of services",
        ),
        (("--set", "schedules.archive-check.schedule=daily"), "schedule"),
    ],
)
def test_schedule_that_can_not_be_is_refused_in_words(given: tuple[str, ...], told: str) -> None:
    outcome = template("minimal-values.yaml", *given)
    assert outcome.returncode != 0
    assert told in outcome.stderr


def test_only_the_archive_reaches_its_authority_and_witnesses(render: Callable[[str], Objects]) -> None:
    policies = {thing["metadata"]["name"]: thing["spec"] for thing in render("full-values.yaml") if thing["kind"] == "NetworkPolicy"}
    for port, cidr in ((318, "10.9.1.0/24"), (8443, "10.9.2.0/24")):
        door = {"ports": [{"port": port, "protocol": "TCP"}], "to": [{"ipBlock": {"cidr": cidr}}]}
        beside = [f"hocba-full-{name}" for name, its in VALUES["schedules"].items() if its["beside"] == "archive" and name != "archive-retention"]
        assert sorted(name for name, spec in policies.items() if door in spec["egress"]) == sorted(["hocba-full-archive", *beside])


def test_archive_has_its_log_and_time_stamps(rendered: Objects) -> None:
    (archive,) = [thing for thing in rendered if thing["kind"] == "Deployment" and thing["metadata"]["name"].endswith("archive")]
    given = {variable["name"]: variable.get("value") for variable in checks.our_container(archive)["env"]}
    assert given["HOCBA_ARCHIVE_LOG_URL"] == "s3://hocba-log"
    assert given["HOCBA_ARCHIVE_TSA_URL"] == "http://tsa.example.org/tsr"
    assert "/etc/hocba/log" in [mount["mountPath"] for mount in checks.our_container(archive)["volumeMounts"]]
