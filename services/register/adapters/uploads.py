"""Manifests that are on their way: a file each, so that an upload goes on where it broke off."""

import asyncio
import hashlib
import os
import time
from dataclasses import dataclass
from pathlib import Path

from services.archive.domain.submission import LARGEST_MANIFEST
from services.chassis.errors import Conflict, Malformed, Refused

MOST_AT_ONCE = 8
"""Unfinished uploads of one department; what nobody has touched for a day makes room first."""
_FORGOTTEN_SECONDS = 86_400.0


@dataclass(frozen=True)
class UploadFolder:
    """Fulfils the port Uploads: a folder. Manifests hold personal numbers, so it is closed to other users, and each file goes once it is answered."""

    folder: Path

    def size(self, department: str, digest: bytes) -> int:
        """How many bytes of a manifest are here."""
        file = self._file(department, digest)
        return file.stat().st_size if file.exists() else 0

    async def add(self, department: str, digest: bytes, offset: int, data: bytes) -> int:
        """Put a piece behind what is here; the new size. Conflict, with the size, when it doesn't begin there."""
        return await asyncio.to_thread(self._add, department, digest, offset, data)

    async def whole(self, department: str, digest: bytes) -> bytes:
        """The manifest. Refused when it isn't all here."""
        data = await asyncio.to_thread(self._read, department, digest)
        if hashlib.sha256(data).digest() != digest:
            raise Refused(
                f"{len(data)} bytes are here, and they are not the manifest of this digest; send what lacks, or begin anew", code="manifest_incomplete"
            )
        return data

    def forget(self, department: str, digest: bytes) -> None:
        """Remove a manifest that was answered."""
        self._file(department, digest).unlink(missing_ok=True)

    def _add(self, department: str, digest: bytes, offset: int, data: bytes) -> int:
        file = self._file(department, digest)
        size = file.stat().st_size if file.exists() else 0
        if offset == 0 and size:
            # Who begins anew has found that the bytes here are not his.
            size = 0
        if offset != size:
            raise Conflict(f"{size} bytes are here; go on at {size}, not at {offset}", code="offset_differs")
        if size + len(data) > LARGEST_MANIFEST:
            raise Malformed(f"a manifest has at most {LARGEST_MANIFEST} bytes: send several batches", code="too_large")
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not file.exists():
            self._make_room(file.parent)
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | (os.O_APPEND if offset else os.O_TRUNC), 0o600), "wb") as opened:
            opened.write(data)
        return size + len(data)

    def _make_room(self, folder: Path) -> None:
        files = list(folder.iterdir())
        for old in files:
            if time.time() - old.stat().st_mtime > _FORGOTTEN_SECONDS:
                old.unlink(missing_ok=True)
        if sum(file.exists() for file in files) >= MOST_AT_ONCE:
            raise Refused(f"{MOST_AT_ONCE} uploads are unfinished; finish one, or wait a day", code="too_many_uploads")

    def _read(self, department: str, digest: bytes) -> bytes:
        file = self._file(department, digest)
        return file.read_bytes() if file.exists() else b""

    def _file(self, department: str, digest: bytes) -> Path:
        # A department's name may hold what a path must not.
        return self.folder / hashlib.sha256(department.encode()).hexdigest()[:16] / digest.hex()
