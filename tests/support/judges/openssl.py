"""OpenSSL on the bare CMS: each container is cut out of the file by its byte range and verified against the bytes around it."""

from __future__ import annotations

import io
import re
import ssl
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pikepdf

from tests.support.judges.report import Report, SignatureReport
from tests.support.programs import path_of

NAME = "openssl"
_TIME_STAMP = "/ETSI.RFC3161"
_END = re.compile(rb"%%EOF(?:\r\n|\r|\n)?")


def judge(files: Sequence[Path], anchors: Sequence[bytes]) -> list[Report]:
    """See report.Judge."""
    program = path_of("openssl")
    with tempfile.TemporaryDirectory() as scratch:
        trusted = Path(scratch, "anchors.pem")
        trusted.write_text("".join(map(ssl.DER_cert_to_PEM_cert, anchors)))
        return [_one(program, file.read_bytes(), Path(scratch), trusted) for file in files]


def _one(program: str, pdf: bytes, scratch: Path, trusted: Path) -> Report:
    try:
        with pikepdf.open(io.BytesIO(pdf)) as document:
            values = [(str(field.T), field.V) for field in document.Root.AcroForm.Fields if "/V" in field]
            signed = sorted(((name, _range(value), str(value.SubFilter), bytes(value.Contents)) for name, value in values), key=lambda s: sum(s[1][2:]))
    except (pikepdf.PdfError, AttributeError, KeyError, TypeError, ValueError) as error:
        return Report(NAME, problems=(f"unreadable: {type(error).__name__} {error}",))
    if not signed:
        return Report(NAME, problems=("no signature",))
    found, problems = [], []
    for name, (start, first, second, rest), kind, container in signed:
        content = pdf[start : start + first] + pdf[second : second + rest]
        said = _verify(program, kind, container, content, scratch, trusted)
        whole = start == 0 and pdf[first : first + 1] == b"<" and pdf[second - 1 : second] == b">" and _is_end(pdf, second + rest)
        if kind != _TIME_STAMP:
            found.append(SignatureReport(name, said is None, whole=whole))
        problems += [f"{name}: {said}"] if said else []
    return Report(NAME, tuple(found), tuple(problems), covered=sum(signed[-1][1][2:]) == len(pdf))


def _range(value: Any) -> tuple[int, int, int, int]:
    start, first, second, rest = (int(n) for n in value.ByteRange)
    return start, first, second, rest


def _is_end(pdf: bytes, at: int) -> bool:
    return any(match.end() == at for match in _END.finditer(pdf, max(0, at - 16)))


def _verify(program: str, kind: str, container: bytes, content: bytes, scratch: Path, trusted: Path) -> str | None:
    """None when it holds, else the last line that OpenSSL prints, without its thread number."""
    cms, covered = scratch / "container.der", scratch / "covered"
    cms.write_bytes(container)
    covered.write_bytes(content)
    if kind == _TIME_STAMP:
        command = [program, "ts", "-verify", "-token_in", "-in", str(cms), "-data", str(covered), "-CAfile", str(trusted)]
    else:
        command = [program, "cms", "-verify", "-binary", "-inform", "DER", "-in", str(cms), "-content", str(covered)]
        command += ["-CAfile", str(trusted), "-purpose", "any", "-out", "/dev/null"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if run.returncode == 0:
        return None
    reasons = re.findall(r":error:[0-9A-F]*:([^:]*:[^:]*:[^:]*)", run.stderr)
    return reasons[-1] if reasons else f"openssl ended with {run.returncode}"
