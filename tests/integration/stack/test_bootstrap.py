"""The environment is what the lock says, whatever state it was left in. Offline: the one package is made here."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from services.stack.places import CHECKOUT

BASE_PYTHON = Path(sys.base_prefix, "bin", f"python3.{sys.version_info.minor}")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with the real bootstrap script and a lock of one package, in a folder with a blank in its name."""
    folder = tmp_path / "a checkout"
    (folder / "services" / "stack").mkdir(parents=True)
    shutil.copy(CHECKOUT / "services" / "stack" / "bootstrap.py", folder / "services" / "stack")
    (folder / "pyproject.toml").write_text("[project]\nname = 'mau'\n")
    _lock(folder, _wheel(folder, "1"))
    return folder


def test_environment_is_made_once_and_is_then_left_alone(checkout: Path) -> None:
    assert "installing 1" in _bootstrap(checkout).stderr
    assert _version(checkout) == "1"
    assert _bootstrap(checkout).stderr == ""


def test_half_made_environment_is_made_anew(checkout: Path) -> None:
    _bootstrap(checkout)
    (checkout / ".state" / "venv" / ".hocba.json").unlink()  # What a killed run leaves: files, but no stamp.
    module = next((checkout / ".state" / "venv").glob("lib/*/site-packages/mau.py"))
    module.write_text("VERSION = ")
    assert "making it anew" in _bootstrap(checkout).stderr
    assert _version(checkout) == "1"


def test_changed_lock_is_followed(checkout: Path) -> None:
    _bootstrap(checkout)
    _lock(checkout, _wheel(checkout, "2"))
    assert "checking 1" in _bootstrap(checkout).stderr
    assert _version(checkout) == "2"


def test_package_with_another_hash_is_refused_and_leaves_no_stamp(checkout: Path) -> None:
    lock = checkout / "requirements-dev.lock"
    lock.write_text(lock.read_text().replace("sha256:", "sha256:00", 1)[:-3] + "\n")
    refused = _bootstrap(checkout, expect=1)
    assert "could not be installed" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert not (checkout / ".state" / "venv" / ".hocba.json").exists()


def test_two_at_once_do_the_work_once(checkout: Path) -> None:
    command = [str(BASE_PYTHON), "services/stack/bootstrap.py"]
    both = [subprocess.Popen(command, cwd=checkout, env=_environment(checkout), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    outputs = [process.communicate(timeout=120)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sum("installing 1" in output for output in outputs) == 1
    assert _version(checkout) == "1"


def _bootstrap(checkout: Path, *, expect: int = 0) -> subprocess.CompletedProcess[str]:
    command = [str(BASE_PYTHON), "services/stack/bootstrap.py"]
    done = subprocess.run(command, cwd=checkout, env=_environment(checkout), capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == expect, done.stderr
    return done


def _environment(checkout: Path) -> dict[str, str]:
    """No index and no cache: only the wheels of the test."""
    wheels = checkout / "wheels"
    return {"PATH": os.environ["PATH"], "HOME": str(checkout), "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": wheels.as_uri()}


def _version(checkout: Path) -> str:
    command = [str(checkout / ".state" / "venv" / "bin" / "python"), "-c", "import mau; print(mau.VERSION)"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def _wheel(checkout: Path, version: str) -> Path:
    """A package of one module, `mau`, that knows its version."""
    path = checkout / "wheels" / f"mau-{version}-py3-none-any.whl"
    path.parent.mkdir(exist_ok=True)
    info = f"mau-{version}.dist-info"
    files = {
        "mau.py": f"VERSION = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: mau\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    with zipfile.ZipFile(path, "w") as wheel:
        for name, content in files.items():
            wheel.writestr(name, content)
        digests = (base64.urlsafe_b64encode(hashlib.sha256(content.encode()).digest()).decode().rstrip("=") for content in files.values())
        rows = [f"{name},sha256={digest},{len(content)}" for (name, content), digest in zip(files.items(), digests, strict=True)]
        wheel.writestr(f"{info}/RECORD", "\n".join([*rows, f"{info}/RECORD,,", ""]))
    return path


def _lock(checkout: Path, wheel: Path) -> None:
    version, digest = wheel.name.split("-")[1], hashlib.sha256(wheel.read_bytes()).hexdigest()
    (checkout / "requirements-dev.lock").write_text(f"mau=={version} \\\n    --hash=sha256:{digest}\n")
