"""A real S3 server (SeaweedFS) for the test run, with one bucket."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from services.stack.ports import LOOPBACK, answers, is_free

BUCKET = "archive"
_SECONDS = 60
_SERVERS = ("master", "volume", "filer", "s3")
# Each server's gRPC port is this far above its own, so both have to be free.
_GRPC = 10_000
_PORTS = range(20_100, 32_000, 4)


@dataclass(frozen=True)
class S3:
    """Where the server listens, and what the store's library reads of it."""

    port: int

    @property
    def url(self) -> str:
        return f"s3://{BUCKET}"

    @property
    def variables(self) -> dict[str, str]:
        """The environment in which `s3://` leads to this server."""
        return {
            "AWS_ACCESS_KEY_ID": "archive",
            "AWS_SECRET_ACCESS_KEY": "only-in-tests",
            "AWS_ENDPOINT": f"http://{LOOPBACK}:{self.port}",
            "AWS_REGION": "us-east-1",
            "AWS_ALLOW_HTTP": "true",
        }


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3]:
    """One server for the whole run; objects need names that no other test has."""
    folder = Path(tempfile.mkdtemp(prefix="hocba-s3-"))
    first = next(port for port in _PORTS if all(is_free(port + offset + above) for offset in range(len(_SERVERS)) for above in (0, _GRPC)))
    ports = dict(zip(_SERVERS, range(first, first + len(_SERVERS)), strict=True))
    server = S3(ports["s3"])
    identity = {"accessKey": server.variables["AWS_ACCESS_KEY_ID"], "secretKey": server.variables["AWS_SECRET_ACCESS_KEY"]}
    known = {"identities": [{"name": "archive", "credentials": [identity], "actions": ["Admin", "Read", "Write", "List"]}]}
    (folder / "s3.json").write_text(json.dumps(known))
    words = ["server", f"-dir={folder}", f"-ip={LOOPBACK}", f"-ip.bind={LOOPBACK}", "-filer", "-s3", "-s3.iam=false", f"-s3.config={folder / 's3.json'}"]
    words += ["-volume.max=8", "-master.volumeSizeLimitMB=64", f"-s3.localSocket={folder / 's3.sock'}", f"-filer.localSocket={folder / 'filer.sock'}"]
    words += [f"-{name}.port={port}" for name, port in ports.items()]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([Path(sys.executable).with_name("weed"), *words], stdout=log, stderr=log, env=os.environ | {"TMPDIR": str(folder)})
    try:
        deadline = time.monotonic() + _SECONDS
        while not answers(server.port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError((folder / "log").read_text()[-2000:])
            time.sleep(0.05)
        yield server
    finally:
        # Its own shutdown takes half a minute, and nothing that it holds is wanted any more.
        process.kill()
        process.wait()
        shutil.rmtree(folder)
        for name, port in ports.items():  # Their place can't be chosen.
            Path(f"/tmp/seaweedfs-{name}-grpc-{port + _GRPC}.sock").unlink(missing_ok=True)
