"""Those who sign: subject and homeroom teachers, principals and clerks who look for manifests that wait for them, and approve."""

from __future__ import annotations

import time
import uuid
from typing import Any

from locust import User, constant, task
from locust.exception import StopUser

from hocba.common.v1.common_pb2 import SignatureRole
from hocba.signing.v1 import signing_pb2 as pb
from hocba.signing.v1 import signing_pb2_grpc
from loadtests.answers import Answer
from loadtests.plan import Signer
from loadtests.rpc import Outcome, call, channel
from loadtests.session import Session

APPROVABLE = {"ready", "approved"}


class Signers(User):
    """All signers of a run. A closed loop on purpose: a person looks, approves what is there, and looks again."""

    wait_time = constant(0.5)
    fixed_count = 1

    def on_start(self) -> None:
        """Start with nothing approved."""
        self.session = Session.of(self.environment)
        self.plan = self.session.plan
        self.done: set[tuple[str, int]] = set()

    @task
    def look_and_approve(self) -> None:
        """One round: every signer looks once. Early approvals wait on the server for the role before them."""
        if not self.plan.signers:
            raise StopUser
        stub = signing_pb2_grpc.SigningStub(channel(self.plan.doors, "signing"))
        for signer in self.plan.signers:
            listed = self._timed(
                "list manifests",
                stub.ListManifests,
                pb.ListManifestsRequest(school_id=signer.school_id, class_id=signer.class_id, awaiting=SignatureRole.ValueType(signer.role)),
                signer,
            )
            if listed.code != "OK":
                continue
            for manifest in listed.message.manifests:
                self._approve(stub, signer, manifest)

    def _approve(self, stub: Any, signer: Signer, manifest: pb.ManifestSummary) -> None:
        if manifest.state not in APPROVABLE or (manifest.manifest_id, signer.role) in self.done or signer.role in manifest.approved:
            return
        request = pb.ApproveManifestRequest(
            request_id=str(uuid.uuid4()), manifest_id=manifest.manifest_id, role=SignatureRole.ValueType(signer.role), merkle_root=manifest.merkle_root
        )
        if self._timed("approve", stub.ApproveManifest, request, signer).code == "OK":
            self.done.add((manifest.manifest_id, signer.role))

    def _timed(self, kind: str, method: Any, request: Any, signer: Signer) -> Outcome:
        began = time.monotonic()
        outcome = call(method, request, self.plan.tokens[signer.account])
        answer = Answer(kind, began - self.session.began, (time.monotonic() - began) * 1000, outcome.code, outcome.tries)
        self.session.note(answer, f"{outcome.code}: {outcome.details}")
        return outcome
