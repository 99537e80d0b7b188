"""Staging and the archive's own objects on one object-store library: a local folder by default, S3 and others by URL."""

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, NotFoundError
from obstore.store import LocalStore, from_url

from services.chassis.errors import Conflict, NotFound, Unavailable


@dataclass(frozen=True)
class ObjectStaging:
    """Fulfils the port Staging: reads the packs that signing wrote."""

    store: Any

    async def read(self, name: str) -> bytes:
        """A whole pack."""
        try:
            return bytes(await (await obstore.get_async(self.store, name)).bytes_async())
        except (NotFoundError, FileNotFoundError) as error:
            raise NotFound(f"staging has no pack {name}; restore it, then replay the parked record", code="pack_missing") from error
        except (BaseError, OSError) as error:
            raise Unavailable(f"staging can't be read ({type(error).__name__})", code="staging_down") from error


@dataclass(frozen=True)
class ObjectStore:
    """The archive's objects: written once, read by range. `folder` is the local folder behind the store, or None when the store itself is durable."""

    store: Any
    folder: Path | None

    async def keep(self, name: str, data: bytes) -> None:
        """Put if absent; an object that is there with the same bytes is a repeat."""
        try:
            await obstore.put_async(self.store, name, data, mode="create", use_multipart=False)
        except (AlreadyExistsError, FileExistsError) as error:
            if await self._whole(name) != data:
                raise Conflict(f"the archive's object {name} holds other bytes; it is left as it is", code="object_differs") from error
        except (BaseError, OSError) as error:
            raise Unavailable(f"the archive's store can't be written ({type(error).__name__})", code="vault_down") from error
        if self.folder is not None:
            # The library leaves a local file in the page cache; only after this is it safe to say "archived".
            try:
                await asyncio.to_thread(_make_durable, self.folder, self.folder / name)
            except OSError as error:
                # Some file systems find out only here that the disk is full.
                raise Unavailable(f"the archive's store can't be written ({error.strerror})", code="vault_down") from error

    async def read(self, name: str, offset: int, size: int) -> bytes:
        """The bytes [offset, offset + size)."""
        try:
            return bytes(await obstore.get_range_async(self.store, name, start=offset, length=size))
        except (NotFoundError, FileNotFoundError) as error:
            raise NotFound(f"the archive's store has lost {name}; restore it from a copy", code="object_missing") from error
        except (BaseError, OSError) as error:
            raise Unavailable(f"the archive's store can't be read ({type(error).__name__})", code="vault_down") from error

    async def _whole(self, name: str) -> bytes:
        return bytes(await (await obstore.get_async(self.store, name)).bytes_async())


def open_staging(url: str) -> ObjectStaging:
    """Staging at `url`: a folder's path or file:// URL, or s3://bucket/prefix and what else obstore knows."""
    return ObjectStaging(_open(url)[0])


def open_store(url: str) -> ObjectStore:
    """The archive's own store at `url`, as for open_staging."""
    return ObjectStore(*_open(url))


def folder_of(url: str) -> Path | None:
    """The local folder that a path or file:// URL names; None for a store elsewhere."""
    if "://" in url and not url.startswith("file://"):
        return None
    return Path(unquote(urlsplit(url).path) if url.startswith("file://") else url)


def store_at(url: str) -> Any:
    """A store elsewhere. Credentials come from the usual variables and files of the store's own tools, never from our settings."""
    return from_url(url)


def _open(url: str) -> tuple[Any, Path | None]:
    folder = folder_of(url)
    if folder is None:
        return store_at(url), None
    folder.mkdir(parents=True, exist_ok=True)
    return LocalStore(folder), folder


def _make_durable(root: Path, path: Path) -> None:
    for target in (path, *path.parents):
        handle = os.open(target, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
        if target == root:
            return
