"""Refresh the committed locks: Python packages by uv, jars by Maven.

    make lock                      what pyproject.toml asks for now, other pins as they are
    make lock ARGS=--upgrade       newest versions within pyproject.toml's ranges
    make lock ARGS="--kafka 4.3.1" Kafka's closure anew, for this version
    make lock ARGS="--verapdf 1.28.2", "--dss 6.3"   the same for the tests' judges of documents

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
from collections.abc import Callable
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Product:
    """What Maven is asked for: artifacts, with all they depend on unless they are `closed`, and the file that pins the answer."""

    lock: Path
    artifacts: Callable[[str], list[str]]
    closed: bool = False


def _kafka(version: str) -> list[str]:
    logging = [f"org.apache.logging.log4j:{name}:{_LOG4J}" for name in ("log4j-core", "log4j-slf4j-impl", "log4j-1.2-api")]
    return [f"org.apache.kafka:kafka_2.13:{version}", *logging]


_DSS_PARTS = ("dss-pades-pdfbox", "dss-validation", "dss-policy-jaxb", "dss-cms-object", "dss-crl-parser-stream", "dss-utils-apache-commons")
_JUDGES = CHECKOUT / "tests" / "support" / "judges"
PRODUCTS = {
    "kafka": Product(jars.LOCK, _kafka),
    # One jar with everything in it. Of the newer versions only the library is published, without the program.
    "verapdf": Product(_JUDGES / "verapdf.lock.json", lambda version: [f"org.verapdf.apps:greenfield-apps:{version}"], closed=True),
    "dss": Product(_JUDGES / "dss.lock.json", lambda version: [f"eu.europa.ec.joinup.sd-dss:{part}:{version}" for part in _DSS_PARTS]),
}


def lock_jars(name: str, version: str) -> int:
    """Resolve a product's run-time closure with the machine's Maven and record every jar's digest."""
    product = PRODUCTS[name]
    with tempfile.TemporaryDirectory() as scratch:
        pom, libraries = Path(scratch, "pom.xml"), Path(scratch, "jars")
        pom.write_text(jars.pom(product.artifacts(version), closed=product.closed))
        command = ["mvn", "-B", "-q", "-f", str(pom), jars.COPY_PLUGIN, "-DincludeScope=runtime", "-Dmdep.useRepositoryLayout=true"]
        subprocess.run([*command, f"-DoutputDirectory={libraries}"], check=True)
        entries = []
        for jar in sorted(libraries.rglob("*.jar")):
            *group, artifact, found, _ = jar.relative_to(libraries).parts
            content = jar.read_bytes()
            coordinate = f"{'.'.join(group)}:{artifact}:{found}"
            entries.append({"coordinate": coordinate, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()})
    product.lock.write_text(json.dumps({name: version, "jars": entries}, indent=1) + "\n")
    return len(entries)


def main() -> None:
    """Refresh what was asked for and say what changed."""
    arguments = argparse.ArgumentParser(prog="make lock")
    arguments.add_argument("--upgrade", action="store_true", help="newest versions within the ranges")
    for name in PRODUCTS:
        arguments.add_argument(f"--{name}", metavar="VERSION", help=f"lock this version of {name} instead of the packages")
    asked = vars(arguments.parse_args())
    versions = {name: asked[name] for name in PRODUCTS if asked[name]}
    for name, version in versions.items():
        if not re.fullmatch(r"\d+(\.\d+)+", version):
            arguments.error(f"{version!r} is no version such as 4.3.1")
        print(f"{PRODUCTS[name].lock.name}: {lock_jars(name, version)} jars")
    if not versions:
        lock_packages(asked["upgrade"])
        for lock in sorted(CHECKOUT.glob("requirements*.lock")):
            print(f"{lock.name}: {sum('==' in line for line in lock.read_text().splitlines())} packages")


if __name__ == "__main__":
    main()
