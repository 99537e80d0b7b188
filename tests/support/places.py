"""Throw-away state folders for servers that tests start."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator

from services.stack.places import CHECKOUT, Places


@contextlib.contextmanager
def scratch_places(name: str) -> Iterator[Places]:
    """Places in a folder of their own below `.state/tests`, removed at the end; jars and tools are the checkout's."""
    root = CHECKOUT / ".state" / "tests"
    root.mkdir(parents=True, exist_ok=True)
    for leftover in root.iterdir():  # Of a run that was killed: its folder carries its pid.
        if not os.path.exists(f"/proc/{leftover.name.split('-')[0]}"):
            shutil.rmtree(leftover, ignore_errors=True)
    folder = tempfile.mkdtemp(prefix=f"{os.getpid()}-{name}-", dir=root)
    os.chmod(folder, 0o755)  # PostgreSQL runs as another user when we are root.
    try:
        yield Places.of(folder).make()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
