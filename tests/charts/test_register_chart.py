"""The national register's own chart: valid, as restricted as the provinces', and in agreement with `hocba register`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

from services.__main__ import build
from tests.charts import checks
from tests.charts.conftest import ROOT, Objects, objects_of, run_helm
from tests.charts.test_agreement import takes, unknown_commands
from tests.charts.test_rendered import KUBERNETES, validate

CHART = ROOT / "charts" / "register"
VALUES = ("minimal-values.yaml", "full-values.yaml")
# One pod: it can't spread. It isn't scaled, and nothing in it runs by the calendar.
HELD = [check for check in checks.ALL if check not in (checks.pods_spread, checks.scaled_by_lag, checks.schedules_end)]


def rendered(values: str, *more: str) -> Objects:
    outcome = run_helm("template", "rel", str(CHART), "--values", str(CHART / "ci" / values), *more)
    assert outcome.returncode == 0, outcome.stderr
    return objects_of(outcome.stdout)


@pytest.mark.parametrize("values", VALUES)
def test_lint_is_clean(values: str) -> None:
    outcome = run_helm("lint", "--strict", str(CHART), "--values", str(CHART / "ci" / values))
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


@pytest.mark.parametrize("version", KUBERNETES)
@pytest.mark.parametrize("values", VALUES)
def test_manifest_is_valid_for_kubernetes(values: str, version: str, tmp_path: Path) -> None:
    manifest = tmp_path / "manifest.yaml"
    manifest.write_text(yaml.safe_dump_all(rendered(values)), encoding="utf-8")
    outcome = validate(manifest, version)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


@pytest.mark.parametrize("check", HELD, ids=lambda check: str(check.__name__))
@pytest.mark.parametrize("values", VALUES)
def test_objects_hold(values: str, check: Callable[[Objects], list[str]]) -> None:
    assert check(rendered(values)) == []


@pytest.mark.parametrize("values", VALUES)
def test_process_and_migration_run_commands_that_exist(values: str) -> None:
    objects = rendered(values)
    assert unknown_commands(objects, get_command(build())) == []
    known = {parameter.envvar for command in ("serve", "migrate") for parameter in get_command(build()).commands["register"].commands[command].params}  # type: ignore[attr-defined]
    for thing in checks.of_kind(objects, *checks.POD_KINDS):
        assert set(checks.variables(thing)) <= known


def test_what_the_command_does_not_take_is_found() -> None:
    serve = get_command(build()).commands["register"].commands["serve"]  # type: ignore[attr-defined]
    assert takes(serve, "--listen=0.0.0.0:8443")
    assert not takes(serve, "--listens=0.0.0.0:8443")
    assert not takes(serve, "2025-79")


def test_one_process_holds_the_uploads_and_no_other_has_the_owners_password() -> None:
    objects = rendered("minimal-values.yaml")
    (register,), (job,) = checks.of_kind(objects, "Deployment"), checks.of_kind(objects, "Job")
    assert (register["spec"]["replicas"], register["spec"]["strategy"]) == (1, {"type": "Recreate"})
    secrets = [{volume["secret"]["secretName"] for volume in checks.pod(thing)["volumes"] if "secret" in volume} for thing in (register, job)]
    assert secrets == [{"hocba-register-database", "hocba-register-key", "hocba-register-trust", "hocba-register-tls"}, {"hocba-register-owner"}]
    (claim,) = [volume for volume in checks.pod(register)["volumes"] if "persistentVolumeClaim" in volume]
    assert claim["persistentVolumeClaim"]["claimName"] == "hocba-register-state"


def test_traffic_comes_by_https_alone_and_never_to_the_migration() -> None:
    (policy,) = checks.of_kind(rendered("full-values.yaml"), "NetworkPolicy")
    assert policy["spec"]["ingress"] == [{"ports": [{"port": "https", "protocol": "TCP"}], "from": [{"ipBlock": {"cidr": "10.20.0.0/16"}}]}]
    (service,), (job,) = checks.of_kind(rendered("full-values.yaml"), "Service"), checks.of_kind(rendered("full-values.yaml"), "Job")
    assert not service["spec"]["selector"].items() <= job["spec"]["template"]["metadata"]["labels"].items()
    assert rendered("minimal-values.yaml", "--set", "migrations.mode=none,networkPolicy.enabled=false")[-1]["kind"] == "Deployment"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("postgresql.host=", "postgresql.host is empty"),
        ("postgres.host=x", "postgres"),
        ("service.type=Open", "service"),
        ("receiptKeySecret=", "receiptKeySecret"),
    ],
)
def test_values_that_can_not_be_are_refused_by_name(given: str, told: str) -> None:
    outcome = run_helm("template", "rel", str(CHART), "--values", str(CHART / "ci" / "minimal-values.yaml"), "--set", given)
    assert outcome.returncode != 0
    assert told in outcome.stderr
