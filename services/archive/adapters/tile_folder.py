"""The log's files in a local folder: each is whole and on the disk before it has its name."""

import asyncio
import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from services.chassis.errors import Conflict, Unavailable


@dataclass(frozen=True)
class TileFolder:
    """Fulfils the port TileStore."""

    folder: Path

    async def keep(self, objects: Mapping[str, bytes]) -> None:
        """Put if absent, all of them, then wait for the folders that name them."""
        await asyncio.to_thread(self._keep, objects)

    async def read(self, name: str) -> bytes | None:
        """The whole file."""
        return await asyncio.to_thread(self._read, name)

    async def replace(self, name: str, data: bytes) -> None:
        """A new file under the old name."""
        await asyncio.to_thread(self._replace, name, data)

    async def drop_partial(self, name: str) -> None:
        """The folder `<name>.p`."""
        await asyncio.to_thread(shutil.rmtree, self.folder / f"{name}.p", ignore_errors=True)

    def _keep(self, objects: Mapping[str, bytes]) -> None:
        try:
            for name, data in objects.items():
                path = self.folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                draft = _draft(path, data)
                try:
                    os.link(draft, path)
                except FileExistsError:
                    if path.read_bytes() != data:
                        raise Conflict(f"the log's file {name} holds other bytes; see `hocba archive fsck`", code="tile_differs") from None
                finally:
                    draft.unlink(missing_ok=True)
            # Also after a repeat: the process before may have died between naming a file and this.
            self._sync_folders(objects)
        except OSError as error:
            raise _unwritable(error) from error

    def _read(self, name: str) -> bytes | None:
        try:
            return (self.folder / name).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise Unavailable(f"the log's folder can't be read ({error.strerror})", code="tiles_down") from error

    def _replace(self, name: str, data: bytes) -> None:
        path = self.folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            draft = _draft(path, data)
            try:
                os.replace(draft, path)
            finally:
                draft.unlink(missing_ok=True)
            self._sync_folders([name])
        except OSError as error:
            raise _unwritable(error) from error

    def _sync_folders(self, names: Iterable[str]) -> None:
        folders = {parent for name in names for parent in (self.folder / name).parents if parent.is_relative_to(self.folder)}
        for folder in sorted(folders, reverse=True):
            handle = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)


def open_folder(folder: Path) -> TileFolder:
    """The log's folder, made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    return TileFolder(folder)


def _draft(path: Path, data: bytes) -> Path:
    """A file of this process beside `path`, on the disk."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with draft.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    return draft


def _unwritable(error: OSError) -> Unavailable:
    return Unavailable(f"the log's folder can't be written ({error.strerror}); nothing is signed until it can", code="tiles_down")
