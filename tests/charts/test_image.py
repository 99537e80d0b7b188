"""The image: linted, built from the locks alone, without root, and with nothing in its context that doesn't belong there."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.charts.conftest import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")


def hadolint(file: Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("hadolint")
    return subprocess.run([str(program), str(file)], check=False, capture_output=True, text=True)


def instructions(text: str) -> list[tuple[str, str]]:
    """(instruction, its words) in order, with continued lines joined and comments gone."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [(word.upper(), rest.strip()) for word, _, rest in (line.strip().partition(" ") for line in joined.splitlines() if line.strip())]


def faults(text: str) -> list[str]:
    """What a Dockerfile of ours must not do, beyond what hadolint sees."""
    found, stages = [], [rest for word, rest in instructions(text) if word == "FROM"]
    if len(stages) < 2:
        found.append("one stage: compilers and build tools reach production")
    if any(not stage.startswith("${BASE_IMAGE}") for stage in stages):
        found.append("a stage has another base than BASE_IMAGE")
    last = instructions(text[text.rindex("FROM ") :])
    if ("USER", "10001:10001") not in last:
        found.append("the image doesn't end as user 10001")
    if ("ENTRYPOINT", '["hocba"]') not in last:
        found.append("the entry point isn't hocba in exec form, so SIGTERM would not reach it")
    for word, rest in instructions(text):
        if word == "RUN" and "pip install" in rest and "--no-index" not in rest and "--require-hashes" not in rest:
            found.append(f"installs without hashes: {rest[:60]}")
        if word in ("ENV", "ARG") and re.search(r"PASSWORD|SECRET|TOKEN|KEY=", rest):
            found.append(f"a secret in {word}")
        if word == "ADD":
            found.append("ADD fetches and unpacks; COPY says what it does")
    return found


def test_dockerfile_is_lint_free() -> None:
    outcome = hadolint(ROOT / "Dockerfile")
    assert outcome.returncode == 0, outcome.stdout


def test_lint_finds_a_bad_dockerfile(tmp_path: Path) -> None:
    bad = tmp_path / "Dockerfile"
    bad.write_text("FROM python:latest\nRUN sudo apt-get install curl\nRUN cd /src\n")
    assert hadolint(bad).returncode != 0


def test_dockerfile_keeps_the_house_rules() -> None:
    assert faults(DOCKERFILE) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("USER 10001:10001", "USER root"),
        ('ENTRYPOINT ["hocba"]', "ENTRYPOINT hocba"),
        ("pip install --require-hashes --no-deps --only-binary=:all: --requirement requirements.lock", "pip install --requirement requirements.lock"),
        ("FROM ${BASE_IMAGE} AS runtime", "FROM alpine AS runtime"),
        ("ENV PATH=", "ENV DATABASE_PASSWORD=x PATH="),
        ("COPY services services", "ADD services services"),
    ],
)
def test_broken_house_rule_is_found(old: str, new: str) -> None:
    assert old in DOCKERFILE
    assert faults(DOCKERFILE.replace(old, new)) != []


def test_build_tools_are_named_with_all_they_need() -> None:
    """The build stage takes its back end out of the development lock by name: a new requirement of it must be named too."""
    pattern = re.search(r"\^\(([^)]+)\)==", DOCKERFILE)
    assert pattern is not None
    named = set(pattern.group(1).split("|"))
    needed, open_ones = set(), ["hatchling"]
    while open_ones:
        name = open_ones.pop()
        needed.add(name)
        for line in requires(name) or []:
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": "", "python_version": "3.11"}):
                open_ones += [requirement.name] if requirement.name not in needed else []
    assert needed == named
    locked = re.findall(r"^([a-z0-9-]+)==", (ROOT / "requirements-dev.lock").read_text(encoding="utf-8"), re.MULTILINE)
    assert named <= set(locked)


def test_what_is_copied_exists_and_is_let_into_the_context() -> None:
    allowed = [line[1:] for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line.startswith("!")]
    copied = [source for word, rest in instructions(DOCKERFILE) if word == "COPY" and "--from" not in rest for source in rest.split()[:-1]]
    assert copied
    for source in copied:
        assert (ROOT / source).exists(), f"{source} is copied and doesn't exist"
        assert source in allowed, f"{source} is copied and .dockerignore keeps it out"
    assert sorted(allowed) == sorted(copied), "only what is copied belongs in the context"
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert {*wheel["packages"], *wheel["force-include"]} <= set(copied), "the wheel can't be built without them"


def test_context_starts_from_nothing() -> None:
    lines = [line for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    assert lines[0] == "*", "an allow-list begins by letting in nothing"


def test_lock_holds_every_dependency_of_the_project() -> None:
    """The image installs the lock and then asks pip whether anything is missing: better to hear of it here."""
    stated = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    locked = set(re.findall(r"^([a-z0-9-]+)==", (ROOT / "requirements.lock").read_text(encoding="utf-8"), re.MULTILINE))
    missing = {canonicalize_name(Requirement(line).name) for line in stated} - locked
    assert not missing, f"{', '.join(sorted(missing))}: run `make lock`"
