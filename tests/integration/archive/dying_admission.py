"""Admission in a process that kills itself before its nth statement of the database: `python -m tests.integration.archive.dying_admission N DATABASE FOLDER`.

Not a fork of the tests' own process: the object store's threads don't survive one.
"""

import asyncio
import os
import pickle
import signal
import sys
from pathlib import Path
from typing import Any

import asyncpg
from cryptography import x509

from services.chassis.database import Database
from tests.integration.archive.test_admission import Archive

SIGNED, ROOT = "signed.pickle", "root.der"
_STATEMENTS = ("execute", "executemany", "fetch", "fetchrow", "fetchval")


async def main(step: int, url: str, folder: Path) -> None:
    """Admit the class that lies in the folder."""
    database = Database(url, name="dying", pool=2)
    await database.open()
    left = step

    def counted(function: Any) -> Any:
        def call(*arguments: Any, **named: Any) -> Any:
            nonlocal left
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*arguments, **named)

        return call

    for name in _STATEMENTS:
        setattr(asyncpg.Connection, name, counted(getattr(asyncpg.Connection, name)))
    admit = Archive(database, "", folder).admission(x509.load_der_x509_certificate((folder / ROOT).read_bytes()))
    await admit(pickle.loads((folder / SIGNED).read_bytes()))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], Path(sys.argv[3])))
