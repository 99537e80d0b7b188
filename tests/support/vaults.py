"""An archive's encrypted store in a folder of a test's own."""

from __future__ import annotations

from pathlib import Path

from services.archive.adapters.data_keys import PostgresDataKeys
from services.archive.adapters.object_stores import open_store
from services.archive.adapters.vault import EncryptedVault
from services.archive.adapters.wrapping_keys import FileWrappingKeys
from services.chassis.clock import SystemClock
from services.chassis.database import Database


def a_vault(folder: Path, database: Database) -> EncryptedVault:
    """The same store for the same folder and database, with keys that are made when they are asked for."""
    return EncryptedVault(open_store(str(folder / "vault")), PostgresDataKeys(database), FileWrappingKeys(folder / "keys", make_missing=True), SystemClock())
