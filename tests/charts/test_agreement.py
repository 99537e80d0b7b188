"""The chart says what the code says: sub-commands, settings, topics and callers are compared with their sources."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.message_factory import GetMessageClass
from typer.main import get_command

from hocba.options.v1 import options_pb2
from services.__main__ import build
from services.chassis.app import Service
from services.chassis.settings import ServiceSettings
from services.chassis.streams import Stream, stream_of
from tests.charts import checks
from tests.charts.conftest import CHART, CI_FILES, Objects, objects_of, rendered_text

ROOT = CHART.parents[1]
VALUES: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
SERVICES = ("enrollment", "grading", "locking", "signing", "archive", "reporting")
# What the rendered process doesn't get but the class has: has a default that is right in a cluster.
HAND_SET = "INSTANCE"


def unknown_commands(objects: Objects, command: Any) -> list[str]:
    """Faults of workloads whose arguments are no sub-command of the program."""
    faults = []
    for thing in checks.of_kind(objects, *checks.POD_KINDS):
        here, words = command, list(checks.our_container(thing)["args"])
        for word in words:
            if here is not None and not hasattr(here, "commands"):
                if not takes(here, word):
                    faults.append(f"{checks.name_of(thing)}: `hocba {' '.join(words)}` takes no {word}")
                continue
            here = getattr(here, "commands", {}).get(word)
            if here is None:
                faults.append(f"{checks.name_of(thing)}: `hocba {' '.join(words)}` is no command")
                break
        if here is not None and hasattr(here, "commands"):
            faults.append(f"{checks.name_of(thing)}: `hocba {' '.join(words)}` is only a group of commands")
    return faults


def takes(command: Any, word: str) -> bool:
    """Whether a word after the command is an option of it, or an argument where it has one."""
    if word.startswith("-"):
        return word.partition("=")[0] in {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    return any(parameter.param_type_name == "argument" for parameter in command.params)


def service_of(thing: dict[str, Any]) -> str:
    """The service whose settings a workload has: its database says so, since what runs by the calendar may be a command of another group."""
    (name,) = [name for name in checks.variables(thing) if name.startswith("HOCBA_") and name.endswith("_DATABASE_URL")]
    return name.split("_")[1].lower()


def wrong_settings(objects: Objects, classes: dict[str, type[ServiceSettings]]) -> list[str]:
    """Faults of variables that the settings class would refuse, or would miss."""
    faults = []
    for thing in checks.of_kind(objects, *checks.POD_KINDS):
        kind = classes[service_of(thing)]
        prefix = str(kind.model_config["env_prefix"])
        given = {name.removeprefix(prefix).lower() for name in checks.variables(thing) if name.startswith("HOCBA_")}
        foreign = [name for name in checks.variables(thing) if name.startswith("HOCBA_") and not name.startswith(prefix)]
        faults += [f"{checks.name_of(thing)}: {name} belongs to another service" for name in foreign]
        faults += [f"{checks.name_of(thing)}: {prefix}{name.upper()} is no setting" for name in sorted(given - set(kind.model_fields) - set(foreign))]
        required = {name for name, field in kind.model_fields.items() if field.is_required()}
        faults += [f"{checks.name_of(thing)}: {prefix}{name.upper()} is required and missing" for name in sorted(required - given)]
    return faults


def events() -> dict[str, Stream]:
    """Topic -> stream, of every event in the contracts."""
    found = {}
    for file in sorted((ROOT / "protos").glob("hocba/*/v1/*_pb2.py")):
        descriptor: FileDescriptor = importlib.import_module(".".join(file.relative_to(ROOT / "protos").with_suffix("").parts)).DESCRIPTOR
        for message in descriptor.message_types_by_name.values():
            if message.GetOptions().HasExtension(options_pb2.stream):
                stream = stream_of(GetMessageClass(message))
                found[stream.topic] = stream
    return found


def wrong_topics(stated: dict[str, dict[str, int]], contracts: dict[str, Stream]) -> list[str]:
    """Faults of topics that are missing, unknown, or other than their contract."""
    faults = [f"{topic} is in the contracts and not in the chart" for topic in sorted(set(contracts) - set(stated))]
    faults += [f"{topic} is in the chart and not in the contracts" for topic in sorted(set(stated) - set(contracts))]
    for topic in set(stated) & set(contracts):
        wanted = {"partitions": contracts[topic].partitions, "retentionHours": contracts[topic].retention_hours}
        if stated[topic] != wanted:
            faults.append(f"{topic} has {stated[topic]}, its contract says {wanted}")
    return faults


def callers_in_contracts() -> dict[str, set[str]]:
    """Service -> everybody whom some method of it admits."""
    found = {}
    for service in SERVICES:
        module = importlib.import_module(f"hocba.{service}.v1.{service}_pb2")
        (descriptor,) = module.DESCRIPTOR.services_by_name.values()
        found[service] = {caller for method in descriptor.methods for caller in method.GetOptions().Extensions[options_pb2.allowed_callers]}
    return found


def wrong_callers(services: dict[str, Any], contracts: dict[str, set[str]]) -> list[str]:
    """Faults of entries whose network lets in others than their methods do, or whose calls aren't let in there."""
    faults = []
    for name, entry in services.items():
        if not entry.get("rpc", True):
            continue
        stated = set(entry.get("callers", VALUES["defaults"]["callers"]))
        if stated != contracts[entry["service"]]:
            faults.append(f"{name}: callers are {sorted(stated)}, the methods admit {sorted(contracts[entry['service']])}")
    for name, entry in services.items():
        for peer in entry.get("calls", []):
            if entry["service"] not in contracts[services[peer]["service"]]:
                faults.append(f"{name} calls {peer}, which admits no {entry['service']}")
    for service, admitted in contracts.items():
        for caller in admitted - {"edge"}:
            if service not in {services[peer]["service"] for entry in services.values() if entry["service"] == caller for peer in entry.get("calls", [])}:
                faults.append(f"{service} admits {caller}, whose entry doesn't call it: its network policy would stop the call")
    return faults


def settings_classes() -> dict[str, type[ServiceSettings]]:
    """The settings class of each service, as its app names it."""
    return {service: importlib.import_module(f"services.{service}.app").SETTINGS for service in SERVICES}


@pytest.mark.parametrize("values", CI_FILES)
def test_every_process_runs_a_command_that_exists(values: str) -> None:
    assert unknown_commands(objects_of(rendered_text(values)), get_command(build())) == []


def test_command_that_does_not_exist_is_found() -> None:
    objects = objects_of(rendered_text("minimal-values.yaml"))
    checks.our_container(checks.of_kind(objects, "Deployment")[0])["args"] = ["archive", "run"]
    checks.our_container(checks.of_kind(objects, "Job")[0])["args"] = ["archive"]
    checks.our_container(checks.of_kind(objects, "CronJob")[0])["args"] = ["archive", "fsck", "--no-document"]
    assert len(unknown_commands(objects, get_command(build()))) == 3
    assert unknown_commands(objects, get_command(typer.Typer(callback=lambda: None, name="empty"))) != []


@pytest.mark.parametrize("values", CI_FILES)
def test_every_variable_is_a_setting_and_none_is_missing(values: str) -> None:
    assert wrong_settings(objects_of(rendered_text(values)), settings_classes()) == []


def test_misspelt_and_missing_variables_are_found() -> None:
    objects = objects_of(rendered_text("minimal-values.yaml"))
    environment = checks.our_container(checks.of_kind(objects, "Deployment")[0])["env"]
    environment[:] = [entry for entry in environment if not entry["name"].endswith("_KAFKA_BOOTSTRAP")]
    environment += [{"name": "HOCBA_ARCHIVE_LISTENS", "value": ""}, {"name": "HOCBA_GRADING_LISTEN", "value": ""}]
    faults = " ".join(wrong_settings(objects, settings_classes()))
    for named in ("HOCBA_ARCHIVE_KAFKA_BOOTSTRAP is required", "HOCBA_ARCHIVE_LISTENS is no setting", "HOCBA_GRADING_LISTEN belongs to another"):
        assert named in faults


def test_settings_are_accepted_as_rendered(monkeypatch: pytest.MonkeyPatch) -> None:
    for thing in checks.of_kind(objects_of(rendered_text("full-values.yaml")), "Deployment", "CronJob"):
        with monkeypatch.context() as environment:
            for name, value in checks.variables(thing).items():
                environment.setenv(name, value or "pod-0")
            settings = settings_classes()[service_of(thing)].load()
        assert settings.kafka_replicas == 3
        assert settings.health_listen == "0.0.0.0:8081"


def test_topics_are_those_of_the_contracts() -> None:
    assert wrong_topics(VALUES["kafka"]["topics"], events()) == []


def test_missing_surplus_and_changed_topics_are_found() -> None:
    contracts = events()
    stated = {topic: dict(its) for topic, its in VALUES["kafka"]["topics"].items()}
    stated["hocba.signing.order.v1"]["partitions"] = 96
    del stated["hocba.archive.admission.v1"]
    stated["hocba.printing.page.v1"] = {"partitions": 1, "retentionHours": 1}
    assert len(wrong_topics(stated, contracts)) == 3


def test_network_admits_exactly_the_callers_of_the_methods() -> None:
    assert wrong_callers(VALUES["services"], callers_in_contracts()) == []


def test_surplus_and_missing_callers_are_found() -> None:
    contracts = callers_in_contracts()
    services = {name: dict(entry) for name, entry in VALUES["services"].items()}
    services["grading"]["callers"] = ["edge"]
    services["locking"]["calls"] = ["grading", "archive"]
    faults = wrong_callers(services, contracts)
    assert len(faults) == 3, faults


def lag_groups(services: Iterable[str]) -> dict[str, set[str]]:
    """Consumer group -> topics, of every role of the services, out of what their apps wire."""
    found: dict[str, set[str]] = {}
    for name in services:
        service = wired(name)
        for subscription, _ in service.subscriptions():
            found.setdefault(subscription.group, set()).update(subscription.topics)
    return found


def wired(name: str) -> Service:
    """A service as its app builds it from placeholder settings; nothing connects."""
    module = importlib.import_module(f"services.{name}.app")
    service: Service = module.build(module.SETTINGS.load())
    return service


def test_scaler_watches_the_workers_own_group(local_settings: Path) -> None:
    worker = VALUES["services"]["signing-worker"]["autoscaling"]
    topics = lag_groups(["signing"])[worker["consumerGroup"]]
    assert topics == {lag["topic"] for lag in worker["lag"]}
