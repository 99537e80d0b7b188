"""gRPC face of signing."""

from dataclasses import dataclass
from typing import Any

from hocba.signing.v1 import signing_pb2, signing_pb2_grpc
from services.chassis.identity import current_actor
from services.signing import contracts
from services.signing.application.approve_manifest import ApproveManifest
from services.signing.application.halt_class import HaltClass
from services.signing.application.open_digests import ListOpenDigests, SubmitSignatures
from services.signing.application.ports import Where
from services.signing.application.progress import GetProgress, GetRunProgress, ListFailures
from services.signing.application.register_certificate import RegisterCertificate
from services.signing.application.reject_manifest import RejectManifest
from services.signing.application.retry_failed import RetryFailed
from services.signing.application.views import GetManifest, GetPreview, ListManifests


@dataclass(frozen=True)
class SigningRPC(signing_pb2_grpc.SigningServicer):
    """Errors become statuses in the chassis, not here."""

    list_manifests: ListManifests
    get_manifest: GetManifest
    get_preview: GetPreview
    approve_manifest: ApproveManifest
    reject_manifest: RejectManifest
    register_certificate: RegisterCertificate
    get_progress: GetProgress
    get_run_progress: GetRunProgress
    list_failures: ListFailures
    retry_failed: RetryFailed
    halt_class: HaltClass
    list_open_digests: ListOpenDigests
    submit_signatures: SubmitSignatures

    async def ListManifests(self, request: signing_pb2.ListManifestsRequest, context: Any) -> signing_pb2.ListManifestsResponse:
        awaiting = contracts.optional_role_of(request.awaiting)
        found = await self.list_manifests(contracts.caller_of(current_actor()), request.school_id, request.class_id, awaiting)
        return signing_pb2.ListManifestsResponse(manifests=[contracts.summary_message(manifest) for manifest in found])

    async def GetManifest(self, request: signing_pb2.GetManifestRequest, context: Any) -> signing_pb2.Manifest:
        return contracts.manifest_message(*await self.get_manifest(contracts.caller_of(current_actor()), contracts.uuid_of(request, "manifest_id")))

    async def GetPreview(self, request: signing_pb2.GetPreviewRequest, context: Any) -> signing_pb2.GetPreviewResponse:
        wanted = contracts.uuid_of(request, "manifest_id"), contracts.uuid_of(request, "transcript_id")
        pdf, digest = await self.get_preview(contracts.caller_of(current_actor()), *wanted)
        return signing_pb2.GetPreviewResponse(pdf=pdf, body_digest=digest)

    async def ApproveManifest(self, request: signing_pb2.ApproveManifestRequest, context: Any) -> signing_pb2.ApproveManifestResponse:
        answer = await self.approve_manifest(contracts.approval_of(request, current_actor()))
        return signing_pb2.ApproveManifestResponse(state=answer["state"], released=answer["released"] == "true")

    async def RejectManifest(self, request: signing_pb2.RejectManifestRequest, context: Any) -> signing_pb2.RejectManifestResponse:
        answer = await self.reject_manifest(contracts.rejection_of(request, current_actor()))
        return signing_pb2.RejectManifestResponse(state=answer["state"])

    async def RegisterCertificate(self, request: signing_pb2.RegisterCertificateRequest, context: Any) -> signing_pb2.RegisterCertificateResponse:
        answer = await self.register_certificate(contracts.registration_of(request, current_actor()))
        return signing_pb2.RegisterCertificateResponse(certificate_serial=answer["serial"], image_digest=bytes.fromhex(answer.get("image", "")))

    async def GetProgress(self, request: signing_pb2.GetProgressRequest, context: Any) -> signing_pb2.GetProgressResponse:
        found = await self.get_progress(contracts.caller_of(current_actor()), request.school_id, request.class_id)
        return contracts.progress_answer(*found)

    async def GetRunProgress(self, request: signing_pb2.GetRunProgressRequest, context: Any) -> signing_pb2.GetRunProgressResponse:
        where = Where(
            request.school_year, request.province_id, contracts.optional_uuid_of(request, "school_id"), contracts.optional_uuid_of(request, "class_id")
        )
        return contracts.run_progress_answer(*await self.get_run_progress(contracts.caller_of(current_actor()), request.by or "province", where))

    async def ListFailures(self, request: signing_pb2.ListFailuresRequest, context: Any) -> signing_pb2.ListFailuresResponse:
        where = Where(0, request.province_id, contracts.optional_uuid_of(request, "school_id"), contracts.optional_uuid_of(request, "class_id"))
        after = contracts.spot_of(request.after) if request.after else None
        return contracts.failures_answer(await self.list_failures(contracts.caller_of(current_actor()), where, after, request.limit))

    async def RetryFailed(self, request: signing_pb2.RetryFailedRequest, context: Any) -> signing_pb2.RetryFailedResponse:
        once = contracts.request_of(request, "RetryFailed", current_actor())
        answer = await self.retry_failed(once, contracts.caller_of(current_actor()), contracts.uuid_of(request, "class_id"))
        return signing_pb2.RetryFailedResponse(retried=int(answer["retried"]))

    async def ListOpenDigests(self, request: signing_pb2.ListOpenDigestsRequest, context: Any) -> signing_pb2.ListOpenDigestsResponse:
        school_id = contracts.uuid_of(request, "school_id")
        found = await self.list_open_digests(contracts.caller_of(current_actor()), school_id, request.certificate_sha256)
        return signing_pb2.ListOpenDigestsResponse(requests=[contracts.open_digests_message(one) for one in found])

    async def SubmitSignatures(self, request: signing_pb2.SubmitSignaturesRequest, context: Any) -> signing_pb2.SubmitSignaturesResponse:
        values = {value.intent_id: value.value for value in request.values}
        signing_request_id = contracts.uuid_of(request, "signing_request_id")
        state, stored = await self.submit_signatures(contracts.caller_of(current_actor()), signing_request_id, values)
        return signing_pb2.SubmitSignaturesResponse(state=state, stored=stored)

    async def HaltClass(self, request: signing_pb2.HaltClassRequest, context: Any) -> signing_pb2.HaltClassResponse:
        halted, announced = await self.halt_class(contracts.uuid_of(request, "class_id"), contracts.uuid_of(request, "unlock_id"))
        return signing_pb2.HaltClassResponse(manifests_halted=halted, already_announced=announced)
