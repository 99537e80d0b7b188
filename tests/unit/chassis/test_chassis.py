"""The parts of the chassis that need no server."""

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from aiokafka.errors import CommitFailedError, KafkaConnectionError, KafkaTimeoutError
from joserfc.jwk import ECKey

from hocba.enrollment.v1 import events_pb2
from hocba.grading.v1 import grading_pb2
from hocba.locking.v1.events_pb2 import ClassLocked, WindowMoved
from services.chassis.consumer import Received, _acknowledge, events_of, handlers_of, on
from services.chassis.database import SYSTEM, Queries, RowScope, scope_of
from services.chassis.envelope import Envelope
from services.chassis.errors import KINDS, Denied, Malformed
from services.chassis.identity import Actor, Role, service_actor
from services.chassis.migrations import CHASSIS, _SQLFiles
from services.chassis.relay import partition_of
from services.chassis.rpc import access_table
from services.chassis.streams import key_of, stream_of
from services.chassis.telemetry import _Calm, _JSONLines, redact


def readers(folder: Path) -> Path:
    keys = {name: ECKey.generate_key("P-256", {"kid": name, "use": "enc"}, private=True) for name in ("grading", "signing", "archive")}
    for name, key in keys.items():
        (folder / f"{name}.json").write_text(json.dumps(key.as_dict(private=True)))
    public = folder / "readers.json"
    public.write_text(json.dumps({"keys": [key.as_dict(private=False) for key in keys.values()]}))
    return public


def sealed_event(folder: Path) -> tuple[Path, events_pb2.PupilsEnrolled]:
    public = readers(folder)
    event = events_pb2.PupilsEnrolled(school_id="s", class_id="c")
    profiles = events_pb2.PupilProfiles(profiles=[events_pb2.PupilProfile(pupil_id="p", full_name="Lê Bảo An")] * 40)
    Envelope(public, None, "enrollment").seal(event, "profiles", profiles)
    return public, event


def test_a_sealed_part_is_opened_by_its_reader_and_by_nobody_else(tmp_path: Path) -> None:
    public, event = sealed_event(tmp_path)
    assert "Lê Bảo An".encode() not in event.SerializeToString()
    opened = Envelope(public, tmp_path / "grading.json", "grading").open(event.profiles, events_pb2.PupilProfiles)
    assert opened.profiles[39].full_name == "Lê Bảo An"
    with pytest.raises(Malformed, match="not for signing"):
        Envelope(public, tmp_path / "signing.json", "signing").open(event.profiles, events_pb2.PupilProfiles)


def test_a_changed_sealed_part_is_refused(tmp_path: Path) -> None:
    public, event = sealed_event(tmp_path)
    data = json.loads(event.profiles.jwe)
    data["ciphertext"] = ("A" if data["ciphertext"][0] != "A" else "B") + data["ciphertext"][1:]
    event.profiles.jwe = json.dumps(data).encode()
    with pytest.raises(Malformed, match="cannot be opened"):
        Envelope(public, tmp_path / "grading.json", "grading").open(event.profiles, events_pb2.PupilProfiles)


def test_content_of_another_kind_cannot_be_sealed_into_a_field(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="PupilProfiles"):
        Envelope(readers(tmp_path), None, "enrollment").seal(events_pb2.PupilsEnrolled(), "profiles", events_pb2.StaffProfile())


def test_topic_and_key_come_from_the_message() -> None:
    assert stream_of(ClassLocked).key_field == "class_id"
    assert key_of(WindowMoved(window_id="w")) == "w"
    with pytest.raises(ValueError, match="window_id"):
        key_of(WindowMoved())
    with pytest.raises(TypeError, match="not an event"):
        stream_of(grading_pb2.Cell)


@pytest.mark.parametrize(("key", "hashed"), [(b"21", -973932308), (b"foobar", -790332482), (b"a-little-bit-long-string", -985981536)])
def test_keys_go_to_the_partition_that_java_producers_choose(key: bytes, hashed: int) -> None:
    # The hashes are test vectors of Apache Kafka's own Utils.murmur2.
    assert partition_of(key, 1000) == (hashed & 0x7FFFFFFF) % 1000


def test_row_scope_follows_the_actor() -> None:
    school = Actor("a", "p", (Role("principal", "school:11111111-1111-1111-1111-111111111111"),))
    assert scope_of(school) == RowScope("school", ("11111111-1111-1111-1111-111111111111",))
    assert scope_of(Actor("a", "p", (Role("doet_officer", "province:2025-48"),))) == RowScope("province", province="2025-48")
    assert scope_of(Actor("a", "p")) == RowScope("none")
    assert scope_of(service_actor("locking")) == SYSTEM


@pytest.mark.parametrize("value", ["x'; DROP TABLE marks; --", "a b", "é"])
def test_a_scope_takes_no_sql(value: str) -> None:
    with pytest.raises(ValueError, match="not a scope"):
        RowScope("province", province=value).begin()


def test_a_role_counts_in_its_scope_only() -> None:
    actor = Actor("a", "p", (Role("principal", "school:x"),))
    actor.require("principal", "school:x")
    actor.require(("clerk", "principal"), "school:y", "school:x")
    with pytest.raises(Denied):
        actor.require("principal", "school:y")


def test_queries_are_found_by_name_and_names_are_unique(tmp_path: Path) -> None:
    file = tmp_path / "queries.sql"
    file.write_text("-- name: one\n-- what for\nSELECT 1;\n\n-- name: two\nSELECT 2\n")
    queries = Queries(file)
    assert queries["two"] == "SELECT 2"
    assert list(queries.names()) == ["one", "two"]
    file.write_text(file.read_text() + "-- name: one\nSELECT 3\n")
    with pytest.raises(ValueError, match="two statements"):
        Queries(file)


def test_migration_files_are_numbered_without_gaps(tmp_path: Path) -> None:
    folder = tmp_path / "sample" / "migrations"
    folder.mkdir(parents=True)
    (folder / "0001_first.sql").write_text("SELECT 1")
    (folder / "0003_third.sql").write_text("SELECT 1")
    with pytest.raises(ValueError, match="0002_<what>"):
        list(_SQLFiles(CHASSIS, folder)._load_revisions())


def test_handlers_are_found_by_their_mark() -> None:
    class Consumers:
        @on(ClassLocked)
        async def on_class_locked(self, events: Sequence[Received[Any]]) -> None: ...

    assert list(handlers_of(Consumers())) == [ClassLocked]
    assert events_of(Consumers) == (ClassLocked,)


def test_every_error_kind_has_a_grpc_status_of_its_own() -> None:
    assert len({kind.status for kind in KINDS}) == len(KINDS)


def test_a_method_without_options_is_closed() -> None:
    table = access_table("grpc.health.v1.Health")
    assert all(not access.callers for access in table.values())


def test_logs_lose_names_marks_and_personal_numbers() -> None:
    event = redact(None, "", {"full_name": "Lê An", "mark": "3.5", "event": "number 048315000001 refused", "service_name": "grading", "class_id": "c"})
    assert event == {"full_name": "[redacted]", "mark": "[redacted]", "event": "number [redacted] refused", "service_name": "grading", "class_id": "c"}


def test_a_library_that_repeats_itself_is_heard_once_in_a_while() -> None:
    calm = _Calm()
    records = [logging.makeLogRecord({"name": "aiokafka", "msg": "Unable to connect to %s", "args": (n,), "created": 100.0 + n}) for n in range(30)]
    assert [record.args for record in records if calm.filter(record)] == [(0,), (10,), (20,)]


def test_lines_of_libraries_are_json_whatever_they_say() -> None:
    record = logging.makeLogRecord({"name": "grpc", "msg": 'said "%s"', "args": ("048315000001",)})
    line = json.loads(_JSONLines("grading", "g-1").format(record))
    assert line["event"] == 'said "[redacted]"'
    assert line["service"] == "grading"


class Acknowledging:
    """A message whose commits fail as told, then succeed."""

    def __init__(self, *failures: Exception) -> None:
        self.failures, self.calls = list(failures), 0

    async def ack(self) -> None:
        self.calls += 1
        if self.failures:
            raise self.failures.pop(0)


async def test_offsets_are_committed_once_the_broker_is_back() -> None:
    message = Acknowledging(KafkaConnectionError(), KafkaTimeoutError())
    await _acknowledge(message)
    assert message.calls == 3


async def test_offsets_of_a_group_that_has_moved_on_are_left() -> None:
    message = Acknowledging(CommitFailedError("rebalanced"))
    await _acknowledge(message)
    assert message.calls == 1
