"""What `hocba verify` says of bundles and dossiers; `hocba archive dossier`, and the bundle of `hocba archive fetch`."""

import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from services.cli import archive_evidence
from services.cli.edge import ask, reported

PENDING = 1
"""Exit code of a question for what isn't provable yet, and of a dossier that is refused."""
Json = Annotated[bool, typer.Option("--json", help="One JSON object instead of words.")]
_WAITS = {"log": "admitted, and not below a final checkpoint yet; ask again in a moment", "evidence": "waits for its time stamp; ask again later"}


def attach(_: typer.Typer, groups: dict[str, typer.Typer]) -> None:
    """Add the commands."""
    groups["archive"].command("dossier")(dossier)
    groups["archive"].command("import-dossier")(import_dossier)


def dossier(
    pupil_id: Annotated[uuid.UUID, typer.Argument(help="The pupil's id.", metavar="PUPIL")],
    out: Annotated[Path, typer.Option(help="Where to write the dossier: a file, or a folder.")],
    as_json: Json = False,
) -> None:
    """Fetch a pupil's transfer dossier: the transcripts of all years, each with its proofs, checked by `hocba verify FILE`.

    Exit code 1 while one of them can't be proven yet.
    """
    from hocba.archive.v1 import archive_pb2, archive_pb2_grpc

    async def question(channel: Any, metadata: Any) -> archive_pb2.GetDossierResponse:
        stub: Any = archive_pb2_grpc.ArchiveStub(channel)
        answer: archive_pb2.GetDossierResponse = await stub.GetDossier(archive_pb2.GetDossierRequest(pupil_id=str(pupil_id)), metadata=metadata)
        return answer

    answer = ask("archive", ("registrar@nation",), question)
    missing = list(answer.missing_school_years)
    told = {"transcripts": answer.transcripts, "missing_school_years": missing}
    _written(answer.dossier, answer.waits_for, out / f"ho-so-{pupil_id}.zip" if out.is_dir() else out, told, as_json)


def import_dossier(
    file: Annotated[Path, typer.Argument(help="The dossier.", exists=True, dir_okay=False, readable=True)],
    pupil: Annotated[uuid.UUID, typer.Option(help="The pupil's id here.")],
    school: Annotated[uuid.UUID, typer.Option(help="The receiving school's id.")],
    province: Annotated[str, typer.Option(help="Its province, whose key encrypts what is kept.")],
    personal_number: Annotated[str, typer.Option(help="The pupil's personal number, which the transcripts must carry.")],
    as_json: Json = False,
) -> None:
    """Take in a pupil's transfer dossier: checked in full, kept as it came. Exit code 1 when it is refused; the reasons say why."""
    from google.protobuf.json_format import MessageToDict

    from hocba.archive.v1 import archive_pb2, archive_pb2_grpc

    request = archive_pb2.ReceiveDossierRequest(
        dossier=file.read_bytes(), pupil_id=str(pupil), school_id=str(school), province_id=province, personal_number=personal_number
    )

    async def question(channel: Any, metadata: Any) -> archive_pb2.ReceiveDossierResponse:
        stub: Any = archive_pb2_grpc.ArchiveStub(channel)
        answer: archive_pb2.ReceiveDossierResponse = await stub.ReceiveDossier(request, metadata=metadata)
        return answer

    answer = ask("archive", (f"registrar@school:{school}",), question)
    if as_json:
        told = MessageToDict(answer, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
        typer.echo(json.dumps({**told, "sha256": answer.sha256.hex()}, ensure_ascii=False))
    else:
        for line in answer.transcripts:
            typer.echo(f"  {line.school_year}  {line.school_name}  {line.log}  {line.standing}")
        for reason in answer.reasons:
            typer.secho(f"✗ {reason}", fg="red")
        if answer.missing_school_years:
            typer.secho(f"– {_WORDS['missing'][0]}: {', '.join(f'{year}-{year + 1}' for year in answer.missing_school_years)}", fg="yellow")
        state = "received before" if answer.already else "received"
        typer.echo(state if answer.accepted else "refused")
    if not answer.accepted:
        raise typer.Exit(PENDING)


def fetch_bundle(transcript_id: uuid.UUID, version: int, out: Path, as_json: bool) -> None:
    """The bundle of a transcript's version; exit code 1 while it waits."""
    from hocba.archive.v1 import archive_pb2, archive_pb2_grpc

    request = archive_pb2.GetBundleRequest(transcript_id=str(transcript_id), version=version)

    async def question(channel: Any, metadata: Any) -> archive_pb2.GetBundleResponse:
        stub: Any = archive_pb2_grpc.ArchiveStub(channel)
        answer: archive_pb2.GetBundleResponse = await stub.GetBundle(request, metadata=metadata)
        return answer

    answer = ask("archive", ("registrar@nation",), question)
    number = answer.entry.transcript.version
    path = out / f"{transcript_id}-v{number}.asice" if out.is_dir() else out
    _written(answer.bundle, answer.waits_for, path, {"version": number, "sha256": answer.entry.sha256.hex()}, as_json)


def _written(data: bytes, waits_for: str, path: Path, told: dict[str, Any], as_json: bool) -> None:
    if data:
        with reported():
            path.write_bytes(data)
    told = {"file": str(path) if data else None, "waits_for": waits_for or None, **told}
    words = (
        _WAITS.get(waits_for, waits_for)
        if not data
        else ", ".join([str(path), *(f"{name} {value}" for name, value in told.items() if name != "file" and value)])
    )
    typer.echo(json.dumps(told) if as_json else words)
    if not data:
        raise typer.Exit(PENDING)


class Judging:
    """Offline checks of bundles and dossiers by what one verification trusts."""

    def __init__(
        self, document: Callable[[bytes, Any], Any], policies: Sequence[Any], store: Any, algorithms: Any, report: Callable[[Path, Any], dict[str, Any]]
    ) -> None:
        from services.archive.adapters.evidence_tokens import TrustedTokens
        from services.archive.adapters.note_keys import verifier_of
        from services.archive.adapters.trusted_proofs import evidence_proof
        from services.archive.application.check_bundle import CheckBundle
        from services.archive.application.check_standing import CheckStanding
        from services.chassis.clock import SystemClock

        tokens, self._now = TrustedTokens(lambda: store, lambda: algorithms), SystemClock().now()
        self._evidence: Callable[[bytes, bytes], Any] = lambda record, data: evidence_proof(record, data, tokens, self._now)
        self._standing = CheckStanding(policies, verifier_of)
        self._check = CheckBundle(self._standing, document, self._evidence, self._now)
        self._report = report

    def standing(self, proof: bytes, status: bytes | None, sha256: str) -> dict[str, Any]:
        """What a proof from the log shows of the document with this digest."""
        return plain(self._standing(proof, status, bytes.fromhex(sha256)))

    def single(self, file: Path, data: bytes, verdict: Any, record: Path | None, since: datetime | None = None) -> dict[str, Any]:
        """The report on one document with its evidence record, if there is one; `since`: when something else proves that it existed."""
        proof = self._evidence(record.read_bytes(), data) if record else None
        proven = [at for at in (since, proof and proof.since) if at]
        report = self._report(file, verdict.over_time(min(proven, default=None), self._now))
        if proof:
            report |= {"evidence": archive_evidence.plain(proof), "accepted": report["accepted"] and proof.whole}
        return report

    def file(self, file: Path, data: bytes, beside: Mapping[str, bytes]) -> dict[str, Any]:
        """The report on a bundle or a dossier; the parts `beside` a bundle (`evidence`, `proof`, `status`) take the place of those in it."""
        from services.archive.domain.bundle import Bundle, UnreadableBundle, is_bundle
        from services.archive.domain.dossier import Dossier

        try:
            if is_bundle(data):
                return self._bundle(file, replace(Bundle.read(data), **beside))
            chain = Dossier.read(data)
        except UnreadableBundle as error:
            return {"file": str(file), "accepted": False, "reason": "container_unreadable", "detail": str(error)}
        years = [self._bundle(Path(f"{file}:{year.name}"), year.bundle) for year in chain.years]
        return {
            "file": str(file),
            "accepted": all(year["accepted"] for year in years),
            "reason": next((year["reason"] for year in years if not year["accepted"]), None),
            "missing_school_years": chain.manifest()["missing_school_years"],
            "dossier": years,
        }

    def _bundle(self, file: Path, bundle: Any) -> dict[str, Any]:
        verdict = self._check(bundle)
        report = self._report(file, verdict.document)
        report |= {"log": plain(verdict.log), "evidence": archive_evidence.plain(verdict.evidence), "accepted": verdict.accepted}
        if not verdict.log.good:
            report["reason"] = "not_in_log" if verdict.log.problem else verdict.log.standing.value
        elif verdict.document.accepted and not verdict.evidence.whole:
            report["reason"] = "evidence"
        return report


def plain(verdict: Any) -> dict[str, Any]:
    """What the log proves, as plain data."""
    told: dict[str, Any] = {"problem": verdict.problem, "standing": verdict.standing.value}
    if (leaf := verdict.leaf) is not None:
        as_of = leaf.at.isoformat() if leaf.at else None
        told |= {"log": leaf.checkpoint.origin, "index": leaf.index, "size": leaf.checkpoint.size, "witnesses": list(leaf.witnesses), "as_of": as_of}
    return told


_WORDS = {
    "container_unreadable": ("Gói tệp không đúng như khi được phát hành", "The container isn't as it was given out"),
    "log": ("Có tên trong nhật ký minh bạch", "Stands in the transparency log"),
    "latest": ("Là phiên bản mới nhất, chưa bị thu hồi, tính đến", "Was the latest version and not revoked, as of"),
    "superseded": ("Đã được phiên bản mới thay thế, tính đến", "Superseded by a newer version, as of"),
    "revoked": ("Đã bị thu hồi, tính đến", "Revoked, as of"),
    "missing": ("Thiếu học bạ của các năm học", "There is no transcript of the school years"),
}
NOT_KNOWN = (
    "Không xác định được đây có phải là phiên bản mới nhất: tra cứu bằng mã QR.",
    "Whether this is the latest version can't be known offline: look it up by the QR code.",
)


def tell_log(told: dict[str, Any], at: int) -> None:
    """What the log proves, in words; `at`: 0 Vietnamese, 1 English."""
    good = told["problem"] is None
    detail = f"{told['log']}, {told['index']} < {told['size']}, {', '.join(told['witnesses'])}" if good else told["problem"]
    typer.secho(f"  {'✓' if good else '✗'} {_WORDS['log'][at]}: {detail}", fg="green" if good else "red")
    if told["standing"] != "unknown":
        latest = told["standing"] == "latest"
        as_of = told["as_of"] or f"{told['size']}"
        typer.secho(f"  {'✓' if latest else '✗'} {_WORDS[told['standing']][at]} {as_of}", fg="green" if latest else "red")


def tell_container(report: dict[str, Any], at: int) -> None:
    """What is wrong with a container itself, or what a dossier lacks."""
    if report.get("detail"):
        typer.secho(f"  ✗ {_WORDS['container_unreadable'][at]} [{report['reason']}] {report['detail']}", fg="red")
    if report.get("missing_school_years"):
        typer.secho(f"  – {_WORDS['missing'][at]}: {', '.join(report['missing_school_years'])}", fg="yellow")
