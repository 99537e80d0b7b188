"""The archive's parts, named and joined."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from hocba.archive.v1 import archive_pb2_grpc
from hocba.archive.v1.events_pb2 import (
    CopyOrdered,
    SheetsArchived,
    SheetsRejected,
    TranscriptRevoked,
    TranscriptsAcknowledged,
    TranscriptsArchived,
    TranscriptsRejected,
    TranscriptsSubmitted,
)
from services.archive.adapters import evidence_records
from services.archive.adapters.access_ledger import PostgresAccesses
from services.archive.adapters.admissions import PostgresAdmissions
from services.archive.adapters.catalogue import PostgresCatalogue
from services.archive.adapters.cms_signatures import CmsSignatures
from services.archive.adapters.copies import PostgresCopies, new_public_id
from services.archive.adapters.data_keys import PostgresDataKeys
from services.archive.adapters.dossiers import PostgresDossiers
from services.archive.adapters.duties import PostgresDuties
from services.archive.adapters.evidence_ledger import PostgresEvidence
from services.archive.adapters.evidence_tokens import TrustedTokens, read_algorithms
from services.archive.adapters.log_state import PostgresLogState, alone
from services.archive.adapters.note_keys import read_signer, verifier_of
from services.archive.adapters.object_stores import open_staging, open_store
from services.archive.adapters.record_tables import xml_table
from services.archive.adapters.retention import ObjectPacks, PostgresRetention, holds_in
from services.archive.adapters.revocations import PostgresRevocations
from services.archive.adapters.submissions import AttachedNumbers, PostgresSubmissions
from services.archive.adapters.tile_objects import open_tiles
from services.archive.adapters.time_authority import HTTPTimeAuthority
from services.archive.adapters.trust_store import TrustDirectory, TrustUnreadable
from services.archive.adapters.trusted_proofs import evidence_proof, read_policies
from services.archive.adapters.vault import EncryptedVault
from services.archive.adapters.witness_client import HTTPWitnesses
from services.archive.adapters.wrapping_keys import FileWrappingKeys
from services.archive.adapters.wrapping_keys_pkcs11 import Pkcs11WrappingKeys
from services.archive.application.admit_copies import AdmitCopies
from services.archive.application.admit_sheets import AdmitSheets
from services.archive.application.admit_transcripts import AdmitTranscripts
from services.archive.application.apply_retention import ApplyRetention
from services.archive.application.check_bundle import CheckBundle
from services.archive.application.check_document import Announced, CheckByRoles, CheckDocument, Verdict
from services.archive.application.check_log import CheckLog, LogInspection
from services.archive.application.check_standing import CheckStanding
from services.archive.application.confirm_revocation import ConfirmRevocation, ListRevocations
from services.archive.application.duty_ports import Check, LastStamp
from services.archive.application.evidence_window import EvidenceWindow
from services.archive.application.extend_log import ExtendLog
from services.archive.application.get_bundle import GetBundle
from services.archive.application.get_copy import GetCopy, ListCopies
from services.archive.application.get_dossier import GetDossier
from services.archive.application.get_evidence import BatchRecords, GetEvidence
from services.archive.application.get_proof import GetCheckpoint, GetProof
from services.archive.application.get_sheet import GetSheet, ListSheets
from services.archive.application.get_status import GetStatus
from services.archive.application.get_transcript import GetTranscript
from services.archive.application.list_accesses import ListAccesses
from services.archive.application.list_rejected import ListRejected
from services.archive.application.list_transcripts import ListTranscripts
from services.archive.application.log_tiles import LogTiles
from services.archive.application.order_copy import OrderCopy
from services.archive.application.ports import WrappingKeys
from services.archive.application.publish_log import PublishLog
from services.archive.application.receive_dossier import ReceiveDossier
from services.archive.application.record_access import RecordAccess
from services.archive.application.renew_evidence import RenewStamps, RenewTrees
from services.archive.application.request_revocation import RequestRevocation
from services.archive.application.retry_rejected import RetryRejected
from services.archive.application.rewrap_data_keys import RewrapDataKeys
from services.archive.application.stamp_batches import StampBatches
from services.archive.application.submission_ports import DepartmentKey, NationalRegister
from services.archive.application.submit_transcripts import SubmitTranscripts
from services.archive.application.watch_duties import Limits, WatchDuties
from services.archive.domain.document import CLASS_SHEET, COPY, EXTRACT, TRANSCRIPT, Profile, RoleOrder, role_orders, transcript_of
from services.archive.domain.known_shapes import KnownShapes
from services.archive.domain.retention import Kind
from services.archive.domain.signed_note import NoteError
from services.archive.domain.witness_policy import WitnessPolicy, read_policy
from services.archive.entrypoints.access import AccessAnchors
from services.archive.entrypoints.consumers import ArchiveConsumers
from services.archive.entrypoints.evidence import EvidenceKeeper
from services.archive.entrypoints.log import LogFiles, LogKeeper, no_log
from services.archive.entrypoints.page import PublicPage
from services.archive.entrypoints.page_limits import PageLimits
from services.archive.entrypoints.retention import RetentionKeeper
from services.archive.entrypoints.rpc import ArchiveRPC
from services.archive.entrypoints.watch import DutyWatch
from services.archive.settings import ArchiveSettings
from services.chassis import web
from services.chassis.app import Service
from services.chassis.clock import SystemClock
from services.chassis.errors import Malformed, Unavailable

SETTINGS = ArchiveSettings
MIGRATIONS = Path(__file__).with_name("migrations")
ROLES = {"serve": ("rpc", "consumers", "relay", "log", "tiles", "evidence", "page", "access", "retention", "watch")}
TILES_KEPT = 4096
"""Tiles that proofs keep in memory, 8 kB each: the whole log of a million documents."""


def document_check(trust_dir: Path, profile: Profile = TRANSCRIPT) -> CheckDocument:
    """The check of a document against the anchors in `trust_dir`; what admission and `hocba verify` share."""
    return CheckDocument(
        profile, CmsSignatures(TrustDirectory(trust_dir), SystemClock()), None if profile.is_copy else KnownShapes(profile), xml_table().difference
    )


def transcript_check(settings: ArchiveSettings) -> CheckByRoles:
    """The check of transcripts, by each order of signatures that policy knows."""
    return CheckByRoles({order: document_check(settings.trust_dir, transcript_of(order.roles)) for order in orders_of(settings.role_orders)})


def orders_of(text: str) -> tuple[RoleOrder, ...]:
    """Orders of roles out of the setting; Malformed names the one that can't be."""
    try:
        return role_orders(text)
    except ValueError as error:
        raise Malformed(f"role_orders: {error}", code="settings") from None


@cache
def wrapping_keys(settings: ArchiveSettings) -> WrappingKeys:
    """The home of the wrapping keys."""
    if settings.wrapping_pkcs11_library is not None and settings.wrapping_pkcs11_pin_file is not None:
        return Pkcs11WrappingKeys(settings.wrapping_pkcs11_library, settings.wrapping_pkcs11_token, settings.wrapping_pkcs11_pin_file)
    assert settings.wrapping_keys_dir is not None, "settings have one home or the other"
    return FileWrappingKeys(settings.wrapping_keys_dir, settings.wrapping_keys_make)


def vault(settings: ArchiveSettings, service: Service) -> EncryptedVault:
    """The archive's own store, encrypted."""
    return EncryptedVault(open_store(settings.store_url), PostgresDataKeys(service.database), wrapping_keys(settings), SystemClock())


def rewrap(settings: ArchiveSettings, service: Service) -> RewrapDataKeys:
    """The operator's renewal of the wrapping of data keys."""
    return RewrapDataKeys(PostgresDataKeys(service.database), wrapping_keys(settings))


def admission(settings: ArchiveSettings, service: Service) -> AdmitTranscripts:
    """Admission over the service's database and stores."""
    return AdmitTranscripts(
        staging=open_staging(settings.staging_url),
        vault=vault(settings, service),
        admissions=PostgresAdmissions(service.database),
        check=transcript_check(settings),
        clock=SystemClock(),
    )


def sheet_admission(settings: ArchiveSettings, service: Service) -> AdmitSheets:
    """Admission of class-subject sheets, which wakes the transcripts that wait for them."""
    return AdmitSheets(
        staging=open_staging(settings.staging_url),
        vault=vault(settings, service),
        admissions=PostgresAdmissions(service.database),
        check=document_check(settings.trust_dir, CLASS_SHEET),
        clock=SystemClock(),
        admit_transcripts=admission(settings, service),
    )


def copy_admission(settings: ArchiveSettings, service: Service) -> AdmitCopies:
    """Admission of certified copies and extracts."""
    return AdmitCopies(
        staging=open_staging(settings.staging_url),
        vault=vault(settings, service),
        copies=PostgresCopies(service.database),
        check=document_check(settings.trust_dir, COPY),
        check_extract=document_check(settings.trust_dir, EXTRACT),
        clock=SystemClock(),
    )


def retry_rejected(settings: ArchiveSettings, service: Service) -> RetryRejected:
    """The operator's second look at what was refused."""
    return RetryRejected(PostgresAdmissions(service.database), admission(settings, service), sheet_admission(settings, service), window(settings, service))


def tokens(trust_dir: Path) -> TrustedTokens:
    """Time-stamp tokens judged by the anchors and the table of algorithms in `trust_dir`."""
    return TrustedTokens(TrustDirectory(trust_dir), lambda: read_algorithms(trust_dir))


def bundle_check(settings: ArchiveSettings) -> CheckBundle:
    """The check of bundles from anywhere, by what the trust directory holds now. Unavailable when it can't be read."""
    judged, check = tokens(settings.trust_dir), transcript_check(settings)

    def document(data: bytes, announced: Announced) -> Verdict:
        verdicts = [one(data, announced) for one in check.orders.values()]
        return next((verdict for verdict in verdicts if verdict.accepted), verdicts[0])

    try:
        policies = read_policies(settings.trust_dir)
    except TrustUnreadable as error:
        raise Unavailable(f"the trust anchors can't be read: {error}", code="trust_unreadable") from error
    now = SystemClock().now()
    return CheckBundle(CheckStanding(policies, verifier_of), document, lambda record, data: evidence_proof(record, data, judged, now), now)


def window(settings: ArchiveSettings, service: Service) -> EvidenceWindow:
    """What stops admission when evidence is late."""
    return EvidenceWindow(PostgresEvidence(service.database), SystemClock(), timedelta(seconds=settings.evidence_window_seconds))


def stamping(settings: ArchiveSettings, service: Service) -> StampBatches:
    """Batches and their time stamps."""
    authority = HTTPTimeAuthority(settings.tsa_url, tokens(settings.trust_dir), SystemClock(), settings.tsa_policy)
    every = timedelta(seconds=settings.evidence_seconds)
    return StampBatches(PostgresEvidence(service.database), authority, SystemClock(), settings.evidence_batch, every)


def renewals(settings: ArchiveSettings, service: Service) -> tuple[RenewStamps, RenewTrees]:
    """The operator's renewals of evidence: of time stamps, of hash trees."""
    ledger, stamp, clock = PostgresEvidence(service.database), stamping(settings, service), SystemClock()
    return RenewStamps(ledger, stamp, clock), RenewTrees(ledger, BatchRecords(ledger, evidence_records), vault(settings, service), stamp, clock)


def submission(settings: ArchiveSettings, service: Service, key: DepartmentKey, register: NationalRegister, fetch: str) -> SubmitTranscripts:
    """Submission to the national register, by a department's key. Malformed when this process has no way to the log's files."""
    if not settings.log_url:
        raise Malformed("HOCBA_ARCHIVE_LOG_URL must say where the log's files are: what is submitted is proven by it", code="settings")
    state, tiles, store = PostgresLogState(service.database), LogTiles(open_tiles(settings.log_url), TILES_KEPT), vault(settings, service)
    return SubmitTranscripts(PostgresSubmissions(service.database, state), store, tiles, AttachedNumbers(), key, register, SystemClock(), fetch)


async def receipts(service: Service, province_id: str) -> list[Mapping[str, Any]]:
    """The register's receipts for a province."""
    return await PostgresSubmissions(service.database, PostgresLogState(service.database)).receipts(province_id)


def policy_of(settings: ArchiveSettings) -> WitnessPolicy | None:
    """Whose word makes a checkpoint final; Malformed when the file can't be read as a policy."""
    if settings.log_policy_file is None:
        return None
    try:
        return read_policy(settings.log_policy_file.read_text(encoding="utf-8"))
    except (OSError, NoteError) as error:
        raise Malformed(f"HOCBA_ARCHIVE_LOG_POLICY_FILE {settings.log_policy_file}: {error}", code="settings") from error


def add_log(settings: ArchiveSettings, service: Service) -> None:
    """The roles `log` and `tiles`. Whatever of key and policy is missing or contradicts the other is Malformed at the start."""
    policy = policy_of(settings)
    if policy is None or settings.log_key_file is None:
        raise Malformed("HOCBA_ARCHIVE_LOG_URL needs HOCBA_ARCHIVE_LOG_KEY_FILE and HOCBA_ARCHIVE_LOG_POLICY_FILE beside it", code="settings")
    try:
        signer = read_signer(settings.log_key_file)
    except NoteError as error:
        raise Malformed(f"HOCBA_ARCHIVE_LOG_KEY_FILE: {error}", code="settings") from error
    if signer.public != policy.log:
        raise Malformed(f"the log's key is {signer.public.text}, the policy's is {policy.log.text}", code="settings")
    state, store, clock = PostgresLogState(service.database), open_tiles(settings.log_url), SystemClock()
    keeper = LogKeeper(
        extend=ExtendLog(state, store, signer, clock),
        publish=PublishLog(state, store, policy, verifier_of, HTTPWitnesses(), clock),
        alone=lambda: alone(service.database),
        interval_seconds=settings.log_interval_seconds,
    )
    service.add_background("log", keeper.run)
    if settings.log_listen:
        service.add_background("tiles", lambda stop: LogFiles(store).run(settings.log_listen, stop))


def add_page(settings: ArchiveSettings, service: Service, get_status: GetStatus, get_proof: GetProof) -> None:
    """The role `page`."""
    if not settings.page_listen:
        service.add_background("page", web.nothing)
        return
    policy = policy_of(settings)
    text = settings.log_policy_file.read_text(encoding="utf-8") if policy and settings.log_policy_file else ""
    limits = PageLimits(settings.page_limit)
    page = PublicPage(get_status, get_proof, (text, policy) if policy else None, limits, settings.page_proxies)
    service.add_background("page", lambda stop: page.run(settings.page_listen, stop))


def check_log(settings: ArchiveSettings, service: Service) -> CheckLog:
    """The check of log and store over the service's database."""
    policy = policy_of(settings)
    tiles = open_tiles(settings.log_url) if settings.log_url else None
    state, objects = PostgresLogState(service.database), open_store(settings.store_url)
    return CheckLog(state, tiles, objects, vault(settings, service), verifier_of(policy.log) if policy else None)


async def keep_check(service: Service, found: LogInspection, *, documents: bool) -> None:
    """Remember that log and store, or the log alone, were checked: what wasn't checked for long is told."""
    await PostgresDuties(service.database).add_check(Check(documents, len(found.faults), SystemClock().now()))


def proofs(settings: ArchiveSettings, service: Service) -> GetProof:
    """Proofs from the log's files, where this process has a way to them."""
    tiles = LogTiles(open_tiles(settings.log_url), TILES_KEPT) if settings.log_url else None
    return GetProof(PostgresCatalogue(service.database), tiles, PostgresLogState(service.database))


def retention(settings: ArchiveSettings, service: Service, record: RecordAccess) -> ApplyRetention:
    """What deletes by the settings' periods and the list of holds."""
    days = {Kind.ACCESS_LINES: settings.retention_access_days, Kind.STAGED_PACKS: settings.retention_staging_days}
    periods = {kind: timedelta(days=number) for kind, number in days.items() if number is not None}
    packs = ObjectPacks(open_staging(settings.staging_url).store)
    return ApplyRetention(PostgresRetention(service.database), packs, record, periods, lambda: holds_in(settings.retention_holds_file), SystemClock())


def duties(settings: ArchiveSettings, service: Service) -> WatchDuties:
    """What looks at how the archive's duties stand."""
    judged, policy = tokens(settings.trust_dir), policy_of(settings)

    def weak_at(stamp: LastStamp) -> datetime:
        try:
            weak = judged.weak_at(stamp.token, stamp.algorithm)
        except TrustUnreadable as error:
            raise Unavailable(f"the table of algorithms can't be read: {error}", code="trust_unreadable") from error
        return stamp.good_until if weak is None else min(weak, stamp.good_until)

    limits = Limits(
        evidence=timedelta(seconds=settings.evidence_window_seconds),
        renewal=timedelta(days=settings.watch_renewal_days),
        log=timedelta(seconds=settings.watch_log_seconds),
        witness=timedelta(seconds=settings.watch_witness_seconds),
        parked=timedelta(seconds=settings.watch_parked_seconds),
        refused=timedelta(days=settings.watch_refused_days),
        log_check=timedelta(days=settings.watch_log_check_days),
        document_check=timedelta(days=settings.watch_document_check_days),
    )
    witnesses = [witness.name for witness in policy.witnesses if witness.url] if policy else []
    return WatchDuties(PostgresDuties(service.database), PostgresEvidence(service.database), weak_at, witnesses, limits, SystemClock())


def recording(service: Service) -> RecordAccess:
    """This process's stream of the access log."""
    return RecordAccess(PostgresAccesses(service.database), SystemClock())


def build(settings: ArchiveSettings) -> Service:
    """The service, wired; nothing is connected yet."""
    service = Service("archive", settings)
    ledger = PostgresEvidence(service.database)
    catalogue, documents, log_state = PostgresCatalogue(service.database), vault(settings, service), PostgresLogState(service.database)
    get_status, get_transcript = GetStatus(catalogue, SystemClock()), GetTranscript(catalogue, documents)
    get_evidence = GetEvidence(catalogue, ledger, BatchRecords(ledger, evidence_records))
    get_proof = proofs(settings, service)
    get_bundle = GetBundle(get_transcript, get_proof, get_evidence)
    revocations, copies = PostgresRevocations(service.database), PostgresCopies(service.database)
    record = recording(service)
    rpc = ArchiveRPC(
        get_transcript=get_transcript,
        list_transcripts=ListTranscripts(catalogue),
        get_status=get_status,
        list_rejected=ListRejected(catalogue),
        check_log=check_log(settings, service),
        get_sheet=GetSheet(catalogue, documents),
        list_sheets=ListSheets(catalogue),
        get_evidence=get_evidence,
        get_proof=get_proof,
        get_checkpoint=GetCheckpoint(log_state),
        request_revocation=RequestRevocation(revocations, SystemClock()),
        confirm_revocation=ConfirmRevocation(revocations, SystemClock()),
        list_revocations=ListRevocations(revocations),
        order_copy=OrderCopy(get_transcript, copies, open_store(settings.staging_url), new_public_id, SystemClock()),
        get_copy=GetCopy(copies, documents),
        list_copies=ListCopies(copies),
        get_bundle=get_bundle,
        get_dossier=GetDossier(catalogue, get_bundle, PostgresDossiers(service.database), documents),
        receive_dossier=ReceiveDossier(lambda: bundle_check(settings), documents, PostgresDossiers(service.database), SystemClock()),
        record_access=record,
        list_accesses=ListAccesses(PostgresAccesses(service.database)),
    )
    service.add_rpc("hocba.archive.v1.Archive", lambda server: archive_pb2_grpc.add_ArchiveServicer_to_server(rpc, server))
    service.add_consumers(
        ArchiveConsumers(admission(settings, service), sheet_admission(settings, service), copy_admission(settings, service), window(settings, service))
    )
    service.add_background("evidence", EvidenceKeeper(stamping(settings, service)).run)
    add_page(settings, service, get_status, get_proof)
    service.add_background("access", AccessAnchors(PostgresAccesses(service.database), SystemClock(), settings.access_anchor_seconds).run)
    service.add_background("retention", RetentionKeeper(retention(settings, service, record), settings.retention_seconds).run)
    service.add_background("watch", DutyWatch(duties(settings, service), SystemClock(), settings.watch_seconds).run)
    if settings.log_url:
        add_log(settings, service)
    else:
        service.add_background("log", no_log)
    admissions = (TranscriptsArchived, TranscriptsRejected, TranscriptRevoked, SheetsArchived, SheetsRejected)
    service.publishes(*admissions, CopyOrdered, TranscriptsSubmitted, TranscriptsAcknowledged)
    return service
