"""Jars from a Maven repository: exactly those of a lock (Kafka's, unless told otherwise), fetched once, checked by SHA-256 at every start."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

from services.stack.places import Places, StackError

LOCK = Path(__file__).with_name("kafka.lock.json")
_PARALLEL = 8
_ATTEMPTS = 3
# Maven's own plugin that copies artifacts; only used where the direct way to the repository fails.
COPY_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"


@dataclass(frozen=True)
class Jar:
    """One locked artifact: Maven coordinate, size in bytes and SHA-256 in hex."""

    coordinate: str
    bytes: int
    sha256: str

    @property
    def file_name(self) -> str:
        _, artifact, version = self.coordinate.split(":")
        return f"{artifact}-{version}.jar"

    def is_whole(self, folder: Path) -> bool:
        """Whether `folder` holds this jar, complete and unaltered."""
        path = folder / self.file_name
        try:
            return path.stat().st_size == self.bytes and hashlib.sha256(path.read_bytes()).hexdigest() == self.sha256
        except OSError:
            return False


@dataclass(frozen=True)
class Locked:
    """What a lock pins: a product in one version, and the jars that it needs."""

    product: str
    version: str
    jars: list[Jar]


def locked(lock: Path | None = None) -> Locked:
    """Read a lock: `{"<product>": "<version>", "jars": [...]}`."""
    content = json.loads((lock or LOCK).read_text())
    jars = [Jar(j["coordinate"], j["bytes"], j["sha256"]) for j in content.pop("jars")]
    ((product, version),) = content.items()
    return Locked(product, str(version), jars)


def resolve(places: Places, say: Callable[[str], None] = lambda _: None, lock: Path | None = None) -> Path:
    """The folder with all locked jars; what is missing or damaged is fetched again, what is whole is kept."""
    wanted = locked(lock)
    folder = places.installed / wanted.product / wanted.version
    folder.mkdir(parents=True, exist_ok=True)
    lacking = [jar for jar in wanted.jars if not jar.is_whole(folder)]
    if lacking:
        megabytes = sum(jar.bytes for jar in lacking) / 1e6
        say(f"{wanted.product} {wanted.version}: fetching {len(lacking)} of {len(wanted.jars)} jars ({megabytes:.0f} MB)")
        reasons: list[str] = []
        for way in (_fetch_directly, _fetch_with_maven):
            try:
                way(places, folder, lacking)
            except StackError as failed:
                reasons.append(str(failed))
            lacking = [jar for jar in lacking if not jar.is_whole(folder)]
            if not lacking:
                break
        else:
            instead = ", or HOCBA_KAFKA to a running broker" if lock is None else ""
            raise StackError(
                f"The jars of {wanted.product} could not be had ({len(lacking)} missing, first {lacking[0].coordinate}). "
                f"Set HOCBA_MAVEN_REPOSITORY to a Maven repository you can reach{instead}. "
                "Tried: " + " | ".join(reasons)
            )
    # A jar of another lock would end up on the class path.
    for stray in {path.name for path in folder.glob("*.jar")} - {jar.file_name for jar in wanted.jars}:
        (folder / stray).unlink()
    return folder


def _admit(draft: Path, jar: Jar, folder: Path) -> None:
    """Move a fetched file into the folder under its final name, if it is the locked one."""
    digest = hashlib.sha256(draft.read_bytes()).hexdigest()
    if digest != jar.sha256:
        draft.unlink()
        raise StackError(f"{jar.coordinate} has SHA-256 {digest}, the lock says {jar.sha256}; it was thrown away.")
    os.replace(draft, folder / jar.file_name)


def _fetch_directly(places: Places, folder: Path, jars: Sequence[Jar]) -> None:
    """Fetch several at a time from the repository that `HOCBA_MAVEN_REPOSITORY` names, else from Maven Central."""
    import requests
    from maven_artifact.artifact import Artifact  # type: ignore[import-untyped]
    from maven_artifact.downloader import Downloader  # type: ignore[import-untyped]

    base = os.environ.get("HOCBA_MAVEN_REPOSITORY") or Downloader().resolver.base
    session = requests.Session()

    def fetch(jar: Jar) -> str | None:
        version = jar.coordinate.split(":")[2]
        address = Artifact.parse(jar.coordinate).with_resolved_version(version).uri(base.rstrip("/"))
        trouble = None
        for _ in range(_ATTEMPTS):
            descriptor, draft = tempfile.mkstemp(dir=folder, prefix=".fetch-")
            try:
                with os.fdopen(descriptor, "wb") as file, session.get(address, stream=True, timeout=(10, 60)) as answer:
                    answer.raise_for_status()
                    for piece in answer.iter_content(1 << 18):
                        file.write(piece)
                _admit(Path(draft), jar, folder)
                return None
            except (requests.RequestException, StackError) as failed:
                trouble = str(failed)
            finally:
                Path(draft).unlink(missing_ok=True)
        return trouble

    for leftover in folder.glob(".fetch-*"):  # Of a run that was killed; the state's lock keeps other runs out.
        leftover.unlink(missing_ok=True)
    with ThreadPoolExecutor(_PARALLEL) as pool:
        troubles = [trouble for trouble in pool.map(fetch, jars) if trouble]
    if troubles:
        raise StackError(f"{len(troubles)} downloads failed, first: {troubles[0]}")


def _fetch_with_maven(places: Places, folder: Path, jars: Sequence[Jar]) -> None:
    """Let the machine's Maven fetch them: it knows the machine's mirrors and proxies."""
    maven = shutil.which("mvn")
    if maven is None:
        raise StackError("no mvn on PATH")
    with tempfile.TemporaryDirectory(dir=places.installed, prefix=".maven-") as scratch:
        work = Path(scratch)
        (work / "pom.xml").write_text(pom([jar.coordinate for jar in jars], closed=True))
        command = [maven, "-B", "-q", "-f", str(work / "pom.xml"), f"-Dmaven.repo.local={work / 'repository'}"]
        command += [COPY_PLUGIN, "-DexcludeTransitive=true", f"-DoutputDirectory={work / 'jars'}"]
        run = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
        if run.returncode != 0:
            raise StackError(f"mvn ended with {run.returncode}: {(run.stdout + run.stderr).strip()[-400:]}")
        for jar in jars:
            _admit(work / "jars" / jar.file_name, jar, folder)


def pom(coordinates: Sequence[str], *, closed: bool) -> str:
    """A Maven project that depends on these artifacts; `closed` means: and on nothing that they would bring along."""
    exclusions = "<exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions>" if closed else ""
    dependencies = []
    for coordinate in coordinates:
        group, artifact, version = (escape(part) for part in coordinate.split(":"))
        inner = f"<groupId>{group}</groupId><artifactId>{artifact}</artifactId><version>{version}</version>{exclusions}"
        dependencies.append(f"<dependency>{inner}</dependency>")
    return (
        "<project><modelVersion>4.0.0</modelVersion>"
        "<groupId>hocba</groupId><artifactId>jars</artifactId><version>1</version><packaging>pom</packaging>"
        f"<dependencies>{''.join(dependencies)}</dependencies></project>\n"
    )
