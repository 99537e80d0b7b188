"""On a server that a person has named, a stack uses what it must and removes only what it has made itself."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from services.stack import given, kafka, postgresql, processes
from services.stack.kafka import Broker
from services.stack.places import Places, StackError
from services.stack.postgresql import Server
from tests.support.places import scratch_places


@pytest.fixture
def named_servers(kafka: Broker, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A PostgreSQL of the test's own and the run's Kafka, named as a person would name them."""
    with scratch_places("given") as places, postgresql.running(places, durable=False) as server:
        monkeypatch.setenv("HOCBA_DATABASE", server.admin_url)
        monkeypatch.setenv("HOCBA_KAFKA", kafka.bootstrap)
        yield server
        server.stop()
        postgresql.wipe(places)


async def test_named_servers_are_used_and_left_running(named_servers: Server) -> None:
    with scratch_places("stack") as places:
        async with processes.running(places, services=("archive",)) as stack:
            assert {state.name: state.state for state in stack.states()}["postgresql"] == "given"
            assert stack.deployment.topic_prefix.startswith("hocba-")
            assert await stack.is_ready("archive")
    with psycopg.connect(named_servers.admin_url) as connection:
        assert connection.execute("SELECT 1 FROM pg_database WHERE datname = 'hocba_archive'").fetchone() == (1,)


def test_fresh_start_drops_its_own_databases_and_nobody_elses(named_servers: Server) -> None:
    with scratch_places("mine") as mine, scratch_places("theirs") as theirs:
        _make_database(theirs, "grading")
        with pytest.raises(StackError, match="hocba_grading, made by another stack"):
            given.drop_databases(mine, postgresql.start(mine))
        given.drop_databases(theirs, postgresql.start(theirs))
    with psycopg.connect(named_servers.admin_url) as connection:
        assert connection.execute("SELECT 1 FROM pg_database WHERE datname = 'hocba_grading'").fetchone() is None


def test_topic_prefix_is_kept_until_a_fresh_start(named_servers: Server) -> None:
    with scratch_places("stack") as places:
        broker = kafka.start(places)
        first = given.topic_prefix(places, broker, fresh=False)
        assert given.topic_prefix(places, broker, fresh=False) == first
        assert given.topic_prefix(places, broker, fresh=True) != first


def _make_database(places: Places, service: str) -> None:
    server = postgresql.start(places)
    server.provide(service)
    given.claim_database(places, server, service)
