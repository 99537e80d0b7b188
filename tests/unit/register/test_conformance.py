"""Conformance: an example that shares no code with hocba lacks nothing, and each thing that is broken in it is named with its cure."""

import ast
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from services.__main__ import build

PRODUCER = Path(__file__).resolve().parents[3] / "examples" / "other_vendor" / "produce.py"


@pytest.fixture(scope="module")
def vendor(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("vendor")
    # -I: neither this checkout nor what is installed of it beside the libraries can be reached by its place.
    subprocess.run([sys.executable, "-I", str(PRODUCER), str(folder), "--transcripts", "9"], check=True, cwd=folder)
    return folder


def told(folder: Path, *options: str) -> tuple[int, dict[str, dict[str, Any]]]:
    words = ["conformance", str(folder / "submission.json"), "--trust", str(folder / "trust"), "--json", *options]
    answer = CliRunner().invoke(build(), words)
    return answer.exit_code, {one["check"]: one for one in json.loads(answer.stdout)["files"][0]["checks"]}


def changed(vendor: Path, folder: Path, change: Callable[[dict[str, Any]], object], sign: bool = True) -> Path:
    """A copy of what the example has made, changed; `sign=False` leaves the old signature beside it."""
    (folder / "trust").mkdir()
    for name in ("policy", "trust/root.cer", "submission.json", "submission.json.p7s"):
        (folder / name).write_bytes((vendor / name).read_bytes())
    manifest = json.loads((folder / "submission.json").read_bytes())
    change(manifest)
    (folder / "submission.json").write_text(json.dumps(manifest))
    if sign:
        (folder / "submission.json.p7s").unlink()
    return folder


def test_example_shares_no_code_with_hocba() -> None:
    tree = ast.parse(PRODUCER.read_text(encoding="utf-8"))
    imported = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.split(".")[0] for name in imported} - set(sys.stdlib_module_names) == {"cryptography"}


def test_example_lacks_nothing(vendor: Path) -> None:
    code, checks = told(vendor, "--log-policy", str(vendor / "policy"))
    assert {name: one["detail"] for name, one in checks.items() if one["state"] != "passed"} == {}
    assert code == 0


@pytest.mark.parametrize(
    ("change", "failed", "records"),
    [
        (lambda m: m["records"][2].pop("level"), "malformed", [2]),
        (lambda m: m["records"].pop(), "counts_differ", []),
        (lambda m: m.update(checkpoint=m["checkpoint"].replace("/2026\n", "/2027\n")), "checkpoint_not_final", []),
        (lambda m: m["records"][3].update(statement=m["records"][3]["statement"] + "\n"), "statement_unreadable", [3]),
        (lambda m: m["records"][4].update(operation="CANCEL"), "operation_differs", [4]),
        (lambda m: [one.update(index=one["index"] + 1) for one in m["records"][5:7]], "proof_broken", [5, 6]),
        (lambda m: m["records"][6].update(personal_number=None), "pupil_unnamed", [6]),
        (lambda m: m["records"].__setitem__(3, m["records"][1]), "duplicate", [3]),
    ],
)
def test_what_lacks_is_named_with_its_cure(vendor: Path, tmp_path: Path, change: Callable[[dict[str, Any]], object], failed: str, records: list[int]) -> None:
    folder = changed(vendor, tmp_path, change)
    code, checks = told(folder, "--log-policy", str(folder / "policy"))
    assert code == 1
    assert [name for name, one in checks.items() if one["state"] == "failed"] == [failed]
    assert (checks[failed]["records"], bool(checks[failed]["detail"]), all(checks[failed]["cure"])) == (records, True, True)
    assert checks["signature_invalid"]["state"] == "not_checked"


def test_changed_after_signing(vendor: Path, tmp_path: Path) -> None:
    folder = changed(vendor, tmp_path, lambda m: m.update(made_at="2026-01-01T00:00:00Z"), sign=False)
    code, checks = told(folder, "--log-policy", str(folder / "policy"))
    assert (code, [name for name, one in checks.items() if one["state"] == "failed"]) == (1, ["signature_invalid"])


def test_what_is_not_given_is_not_called_good(vendor: Path) -> None:
    code, checks = told(vendor)
    assert code == 1
    assert checks["proof_broken"]["state"] == checks["checkpoint_not_final"]["state"] == "not_checked"
