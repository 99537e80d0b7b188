"""Refresh the committed locks: Python packages by uv, Kafka's jars by Maven.

    make lock                      what pyproject.toml asks for now, other pins as they are
    make lock ARGS=--upgrade       newest versions within pyproject.toml's ranges
    make lock ARGS="--kafka 4.3.1" Kafka's closure anew, for this version

The locks hold versions and hashes, no addresses: where packages come from is the machine's business.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from services.stack import jars
from services.stack.places import CHECKOUT

_COMPILE = ["pip", "compile", "--quiet", "--universal", "--python-version=3.11", "--generate-hashes", "--no-header", "--no-annotate"]
_LOG4J = "2.25.4"  # Kafka's artifacts name no logging back end; its tarball ships this line of log4j.


def lock_packages(upgrade: bool) -> None:
    """One lock for production, one for development, and one for each thing that only some machines lack."""
    extras = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    flags = ["--upgrade"] if upgrade else []
    _compile([*flags, "pyproject.toml", "-o", "requirements.lock"])
    _compile([*flags, "--extra", "dev", "pyproject.toml", "-o", "requirements-dev.lock"])
    for extra in sorted(set(extras) - {"dev"}):
        # Installed into folders of their own, so they needn't agree with the other locks.
        _compile([*flags, "-", "-o", f"requirements-{extra}.lock"], "\n".join(extras[extra]))


def _compile(arguments: list[str], requirements: str = "") -> None:
    uv = Path(sys.executable).with_name("uv")
    subprocess.run([str(uv), *_COMPILE, *arguments], cwd=CHECKOUT, input=requirements, text=True, stdout=subprocess.DEVNULL, check=True)


def lock_kafka(version: str) -> int:
    """Resolve the broker's run-time closure with the machine's Maven and record every jar's digest."""
    roots = [f"org.apache.kafka:kafka_2.13:{version}"]
    roots += [f"org.apache.logging.log4j:{name}:{_LOG4J}" for name in ("log4j-core", "log4j-slf4j-impl", "log4j-1.2-api")]
    with tempfile.TemporaryDirectory() as scratch:
        pom, libraries = Path(scratch, "pom.xml"), Path(scratch, "jars")
        pom.write_text(jars.pom(roots, closed=False))
        command = ["mvn", "-B", "-q", "-f", str(pom), jars.COPY_PLUGIN, "-DincludeScope=runtime", "-Dmdep.useRepositoryLayout=true"]
        subprocess.run([*command, f"-DoutputDirectory={libraries}"], check=True)
        entries = []
        for jar in sorted(libraries.rglob("*.jar")):
            *group, artifact, found, _ = jar.relative_to(libraries).parts
            content = jar.read_bytes()
            coordinate = f"{'.'.join(group)}:{artifact}:{found}"
            entries.append({"coordinate": coordinate, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()})
    jars.LOCK.write_text(json.dumps({"kafka": version, "jars": entries}, indent=1) + "\n")
    return len(entries)


def main() -> None:
    """Refresh what was asked for and say what changed."""
    arguments = argparse.ArgumentParser(prog="make lock")
    arguments.add_argument("--upgrade", action="store_true", help="newest versions within the ranges")
    arguments.add_argument("--kafka", metavar="VERSION", help="lock this version of Kafka instead of the packages")
    asked = arguments.parse_args()
    if asked.kafka:
        if not re.fullmatch(r"\d+\.\d+\.\d+", asked.kafka):
            arguments.error(f"{asked.kafka!r} is no version such as 4.3.1")
        print(f"{jars.LOCK.name}: {lock_kafka(asked.kafka)} jars")
    else:
        lock_packages(asked.upgrade)
        for lock in sorted(CHECKOUT.glob("requirements*.lock")):
            print(f"{lock.name}: {sum('==' in line for line in lock.read_text().splitlines())} packages")


if __name__ == "__main__":
    main()
