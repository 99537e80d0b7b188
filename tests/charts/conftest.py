"""Renders the chart once per set of values; the checks read objects, never text."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.stack import pki
from services.stack.deployment import Deployment
from services.stack.places import SERVICES, Places
from services.stack.signer_pki import SignerPki

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "charts" / "hocba"
CI_FILES = tuple(sorted(path.name for path in (CHART / "ci").glob("*-values.yaml")))

Objects = list[dict[str, Any]]


@cache
def helm() -> str:
    """Path of the pinned helm, fetched at the first call of a checkout."""
    return subprocess.run([sys.executable, str(ROOT / "charts" / "helm.py")], check=True, capture_output=True, text=True).stdout.strip()


def run_helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run helm and return its outcome, whatever it is."""
    return subprocess.run([helm(), *arguments], check=False, capture_output=True, text=True)


def template(values: str, *more: str) -> subprocess.CompletedProcess[str]:
    """Render the chart with one of its ci files and further arguments."""
    return run_helm("template", "rel", str(CHART), "--values", str(CHART / "ci" / values), *more)


@cache
def rendered_text(values: str) -> str:
    """The manifest for a ci file; raises when helm refuses it."""
    outcome = template(values)
    assert outcome.returncode == 0, outcome.stderr
    return outcome.stdout


def objects_of(text: str) -> Objects:
    """The objects of a manifest, in order."""
    return [document for document in yaml.load_all(text, Loader=yaml.CSafeLoader) if document]


@pytest.fixture(params=CI_FILES)
def rendered(request: pytest.FixtureRequest) -> Objects:
    """The objects of each ci file in turn."""
    return objects_of(rendered_text(request.param))


@pytest.fixture
def local_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Settings of every service in the environment, with keys that exist, so that an app can be wired without a server."""
    keys = pki.prepare(Places(state=tmp_path))
    SignerPki(keys.folder / "signers")
    nowhere = dict.fromkeys(SERVICES, "127.0.0.1:1")
    urls = {service: f"postgresql://hocba_{service}@127.0.0.1:1/hocba_{service}" for service in SERVICES}
    deployment = Deployment(tmp_path, "127.0.0.1:1", "127.0.0.1:1", nowhere, {}, urls, urls)
    for service in SERVICES:
        (deployment.places.secrets / f"hocba_{service}.password").write_text("of-a-test")
        for name, value in deployment.settings_of(service).items():
            monkeypatch.setenv(name, value)
    return tmp_path


@pytest.fixture
def render() -> Callable[[str], Objects]:
    """Objects of a named ci file."""
    return lambda values: objects_of(rendered_text(values))
