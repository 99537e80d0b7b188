"""The line to the signing service: gRPC with the school's account."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from hocba.common.v1 import common_pb2
from hocba.signing.v1 import signing_pb2, signing_pb2_grpc
from services.agent.work import Open, Use

_SECONDS = 10.0


@dataclass(frozen=True)
class Line:
    """Fulfils work.Service over an open channel."""

    channel: Any
    metadata: tuple[tuple[str, str], ...]
    school_id: str
    certificate_sha256: bytes

    async def list_open(self) -> list[Open]:
        """What waits for our certificate."""
        request = signing_pb2.ListOpenDigestsRequest(school_id=self.school_id, certificate_sha256=self.certificate_sha256)
        answer = await self._stub.ListOpenDigests(request, metadata=self.metadata, timeout=_SECONDS)
        return [self._open(one) for one in answer.requests]

    async def submit(self, signing_request_id: str, values: dict[str, bytes]) -> str:
        """Bring values."""
        request = signing_pb2.SubmitSignaturesRequest(
            request_id=str(uuid.uuid4()),
            signing_request_id=signing_request_id,
            values=[signing_pb2.SignatureValue(intent_id=intent, value=value) for intent, value in values.items()],
        )
        answer = await self._stub.SubmitSignatures(request, metadata=self.metadata, timeout=_SECONDS)
        return str(answer.state)

    @property
    def _stub(self) -> Any:
        return signing_pb2_grpc.SigningStub(self.channel)

    def _open(self, one: signing_pb2.OpenDigests) -> Open:
        return Open(
            one.signing_request_id,
            one.order_id,
            one.manifest_id,
            one.merkle_root,
            one.school_name,
            one.class_id,
            one.school_year,
            one.grade,
            common_pb2.SignatureRole.Name(one.role).removeprefix("SIGNATURE_ROLE_").lower(),
            one.expires_at.ToDatetime(UTC),
            tuple(Use(digest.intent_id, digest.digest, self.certificate_sha256) for digest in one.digests),
        )
