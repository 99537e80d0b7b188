"""The contracts keep their own rules: compatibility, freshness of generated files, callers, keys, personal data."""

import importlib.util
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from google.protobuf.descriptor import Descriptor, MethodDescriptor

from hocba.options.v1 import options_pb2

PROTOS = Path(__file__).resolve().parents[2] / "protos"
BUF = Path(sys.executable).with_name("buf")


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, PROTOS / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def messages() -> Iterator[Descriptor]:
    for file in sorted(PROTOS.glob("hocba/*/v1/*.proto")):
        module = importlib.import_module(f"hocba.{file.parent.parent.name}.v1.{file.stem}_pb2")
        yield from module.DESCRIPTOR.message_types_by_name.values()


def methods() -> Iterator[MethodDescriptor]:
    for file in sorted(PROTOS.glob("hocba/*/v1/*.proto")):
        module = importlib.import_module(f"hocba.{file.parent.parent.name}.v1.{file.stem}_pb2")
        for service in module.DESCRIPTOR.services_by_name.values():
            yield from service.methods


def events() -> list[Descriptor]:
    return [m for m in messages() if m.GetOptions().HasExtension(options_pb2.stream)]


def open_personal_fields(message: Descriptor, path: str = "") -> list[str]:
    """Personal fields that a bystander of the topic could read."""
    found = []
    for field in message.fields:
        name = f"{path}.{field.name}"
        if field.GetOptions().Extensions[options_pb2.personal]:
            found.append(name)
        if field.message_type and field.message_type.full_name != options_pb2.Sealed.DESCRIPTOR.full_name:
            found += open_personal_fields(field.message_type, name)
    return found


def test_contracts_are_compatible_with_the_last_release() -> None:
    done = subprocess.run([BUF, "breaking", "--against", "baseline.binpb"], cwd=PROTOS, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_breaking_change_is_found(tmp_path: Path) -> None:
    copy = shutil.copytree(PROTOS, tmp_path / "protos")
    events_file = copy / "hocba" / "grading" / "v1" / "events.proto"
    events_file.write_text(events_file.read_text().replace("int64 class_version = 7;", "string class_version = 7;"))
    done = subprocess.run([BUF, "breaking", "--against", "baseline.binpb"], cwd=copy, capture_output=True, text=True, check=False)
    assert done.returncode == 100
    assert "class_version" in done.stdout


def test_contracts_follow_buf_lint() -> None:
    done = subprocess.run([BUF, "lint"], cwd=PROTOS, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_generated_code_is_what_the_sources_give(tmp_path: Path) -> None:
    copy = shutil.copytree(PROTOS, tmp_path / "protos")
    for file in copy.glob("hocba/**/*_pb2*"):
        file.unlink()
    load("generate").generate(copy)
    names = {p.relative_to(copy) for p in copy.glob("hocba/**/*_pb2*.py*") if "__pycache__" not in p.parts}
    assert names == {p.relative_to(PROTOS) for p in PROTOS.glob("hocba/**/*_pb2*.py*") if "__pycache__" not in p.parts}
    stale = [str(name) for name in sorted(names) if (copy / name).read_bytes() != (PROTOS / name).read_bytes()]
    assert not stale, f"run `make protos`: {stale}"


def test_asyncapi_is_what_the_contracts_give() -> None:
    assert json.loads((PROTOS / "asyncapi.json").read_text()) == load("asyncapi").document(), "run `make protos`"


@pytest.mark.parametrize("event", events(), ids=lambda m: m.full_name)
def test_an_event_has_a_key_and_shows_no_personal_data(event: Descriptor) -> None:
    stream = event.GetOptions().Extensions[options_pb2.stream]
    assert stream.topic.startswith(f"hocba.{event.full_name.split('.')[1]}.")
    assert stream.topic.endswith(".v1")
    assert stream.key_field in event.fields_by_name
    assert open_personal_fields(event) == []


def test_open_personal_data_would_be_found() -> None:
    from hocba.enrollment.v1 import events_pb2

    assert ".profiles.full_name" in open_personal_fields(events_pb2.PupilProfiles.DESCRIPTOR)


def test_events_of_one_topic_agree_on_partitions_and_key() -> None:
    streams: dict[str, set[tuple[int, str, int]]] = {}
    for event in events():
        stream = event.GetOptions().Extensions[options_pb2.stream]
        streams.setdefault(stream.topic, set()).add((stream.partitions, stream.key_field, stream.retention_hours))
    assert {topic: kinds for topic, kinds in streams.items() if len(kinds) > 1} == {}


@pytest.mark.parametrize("method", list(methods()), ids=lambda m: m.full_name)
def test_a_method_names_its_callers_and_the_edge_its_roles(method: MethodDescriptor) -> None:
    options = method.GetOptions().Extensions
    assert options[options_pb2.allowed_callers]
    assert bool(options[options_pb2.allowed_roles]) == ("edge" in options[options_pb2.allowed_callers])


@pytest.mark.parametrize(
    "sealed", [f for m in messages() for f in m.fields if f.message_type and f.message_type.full_name == "hocba.options.v1.Sealed"], ids=lambda f: f.full_name
)
def test_a_sealed_field_names_its_content_and_readers(sealed: object) -> None:
    options = sealed.GetOptions().Extensions  # type: ignore[attr-defined]  # A field descriptor.
    names = {m.full_name for m in messages()}
    assert options[options_pb2.seals] in names
    assert options[options_pb2.readers]
