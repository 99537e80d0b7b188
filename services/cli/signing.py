"""What `hocba signing` adds: retry, check-keys, keys, register-certificate, announce-certificates; signing_progress.py adds what shows how far a run is."""

import asyncio
import json
import uuid
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from services.cli.edge import OPERATOR, ask, reported, take_local_settings

BROKEN = 1
"""Exit code of a check that found something wrong."""
Json = Annotated[bool, typer.Option("--json", help="One JSON object instead of words.")]


def attach(app: typer.Typer, groups: dict[str, typer.Typer]) -> None:
    """Add the commands."""
    signing = groups["signing"]
    signing.command("retry")(retry)
    signing.command("check-keys")(check_keys)
    signing.command("keys")(keys)
    signing.command("register-certificate")(register_certificate)
    signing.command("announce-certificates")(announce_certificates)


def retry(class_id: Annotated[str, typer.Argument(help="The class (UUID).")]) -> None:
    """Order anew what failed in a class, after its cause is mended."""
    from hocba.signing.v1 import signing_pb2, signing_pb2_grpc

    async def question(channel: Any, metadata: Any) -> Any:
        request = signing_pb2.RetryFailedRequest(request_id=str(uuid.uuid4()), class_id=class_id)
        return await signing_pb2_grpc.SigningStub(channel).RetryFailed(request, metadata=metadata, timeout=30)

    answer = ask("signing", ("system_operator@nation",), question)
    typer.echo(f"{answer.retried} pupils ordered again")


class Role(StrEnum):
    """The roles that sign."""

    SUBJECT_TEACHER = "subject_teacher"
    HOMEROOM_TEACHER = "homeroom_teacher"
    PRINCIPAL = "principal"
    SCHOOL_SEAL = "school_seal"


def register_certificate(
    certificate: Annotated[Path, typer.Argument(help="The certificate (DER).", exists=True, dir_okay=False)],
    school: Annotated[str, typer.Option(help="The school (UUID).")],
    role: Annotated[Role, typer.Option(help="In which role it signs.")],
    key: Annotated[str, typer.Option(help="Where its key lives, such as pkcs12:file or agent:word.")],
    staff: Annotated[str, typer.Option(help="The member of staff (UUID); none for the seal.")] = "",
    chain: Annotated[list[Path] | None, typer.Option(help="Certificates above it (DER), once each.", exists=True, dir_okay=False)] = None,
    image: Annotated[Path | None, typer.Option(help="PNG of the signature (blue) or the seal (red), no background.", exists=True, dir_okay=False)] = None,
    as_json: Json = False,
) -> None:
    """Register a certificate, with a picture of the handwritten signature or of the seal if there is one; again with a picture, to change that."""
    from hocba.common.v1 import common_pb2
    from hocba.signing.v1 import signing_pb2, signing_pb2_grpc

    request = signing_pb2.RegisterCertificateRequest(
        request_id=str(uuid.uuid4()),
        school_id=school,
        staff_id=staff,
        role=common_pb2.SignatureRole.Value(f"SIGNATURE_ROLE_{role.name}"),
        certificate=certificate.read_bytes(),
        chain=[file.read_bytes() for file in chain or []],
        key_name=key,
        image=image.read_bytes() if image else b"",
    )

    async def question(channel: Any, metadata: Any) -> Any:
        return await signing_pb2_grpc.SigningStub(channel).RegisterCertificate(request, metadata=metadata, timeout=30)

    answer = ask("signing", ("system_operator@nation",), question)
    told = {"serial": answer.certificate_serial, "image": answer.image_digest.hex()}
    typer.echo(json.dumps(told) if as_json else f"certificate {told['serial']}" + (f" with picture {told['image']}" if told["image"] else ""))


def announce_certificates(as_json: Json = False) -> None:
    """Tell reporting again how every certificate stands: once after an upgrade, or when the topic was lost. Runs beside the service, with its settings."""
    from services.signing import app

    async def run() -> int:
        service = app.build(app.SETTINGS.load())
        await service.database.open()
        try:
            return await app.announce_certificates(service)()
        finally:
            await service.database.close()

    with reported():
        take_local_settings("signing", OPERATOR)
        told = asyncio.run(run())
    typer.echo(json.dumps({"certificates": told}) if as_json else f"{told} certificates announced")


def check_keys(
    journals: Annotated[Path, typer.Option(help="Folder of the workers' key journals; else the setting.", file_okay=False)] = Path(),
    as_json: Json = False,
) -> None:
    """Compare what the keys did with what was intended. Runs beside the service, with its settings.

    Exit code 0: every use of a key stands in an intent; 1: at least one doesn't; 2: the check could not be made.
    """
    with reported():
        take_local_settings("signing", OPERATOR)
        report = asyncio.run(_check_keys(journals))
    if as_json:
        typer.echo(json.dumps({"uses": report.uses, "intents": report.intents, "problems": report.problems}, indent=1))
    else:
        typer.echo(f"{report.uses} uses of keys for {report.intents} intents, {len(report.problems)} problems")
        for problem in report.problems:
            typer.secho(f"  {problem}", fg="red")
    if report.problems:
        raise typer.Exit(BROKEN)


async def _check_keys(journals: Path) -> Any:
    from services.chassis.errors import Malformed
    from services.signing import app

    settings = app.SETTINGS.load()
    folder = journals if journals != Path() else settings.key_journal_dir
    if folder is None:
        raise Malformed("say where the journals are: --journals or HOCBA_SIGNING_KEY_JOURNAL_DIR")
    service = app.build(settings)
    await service.database.open()
    try:
        return await app.key_use(service, folder)()
    finally:
        await service.database.close()


def keys(as_json: Json = False) -> None:
    """Which homes of keys a worker with these settings has, what makes its mass signatures, and whether the providers answer.

    Run it with a worker's settings, else it takes the local stack's. No key is opened. Exit code 0: said; 2: the settings are wrong.
    """
    import os

    from services.stack.deployment import Deployment

    with reported():
        if "HOCBA_SIGNING_DATABASE_URL" not in os.environ:
            os.environ.update(Deployment.read().settings_of("signing", "signing-worker-1"))
        found = asyncio.run(_keys())
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False, indent=1))
        return
    for home, facts in found.items():
        typer.echo(f"{home}: " + (", ".join(f"{name} {value}" for name, value in facts.items()) or "none"))


async def _keys() -> dict[str, dict[str, Any]]:
    from services.chassis.errors import ServiceError
    from services.signing import app
    from services.signing.adapters.keys import crypto_mb
    from services.signing.adapters.keys.csc import CscHome, read_providers

    settings = app.SETTINGS.load()
    found: dict[str, dict[str, Any]] = {"pkcs12": {}, "pkcs11": {}, "csc": {}, "agent": {}}
    try:
        found["mass"] = {"library": crypto_mb.load().where.name, "at_once": crypto_mb.LANES, "sizes": list(crypto_mb.FASTER)}
    except crypto_mb.NotHere as reason:
        found["mass"] = {"library": "OpenSSL", "at_once": 1, "reason": str(reason)}
    if settings.keys_dir is not None:
        found["pkcs12"] = {"folder": str(settings.keys_dir), "keys": sum(1 for _ in settings.keys_dir.glob("*.p12"))}
    if settings.pkcs11_library is not None:
        found["pkcs11"] = {"library": str(settings.pkcs11_library), "sessions": settings.pkcs11_sessions, "here": settings.pkcs11_library.exists()}
    home = CscHome(read_providers(settings.remote_providers_file) if settings.remote_providers_file is not None else {})
    for name, client in home.clients.items():
        try:
            found["csc"][name] = {"url": client.provider.url, "specs": (await client.info()).get("specs", ""), "answers": True}
        except ServiceError as error:
            found["csc"][name] = {"url": client.provider.url, "answers": False, "reason": error.code}
    await home.close()
    return found
