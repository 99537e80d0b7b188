"""
What must exist before services can start beside a PostgreSQL and a Kafka that somebody else runs: for `docker compose`.

In two steps, since the database server needs its administrator's password before it starts:

    keys   the CA and a leaf per service, token issuer, readers' keys, signers' test keys, keys of log, witnesses and register, a password per database role
    rest   roles, databases, migrations, topics, offsets, and the description with which the CLI finds the services

Both may be repeated: what is there stays, leaves are renewed.
"""

from __future__ import annotations

import os
from urllib.parse import quote, urlsplit, urlunsplit

from services.chassis import migrations
from services.stack import log_keys, migrate, pki, postgresql
from services.stack.deployment import ARCHIVE_LOG, DASHBOARD, Deployment
from services.stack.places import CHECKOUT, SERVICES, Places, StackError
from services.stack.signer_pki import SignerPki

GRPC_PORT, HTTP_PORT, HEALTH_PORT = 50051, 8080, 8081
TRUST_SERVICES = f"trust-services:{HTTP_PORT}"


def keys(places: Places) -> None:
    """Make every key and password that is missing."""
    made = pki.prepare(places.make())
    signers = SignerPki(made.folder / "signers", services=f"http://{TRUST_SERVICES}")
    signers.folder.chmod(0o700)
    log_keys.prepare_register(made.folder / "register")
    log_keys.prepare(made.folder / "log", {name: f"{name}:{HTTP_PORT}" for name in log_keys.WITNESSES}, signers.anchors)
    for folder in (places.objects / "staging", places.objects / "archive", places.state / "key-journal"):
        folder.mkdir(parents=True, exist_ok=True)
    # A server that is given is neither made nor started; its passwords are what is wanted here.
    if not os.environ.get("HOCBA_DATABASE"):
        raise StackError("HOCBA_DATABASE must name the server that will run, as in postgresql://hocba_admin@postgresql:5432/postgres")
    postgresql.start(places)


def rest(places: Places) -> Deployment:
    """Make roles, databases, schemas, topics and offsets on the servers that HOCBA_DATABASE and HOCBA_KAFKA name.

    Services are expected at <service>:50051, as compose names them. Raises StackError when a server isn't named.
    """
    missing = [name for name in ("HOCBA_DATABASE", "HOCBA_KAFKA") if not os.environ.get(name)]
    if missing:
        raise StackError(f"{' and '.join(missing)} must name the servers to provision")
    os.environ["HOCBA_DATABASE"] = with_password(os.environ["HOCBA_DATABASE"], places)
    server = postgresql.start(places)
    databases = {name: server.provide(name) for name in postgresql.DATABASES}
    deployment = Deployment(
        state=places.state,
        kafka=os.environ["HOCBA_KAFKA"],
        postgresql=server.place,
        addresses={name: f"{name}:{GRPC_PORT}" for name in (*SERVICES, "population")}
        | {"trust-services": TRUST_SERVICES, ARCHIVE_LOG: f"archive:{HTTP_PORT}", DASHBOARD: f"reporting:{HTTP_PORT}"}
        | {log_keys.REGISTER: f"{log_keys.REGISTER}:{HTTP_PORT}"},
        health={name: f"{name}:{HEALTH_PORT}" for name in SERVICES},
        databases={service: found.url for service, found in databases.items()},
        owner_databases={service: found.owner_url for service, found in databases.items()},
    )
    for service in SERVICES:
        os.environ.update(deployment.environment_of(service, as_owner=True))
    if migrate.main(list(SERVICES)) != 0:
        raise StackError("the migrations failed; the lines above say why")
    migrations.migrate(databases[log_keys.REGISTER].owner_url, CHECKOUT / "services" / log_keys.REGISTER / "migrations")
    deployment.write()
    return deployment


def with_password(url: str, places: Places) -> str:
    """An administrator's URL with the password of `secrets/`, unless it brings one."""
    parts = urlsplit(url)
    if parts.password is not None or not parts.username:
        return url
    file = places.secrets / f"{parts.username}.password"
    if not file.exists():
        raise StackError(f"no password for {parts.username}: run `hocba stack provision keys` first, or put it into HOCBA_DATABASE")
    place = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, f"{parts.username}:{quote(file.read_text().strip(), safe='')}@{place}", parts.path, parts.query, ""))
