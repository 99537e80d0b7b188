"""`hocba agent`: runs at a school, beside the token that holds its seal."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from services.cli.edge import FAILED, door_to, reported

if TYPE_CHECKING:
    from services.agent.work import Agent, Open, Round, Watcher

UNDONE = 1
"""Exit code of --once when something is still open."""
_LONGEST_PAUSE = 60.0


def attach(app: typer.Typer, groups: dict[str, typer.Typer]) -> None:
    """Add the command."""
    app.command("agent")(agent)


def agent(
    school: Annotated[str, typer.Option(help="The school (UUID).")],
    certificate: Annotated[Path, typer.Option(help="The seal's certificate, DER or PEM.", exists=True, dir_okay=False, readable=True)],
    library: Annotated[Path, typer.Option(help="The PKCS#11 library of the token's vendor.", exists=True, dir_okay=False)],
    token: Annotated[str, typer.Option(help="The token's label.")],
    key: Annotated[str, typer.Option(help="The key's label in the token.")],
    pin_file: Annotated[Path, typer.Option(help="File with the PIN; nobody else should be able to read it.")],
    state: Annotated[Path, typer.Option(help="Folder for the journal of the key and for values that aren't delivered yet.", file_okay=False)],
    every: Annotated[float, typer.Option(min=1.0, help="Seconds between two looks.")] = 10.0,
    once: Annotated[
        bool, typer.Option("--once", help="Look once. Exit code 0: nothing is open any more; 1: something is; 2: something must be mended.")
    ] = False,
    ask: Annotated[bool, typer.Option("--ask", help="Ask a person before each round that would sign.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per round.")] = False,
) -> None:
    """Sign what waits for the school's seal with the token on this machine, until stopped.

    The account is that of HOCBA_EDGE_*, else the local stack's. A token that is pulled out and a line that breaks are waited for;
    a wrong PIN is not tried again before its file changes.
    """
    from services.chassis import telemetry
    from services.signing.adapters.keys.memory_guard import no_core_dumps

    with reported():
        no_core_dumps()
        # What the parts below log is for services; a person is told by the round.
        telemetry.configure("agent", level="error", export="none", otlp_endpoint="", instance="agent")
        code = asyncio.run(_run(school, certificate, library, token, key, pin_file, state, every, once, ask, as_json))
    raise typer.Exit(code)


async def _run(
    school: str, certificate: Path, library: Path, token: str, key: str, pin_file: Path, state: Path, every: float, once: bool, ask: bool, as_json: bool
) -> int:
    from services.agent.line import Line
    from services.agent.work import Agent, KeptValues
    from services.chassis.clock import SystemClock
    from services.chassis.rpc_client import open_channel
    from services.signing.adapters.key_journal import FileKeyJournal
    from services.signing.adapters.keys.pkcs11 import Pkcs11Keys, TokenLibrary
    from services.signing.adapters.keys.router import KeyRouter
    from services.signing.adapters.keys.values import is_by
    from services.signing.domain.key_names import Home

    der = _der(certificate)
    door = door_to("signing", (f"clerk@school:{school}",))
    channel = open_channel(door.address, "signing", ca=door.ca, certificate=door.certificate, key=door.key)
    home = Pkcs11Keys(TokenLibrary(library, pin_file, sessions=1))
    line = Line(channel, door.metadata, school, hashlib.sha256(der).digest())
    watcher: Watcher = _Quiet() if as_json else _Screen(ask)
    journal = FileKeyJournal(state / "journal", "agent", SystemClock())
    made = Agent(line, KeyRouter({Home.PKCS11: home}), f"pkcs11:{token}/{key}", der, journal, KeptValues(state / "values"), is_by, watcher)
    try:
        return await _rounds(made, every, once, as_json)
    finally:
        await home.close()
        await channel.close(None)


async def _rounds(agent: Agent, every: float, once: bool, as_json: bool) -> int:
    failed = 0
    while True:
        done = await agent.round()
        failed = failed + 1 if done.trouble else 0
        _tell(done, as_json, last=once)
        if once:
            return FAILED if done.mend else UNDONE if done.trouble or done.open else 0
        await asyncio.sleep(min(_LONGEST_PAUSE, every * 2 ** min(failed, 6)) if failed else every)


def _tell(done: Round, as_json: bool, last: bool) -> None:
    if as_json:
        typer.echo(json.dumps(asdict(done)))
    elif done.trouble:
        typer.secho(f"{done.trouble} ({done.code})" + ("" if last else "; trying again by itself"), err=True, fg="red")
    elif done.delivered:
        typer.echo(f"{done.signatures} signatures made, {done.delivered} requests delivered")
    elif last:
        typer.echo("nothing waits for this certificate")


def _der(path: Path) -> bytes:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    content = path.read_bytes()
    return x509.load_pem_x509_certificate(content).public_bytes(Encoding.DER) if content.startswith(b"-----BEGIN") else content


class _Quiet:
    """Fulfils Watcher for programs: the round's JSON says it all."""

    def found(self, requests: Sequence[Open]) -> bool:
        return True

    def signed(self, request: Open, count: int) -> None:
        """Nothing to show."""

    def delivered(self, request: Open, state: str) -> None:
        """Nothing to show."""

    def ended(self) -> None:
        """Nothing to show."""


class _Screen:
    """Fulfils Watcher for people: a table of what is about to be signed, and a bar while it is."""

    def __init__(self, ask: bool) -> None:
        from rich.console import Console

        self._ask = ask
        self._console = Console()
        self._progress: Any = None
        self._task: Any = None

    def found(self, requests: Sequence[Open]) -> bool:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
        from rich.table import Table

        table = Table(title="About to sign")
        for heading in ("school", "class", "year", "grade", "as", "transcripts", "manifest root", "until"):
            table.add_column(heading)
        for one in requests:
            until = one.expires_at.astimezone().strftime("%d/%m %H:%M")
            words = (one.school_name, one.class_id[:8], f"{one.school_year}-{one.school_year + 1}", str(one.grade), one.role.replace("_", " "))
            table.add_row(*words, str(len(one.uses)), f"{one.merkle_root.hex()[:16]}…", until)
        self._console.print(table)
        if self._ask and not typer.confirm("Sign these with the token?"):
            return False
        self._progress = Progress(TextColumn("signing"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=self._console)
        self._task = self._progress.add_task("signing", total=sum(len(one.uses) for one in requests))
        self._progress.start()
        return True

    def signed(self, request: Open, count: int) -> None:
        self._progress.update(self._task, advance=count)

    def delivered(self, request: Open, state: str) -> None:
        self._progress.console.print(f"{request.class_id[:8]}: {len(request.uses)} signatures delivered, {state}")

    def ended(self) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None
