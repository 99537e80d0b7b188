"""A corrected transcript's two versions as single-file bundles, checked by the command that anybody runs: offline, with one directory of trust."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from hocba.archive.v1 import archive_pb2
from services.chassis.errors import Refused
from services.rehearsal.doors import Doors, Metadata
from services.rehearsal.plan import SCHOOL_YEAR

_EVIDENCE_SECONDS = 120.0
_WANTED = {True: "latest", False: "superseded"}


async def prove_one(doors: Doors, officer: Metadata, class_id: str, anchors: Path, documents: Path) -> Path:
    """The file of the newer version's bundle; Refused when a bundle doesn't say of its version what is true."""
    request = archive_pb2.ListTranscriptsRequest(class_id=class_id, school_year=SCHOOL_YEAR)
    entries = (await doors.archive.ListTranscripts(request, metadata=officer)).entries
    newer = next(entry.transcript for entry in entries if entry.supersedes)
    files = {}
    for version in (newer.version - 1, newer.version):
        files[version] = documents / f"{newer.transcript_id}-v{version}.asice"
        files[version].write_bytes(await _bundle(doors, officer, newer.transcript_id, version))
        said = await _verified(files[version], anchors)
        latest = version == newer.version
        if (said["accepted"], said["log"]["standing"]) != (latest, _WANTED[latest]):
            raise Refused(f"the bundle {files[version]} doesn't say that its version is {_WANTED[latest]}: {said['reason']}, {said['log']}")
    return files[newer.version]


async def _bundle(doors: Doors, officer: Metadata, transcript_id: str, version: int) -> bytes:
    deadline = asyncio.get_running_loop().time() + _EVIDENCE_SECONDS
    while True:
        answer = await doors.archive.GetBundle(archive_pb2.GetBundleRequest(transcript_id=transcript_id, version=version), metadata=officer, timeout=60)
        if answer.bundle:
            return bytes(answer.bundle)
        if asyncio.get_running_loop().time() > deadline:
            raise Refused(f"transcript {transcript_id} waits for {answer.waits_for} after {_EVIDENCE_SECONDS:.0f} s: see `make logs ARGS=archive`")
        await asyncio.sleep(0.5)


async def _verified(file: Path, anchors: Path) -> Any:
    command = (sys.executable, "-m", "services", "verify", str(file), "--trust", str(anchors), "--json")
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    told, _ = await process.communicate()
    return json.loads(told)
