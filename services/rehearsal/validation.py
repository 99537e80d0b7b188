"""Every archived PDF, fetched through the archive's door and judged again: by its digest, its proof from the log, pyHanko, and pdfsig if it is there."""

import asyncio
import hashlib
import re
import shutil
import subprocess
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from hocba.archive.v1 import archive_pb2
from services.rehearsal.doors import Doors, Metadata, all_of
from services.rehearsal.plan import SCHOOL_YEAR, Plan
from services.rehearsal.progress import Step
from services.rehearsal.transparency import Onlooker

PROCESSES = 2
ON_TRANSCRIPTS, ON_SHEETS = 3, 1
"""How many signatures each kind of document carries."""


@dataclass
class Report:
    """What the validators said."""

    valid: int = 0
    sheets: int = 0
    superseded: int = 0
    mean_bytes: int = 0
    validators: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    latest: str = ""
    """Public id of a transcript that nothing has superseded."""


async def validate_all(doors: Doors, officer: Metadata, cast: Plan, anchors: Path, documents: Path, onlooker: Onlooker, step: Step) -> Report:
    """Fetch and judge every version of every transcript and class-subject sheet; problems name document, version and reason."""
    classes = [school_class.class_id for _, school_class in cast.classes()]
    entries = [entry for class_id in classes for entry in await _entries(doors, officer, class_id)]
    sheets = [entry for class_id in classes for entry in await _sheets(doors, officer, class_id)]
    report = Report(validators=["digest", "log proof", "pyHanko"] + (["pdfsig"] if shutil.which("pdfsig") else []))
    sizes: list[int] = []
    loop = asyncio.get_running_loop()
    # Spawned, not forked: gRPC's threads do not survive a fork.
    with ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn")) as pool:

        async def one(entry: Any) -> None:
            ref = entry.transcript
            request = archive_pb2.GetTranscriptRequest(transcript_id=ref.transcript_id, version=ref.version)
            answer = await doors.archive.GetTranscript(request, metadata=officer, timeout=60)
            sizes.append(len(answer.pdf))
            report.superseded += bool(entry.superseded_by)
            report.latest = report.latest if entry.superseded_by else ref.public_id
            good = await stands(f"{ref.transcript_id}-v{ref.version}.pdf", answer.pdf, entry.sha256, ref.public_id, ON_TRANSCRIPTS)
            report.valid += good

        async def one_sheet(entry: Any) -> None:
            ref = entry.sheet
            request = archive_pb2.GetSheetRequest(sheet_id=ref.sheet_id, version=ref.version)
            answer = await doors.archive.GetSheet(request, metadata=officer, timeout=60)
            good = await stands(f"sheet-{ref.subject}-{ref.sheet_id}-v{ref.version}.pdf", answer.pdf, entry.sha256, ref.public_id, ON_SHEETS)
            report.sheets += good

        async def stands(name: str, pdf: bytes, sha256: bytes, public_id: str, signatures: int) -> bool:
            path = documents / name
            path.write_bytes(pdf)
            problems = [] if hashlib.sha256(pdf).digest() == sha256 else ["the bytes are not those of the index"]
            problems += await onlooker.proof(public_id, sha256, path.with_suffix(".tlog-proof"))
            problems += await loop.run_in_executor(pool, judge, str(path), str(anchors), signatures)
            report.problems += [f"{path.name}: {problem}" for problem in problems]
            step.advance()
            return not problems

        await all_of([*(one(entry) for entry in entries), *(one_sheet(entry) for entry in sheets)], at_once=2 * PROCESSES)
    report.mean_bytes = sum(sizes) // max(1, len(sizes))
    return report


async def _entries(doors: Doors, officer: Metadata, class_id: str) -> list[Any]:
    found, token = [], ""
    while True:
        request = archive_pb2.ListTranscriptsRequest(class_id=class_id, school_year=SCHOOL_YEAR, page_token=token)
        answer = await doors.archive.ListTranscripts(request, metadata=officer)
        found += list(answer.entries)
        token = answer.next_page_token
        if not token:
            return found


async def _sheets(doors: Doors, officer: Metadata, class_id: str) -> list[Any]:
    request = archive_pb2.ListSheetsRequest(class_id=class_id, school_year=SCHOOL_YEAR)
    return list((await doors.archive.ListSheets(request, metadata=officer)).entries)


def judge(path: str, anchors: str, signatures: int = ON_TRANSCRIPTS) -> list[str]:
    """What speaks against a file that must carry so many signatures; runs in a worker process."""
    return _pyhanko(Path(path), anchors, signatures) + _pdfsig(Path(path), signatures)


@lru_cache(maxsize=1)
def _trust(anchors: str) -> Any:
    from pyhanko import keys
    from pyhanko_certvalidator import ValidationContext

    files = [str(file) for file in sorted(Path(anchors).iterdir()) if file.suffix in (".cer", ".pem", ".crt")]
    load: Any = keys.load_certs_from_pemder
    return ValidationContext(trust_roots=list(load(files)), allow_fetching=False)


def _pyhanko(path: Path, anchors: str, wanted: int) -> list[str]:
    from pyhanko.pdf_utils.reader import PdfFileReader
    from pyhanko.sign.validation import validate_pdf_signature

    with path.open("rb") as file:
        signatures = PdfFileReader(file).embedded_signatures
        if len(signatures) != wanted:
            return [f"{len(signatures)} signatures instead of {wanted}"]
        # The full difference analysis costs ten times the rest; hocba's own verifier has settled which changes are allowed.
        verdicts = [validate_pdf_signature(signature, _trust(anchors), skip_diff=True) for signature in signatures]
    return [
        f"pyHanko: {signature.field_name} {verdict.summary()}"
        for signature, verdict in zip(signatures, verdicts, strict=True)
        if not (verdict.intact and verdict.valid and verdict.trusted)
    ]


def _pdfsig(path: Path, wanted: int) -> list[str]:
    program = shutil.which("pdfsig")
    if program is None:
        return []
    said = subprocess.run([program, "-nocert", str(path)], capture_output=True, text=True, check=False, timeout=60).stdout
    valid = len(re.findall(r"Signature Validation: Signature is Valid", said))
    return [] if valid == wanted else [f"pdfsig finds {valid} of {wanted} signatures valid"]
