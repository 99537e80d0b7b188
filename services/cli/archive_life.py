"""`hocba archive revoke`, `confirm-revocation`, `revocations`, `copy`, `extract`, `copies`, and what `hocba verify` says of later statements and originals."""

import hashlib
import json
import uuid
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from services.cli.edge import ask, reported

WAITING = 1
"""Exit code of a question for a copy that isn't issued yet."""
Json = Annotated[bool, typer.Option("--json", help="One JSON value instead of words.")]
As = Annotated[str, typer.Option("--as", help="Role and scope to act in on a local stack, such as doet_officer@province:2025-79.", envvar="HOCBA_EDGE_ROLE")]


def attach(app: typer.Typer, groups: dict[str, typer.Typer]) -> None:
    """Add the commands."""
    archive = groups["archive"]
    archive.command("revoke")(revoke)
    archive.command("confirm-revocation")(confirm_revocation)
    archive.command("revocations")(revocations)
    archive.command("copy")(copy)
    archive.command("extract")(extract)
    archive.command("copies")(copies)


def revoke(
    transcript_id: Annotated[uuid.UUID, typer.Argument(help="The transcript's id.")],
    version: Annotated[int, typer.Argument(min=1, help="The version to withdraw.")],
    reason: Annotated[str, typer.Option(help="content_wrong, identity_wrong, issued_in_error or fraud.")],
    number: Annotated[str, typer.Option(help="The decision's number, which everybody may see: 123/QĐ-SGDĐT.")],
    day: Annotated[str, typer.Option("--date", help="The decision's date: 2026-06-30.")],
    decision: Annotated[Path, typer.Option(help="The signed decision's file; only its SHA-256 is sent.", exists=True, dir_okay=False, readable=True)],
    role: As,
    revocation_id: Annotated[uuid.UUID | None, typer.Option("--id", help="Id of the revocation, to repeat one; else a new one is made.")] = None,
    as_json: Json = False,
) -> None:
    """Ask that an issued version be withdrawn (thu hồi): its principal, or an officer of the department. Another officer confirms it."""
    from hocba.archive.v1 import archive_pb2 as pb

    with reported():
        sha256 = hashlib.sha256(decision.read_bytes()).digest()
    request = pb.RevokeTranscriptRequest(
        revocation_id=str(revocation_id or uuid.uuid4()),
        transcript_id=str(transcript_id),
        version=version,
        reason=reason,
        decision_number=number,
        decision_date=day,
        decision_sha256=sha256,
    )
    _show([_call(role, "RevokeTranscript", request)], as_json, one=True)


def confirm_revocation(
    revocation_id: Annotated[uuid.UUID, typer.Argument(help="Id of the revocation.", metavar="ID")], role: As, as_json: Json = False
) -> None:
    """Confirm a revocation that somebody else has asked for: from now on the version is revoked, and the log says so."""
    from hocba.archive.v1 import archive_pb2 as pb

    _show([_call(role, "ConfirmRevocation", pb.ConfirmRevocationRequest(revocation_id=str(revocation_id)))], as_json, one=True)


def revocations(
    role: As,
    school: Annotated[str, typer.Option(help="Of this school only, by its id.")] = "",
    waiting: Annotated[bool, typer.Option("--open", help="Those that wait for their confirmation only.")] = False,
    as_json: Json = False,
) -> None:
    """List revocations, the newest first."""
    from hocba.archive.v1 import archive_pb2 as pb

    _show(list(_call(role, "ListRevocations", pb.ListRevocationsRequest(school_id=school, open_only=waiting)).revocations), as_json)


def copy(
    transcript_id: Annotated[uuid.UUID, typer.Argument(help="The transcript's id.")],
    role: As,
    version: Annotated[int, typer.Option(help="The version; 0 is the latest.")] = 0,
    copy_id: Annotated[uuid.UUID | None, typer.Option("--id", help="Id of the copy, to ask for one again; else a new one is ordered.")] = None,
    out: Annotated[Path | None, typer.Option(help="Where to write the copy's PDF, if it is issued already: a file, or a folder.")] = None,
    as_json: Json = False,
) -> None:
    """Order a certified copy (sao y); the clerk then approves it with the seal (`hocba signing`), and the same command with --id and --out fetches it.

    Exit code 1 when the file was asked for and the copy isn't issued yet.
    """
    from hocba.archive.v1 import archive_pb2 as pb

    wanted = str(copy_id or uuid.uuid4())
    told = _call(role, "OrderCopy", pb.OrderCopyRequest(copy_id=wanted, transcript_id=str(transcript_id), version=version))
    _ordered(told, role, out, f"sao-y-{wanted}.pdf", as_json)


def extract(
    transcript_id: Annotated[uuid.UUID, typer.Argument(help="The transcript's id.")],
    role: As,
    part: Annotated[
        list[str] | None,
        typer.Option(help="What to extract, repeated for more: such as subjects, subjects.toan, results. Without any, what there is to choose is told."),
    ] = None,
    version: Annotated[int, typer.Option(help="The version; 0 is the latest.")] = 0,
    copy_id: Annotated[uuid.UUID | None, typer.Option("--id", help="Id of the extract, to ask for one again; else a new one is ordered.")] = None,
    out: Annotated[Path | None, typer.Option(help="Where to write the extract's PDF, if it is issued already: a file, or a folder.")] = None,
    as_json: Json = False,
) -> None:
    """Order an extract (trích sao) of chosen parts; the clerk then approves it with the seal (`hocba signing`), and the same command with --id and --out
    fetches it.

    Exit code 1 when the file was asked for and the extract isn't issued yet; 2 when the transcript lacks a part: what it has is named.
    """
    from hocba.archive.v1 import archive_pb2 as pb

    wanted = str(copy_id or uuid.uuid4())
    told = _call(role, "OrderExtract", pb.OrderExtractRequest(copy_id=wanted, transcript_id=str(transcript_id), version=version, parts=part or []))
    _ordered(told, role, out, f"trich-sao-{wanted}.pdf", as_json)


def _ordered(told: Any, role: str, out: Path | None, name: str, as_json: bool) -> None:
    """Say what was ordered, and write its file if it is there."""
    from hocba.archive.v1 import archive_pb2 as pb

    pdf = _call(role, "GetCopy", pb.GetCopyRequest(copy_id=told.copy_id)).pdf if out is not None else b""
    row = _copy_row(told)
    if out is not None and pdf:
        file = out / name if out.is_dir() else out
        with reported():
            file.write_bytes(pdf)
        row["file"] = str(file)
    typer.echo(json.dumps(row, ensure_ascii=False) if as_json else " · ".join(row.values()))
    if out is not None and not pdf:
        raise typer.Exit(WAITING)


def copies(
    role: As,
    school: Annotated[str, typer.Option(help="Of this school only, by its id.")] = "",
    year: Annotated[int, typer.Option(help="Calendar year; 0: all.")] = 0,
    as_json: Json = False,
) -> None:
    """List certified copies and extracts by their numbers (sổ cấp bản sao)."""
    from hocba.archive.v1 import archive_pb2 as pb

    rows = [_copy_row(item) for item in _call(role, "ListCopies", pb.ListCopiesRequest(school_id=school, year=year)).copies]
    typer.echo(json.dumps(rows, ensure_ascii=False) if as_json else "\n".join(" · ".join(row.values()) for row in rows) or "none")


def _copy_row(item: Any) -> dict[str, str]:
    row = {
        "number": item.number,
        "copy_id": item.copy_id,
        "state": item.state,
        "public_id": item.public_id,
        "transcript_id": item.transcript_id,
        "version": str(item.version),
        "school_id": item.school_id,
        "ordered_at": item.ordered_at.ToJsonString(),
    }
    row |= {"parts": ",".join(item.parts)} if item.parts else {}
    return row | ({"issued_at": item.issued_at.ToJsonString(), "sha256": item.sha256.hex()} if item.state == "issued" else {})


def original_of(data: bytes, profile: Any) -> bytes | None:
    """What a certified copy is a copy of, as attached to it; None when it has none, or nothing can be read."""
    from services.archive.domain.document import COPY
    from services.archive.domain.examine import examine

    return examine(data, COPY).xml if profile is COPY else None


def compared(extract: bytes, sha256: bytes, record: bytes | None) -> str | None:
    """Where an extract isn't what its original (SHA-256 and record) gives; None when it is."""
    from services.archive.domain.document import EXTRACT
    from services.archive.domain.examine import examine
    from services.archive.domain.extracts import compared as difference

    part = examine(extract, EXTRACT)
    return difference(part.record or b"null", part.xml, sha256, record) or None


def _call(role: str, method: str, request: Any) -> Any:
    from hocba.archive.v1 import archive_pb2_grpc

    async def question(channel: Any, metadata: Any) -> Any:
        call: Callable[..., Awaitable[Any]] = getattr(archive_pb2_grpc.ArchiveStub(channel), method)
        return await call(request, metadata=metadata)

    return ask("archive", (role,), question)


def _show(found: Sequence[Any], as_json: bool, *, one: bool = False) -> None:
    rows = [_plain(item) for item in found]
    if as_json:
        typer.echo(json.dumps(rows[0] if one else rows, ensure_ascii=False))
        return
    for row in rows:
        typer.echo(f"{row['revocation_id']}: {row['state']} · {row['transcript_id']} v{row['version']} · {row['reason']} · {row['decision_number']}")
    if not rows:
        typer.echo("none")


def _plain(item: Any) -> dict[str, Any]:
    from google.protobuf.json_format import MessageToDict

    told: dict[str, Any] = MessageToDict(item, preserving_proto_field_name=True)
    return {**told, "decision_sha256": item.decision_sha256.hex()}


def write_later(proofs: Sequence[bytes], out: Path) -> list[str]:
    """Write the proofs of later statements beside a document's own, by what they say: `FILE.supersede`, `FILE.revoke`."""
    from services.archive.domain.log_proof import LogProof
    from services.archive.domain.statement import Statement

    written = []
    for proof in proofs:
        file = out.with_name(f"{out.name}.{Statement.read(LogProof.read(proof).statement).kind}")
        file.write_bytes(proof)
        written.append(str(file))
    return written


def stated(files: Sequence[Path], keys: Any, sha256: str) -> dict[str, Any]:
    """What later statements say of the document with this digest: its status, and a problem for each that says nothing of it."""
    from services.archive.adapters.note_keys import verifier_of
    from services.archive.domain.log_proof import LogProof, check_proof
    from services.archive.domain.signed_note import NoteError
    from services.archive.domain.statement import Kind, Statement

    told: dict[str, Any] = {"status": None, "statements": [], "problems": []}
    for file in files:
        with reported():
            data = file.read_bytes()
        try:
            leaf = check_proof(LogProof.read(data), keys, verifier_of)
            said = Statement.read(leaf.statement)
        except (NoteError, ValueError) as error:
            told["problems"].append({"file": str(file), "problem": str(error)})
            continue
        if said.kind is Kind.REVOKE and said.sha256.hex() == sha256:
            status = "revoked"
        elif said.kind is Kind.SUPERSEDE and said.previous is not None and said.previous.hex() == sha256:
            status = "superseded"
        else:
            told["problems"].append({"file": str(file), "problem": "the statement says nothing of this document"})
            continue
        told["statements"].append({"file": str(file), "says": status, "at": said.at.isoformat(), "index": leaf.index, "by": said.public_id})
        told["status"] = "revoked" if "revoked" in (status, told["status"]) else status
    return told


_WORDS = {
    "superseded": ("Đã được phiên bản mới thay thế", "A newer version has taken its place"),
    "revoked": ("Đã bị thu hồi", "It has been revoked"),
    "problem": ("Không dùng được lời khai sau này", "A later statement can't be used"),
}


def tell(told: dict[str, Any], at: int) -> None:
    """Later statements in words; `at`: 0 Vietnamese, 1 English."""
    for one in told["statements"]:
        typer.secho(f"  ✗ {_WORDS[one['says']][at]}: {one['at']}, {one['by']}", fg="red")
    for one in told["problems"]:
        typer.secho(f"  ✗ {_WORDS['problem'][at]}: {one['file']}: {one['problem']}", fg="red")
