"""Calls from a person's terminal: the `edge` certificate and a bearer token, of the local stack unless variables say otherwise.

HOCBA_EDGE_ADDRESS           host:port of the service that is called
HOCBA_EDGE_CA_FILE           CA of the services' certificates
HOCBA_EDGE_CERTIFICATE_FILE  our certificate (its name is `edge`)
HOCBA_EDGE_KEY_FILE          its key
HOCBA_EDGE_TOKEN_FILE        the caller's token
HOCBA_EDGE_PERSON            whom the local stack's issuer takes the caller for: what one person asks for, another confirms
"""

import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import grpc
import typer
import uvloop

from services.chassis.errors import ServiceError
from services.chassis.rpc_client import open_channel
from services.stack.deployment import Deployment
from services.stack.places import StackError

T = TypeVar("T")
_PREFIX = "HOCBA_EDGE_"
OPERATOR = "operator"
"""Process name of a command that runs beside a service; signing's hand it the keys, as they do to workers."""
FAILED = 2
"""Exit code of a command that could not do its work."""
REFUSED = 1
"""Exit code of a check that found something wrong."""


@dataclass(frozen=True)
class Door:
    """A service's address and what opens it."""

    address: str
    ca: Path
    certificate: Path
    key: Path
    token: str

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What each call carries."""
        return (("authorization", f"Bearer {self.token}"),)


def door_to(service: str, roles: tuple[str, ...]) -> Door:
    """The door to a service: that of the variables, else that of the local stack, whose issuer gives out the roles asked for."""
    if f"{_PREFIX}ADDRESS" in os.environ:
        files = {name: Path(_variable(f"{name}_FILE")) for name in ("CA", "CERTIFICATE", "KEY", "TOKEN")}
        return Door(_variable("ADDRESS"), files["CA"], files["CERTIFICATE"], files["KEY"], files["TOKEN"].read_text().strip())
    deployment = running()
    leaf = deployment.keys.leaf("edge")
    person = os.environ.get(f"{_PREFIX}PERSON") or "cli"
    token = deployment.token(person, person, roles)
    return Door(deployment.addresses[service], deployment.keys.ca, leaf.certificate, leaf.key, token)


def ask(service: str, roles: tuple[str, ...], question: Callable[[grpc.aio.Channel, Any], Awaitable[T]]) -> T:
    """The answer of one conversation with a service; an error ends the command with its message and exit code 2."""
    with reported():
        door = door_to(service, roles)
        return uvloop.run(_ask(door, service, question))


def running() -> Deployment:
    """The local stack that is meant; StackError when there is none."""
    # Imported here: what it takes to run a stack isn't needed to ask another deployment.
    from services.stack import supervisor

    return Deployment.read(supervisor.meant())


def take_local_settings(service: str, process: str | None = None, *, as_owner: bool = False) -> None:
    """Let a command that runs beside a service use the local stack's settings, unless the variables of the service are set."""
    if f"HOCBA_{service.upper()}_DATABASE_URL" not in os.environ:
        os.environ.update(running().settings_of(service, process, as_owner=as_owner))


@contextmanager
def reported() -> Iterator[None]:
    """Errors that are meant for people end the command with their message."""
    try:
        yield
    except ServiceError as error:
        typer.secho(error.message, err=True, fg="red")
        raise typer.Exit(FAILED) from error
    except (StackError, OSError) as error:
        typer.secho(str(error), err=True, fg="red")
        raise typer.Exit(FAILED) from error


async def _ask(door: Door, service: str, question: Callable[[grpc.aio.Channel, Any], Awaitable[T]]) -> T:
    channel = open_channel(door.address, service, ca=door.ca, certificate=door.certificate, key=door.key)
    try:
        return await question(channel, door.metadata)
    finally:
        await channel.close(None)


def _variable(name: str) -> str:
    value = os.environ.get(_PREFIX + name)
    if not value:
        raise StackError(f"{_PREFIX}{name} is not set; set it beside {_PREFIX}ADDRESS, or unset that to use the local stack")
    return value
