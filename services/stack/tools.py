"""Programs a machine may lack, installed from their own hashed locks into a folder of their own."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from services.stack.places import CHECKOUT, StackError


def install(tool: str, into: Path, say: Callable[[str], None] = lambda _: None) -> Path:
    """The folder that holds what `requirements-<tool>.lock` names, installed now if it isn't there.

    The folder's name carries the lock's digest and it appears whole or not at all, so that a killed run or a new lock
    heals itself.
    """
    lock = CHECKOUT / f"requirements-{tool}.lock"
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()[:12]
    target = into / f"{tool}-{digest}"
    if target.is_dir():
        return target
    into.mkdir(parents=True, exist_ok=True)
    say(f"This machine lacks {tool}: installing it from {lock.name}")
    draft = Path(tempfile.mkdtemp(dir=into, prefix=f".{tool}-"))
    try:
        command = [*_installer(), "--quiet", "--require-hashes", "--no-deps", "--target", str(draft)]
        command += ["-r", str(lock)]
        run = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if run.returncode != 0:
            raise StackError(
                f"{lock.name} could not be installed: {run.stderr.strip()[-600:]}\n"
                f"Is the Python package index within reach? Otherwise install {tool} yourself and start again."
            )
        draft.chmod(0o755)
        os.replace(draft, target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    for older in into.glob(f"{tool}-*"):
        if older != target:
            shutil.rmtree(older, ignore_errors=True)
    return target


def _installer() -> list[str]:
    """uv beside this interpreter if it is there (it is in the lock), else pip."""
    uv = Path(sys.executable).with_name("uv")
    return [str(uv), "pip", "install", f"--python={sys.executable}"] if uv.exists() else [sys.executable, "-m", "pip", "install"]
