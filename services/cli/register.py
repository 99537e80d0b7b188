"""`hocba register`: run the national register, decide who may submit; submit a province's transcripts to it, look a pupil up."""

import asyncio
import json
import secrets
import signal
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from services.cli.edge import FAILED, reported, running, take_local_settings

File = Annotated[Path, typer.Option(exists=True, dir_okay=False, readable=True)]
Json = Annotated[bool, typer.Option("--json", help="One JSON object instead of words.")]
Database = Annotated[str, typer.Option(envvar="HOCBA_REGISTER_DATABASE", help="postgresql://role@host:port/database; else the local stack's.")]
PasswordFile = Annotated[Path | None, typer.Option(envvar="HOCBA_REGISTER_DATABASE_PASSWORD_FILE", help="File with the role's password.")]
Url = Annotated[str, typer.Option(envvar="HOCBA_REGISTER_URL", help="https://host:port of the register; else the local stack's.")]
Ca = Annotated[Path | None, typer.Option(envvar="HOCBA_REGISTER_CA_FILE", help="Who vouches for its TLS certificate; else the machine's authorities.")]
ReceiptKey = Annotated[str, typer.Option(envvar="HOCBA_REGISTER_RECEIPT_KEY", help="Public key that signs its receipts (<name>+<id>+<key>).")]
TokenFile = Annotated[Path | None, typer.Option(envvar="HOCBA_REGISTER_TOKEN_FILE", help="File with the account's token.")]


def attach(app: typer.Typer, _: dict[str, typer.Typer]) -> None:
    """Add the commands."""
    group = typer.Typer(help="The national register of transcripts (kho học bạ số).", no_args_is_help=True)
    for name, command in (
        ("serve", serve),
        ("migrate", migrate),
        ("account", account),
        ("accounts", accounts),
        ("approve", approve),
        ("revoke", revoke),
        ("submit", submit),
        ("receipts", receipts),
        ("find", find),
    ):
        group.command(name)(command)
    app.add_typer(group, name="register")


def serve(
    database: Database,
    key: File,
    state: Annotated[Path, typer.Option(help="Folder of uploads and of the key that hides pupils' numbers; it must outlive every restore.")],
    trust: Annotated[Path, typer.Option(help="Folder of authorities whose certificates departments may have.", exists=True, file_okay=False)],
    tls_certificate: File,
    tls_key: File,
    database_password_file: PasswordFile = None,
    listen: Annotated[str, typer.Option(help="host:port of the HTTPS server.")] = "127.0.0.1:0",
    health_listen: Annotated[str, typer.Option(envvar="HOCBA_REGISTER_HEALTH_LISTEN", help="host:port for health checks; empty: none.")] = "",
) -> None:
    """Run the register until SIGTERM or SIGINT."""
    from services.archive.domain.signed_note import NoteError
    from services.chassis import telemetry
    from services.register.app import serve as run
    from services.register.settings import RegisterSettings

    async def until_stopped(settings: RegisterSettings) -> None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await run(settings, listen, health_listen, stop)

    telemetry.configure("register", level="info", export="none", otlp_endpoint="", instance="register")
    with reported():
        try:
            asyncio.run(until_stopped(RegisterSettings(_with_password(database, database_password_file), state, key, trust, tls_certificate, tls_key)))
        except NoteError as error:
            typer.secho(str(error), err=True, fg="red")
            raise typer.Exit(FAILED) from error


def migrate(
    owner_database: Annotated[str, typer.Option(envvar="HOCBA_REGISTER_OWNER_DATABASE", help="As --database, for the owner role.")],
    owner_password_file: Annotated[Path | None, typer.Option(envvar="HOCBA_REGISTER_OWNER_PASSWORD_FILE")] = None,
) -> None:
    """Bring the register's database up to date."""
    from services.chassis import migrations
    from services.register.app import MIGRATIONS

    ran = migrations.migrate(_with_password(owner_database, owner_password_file), MIGRATIONS)
    typer.echo(f"register: {len(ran)} migrations")


def account(
    department: Annotated[str, typer.Argument(help="The department's id, such as 2025-79.")],
    name: Annotated[str, typer.Option(help="Its name, for people.")],
    log_policy: Annotated[Path, typer.Option(help="Policy file of its transparency log.", exists=True, dir_okay=False)],
    token_out: Annotated[Path, typer.Option(help="Where its new token goes; give it to the department and to nobody else.")],
    may_find: Annotated[bool, typer.Option("--may-find", help="It may look pupils up across all provinces.")] = False,
    database: Database = "",
    database_password_file: PasswordFile = None,
) -> None:
    """Open a department's account, or give an open one another token, policy or right."""
    from services.archive.domain.signed_note import NoteError
    from services.archive.domain.witness_policy import read_policy
    from services.chassis.errors import Malformed
    from services.register.application.ports import Account

    with reported():
        policy = log_policy.read_text(encoding="utf-8")
        try:
            read_policy(policy)
        except NoteError as error:
            raise Malformed(f"{log_policy}: {error}") from error
        token = secrets.token_urlsafe(32)
        token_out.touch(mode=0o600)
        token_out.write_text(token + "\n")
        _operate(database, database_password_file, lambda register, now: register.open_account(Account(department, name, policy, may_find), token, now))
    typer.echo(f"{department}: open; its token is in {token_out}")


def accounts(database: Database = "", database_password_file: PasswordFile = None) -> None:
    """List the accounts with their standing certificates, as JSON."""
    with reported():
        typer.echo(json.dumps(_operate(database, database_password_file, lambda register, _: register.accounts()), ensure_ascii=False, indent=1))


def approve(
    department: Annotated[str, typer.Argument(help="Whose certificate it is.")],
    certificate: Annotated[Path, typer.Argument(help="The certificate (PEM or DER).", exists=True, dir_okay=False)],
    database: Database = "",
    database_password_file: PasswordFile = None,
) -> None:
    """Approve a department's certificate: its signatures count from now on."""
    with reported():
        digest = _digest(certificate)
        _operate(database, database_password_file, lambda register, now: register.approve(department, digest, now))
    typer.echo(f"{department}: {digest.hex()} approved")


def revoke(
    certificate: Annotated[Path, typer.Argument(help="The certificate (PEM or DER).", exists=True, dir_okay=False)],
    why: Annotated[str, typer.Option(help="The reason, kept with the revocation.")],
    database: Database = "",
    database_password_file: PasswordFile = None,
) -> None:
    """End an approval for ever: no batch that it signed is taken any more. What was taken before stays."""
    with reported():
        digest = _digest(certificate)
        _operate(database, database_password_file, lambda register, now: register.revoke(digest, now, why))
    typer.echo(f"{digest.hex()} revoked")


def submit(
    province: Annotated[str, typer.Argument(help="The province, such as 2025-79; the account of the same name submits.")],
    key: Annotated[Path | None, typer.Option(envvar="HOCBA_REGISTER_DEPARTMENT_KEY_FILE", help="The department's key (PKCS#12).")] = None,
    key_password_file: Annotated[Path | None, typer.Option(envvar="HOCBA_REGISTER_DEPARTMENT_KEY_PASSWORD_FILE")] = None,
    fetch: Annotated[str, typer.Option(help="URL at which those who may see a document ask for it; else the local archive's.")] = "",
    url: Url = "",
    ca: Ca = None,
    receipt_key: ReceiptKey = "",
    token_file: TokenFile = None,
    as_json: Json = False,
) -> None:
    """Submit every archived version that the register hasn't acknowledged. Runs beside the archive, with its settings; may be stopped and begun again.

    Exit code 0: nothing waits any more; 1: some records were rejected (`hocba register receipts`); 2: it could not be done, and why.
    """
    from rich.console import Console
    from rich.progress import Progress

    from services.archive import app as archive
    from services.archive.adapters.department_key import FileDepartmentKey
    from services.archive.application.submit_transcripts import Submitted

    async def run() -> Submitted:
        settings = archive.SETTINGS.load()
        service = archive.build(settings)
        await service.database.open()
        try:
            where = fetch or f"grpcs://{running().addresses['archive']}/hocba.archive.v1.Archive"
            work = archive.submission(settings, service, FileDepartmentKey.read(*files), client, where)
            with Progress(console=Console(stderr=True), transient=True, disable=as_json) as progress:
                task = progress.add_task("học bạ (transcripts)", total=None)
                return await work(province, lambda done, total: progress.update(task, completed=done, total=total))
        finally:
            await service.database.close()

    with reported():
        client = _client(url, ca, receipt_key, token_file, province)
        files = (key, key_password_file) if key and key_password_file else _local_key(province)
        take_local_settings("archive")
        done = asyncio.run(run())
    told = {"batches": done.batches, "applied": done.applied, "ignored": done.ignored, "rejected": done.rejected}
    words = f"{done.batches} gói (batches): {done.applied} nhận (applied), {done.ignored} đã có (ignored), {done.rejected} từ chối (rejected)"
    typer.echo(json.dumps(told) if as_json else words)
    if done.rejected:
        raise typer.Exit(1)


def receipts(
    province: Annotated[str, typer.Argument(help="The province.")],
    out: Annotated[Path | None, typer.Option(help="Folder into which each receipt and its file of results is written.")] = None,
) -> None:
    """List a province's receipts from the register, as JSON; beside the archive, with its settings."""
    from services.archive import app as archive

    async def run() -> list[Any]:
        settings = archive.SETTINGS.load()
        service = archive.build(settings)
        await service.database.open()
        try:
            return list(await archive.receipts(service, province))
        finally:
            await service.database.close()

    with reported():
        take_local_settings("archive")
        found = asyncio.run(run())
        for one in found if out else ():
            assert out is not None
            out.mkdir(parents=True, exist_ok=True)
            (out / f"{one['manifest_sha256'].hex()}.receipt").write_bytes(one["receipt"])
            (out / f"{one['manifest_sha256'].hex()}.results.json").write_bytes(one["results"])
    told = [
        {
            "batch": one["batch_id"],
            "manifest_sha256": one["manifest_sha256"].hex(),
            **{name: one[name] for name in ("applied", "ignored", "rejected")},
            "received_at": one["received_at"].isoformat(),
            "reasons": sorted({result["reason"] for result in json.loads(one["results"]) if result["reason"]}),
        }
        for one in found
    ]
    typer.echo(json.dumps(told, indent=1))


def find(
    pupil: Annotated[str, typer.Argument(help="Personal number (số định danh), or the ministry's code of a pupil.")],
    department: Annotated[str, typer.Option("--as", help="On the local stack: the account that asks.")] = "",
    url: Url = "",
    ca: Ca = None,
    receipt_key: ReceiptKey = "",
    token_file: TokenFile = None,
    as_json: Json = False,
) -> None:
    """Find a pupil's transcripts in all provinces, for accounts that have the right; the register keeps who asked.

    Exit code 0: found; 1: the register holds nothing of this pupil; 2: it could not be found out.
    """
    with reported():
        found = asyncio.run(_client(url, ca, receipt_key, token_file, department).find(pupil))
    if as_json:
        typer.echo(json.dumps({"transcripts": found}, ensure_ascii=False))
    else:
        words = {"valid": "có hiệu lực (valid)", "superseded": "đã được thay thế (superseded)", "withdrawn": "đã thu hồi (withdrawn)"}
        for one in found:
            typer.echo(f"{one['school_year']}-{one['school_year'] + 1}  {one['department_name']}  v{one['version']}  {words[one['status']]}")
            typer.echo(f"  {one['transcript']}  sha256 {one['sha256']}  {one['fetch']}")
        if not found:
            typer.echo("Kho không có học bạ nào của học sinh này (the register holds nothing of this pupil).")
    if not found:
        raise typer.Exit(1)


def _operate(database: str, password_file: Path | None, act: Any) -> Any:
    """What the operator's act on the tables answers."""
    from services.register.app import register_of

    async def run() -> Any:
        async with register_of(url) as register:
            return await act(register, datetime.now(UTC))

    url = _with_password(database, password_file) if database else running().databases["register"]
    return asyncio.run(run())


def _client(url: str, ca: Path | None, receipt_key: str, token_file: Path | None, department: str) -> Any:
    """The register's client: by the options, else the local stack's."""
    from services.archive.adapters.note_keys import read_signer
    from services.archive.adapters.register_client import HTTPRegister
    from services.archive.domain.signed_note import KeyText, NoteError
    from services.chassis.errors import Malformed
    from services.stack import log_keys

    if url:
        if not receipt_key or token_file is None:
            raise Malformed("--url wants --receipt-key and --token-file beside it")
        try:
            return HTTPRegister(url.rstrip("/"), token_file.read_text().strip(), ca, KeyText.read(receipt_key))
        except NoteError as error:
            raise Malformed(f"--receipt-key: {error}") from error
    stack = running()
    if "register" not in stack.databases:
        raise Malformed("the local stack runs without the register; start it whole with `make up`")
    tokens = sorted(stack.register_keys.glob("*.token"))
    file = token_file or (stack.register_keys / f"{department}.token" if department else next(iter(tokens), None))
    if file is None or not file.exists():
        raise Malformed(f"no account's token lies in {stack.register_keys}: open one with `hocba register account`, --token-out into that folder")
    key = read_signer(log_keys.key_file(stack.register_keys, log_keys.REGISTER)).public
    return HTTPRegister(f"https://{stack.addresses['register']}", file.read_text().strip(), stack.keys.ca, key)


def _local_key(province: str) -> tuple[Path, Path]:
    from services.chassis.errors import Malformed

    keys = running().signers / "keys"
    if not (keys / f"doet-{province}.p12").exists():
        raise Malformed(f"the department's key isn't in {keys}: give --key and --key-password-file")
    return keys / f"doet-{province}.p12", keys / "password"


def _digest(file: Path) -> bytes:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    from services.chassis.errors import Malformed

    data = file.read_bytes()
    try:
        found = x509.load_pem_x509_certificate(data) if data.startswith(b"-----") else x509.load_der_x509_certificate(data)
    except ValueError as error:
        raise Malformed(f"{file} holds no certificate: {error}") from error
    return found.fingerprint(hashes.SHA256())


def _with_password(url: str, password_file: Path | None) -> str:
    from urllib.parse import quote

    if password_file is None:
        return url
    scheme, rest = url.split("://", 1)
    role, rest = rest.split("@", 1)
    return f"{scheme}://{role}:{quote(password_file.read_text().strip())}@{rest}"
