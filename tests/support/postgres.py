"""A PostgreSQL server for the test run, and an empty migrated database for each test that wants one."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pytest

from services.chassis import migrations
from services.stack import postgresql
from services.stack.places import CHECKOUT
from services.stack.postgresql import Databases, Server
from tests.support.places import scratch_places

DatabaseFactory = Callable[[str], Databases]


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """One server for the whole test run; it doesn't wait for disks, since nothing of it is kept."""
    with scratch_places("postgresql") as places, postgresql.running(places, durable=False) as server:
        yield server
        server.stop()
        postgresql.wipe(places)


@pytest.fixture(scope="session")
def database_template(postgres: Server) -> DatabaseFactory:
    """`database_template("grading")`: the service's migrated database, made once per run. Don't write to it."""
    made: dict[str, Databases] = {}

    def template(service: str) -> Databases:
        if service not in made:
            databases = postgres.provide(service)
            migrate(service, databases)
            made[service] = databases
        return made[service]

    return template


@pytest.fixture
def make_database(postgres: Server, database_template: DatabaseFactory) -> Iterator[DatabaseFactory]:
    """`make_database("grading")`: a database of this test's own, migrated and empty, dropped after the test."""
    names: list[str] = []

    def make(service: str) -> Databases:
        template = database_template(service)
        name = f"{template.name}_{next(_numbers)}"
        names.append(name)
        return postgres.copy(service, template.name, name)

    yield make
    for name in names:
        postgres.drop(name)


_numbers = itertools.count(1)


def migrate(service: str, databases: Databases) -> None:
    """Bring a database to the newest revision, as its owner."""
    migrations.migrate(databases.owner_url, CHECKOUT / "services" / service / "migrations")
