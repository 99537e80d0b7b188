"""`hocba verify --evidence` as a person runs it, and the commands that fetch and renew evidence of a running archive."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from services.archive.adapters.evidence_records import encode
from tests.support.signed_documents import shared_pki, signed_transcript
from tests.support.stamping import Root, Stamping, first_chains, stamps_renewed

NOW = datetime.now(UTC).replace(microsecond=0)
ROOT = Root.make(NOW - timedelta(days=4000), NOW + timedelta(days=4000))


def authority(begins: int, ends: int) -> Stamping:
    """Good from and to so many days from now."""
    return ROOT.authority(NOW + timedelta(days=begins), NOW + timedelta(days=ends))


@pytest.fixture
def trust(tmp_path: Path) -> Path:
    folder = tmp_path / "trust"
    ROOT.write(folder)
    (folder / "root.pem").write_bytes(shared_pki().root.certificate.public_bytes(serialization.Encoding.PEM))
    return folder


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "hoc-ba.pdf"
    file.write_bytes(signed_transcript())
    return file


def run(*arguments: str | Path) -> tuple[int, str]:
    words = [sys.executable, "-m", "services", "verify", *map(str, arguments)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, env={**os.environ, "NO_COLOR": "1"})
    return done.returncode, done.stdout + done.stderr


def run_json(*arguments: str | Path) -> tuple[int, Any]:
    code, out = run(*arguments, "--json")
    return code, json.loads(out)


def test_the_report_says_since_when_the_document_is_proven_to_exist(tmp_path: Path, trust: Path, file: Path) -> None:
    at = NOW - timedelta(days=100)
    record = tmp_path / "hoc-ba.er"
    (chains, _) = first_chains([[file.read_bytes()], [b"another"]], authority(-200, 200), at)
    record.write_bytes(encode(stamps_renewed(chains, authority(-50, 500), NOW - timedelta(days=10))))
    code, report = run_json(file, "--evidence", record, "--trust", trust)
    assert (code, report["accepted"], report["evidence"]["whole"], report["evidence"]["proven_since"]) == (0, True, True, at.isoformat())
    code, words = run(file, "--evidence", record, "--trust", trust)
    assert (code, f"đã tồn tại từ {at.isoformat()}" in words) == (0, True)
    code, words = run(file, "--evidence", record, "--trust", trust, "--lang", "en")
    assert (code, f"existed since {at.isoformat()}" in words) == (0, True)
    # The table of algorithms is a file of the trust directory where there is one.
    (trust / "algorithms.toml").write_text('digest = [{name = "sha256", until = 2020-01-01}]\nkey = [{kind = "ec", bits = 256}]\n')
    code, report = run_json(file, "--evidence", record, "--trust", trust)
    assert (code, report["evidence"]["proven_since"]) == (1, None)


def test_a_late_renewal_another_document_and_what_is_no_record_are_told_apart(tmp_path: Path, trust: Path, file: Path) -> None:
    chains = first_chains([[file.read_bytes()]], authority(-200, -50), NOW - timedelta(days=100))[0]
    late = NOW - timedelta(days=49)
    record = tmp_path / "hoc-ba.er"
    record.write_bytes(encode(stamps_renewed(chains, authority(-60, 500), late)))
    code, report = run_json(file, "--evidence", record, "--trust", trust)
    assert (code, report["accepted"], report["reason"], report["evidence"]["proven_since"]) == (1, False, None, late.isoformat())
    assert [one["reason"] for one in report["evidence"]["findings"]] == ["authority_ended"]
    code, words = run(file, "--evidence", record, "--trust", trust)
    assert (code, "KHÔNG HỢP LỆ" in words, "không được gia hạn khi tổ chức cấp dấu thời gian còn hiệu lực" in words) == (1, True, True)
    record.write_bytes(encode(first_chains([[b"another"]], authority(-200, 500), NOW - timedelta(days=100))[0]))
    code, report = run_json(file, "--evidence", record, "--trust", trust)
    assert (code, [one["reason"] for one in report["evidence"]["findings"]]) == (1, ["document_not_covered"])
    record.write_bytes(b"no record")
    code, report = run_json(file, "--evidence", record, "--trust", trust)
    assert (code, [one["reason"] for one in report["evidence"]["findings"]]) == (1, ["evidence_unreadable"])
    assert run(file, file, "--evidence", record, "--trust", trust)[0] == 2
