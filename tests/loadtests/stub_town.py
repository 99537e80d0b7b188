"""Stand-ins for the four services a load run talks to: just enough to save sheets, close windows, approve and answer."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc

from hocba.archive.v1 import archive_pb2, archive_pb2_grpc
from hocba.grading.v1 import grading_pb2, grading_pb2_grpc
from hocba.locking.v1 import locking_pb2, locking_pb2_grpc
from hocba.signing.v1 import signing_pb2, signing_pb2_grpc
from loadtests.plan import Doors
from services.stack import pki
from services.stack.places import Places

SERVICES = ("grading", "locking", "signing", "archive")


# The generated classes ask for every method; the stand-ins have a handful, and the rest answers UNIMPLEMENTED.
_GRADING: Any = grading_pb2_grpc.GradingServicer
_LOCKING: Any = locking_pb2_grpc.LockingServicer
_SIGNING: Any = signing_pb2_grpc.SigningServicer
_ARCHIVE: Any = archive_pb2_grpc.ArchiveServicer


@dataclass
class Town(_GRADING, _LOCKING, _SIGNING, _ARCHIVE):  # type: ignore[misc]
    """All four services over a few dictionaries. `delay_seconds` is how long each save takes."""

    delay_seconds: float = 0.0
    public_ids: set[str] = field(default_factory=set)
    cells: dict[tuple[str, str, int, str, str], str] = field(default_factory=dict)
    versions: dict[tuple[str, str, int], int] = field(default_factory=dict)
    requests: dict[str, int] = field(default_factory=dict)
    approved: set[tuple[str, int]] = field(default_factory=set)
    closed: list[str] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    fail_first: int = 0
    journey_file: Path | None = None
    """What the observer would write; here it is written once a manifest is approved, and the run may then end."""
    together: int = 0
    most_together: int = 0

    def __post_init__(self) -> None:
        self.lock = threading.Lock()

    def EnterSheet(self, request: Any, context: Any) -> grading_pb2.EnterSheetResponse:
        return grading_pb2.EnterSheetResponse(version=self._save(request, request.subject, context))

    def EnterHomeroom(self, request: Any, context: Any) -> grading_pb2.EnterHomeroomResponse:
        return grading_pb2.EnterHomeroomResponse(version=self._save(request, "", context))

    def _save(self, request: Any, subject: str, context: Any) -> int:
        with self.lock:
            self.together += 1
            self.most_together = max(self.most_together, self.together)
        time.sleep(self.delay_seconds)
        with self.lock:
            self.together -= 1
            self.tokens |= {value for name, value in context.invocation_metadata() if name == "authorization"}
            self.requests[request.request_id] = self.requests.get(request.request_id, 0) + 1
            if self.fail_first > 0:
                self.fail_first -= 1
                context.abort(grpc.StatusCode.UNAVAILABLE, "try again")
            book = (request.class_id, subject, int(request.term))
            self.versions[book] = self.versions.get(book, 0) + 1
            for cell in request.cells:
                self.cells[(*book, cell.pupil_id, cell.column)] = cell.value
            return self.versions[book]

    def CloseWindow(self, request: Any, context: Any) -> locking_pb2.CloseWindowResponse:
        self.closed.append(request.window_id)
        return locking_pb2.CloseWindowResponse()

    def ListManifests(self, request: Any, context: Any) -> signing_pb2.ListManifestsResponse:
        if not self.closed:
            return signing_pb2.ListManifestsResponse()
        return signing_pb2.ListManifestsResponse(
            manifests=[signing_pb2.ManifestSummary(manifest_id="m-1", class_id="class-0", state="ready", merkle_root=b"root", transcripts=2)]
        )

    def ApproveManifest(self, request: Any, context: Any) -> signing_pb2.ApproveManifestResponse:
        self.approved.add((request.manifest_id, request.role))
        if self.journey_file is not None:
            draft = self.journey_file.with_suffix(".draft")
            draft.write_text(json.dumps({"classes_sealed": 1, "under_way": 0, "measures": {}}))
            draft.replace(self.journey_file)
        return signing_pb2.ApproveManifestResponse(state="approved")

    def GetStatus(self, request: Any, context: Any) -> archive_pb2.GetStatusResponse:
        return archive_pb2.GetStatusResponse(status="valid" if request.public_id in self.public_ids else "unknown")


@contextmanager
def open_town(town: Town, folder: Path) -> Iterator[Doors]:
    """Serve the town on loopback with mutual TLS, as the real services do, for the length of the block."""
    keys = pki.prepare(Places(state=folder))
    server_threads, addresses, servers = 64, {}, []
    register: dict[str, Any] = {
        "grading": grading_pb2_grpc.add_GradingServicer_to_server,
        "locking": locking_pb2_grpc.add_LockingServicer_to_server,
        "signing": signing_pb2_grpc.add_SigningServicer_to_server,
        "archive": archive_pb2_grpc.add_ArchiveServicer_to_server,
    }
    for name in SERVICES:
        server = grpc.server(ThreadPoolExecutor(server_threads))
        leaf = keys.leaf(name)
        credentials = grpc.ssl_server_credentials([(leaf.key.read_bytes(), leaf.certificate.read_bytes())], keys.ca.read_bytes(), require_client_auth=True)
        addresses[name] = f"127.0.0.1:{server.add_secure_port('127.0.0.1:0', credentials)}"
        register[name](town, server)
        server.start()
        servers.append(server)
    edge = keys.leaf("edge")
    try:
        yield Doors(addresses, keys.ca, edge.certificate, edge.key)
    finally:
        for server in servers:
            server.stop(0).wait()
