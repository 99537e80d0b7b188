"""`hocba conformance`: what another product's submissions and documents lack, check by check, with the cure."""

import asyncio
import json
from pathlib import Path
from typing import Annotated, Any

import typer

from services.cli.edge import FAILED, REFUSED
from services.cli.verify import Language

_SIGNS = {"passed": ("✓", "green"), "failed": ("✗", "red"), "not_checked": ("?", "yellow")}


def attach(app: typer.Typer, _: dict[str, typer.Typer]) -> None:
    """Add the command."""
    app.command("conformance")(conformance)


def conformance(
    files: Annotated[list[Path], typer.Argument(help="Manifests of submissions (JSON), signed transcripts (PDF).", exists=True, dir_okay=False, readable=True)],
    trust: Annotated[Path, typer.Option(help="Directory of trust anchors of those who sign.", envvar="HOCBA_TRUST", exists=True, file_okay=False)],
    log_policy: Annotated[Path | None, typer.Option(help="Policy of the log whose proofs are submitted.", exists=True, dir_okay=False)] = None,
    language: Annotated[Language, typer.Option("--lang", help="Language of the report.")] = Language.VI,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of words.")] = False,
) -> None:
    """Say what files of any product lack for the national register. A manifest's signature is expected beside it, as FILE.p7s.

    Made offline, by the register's own checks. Exit code 0: nothing lacks; 1: something does, or could not be checked; 2: no check could be made.
    """
    from services.archive.adapters.trust_store import TrustDirectory
    from services.archive.domain.signed_note import NoteError
    from services.archive.domain.witness_policy import read_policy
    from services.chassis.errors import ServiceError

    try:
        policy = None if log_policy is None else read_policy(log_policy.read_text(encoding="utf-8"))
        store = TrustDirectory(trust)
        store()
        reports = [_report(file, store, trust, policy) for file in files]
    except (NoteError, ServiceError) as error:
        typer.secho(str(error), err=True, fg="red")
        raise typer.Exit(FAILED) from error
    conforms = all(check["state"] == "passed" for report in reports for check in report["checks"])
    if as_json:
        typer.echo(json.dumps({"conforms": conforms, "files": reports}, ensure_ascii=False, indent=1))
    else:
        for report in reports:
            _tell(report, 0 if language is Language.VI else 1)
    if not conforms:
        raise typer.Exit(REFUSED)


def _report(file: Path, store: Any, trust: Path, policy: Any) -> dict[str, Any]:
    data, beside = file.read_bytes(), file.with_name(f"{file.name}.p7s")
    is_document = data.startswith(b"%PDF-")
    checks = _document(data, trust) if is_document else asyncio.run(_manifest(data, beside.read_bytes() if beside.exists() else None, store, policy))
    return {"file": str(file), "kind": "document" if is_document else "submission", "checks": checks}


async def _manifest(data: bytes, signature: bytes | None, trust: Any, policy: Any) -> list[dict[str, Any]]:
    from services.archive.adapters.note_keys import verifier_of
    from services.chassis.clock import SystemClock
    from services.register.adapters.detached_cms import DetachedCms
    from services.register.application.conformance import Signature, check_manifest
    from services.register.domain.findings import CHECKS, CURES

    read = None if signature is None else Signature(await DetachedCms(trust).signer(data, signature))
    results = check_manifest(data, read, policy, verifier_of, SystemClock().now())
    return [
        {"check": one.code, "state": one.state.value, "detail": one.detail, "records": list(one.records), "asks": CHECKS[one.code], "cure": CURES[one.code]}
        for one in results
    ]


def _document(data: bytes, trust: Path) -> list[dict[str, Any]]:
    from services.archive.app import document_check
    from services.archive.domain.examine import profile_of
    from services.archive.domain.findings import CHECK_WORDS, Check
    from services.register.domain.findings import DOCUMENT_CURES

    verdict = document_check(trust, profile_of(data))(data)
    checks = []
    for check in Check:
        found = [one for one in verdict.findings if one.check is check]
        if check is Check.DIGEST:
            continue  # The log's statement announces it, and that of the record too; here both are whatever the file has.
        rests_on = Check.SIGNERS if check is Check.RECORD else check
        state = "failed" if found else "not_checked" if rests_on in verdict.skipped else "passed"
        detail = "; ".join(f"{one.reason.value}: {one.detail}" for one in found)
        checks.append({"check": check.value, "state": state, "detail": detail, "records": [], "asks": CHECK_WORDS[check], "cure": DOCUMENT_CURES[check.value]})
    return checks


def _tell(report: dict[str, Any], at: int) -> None:
    typer.secho(report["file"], bold=True)
    for one in report["checks"]:
        sign, colour = _SIGNS[one["state"]]
        typer.secho(f"  {sign} {one['asks'][at]} [{one['check']}]", fg=colour)
        if one["state"] == "failed":
            where = f" ({len(one['records'])}: #{', #'.join(map(str, one['records'][:10]))}{'…' if len(one['records']) > 10 else ''})" if one["records"] else ""
            typer.echo(f"      {one['detail']}{where}")
            typer.echo(f"      → {one['cure'][at]}")
