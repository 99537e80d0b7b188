"""Databases of all services that agree on a number of transcripts, and what harms them."""

import itertools
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg

from services.chassis.database import Queries
from services.stack.postgresql import Databases, Server

SERVICES = ("locking", "grading", "signing", "archive", "reporting")
_SEED = Queries(Path(__file__).with_suffix(".sql"))


@dataclass
class Agreeing:
    """One database for each service. The first harm to one is done to a copy, so that tests share the others."""

    server: Server
    databases: dict[str, Databases]
    copies: list[str] = field(default_factory=list)

    @property
    def urls(self) -> dict[str, str]:
        """By service, for the run-time role."""
        return {service: found.url for service, found in self.databases.items()}

    def harm(self, service: str, statement: str) -> None:
        """Run a statement that the tables' own guards would refuse."""
        if self.databases[service].name not in self.copies:
            self.copies.append(f"{self.databases[service].name}_{next(_numbers)}")
            self.databases[service] = self.server.copy(service, self.databases[service].name, self.copies[-1])
        with self._connect(service) as connection:
            connection.execute(statement.encode())

    def fill(self, pupils: int) -> None:
        """The same transcripts in each."""
        for service in self.databases:
            with self._connect(service) as connection:
                for name in ("pupils", service):
                    connection.execute((_SEED[name] % {"n": pupils}).encode())

    def forget(self) -> None:
        """Drop the copies."""
        for name in self.copies:
            self.server.drop(name)

    def _connect(self, service: str) -> psycopg.Connection:
        parts = urlsplit(self.server.admin_url)
        url = urlunsplit((parts.scheme, parts.netloc, f"/{self.databases[service].name}", parts.query, ""))
        return psycopg.connect(url, options="-c session_replication_role=replica")


_numbers = itertools.count(1)
