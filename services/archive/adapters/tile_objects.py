"""The log's files in an object store (S3 and others), which keeps them durable by its own promise."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, NotFoundError

from services.archive.adapters.object_stores import folder_of, store_at
from services.archive.adapters.tile_folder import open_folder
from services.archive.application.log_ports import TileStore
from services.chassis.errors import Conflict, Unavailable


@dataclass(frozen=True)
class TileObjects:
    """Fulfils the port TileStore."""

    store: Any

    async def keep(self, objects: Mapping[str, bytes]) -> None:
        """Put if absent, one after the other."""
        for name, data in objects.items():
            try:
                await obstore.put_async(self.store, name, data, mode="create", use_multipart=False)
            except (AlreadyExistsError, FileExistsError) as error:
                if await self.read(name) != data:
                    raise Conflict(f"the log's file {name} holds other bytes; see `hocba archive fsck`", code="tile_differs") from error
            except (BaseError, OSError) as error:
                raise _down(error) from error

    async def read(self, name: str) -> bytes | None:
        """The whole object."""
        try:
            return bytes(await (await obstore.get_async(self.store, name)).bytes_async())
        except (NotFoundError, FileNotFoundError):
            return None
        except (BaseError, OSError) as error:
            raise _down(error) from error

    async def replace(self, name: str, data: bytes) -> None:
        """Put over what is there."""
        try:
            await obstore.put_async(self.store, name, data, use_multipart=False)
        except (BaseError, OSError) as error:
            raise _down(error) from error

    async def drop_partial(self, name: str) -> None:
        """All objects below `<name>.p/`. What can't be removed is only waste, and goes at the next chance."""
        try:
            async for found in obstore.list(self.store, prefix=f"{name}.p"):
                await obstore.delete_async(self.store, [each["path"] for each in found])
        except (BaseError, OSError):
            return


def open_tiles(url: str) -> TileStore:
    """The log's files at `url`: a folder's path or file:// URL, or s3://bucket/prefix and what else obstore knows."""
    folder = folder_of(url)
    return TileObjects(store_at(url)) if folder is None else open_folder(folder)


def _down(error: Exception) -> Unavailable:
    return Unavailable(f"the log's store can't be reached ({type(error).__name__}); nothing is signed until it can", code="tiles_down")
