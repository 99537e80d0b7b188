"""What `hocba archive` adds: fetch, status, rejected, retry-rejected, proof, fsck."""

import json
import uuid
from pathlib import Path
from typing import Annotated, Any

import typer

from services.cli import archive_bundle, archive_life
from services.cli.edge import REFUSED, ask, reported, take_local_settings

Json = Annotated[bool, typer.Option("--json", help="One JSON object instead of words.")]


def attach(_: typer.Typer, groups: dict[str, typer.Typer]) -> None:
    """Add the commands."""
    archive = groups["archive"]
    archive.command("fetch")(fetch)
    archive.command("status")(status)
    archive.command("rejected")(rejected)
    archive.command("retry-rejected")(retry_rejected)
    archive.command("proof")(proof)
    archive.command("fsck")(fsck)


def fetch(
    transcript_id: Annotated[uuid.UUID, typer.Argument(help="The transcript's id.")],
    out: Annotated[Path, typer.Option(help="Where to write the PDF: a file, or a folder.")],
    version: Annotated[int, typer.Option(help="The version; 0 is the latest.")] = 0,
    bundle: Annotated[bool, typer.Option("--bundle", help="With everything that proves it, in one file.")] = False,
    as_json: Json = False,
) -> None:
    """Fetch an archived transcript, byte for byte as it was admitted. A bundle that waits for its proofs ends with exit code 1."""
    if bundle:
        archive_bundle.fetch_bundle(transcript_id, version, out, as_json)
        return
    from hocba.archive.v1 import archive_pb2, archive_pb2_grpc

    request = archive_pb2.GetTranscriptRequest(transcript_id=str(transcript_id), version=version)

    async def question(channel: Any, metadata: Any) -> archive_pb2.GetTranscriptResponse:
        stub: Any = archive_pb2_grpc.ArchiveStub(channel)
        answer: archive_pb2.GetTranscriptResponse = await stub.GetTranscript(request, metadata=metadata)
        return answer

    answer = ask("archive", ("registrar@nation",), question)
    path = out / f"{transcript_id}-v{answer.entry.transcript.version}.pdf" if out.is_dir() else out
    with reported():
        path.write_bytes(answer.pdf)
    told = {
        "file": str(path),
        "version": answer.entry.transcript.version,
        "sha256": answer.entry.sha256.hex(),
        "superseded_by": answer.entry.superseded_by,
        "register_index": answer.entry.register_index,
    }
    typer.echo(json.dumps(told) if as_json else f"{path}: version {told['version']}, SHA-256 {told['sha256']}, admission {told['register_index']}")


def status(public_id: Annotated[str, typer.Argument(help="What the QR code carries.")], as_json: Json = False) -> None:
    """Say what the public may know of a document: valid, superseded and by which, revoked and by what decision, or unknown."""
    from hocba.archive.v1 import archive_pb2, archive_pb2_grpc

    async def question(channel: Any, metadata: Any) -> archive_pb2.GetStatusResponse:
        stub: Any = archive_pb2_grpc.ArchiveStub(channel)
        answer: archive_pb2.GetStatusResponse = await stub.GetStatus(archive_pb2.GetStatusRequest(public_id=public_id), metadata=metadata)
        return answer

    answer = ask("archive", ("public@nation",), question)
    told = {"status": answer.status, "school": answer.school_name, "school_year": answer.school_year, "level": answer.level, "kind": answer.kind}
    if answer.newer_public_id:
        told["newer_public_id"] = answer.newer_public_id
    if answer.HasField("revoked_at"):
        told |= {"revoked_at": answer.revoked_at.ToJsonString(), "decision_number": answer.decision_number}
    typer.echo(json.dumps(told, ensure_ascii=False) if as_json else " · ".join(str(value) for value in told.values() if value))


def rejected(
    school: Annotated[str, typer.Option(help="Of this school only.")] = "",
    class_id: Annotated[str, typer.Option("--class", help="Of this class only.")] = "",
    as_json: Json = False,
) -> None:
    """List the documents that were refused and have no successor yet, with their reasons."""
    from hocba.archive.v1 import archive_pb2, archive_pb2_grpc

    request = archive_pb2.ListRejectedRequest(school_id=school, class_id=class_id)

    async def question(channel: Any, metadata: Any) -> archive_pb2.ListRejectedResponse:
        stub: Any = archive_pb2_grpc.ArchiveStub(channel)
        answer: archive_pb2.ListRejectedResponse = await stub.ListRejected(request, metadata=metadata)
        return answer

    answer = ask("archive", ("system_operator@nation",), question)
    rows = [
        {
            **(
                {"sheet_id": item.sheet.sheet_id, "version": item.sheet.version}
                if item.HasField("sheet")
                else {"transcript_id": item.transcript.transcript_id, "version": item.transcript.version}
            ),
            "class_id": item.class_id,
            "reason": item.reason,
            "detail": item.detail,
            "rejected_at": item.rejected_at.ToJsonString(),
        }
        for item in answer.entries
    ]
    words = [f"{row.get('transcript_id') or row['sheet_id']} v{row['version']}: {row['reason']} ({row['detail']})" for row in rows]
    typer.echo(json.dumps(rows) if as_json else "\n".join(words) or "none")


def retry_rejected(as_json: Json = False) -> None:
    """Judge refused documents anew, after the cause is mended. Runs beside the service, with its settings."""
    import asyncio
    from dataclasses import asdict

    from services.archive import app as archive

    async def run() -> dict[str, int]:
        settings = archive.SETTINGS.load()
        service = archive.build(settings)
        await service.database.open()
        try:
            total, lost = await archive.retry_rejected(settings, service)()
        finally:
            await service.database.close()
        return {**asdict(total), "packs_lost": lost}

    with reported():
        take_local_settings("archive")
        told = asyncio.run(run())
    typer.echo(json.dumps(told) if as_json else ", ".join(f"{name}: {count}" for name, count in told.items()))


def proof(
    public_id: Annotated[str, typer.Argument(help="What the QR code carries.")],
    out: Annotated[Path, typer.Option(help="Where to write the proof.")],
    as_json: Json = False,
) -> None:
    """Fetch the proof that a document stands in the transparency log (C2SP tlog-proof). Exit code 1 when the log isn't there yet.

    Proofs of what was said of it since are written beside it, as FILE.supersede and FILE.revoke: for `hocba verify --statement`. FILE.status
    shows whether anything was said: for `hocba verify --status`.
    """
    from hocba.archive.v1 import archive_pb2, archive_pb2_grpc

    async def question(channel: Any, metadata: Any) -> archive_pb2.GetProofResponse:
        stub: Any = archive_pb2_grpc.ArchiveStub(channel)
        answer: archive_pb2.GetProofResponse = await stub.GetProof(archive_pb2.GetProofRequest(public_id=public_id), metadata=metadata)
        return answer

    answer = ask("archive", ("public@nation",), question)
    later: list[str] = []
    if answer.final:
        with reported():
            out.write_bytes(answer.proof)
            later = archive_life.write_later(answer.later, out)
            if answer.status:
                out.with_name(f"{out.name}.status").write_bytes(answer.status)
    told = {"final": answer.final, "file": str(out) if answer.final else None, "log_index": answer.log_index if answer.final else None, "later": later}
    words = "\n".join([f"{out}: leaf {answer.log_index}", *later]) if answer.final else "admitted, and not below a final checkpoint yet; ask again in a moment"
    typer.echo(json.dumps(told) if as_json else words)
    if not answer.final:
        raise typer.Exit(REFUSED)


def fsck(
    mend: Annotated[bool, typer.Option("--mend", help="Make lost or changed tiles again, if the database still gives the signed root.")] = False,
    documents: Annotated[bool, typer.Option(help="Hash every stored document too, not the log alone.")] = True,
    as_json: Json = False,
) -> None:
    """Rebuild the log's root from the database and from the tiles, compare both with every signed checkpoint, and each object with its digest.

    Runs beside the service, with its settings. Exit code 0: all is as it was signed; 1: something isn't; 2: the check could not be made. What a
    check has found is remembered: `hocba archive health` tells when there was none for long.
    """
    import asyncio

    from rich.progress import Progress

    from services.archive import app as archive
    from services.archive.application.check_log import LogInspection

    words = {"leaves": "Nhật ký (leaves of the log)", "documents": "Tệp đã lưu (stored documents)"}

    async def run(progress: Progress) -> LogInspection:
        settings = archive.SETTINGS.load()
        service = archive.build(settings)
        bars = {what: progress.add_task(title, total=None, start=False) for what, title in words.items()}

        def advance(what: str, done: int, total: int) -> None:
            progress.start_task(bars[what])
            progress.update(bars[what], completed=done, total=total)

        await service.database.open()
        try:
            found = await archive.check_log(settings, service)(advance, documents=documents, mend=mend)
            await archive.keep_check(service, found, documents=documents)
            return found
        finally:
            await service.database.close()

    with reported():
        take_local_settings("archive")
        with Progress(disable=as_json, transient=True) as progress:
            found = asyncio.run(run(progress))
    if as_json:
        typer.echo(json.dumps(_inspection(found), indent=1))
    else:
        for fault in found.faults:
            typer.secho(f"✗ {fault.code} {fault.where} {fault.detail}", fg="red")
        for name in found.mended:
            typer.secho(f"made again: {name}", fg="yellow")
        root = found.root_database.hex() if found.root_database else "-"
        counts = f"{found.leaves} leaves, {found.checkpoints} checkpoints, {found.documents} documents, {found.dossiers} received dossiers"
        typer.echo(f"{counts}, root {root}: {'whole' if found.whole else 'NOT whole'}")
    if not found.whole:
        raise typer.Exit(REFUSED)


def _inspection(found: Any) -> dict[str, Any]:
    roots = {name: value.hex() if (value := getattr(found, name)) else None for name in ("root_signed", "root_database", "root_tiles")}
    counts = {name: getattr(found, name) for name in ("leaves", "checkpoints", "documents", "dossiers", "mended")}
    faults = [{"code": fault.code, "where": fault.where, "detail": fault.detail} for fault in found.faults]
    return {"whole": found.whole, **counts, **roots, "faults": faults}
