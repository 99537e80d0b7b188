"""`hocba verify` as a person runs it: a process of its own, nothing but the file and the trust anchors."""

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from services.archive.adapters.note_keys import new_key, read_signer
from services.archive.domain.checkpoint import Checkpoint
from services.archive.domain.log_proof import LogProof
from services.archive.domain.merkle import leaf_hash
from services.archive.domain.signed_note import COSIGNATURE_ED25519, ED25519, SignedNote
from services.archive.domain.statement import Kind, Statement
from tests.support import forgeries
from tests.support.signed_documents import digest, make_pki, shared_pki, signed_transcript


@pytest.fixture
def trust(tmp_path: Path) -> Path:
    folder = tmp_path / "trust"
    folder.mkdir()
    (folder / "root.pem").write_bytes(shared_pki().root.certificate.public_bytes(serialization.Encoding.PEM))
    return folder


def run(*arguments: str | Path) -> tuple[int, str]:
    done = subprocess.run([sys.executable, "-m", "services", "verify", *map(str, arguments)], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def run_json(*arguments: str | Path) -> tuple[int, Any]:
    code, out = run(*arguments, "--json")
    return code, json.loads(out)


def test_genuine_transcript_is_valid_and_told_in_both_languages(tmp_path: Path, trust: Path) -> None:
    file = tmp_path / "hoc-ba.pdf"
    file.write_bytes(signed_transcript())
    code, words = run(file, "--trust", trust)
    assert code == 0
    assert "HỢP LỆ" in words
    assert "KHÔNG HỢP LỆ" not in words
    code, words = run(file, "--trust", trust, "--lang", "en", "--sha256", digest(signed_transcript()).hex())
    assert (code, "VALID" in words, "NOT VALID" in words) == (0, True, False)


def test_forgery_is_refused_with_exit_code_and_reason(tmp_path: Path, trust: Path) -> None:
    file = tmp_path / "forged.pdf"
    file.write_bytes(forgeries.painted_field(signed_transcript()))
    code, report = run_json(file, "--trust", trust)
    assert (code, report["accepted"], report["reason"]) == (1, False, "field_unexpected")
    states = {item["check"]: item["state"] for item in report["checks"]}
    assert (states["signers"], states["digest"], states["record"]) == ("passed", "not_made", "not_made")
    assert states["changes"] == "failed"


def test_one_bad_file_among_several_decides_the_exit_code(tmp_path: Path, trust: Path) -> None:
    good, bad = tmp_path / "good.pdf", tmp_path / "bad.pdf"
    good.write_bytes(signed_transcript())
    bad.write_bytes(signed_transcript()[:-10])
    code, reports = run_json(good, bad, "--trust", trust)
    assert (code, [report["reason"] for report in reports]) == (1, [None, "truncated"])


def test_other_anchors_trust_nobody(tmp_path: Path, trust: Path) -> None:
    (trust / "root.pem").write_bytes(make_pki().root.certificate.public_bytes(serialization.Encoding.PEM))
    file = tmp_path / "hoc-ba.pdf"
    file.write_bytes(signed_transcript())
    code, report = run_json(file, "--trust", trust)
    assert (code, report["reason"]) == (1, "signer_untrusted")


def test_unusable_trust_is_an_error_and_not_a_verdict(tmp_path: Path, trust: Path) -> None:
    (trust / "root.pem").unlink()
    file = tmp_path / "hoc-ba.pdf"
    file.write_bytes(signed_transcript())
    code, words = run(file, "--trust", trust)
    assert code == 2
    assert "add the root certificates" in words


def logged(folder: Path, data: bytes, *, cosigned: bool = True) -> tuple[Path, Path]:
    """(proof, policy) of a log with this document as its one leaf."""
    for name, kind in (("log", ED25519), ("witness", COSIGNATURE_ED25519)):
        (folder / f"{name}.key").write_text(new_key(f"{name}.example", kind))
    log, witness = read_signer(folder / "log.key"), read_signer(folder / "witness.key")
    statement = Statement(Kind.ISSUE, "AEBAG", 1, digest(data), b"c" * 32, None, "school", datetime(2026, 6, 1, tzinfo=UTC)).canonical()
    head = Checkpoint("log.example", 1, leaf_hash(statement))
    note = SignedNote(head.text, (log.sign(head.text), *([witness.cosign(head, 1_780_221_600)] if cosigned else [])))
    proof, policy = folder / "proof", folder / "policy"
    proof.write_bytes(LogProof(statement, 0, (), note.encoded()).encoded())
    policy.write_text(f"log {log.public.text}\nwitness W {witness.public.text}\nquorum W\n")
    return proof, policy


def test_proof_from_the_log_is_checked_offline(tmp_path: Path, trust: Path) -> None:
    file = tmp_path / "hoc-ba.pdf"
    file.write_bytes(signed_transcript())
    proof, policy = logged(tmp_path, signed_transcript())
    code, report = run_json(file, "--trust", trust, "--proof", proof, "--log-policy", policy)
    assert (code, report["accepted"]) == (0, True)
    assert report["log"] == {"problem": None, "log": "log.example", "index": 0, "size": 1, "witnesses": ["W"]} | {
        "standing": "unknown",
        "as_of": "2026-05-31T10:00:00+00:00",
    }
    code, words = run(file, "--trust", trust, "--proof", proof, "--log-policy", policy)
    assert (code, "nhật ký minh bạch" in words) == (0, True)
    assert run(file, "--trust", trust, "--proof", proof)[0] == 2


@pytest.mark.parametrize(("of", "cosigned", "why"), [(b"another document", True, "another document"), (None, False, "isn't final")])
def test_proof_that_shows_nothing_makes_the_file_invalid(tmp_path: Path, trust: Path, of: bytes | None, cosigned: bool, why: str) -> None:
    file = tmp_path / "hoc-ba.pdf"
    file.write_bytes(signed_transcript())
    proof, policy = logged(tmp_path, of or signed_transcript(), cosigned=cosigned)
    code, report = run_json(file, "--trust", trust, "--proof", proof, "--log-policy", policy)
    assert (code, report["accepted"]) == (1, False)
    assert why in report["log"]["problem"]
