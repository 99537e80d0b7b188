"""docker-compose.yml: valid, in agreement with the code, closed to the outside; and what it runs first, run for real."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from typer.main import get_command

from services.__main__ import build
from services.chassis.settings import ServiceSettings
from services.stack.children import spawn
from services.stack.healthy import ready
from services.stack.kafka import Broker
from services.stack.places import CHECKOUT
from services.stack.ports import is_free
from services.stack.postgresql import Server
from tests.charts.conftest import ROOT
from tests.charts.test_agreement import SERVICES, settings_classes
from tests.support.eventually import eventually

FILE = ROOT / "docker-compose.yml"
STATE = "/var/lib/hocba"
Compose = dict[str, Any]


def read() -> Compose:
    """The file with its anchors merged."""
    document: Compose = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return document


def validate(file: Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("check-jsonschema")
    command = [str(program), "--builtin-schema", "vendor.compose-spec", str(file)]
    return subprocess.run(command, check=False, capture_output=True, text=True)


def ours(compose: Compose) -> dict[str, dict[str, Any]]:
    """The processes that run our image."""
    return {name: service for name, service in compose["services"].items() if service["image"].startswith("hocba:")}


def processes(compose: Compose) -> dict[str, dict[str, Any]]:
    """Services and workers: what takes settings."""
    return {name: service for name, service in ours(compose).items() if service.get("command", [""])[-1] in ("serve", "work")}


def wrong_processes(compose: Compose, classes: dict[str, type[ServiceSettings]]) -> list[str]:
    """Faults of commands and settings; each service once, and workers beside."""
    faults, seen = [], []
    tree = get_command(build())
    for name, service in ours(compose).items():
        if "entrypoint" in service or "command" not in service:
            continue
        here: Any = tree
        for word in service["command"]:
            here = here.commands.get(word) if hasattr(here, "commands") else here
            if here is None:
                faults.append(f"{name}: `hocba {' '.join(service['command'])}` is no command")
                break
    for name, service in processes(compose).items():
        owner = service["command"][0]
        seen += [owner] if service["command"][1] == "serve" else []
        kind, prefix = classes[owner], f"HOCBA_{owner.upper()}_"
        given = {variable.removeprefix(prefix).lower() for variable in service["environment"]}
        faults += [f"{name}: {field} is no setting of {owner}" for field in sorted(given - set(kind.model_fields))]
        faults += [f"{name}: {field} is required" for field in sorted({f for f, i in kind.model_fields.items() if i.is_required()} - given)]
    return faults + [f"{service} runs {seen.count(service)} times" for service in SERVICES if seen.count(service) != 1]


def open_doors(compose: Compose) -> list[str]:
    """Faults of what a container may do, and of what the outside may reach."""
    faults = []
    for name, service in compose["services"].items():
        faults += [f"{name}: port {port} is open to the network" for port in service.get("ports", []) if not str(port).startswith("127.0.0.1:")]
        for variable, value in (service.get("environment") or {}).items():
            if re.search(r"PASSWORD|SECRET|TOKEN", variable) and not str(value).startswith("/"):
                faults.append(f"{name}: {variable} holds a value, not a file")
            if re.search(r"://[^/@:]*:[^/@]+@", str(value)):
                faults.append(f"{name}: {variable} holds a password")
        if service.get("privileged") or service.get("network_mode") == "host":
            faults.append(f"{name}: is as powerful as the machine")
    for name, service in ours(compose).items():
        if not service.get("read_only") or service.get("cap_drop") != ["ALL"] or "no-new-privileges:true" not in service.get("security_opt", []):
            faults.append(f"{name}: writable root, capabilities or new privileges")
    return faults


def loose_ends(compose: Compose) -> list[str]:
    """Faults of names that lead nowhere, of long-running services without health, and of an order that can't be."""
    services, faults = compose["services"], []
    for name, service in services.items():
        for other, condition in service.get("depends_on", {}).items():
            if other not in services:
                faults.append(f"{name} waits for {other}, which isn't there")
            elif condition["condition"] == "service_healthy" and "healthcheck" not in services[other]:
                faults.append(f"{name} waits for the health of {other}, which has none")
        faults += [f"{name}: volume {v} is not declared" for v in service.get("volumes", []) if v.split(":")[0] not in compose["volumes"]]
        faults += [f"{name}: network {n} is not declared" for n in service.get("networks", []) if n not in compose["networks"]]
    for name in (*processes(compose), "postgresql", "kafka"):
        if "healthcheck" not in services[name]:
            faults.append(f"{name}: nobody can tell whether it is ready")
    return faults


def test_file_follows_the_compose_specification() -> None:
    outcome = validate(FILE)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


def test_specification_finds_a_misspelt_key(tmp_path: Path) -> None:
    bad = tmp_path / "docker-compose.yml"
    bad.write_text(FILE.read_text(encoding="utf-8").replace("healthcheck:", "healthchek:"))
    assert validate(bad).returncode != 0


def test_processes_have_commands_and_settings_that_exist() -> None:
    assert wrong_processes(read(), settings_classes()) == []


def test_nothing_is_open_that_need_not_be() -> None:
    assert open_doors(read()) == []


def test_every_name_leads_somewhere() -> None:
    assert loose_ends(read()) == []


def test_two_workers_stand_beside_the_services() -> None:
    workers = [name for name, service in processes(read()).items() if service["command"] == ["signing", "work"]]
    assert workers == ["signing-worker-1", "signing-worker-2"]
    held = {name for name, service in processes(read()).items() if "HOCBA_SIGNING_KEYS_DIR" in service["environment"]}
    assert held == set(workers)


def break_setting(compose: Compose) -> None:
    compose["services"]["grading"]["environment"]["HOCBA_GRADING_LISTENS"] = "x"


def drop_setting(compose: Compose) -> None:
    del compose["services"]["grading"]["environment"]["HOCBA_GRADING_KAFKA_BOOTSTRAP"]


def drop_service(compose: Compose) -> None:
    del compose["services"]["reporting"]


def wrong_command(compose: Compose) -> None:
    compose["services"]["setup"]["command"] = ["stack", "prepare"]


def public_port(compose: Compose) -> None:
    compose["services"]["kafka"]["ports"] = ["9092:9092"]


def inline_password(compose: Compose) -> None:
    compose["services"]["postgresql"]["environment"]["POSTGRES_PASSWORD"] = "swordfish"


def password_in_url(compose: Compose) -> None:
    compose["services"]["setup"]["environment"]["HOCBA_DATABASE"] = "postgresql://hocba_admin:swordfish@postgresql/postgres"


def writable(compose: Compose) -> None:
    compose["services"]["archive"]["read_only"] = False


def privileged(compose: Compose) -> None:
    compose["services"]["kafka"]["privileged"] = True


def waits_for_nobody(compose: Compose) -> None:
    compose["services"]["setup"]["depends_on"] = {"zookeeper": {"condition": "service_healthy"}}


def no_health(compose: Compose) -> None:
    del compose["services"]["kafka"]["healthcheck"]


def lost_volume(compose: Compose) -> None:
    del compose["volumes"]["state"]


BROKEN: list[tuple[str, Callable[[Compose], None]]] = [
    ("processes", break_setting),
    ("processes", drop_setting),
    ("processes", drop_service),
    ("processes", wrong_command),
    ("doors", public_port),
    ("doors", inline_password),
    ("doors", password_in_url),
    ("doors", writable),
    ("doors", privileged),
    ("ends", waits_for_nobody),
    ("ends", no_health),
    ("ends", lost_volume),
]


@pytest.mark.parametrize(("check", "break_it"), BROKEN, ids=lambda part: getattr(part, "__name__", str(part)))
def test_check_finds_its_fault(check: str, break_it: Callable[[Compose], None]) -> None:
    checks: dict[str, Callable[[Compose], list[str]]] = {
        "processes": lambda compose: wrong_processes(compose, settings_classes()),
        "doors": open_doors,
        "ends": loose_ends,
    }
    compose = deepcopy(read())
    break_it(compose)
    assert checks[check](compose) != []


async def test_first_steps_prepare_given_servers_and_a_service_starts(postgres: Server, kafka: Broker, tmp_path: Path) -> None:
    """`keys`, then `rest` twice, on a real PostgreSQL and Kafka; then archive, with the very variables of the file."""
    environment = {"PATH": os.environ["PATH"], "HOCBA_STATE": str(tmp_path), "HOCBA_DATABASE": postgres.admin_url, "HOCBA_KAFKA": kafka.bootstrap}
    for step in ("keys", "rest", "rest"):
        outcome = await asyncio.to_thread(provision, step, environment)
        assert outcome.returncode == 0, outcome.stdout + outcome.stderr
        assert f"{step}: done" in outcome.stdout
    assert "0 migrations, 0 topics" in outcome.stdout, "the second time there is nothing left to do"

    port, health, page = _free_ports()
    stated = read()["services"]["archive"]["environment"]
    mapped = {name: value.replace(STATE, str(tmp_path)) for name, value in stated.items()} | {
        "HOCBA_ARCHIVE_DATABASE_URL": f"postgresql://hocba_archive@{postgres.place}/hocba_archive",
        "HOCBA_ARCHIVE_KAFKA_BOOTSTRAP": kafka.bootstrap,
        "HOCBA_ARCHIVE_LISTEN": f"127.0.0.1:{port}",
        "HOCBA_ARCHIVE_HEALTH_LISTEN": f"127.0.0.1:{health}",
        "HOCBA_ARCHIVE_PAGE_LISTEN": f"127.0.0.1:{page}",
    }
    assert not ready(f"127.0.0.1:{health}")
    child = spawn(
        "archive",
        [sys.executable, "-m", "services", "archive", "serve"],
        log=tmp_path / "archive.log",
        env={"PATH": os.environ["PATH"], **mapped},
        cwd=CHECKOUT,
    )
    try:
        await eventually(lambda: ready(f"127.0.0.1:{health}") or not child.alive, within=60, what="archive is ready")
        assert child.alive, child.last_lines(30)
        async with aiohttp.ClientSession() as anybody, anybody.get(f"http://127.0.0.1:{page}/t/{'a' * 26}/status") as answer:
            assert (answer.status, (await answer.json())["status"]) == (404, "unknown"), "the public page runs beside it"
    finally:
        child.stop()


def provision(step: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "services", "stack", "provision", step]
    return subprocess.run(command, check=False, capture_output=True, text=True, env=environment, cwd=CHECKOUT, timeout=120)


def _free_ports() -> tuple[int, int, int]:
    found = [port for port in range(29_000, 29_100) if is_free(port)]
    return found[0], found[1], found[2]
