"""`hocba verify`: what a file is worth, offline, check by check."""

import json
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from services.cli import archive_bundle, archive_evidence, archive_life
from services.cli.edge import FAILED, REFUSED, reported

Json = Annotated[bool, typer.Option("--json", help="One JSON object instead of words.")]
_STATES = {"passed": ("✓", "green"), "failed": ("✗", "red"), "not_made": ("–", "bright_black")}


class Language(StrEnum):
    """The languages of the report."""

    VI = "vi"
    EN = "en"


def attach(app: typer.Typer, _: dict[str, typer.Typer]) -> None:
    """Add the command."""
    app.command("verify")(verify)


def verify(
    files: Annotated[
        list[Path],
        typer.Argument(
            help="Signed transcripts, class-subject sheets, certified copies or extracts (PDF), bundles, transfer dossiers.",
            exists=True,
            dir_okay=False,
            readable=True,
        ),
    ],
    trust: Annotated[
        Path, typer.Option(help="Directory of trust anchors: certificates in PEM or DER, revocation lists as .crl, logs as .policy.", envvar="HOCBA_TRUST")
    ],
    sha256: Annotated[str, typer.Option(help="The announced SHA-256 of the file, in hexadecimal.")] = "",
    proof: Annotated[Path | None, typer.Option(help="The file's proof from the transparency log (of a single file).", exists=True, dir_okay=False)] = None,
    status: Annotated[Path | None, typer.Option(help="Beside --proof: whether something was said of the file later.", exists=True, dir_okay=False)] = None,
    log_policy: Annotated[
        Path | None, typer.Option(help="Keys of the log and its witnesses; else those in the directory of trust anchors.", exists=True, dir_okay=False)
    ] = None,
    statement: Annotated[
        list[Path] | None,
        typer.Option(help="Proof of what was said of the file later: that it is superseded or revoked (of a single file).", exists=True, dir_okay=False),
    ] = None,
    roles: Annotated[str, typer.Option(help="The order of roles that policy of the school's province asks for, with commas; else the usual three.")] = "",
    evidence: Annotated[
        Path | None, typer.Option(help="The file's evidence record (of a single file), for since when it is proven to exist.", exists=True, dir_okay=False)
    ] = None,
    original_evidence: Annotated[
        Path | None, typer.Option(help="The evidence record of a certified copy's or an extract's original (of a single file).", exists=True, dir_okay=False)
    ] = None,
    original: Annotated[
        Path | None,
        typer.Option(help="The transcript of which the file is an extract (of a single file), to compare them.", exists=True, dir_okay=False, readable=True),
    ] = None,
    language: Annotated[Language, typer.Option("--lang", help="Language of the report.")] = Language.VI,
    as_json: Json = False,
) -> None:
    """Check signed transcripts, class-subject sheets, certified copies and extracts offline: structure, coverage, certification, signatures, embedded
    data, that each subject's row is proven to stand in its sheet, and a copy's original as well. Of a bundle or a transfer dossier also
    its proofs: that it stands in a log that is trusted, that it is the latest version, since when it exists. A newer --evidence, --proof or
    --status takes the place of the one in a bundle.

    Exit code 0: all are what hocba issues; 1: at least one is not; 2: the check could not be made.
    """
    # Imported here so that every other command starts without the libraries for certificates.
    from services.archive.adapters.cms_signatures import CmsSignatures
    from services.archive.adapters.record_tables import xml_table
    from services.archive.adapters.trust_store import TrustUnreadable, read_algorithms, read_trust
    from services.archive.adapters.trusted_proofs import read_policies
    from services.archive.application.check_document import Announced, CheckDocument
    from services.archive.domain.bundle import is_bundle
    from services.archive.domain.document import TRANSCRIPT, order_of, transcript_of
    from services.archive.domain.dossier import is_dossier
    from services.archive.domain.examine import profile_of
    from services.chassis.clock import SystemClock

    try:
        store = read_trust(trust)
        algorithms = read_algorithms(trust)
        announced = Announced(sha256=bytes.fromhex(sha256) if sha256 else None)
        transcript = transcript_of(order_of(roles)) if roles else TRANSCRIPT
        policies = [_policy(log_policy)] if log_policy else read_policies(trust)
    except (TrustUnreadable, ValueError) as error:
        typer.secho(str(error), err=True, fg="red")
        raise typer.Exit(FAILED) from error
    if (evidence or original or original_evidence) and len(files) > 1:
        typer.secho("--evidence, --original and --original-evidence are for one file at a time", err=True, fg="red")
        raise typer.Exit(FAILED)
    later = statement or []
    if (proof or later) and (len(files) > 1 or len(policies) != 1):
        typer.secho("--proof and --statement are for one file at a time, with --log-policy or one .policy among the trust anchors", err=True, fg="red")
        raise typer.Exit(FAILED)
    signatures = CmsSignatures(lambda: store, SystemClock())

    def checked(data: bytes, told: Announced = announced) -> Any:
        claimed = profile_of(data)
        return CheckDocument(transcript if claimed is TRANSCRIPT else claimed, signatures, None, xml_table().difference)(data, told)

    judging = archive_bundle.Judging(checked, policies, store, algorithms, _report)
    reports = []
    for file in files:
        data = file.read_bytes()
        claimed = profile_of(data)
        if original and not claimed.is_extract:
            typer.secho(f"--original is for extracts, and {file} is none", err=True, fg="red")
            raise typer.Exit(FAILED)
        container = "bundle" if is_bundle(data) else "dossier" if is_dossier(data) else ""
        of_pdf, of_bundle = {"--sha256": sha256}, {"--evidence": evidence, "--proof": proof, "--status": status, "--statement": later}
        if container and (unused := [name for name, told in (of_pdf if container == "bundle" else of_pdf | of_bundle).items() if told]):
            part = "PDF" if container == "bundle" else "bundle"
            typer.secho(
                f"{', '.join(unused)} can't be told of a {container}: {file} is a ZIP; take the {part} out of it that you mean, and check that",
                err=True,
                fg="red",
            )
            raise typer.Exit(FAILED)
        if container:
            beside = {"evidence": evidence, "proof": proof, "status": status}
            reports.append(judging.file(file, data, {name: part.read_bytes() for name, part in beside.items() if part}))
        else:
            reports.append(judging.single(file, data, checked(data), evidence))
        whole = None if container else original.read_bytes() if original else archive_life.original_of(data, claimed)
        if whole is not None:
            found = CheckDocument(transcript, signatures, None, xml_table().difference)(whole, Announced())
            differs = archive_life.compared(data, found.sha256, found.record) if original else None
            # What the copy has existed since, so has what is attached to it, or named by an extract.
            since = datetime.fromisoformat(reports[-1]["proven_at"]) if reports[-1]["proven_at"] and not differs else None
            reports[-1]["original"] = enclosed = judging.single(original or file, whole, found, original_evidence, since)
            reports[-1]["accepted"] = reports[-1]["accepted"] and enclosed["accepted"] and not differs
            if original:
                reports[-1]["compared"] = {"problem": differs}
        elif original_evidence:
            typer.secho(f"{file} holds no original, which --original-evidence would be about", err=True, fg="red")
            raise typer.Exit(FAILED)
        if proof and not container:
            reports[-1]["log"] = logged = judging.standing(proof.read_bytes(), status.read_bytes() if status else None, reports[-1]["sha256"])
            reports[-1]["accepted"] = reports[-1]["accepted"] and logged["problem"] is None and logged["standing"] in ("latest", "unknown")
        if later:
            reports[-1]["later"] = said = archive_life.stated(later, policies[0], reports[-1].get("sha256", ""))
            # What is superseded or revoked was issued all the same, and is worth nothing as a transcript any more.
            reports[-1]["accepted"] = reports[-1]["accepted"] and said["status"] is None and not said["problems"]
    if as_json:
        typer.echo(json.dumps(reports if len(reports) > 1 else reports[0], ensure_ascii=False, indent=1))
    else:
        for report in reports:
            _tell(report, language)
    if not all(report["accepted"] for report in reports):
        raise typer.Exit(REFUSED)


def _report(file: Path, verdict: Any) -> dict[str, Any]:
    """The verdict as plain data: each check in order, each signer, and what the embedded record says it is."""
    from services.archive.domain.findings import Check

    checks = []
    for check in Check:
        found = [finding for finding in verdict.findings if finding.check is check]
        state = "failed" if found else "not_made" if check in verdict.skipped else "passed"
        checks.append({"check": check.value, "state": state, "findings": [{"reason": finding.reason.value, "detail": finding.detail} for finding in found]})
    return {
        "file": str(file),
        "sha256": verdict.sha256.hex(),
        "accepted": verdict.accepted,
        "reason": verdict.first.reason.value if verdict.first else None,
        "checks": checks,
        "signers": [
            {
                "role": signer.role,
                "subject": signer.subject,
                "issuer": signer.issuer,
                "serial": signer.serial,
                "claimed_at": signer.claimed_at.isoformat() if signer.claimed_at else None,
                "revocation": signer.revocation,
                "in_force_until": signer.in_force_until.isoformat(),
            }
            for signer in verdict.signers
        ],
        "proven_at": verdict.proven_at.isoformat() if verdict.proven_at else None,
        "record": _record(verdict.record),
    }


def _policy(file: Path) -> Any:
    """The keys of the log and its witnesses."""
    from services.archive.domain.signed_note import NoteError
    from services.archive.domain.witness_policy import read_policy

    with reported():
        written = file.read_text(encoding="utf-8")
    try:
        return read_policy(written)
    except NoteError as error:
        typer.secho(f"{file}: {error}", err=True, fg="red")
        raise typer.Exit(FAILED) from error


def _record(record: bytes | None) -> dict[str, Any] | None:
    """What a person wants to compare with the page: whose record it is, of which school and year."""
    try:
        told = json.loads(record or b"null")
        if not isinstance(told, dict):
            return None
        if "copy" in told:
            return {
                "copy_id": told["copy"]["id"],
                "number": told["copy"]["number"],
                "public_id": told["copy"]["public_id"],
                "school_year": told.get("school_year"),
                "level": told.get("level"),
                "school": told.get("school", {}).get("name"),
            } | ({"parts": told["part"]["parts"], "left_out": told["part"]["left_out"]} if "part" in told else {})
        if "sheet" in told:
            return {
                "sheet_id": told["sheet"]["id"],
                "version": told["sheet"]["version"],
                "public_id": told["sheet"]["public_id"],
                "school_year": told.get("school_year"),
                "level": told.get("level"),
                "school": told.get("school", {}).get("name"),
                "subject": told.get("subject", {}).get("name"),
                "class": told.get("school_class", {}).get("name"),
                "rows": len(told["rows"]),
            }
        return {
            "transcript_id": told["transcript"]["id"],
            "version": told["transcript"]["version"],
            "public_id": told["transcript"]["public_id"],
            "school_year": told.get("school_year"),
            "level": told.get("level"),
            "school": told.get("school", {}).get("name"),
            "pupil": told.get("pupil", {}).get("name"),
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


_WORDS = {
    "accepted": ("HỢP LỆ", "VALID"),
    "refused": ("KHÔNG HỢP LỆ", "NOT VALID"),
    "not_made": ("không kiểm tra được ở đây", "could not be checked here"),
    "pupil": ("Học sinh", "Pupil"),
    "school": ("Trường", "School"),
    "school_year": ("Năm học", "School year"),
    "version": ("Phiên bản", "Version"),
    "number": ("Số bản sao", "Number of the copy"),
    "original": ("Bản gốc đính kèm", "The attached original"),
    "compared": ("Bản gốc, và phần trích trùng với bản gốc", "The original, and the extract is as in it"),
    "not_compared": ("Bản gốc, và phần trích không trùng với bản gốc", "The original, and the extract is not as in it"),
    "parts": ("Phần được trích", "Extracted"),
    "left_out": ("Phần không trích", "Left out"),
    "subject": ("Môn học", "Subject"),
    "class": ("Lớp", "Class"),
    "subject_teacher": ("Giáo viên môn học", "Subject teacher"),
    "homeroom_teacher": ("Giáo viên chủ nhiệm", "Homeroom teacher"),
    "principal": ("Hiệu trưởng", "Principal"),
    "school_seal": ("Con dấu của trường", "School seal"),
    "good": ("chứng thư số chưa bị thu hồi vào thời điểm ký", "certificate not revoked at the time of signing"),
    "unknown": ("không có dữ liệu thu hồi để kiểm tra", "revocation could not be checked"),
    "proven_at": ("Dấu thời gian chứng thực các chữ ký có trước", "A time stamp proves the signatures to be older than"),
    "claimed": (
        "Thời điểm ký do người ký tự khai. Chứng thư số hết hiệu lực sớm nhất vào {}: trước đó hãy lấy hồ sơ bằng chứng để về sau còn chứng minh được",
        "The signing times are the signers' own claims. The first certificate ends at {}: get an evidence record before, so that they can be proven later on",
    ),
    "unproven": (
        "Còn thiếu: dấu thời gian trong tệp hoặc hồ sơ bằng chứng (RFC 4998) lập trước {} và được gia hạn từ đó. Nơi lưu trữ có giữ thì "
        "lấy ra bằng `hocba archive evidence` rồi kiểm tra với --evidence, hoặc lấy gói bằng chứng (`hocba archive fetch --bundle`)",
        "What is missing: a time stamp in the file, or an evidence record (RFC 4998), made before {} and renewed since. If the archive has it, "
        "get it by `hocba archive evidence` and check with --evidence, or get the bundle (`hocba archive fetch --bundle`)",
    ),
}


def _tell(report: dict[str, Any], language: Language) -> None:
    from services.archive.domain.findings import CHECK_WORDS, REASON_WORDS, Check, Reason

    at = list(Language).index(language)
    typer.secho(f"{report['file']}: ", nl=False, bold=True)
    typer.secho(_WORDS["accepted" if report["accepted"] else "refused"][at], fg="green" if report["accepted"] else "red", bold=True)
    archive_bundle.tell_container(report, at)
    if "checks" not in report:
        for year in report.get("dossier", ()):
            _tell(year, language)
        return
    if logged := report.get("log"):
        archive_bundle.tell_log(logged, at)
    if "later" in report:
        archive_life.tell(report["later"], at)
    for item in report["checks"]:
        sign, colour = _STATES[item["state"]]
        suffix = f": {_WORDS['not_made'][at]}" if item["state"] == "not_made" else ""
        typer.secho(f"  {sign} {CHECK_WORDS[Check(item['check'])][at]}{suffix}", fg=colour)
        for finding in item["findings"]:
            typer.secho(f"      {REASON_WORDS[Reason(finding['reason'])][at]} [{finding['reason']}] {finding['detail']}", fg="red")
    for signer in report["signers"]:
        typer.echo(f"  {_WORDS[signer['role']][at]}: {signer['subject']}, {signer['claimed_at']}, {_WORDS[signer['revocation']][at]}")
    if "evidence" in report:
        archive_evidence.tell(report["evidence"], at)
    _tell_time(report, at)
    for key in ("number", "parts", "left_out", "pupil", "subject", "class", "school", "school_year", "version"):
        if report["record"] and report["record"].get(key) is not None:
            said = report["record"][key]
            typer.echo(f"  {_WORDS[key][at]}: {', '.join(said) if isinstance(said, list) else said}")
    typer.echo(f"  SHA-256: {report['sha256']}")
    if "compared" in report:
        problem = report["compared"]["problem"]
        typer.secho(f"  {_WORDS['not_compared' if problem else 'compared'][at]}: {problem or ''}".rstrip(": "), bold=True, fg="red" if problem else "green")
    elif "original" in report:
        typer.secho(f"  {_WORDS['original'][at]}:", bold=True)
    if "original" in report:
        _tell(report["original"], language)
        return
    if report.get("log", {}).get("standing", "unknown") == "unknown":
        typer.echo(f"  {archive_bundle.NOT_KNOWN[at]}")


def _tell_time(report: dict[str, Any], at: int) -> None:
    """What is proven of the time of signing, and what would prove it."""
    from services.archive.domain.findings import Reason

    ends = min((signer["in_force_until"] for signer in report["signers"]), default=None)
    if any(finding["reason"] == Reason.EXISTENCE_UNPROVEN for item in report["checks"] for finding in item["findings"]):
        typer.secho(f"  {_WORDS['unproven'][at].format(ends)}", fg="red")
    elif report["proven_at"]:
        typer.echo(f"  {_WORDS['proven_at'][at]}: {report['proven_at']}")
    elif ends:
        typer.echo(f"  {_WORDS['claimed'][at].format(ends)}")
