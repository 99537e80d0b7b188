"""A process that imports a file in small chunks, for a test that kills it."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from hocba.enrollment.v1 import enrollment_pb2 as pb
from services.chassis.database import Database
from services.chassis.identity import set_current_actor
from tests.integration.enrollment.house import YEAR, make_envelope, make_rpc, office


async def main(school_id: str, job_id: str, content: bytes, folder: Path) -> None:
    """Import the file for the school."""
    database = Database(os.environ["IMPORT_DATABASE"], name="import", pool=2)
    await database.open()
    set_current_actor(office(school_id))
    rpc = make_rpc(database, make_envelope(folder), import_chunk_rows=50)

    async def parts() -> AsyncIterator[pb.ImportRosterRequest]:
        header = pb.ImportRosterRequest.Header(request_id=job_id, school_id=school_id, school_year=YEAR, file_name="ds.csv", form_classes=True)
        yield pb.ImportRosterRequest(header=header)
        yield pb.ImportRosterRequest(chunk=content)

    async for _ in rpc.ImportRoster(parts(), None):
        pass


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], Path(sys.argv[3]).read_bytes(), Path(sys.argv[4])))
