"""Packs in an object store: one ZIP per class and step, stored without compression and with fixed times.

A pack's name follows from its bytes, so a worker that died writes the same pack under the same name again, and another
content can never hide behind a name that somebody has noted.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, NotFoundError
from obstore.store import LocalStore, from_url

from services.chassis.errors import Unavailable
from services.signing.application.ports import PackWritten, StoredPdf
from services.signing.domain.transcripts import Ref

_FIXED_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest that a ZIP can hold
_PLAIN_FILE = 0o600 << 16


class PackStaging:
    """Fulfils ports.Staging over any store that obstore speaks: a folder, S3 and its kin."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        # Credentials come from the usual variables and files of the store's own tools, never from our settings.
        local = parts.scheme in ("", "file")
        self._folder = Path(parts.path) if local else None
        self._store: Any = LocalStore(self._folder, mkdir=True) if self._folder else from_url(url)

    async def put(self, class_id: str, stage: str, files: Sequence[tuple[str, bytes]]) -> PackWritten:
        """Write the pack unless it is there."""
        pack = await asyncio.to_thread(packed, files)
        digest = hashlib.sha256(pack).digest()
        name = f"{class_id}/{stage}-{digest.hex()}.zip"
        try:
            await obstore.put_async(self._store, name, pack, mode="create")
        except (AlreadyExistsError, FileExistsError):
            pass  # A repeat: the name says that the bytes are the same; whether they are on disk yet, nobody knows.
        except (BaseError, OSError) as error:
            raise Unavailable(f"staging can't be written: {type(error).__name__}", code="staging_down") from error
        if self._folder:
            # What is announced names this pack, so it must outlast a power cut; stores that aren't folders promise that themselves.
            await asyncio.to_thread(_force_to_disk, self._folder, self._folder / name)
        return PackWritten(name, digest)

    async def read(self, pdfs: Sequence[StoredPdf]) -> dict[Ref, bytes]:
        """Documents by reference, each checked against its digest."""
        found: dict[Ref, bytes] = {}
        for name in sorted({pdf.pack for pdf in pdfs}):
            try:
                answer = await obstore.get_async(self._store, name)
                pack = bytes(await answer.bytes_async())
            except (FileNotFoundError, NotFoundError):
                continue
            except (BaseError, OSError) as error:
                raise Unavailable(f"staging can't be read: {type(error).__name__}", code="staging_down") from error
            wanted = [pdf for pdf in pdfs if pdf.pack == name]
            found.update(await asyncio.to_thread(_unpacked, pack, wanted))
        return found


def _force_to_disk(folder: Path, file: Path) -> None:
    for target in (file, file.parent, folder):
        handle = os.open(target, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def packed(files: Sequence[tuple[str, bytes]]) -> bytes:
    """A ZIP whose bytes depend on names and contents alone."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as pack:
        for name, content in sorted(files):
            entry = zipfile.ZipInfo(name, _FIXED_TIME)
            entry.external_attr = _PLAIN_FILE
            entry.create_system = 3
            pack.writestr(entry, content)
    return out.getvalue()


def _unpacked(pack: bytes, wanted: Sequence[StoredPdf]) -> dict[Ref, bytes]:
    found: dict[Ref, bytes] = {}
    try:
        with zipfile.ZipFile(io.BytesIO(pack)) as archive:
            names = set(archive.namelist())
            for pdf in wanted:
                if pdf.ref.file_name not in names:
                    continue
                content = archive.read(pdf.ref.file_name)
                if hashlib.sha256(content).digest() == pdf.digest:
                    found[pdf.ref] = content
    except zipfile.BadZipFile:
        return {}
    return found
