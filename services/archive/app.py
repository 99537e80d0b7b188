"""The archive's parts, named and joined."""

from functools import cache
from pathlib import Path

from hocba.archive.v1 import archive_pb2_grpc
from hocba.archive.v1.events_pb2 import SheetsArchived, SheetsRejected, TranscriptsArchived, TranscriptsRejected
from services.archive.adapters.admissions import PostgresAdmissions
from services.archive.adapters.catalogue import PostgresCatalogue
from services.archive.adapters.cms_signatures import CmsSignatures
from services.archive.adapters.data_keys import PostgresDataKeys
from services.archive.adapters.object_stores import open_staging, open_store
from services.archive.adapters.record_tables import xml_table
from services.archive.adapters.trust_store import TrustDirectory
from services.archive.adapters.vault import EncryptedVault
from services.archive.adapters.wrapping_keys import FileWrappingKeys
from services.archive.adapters.wrapping_keys_pkcs11 import Pkcs11WrappingKeys
from services.archive.application.admit_sheets import AdmitSheets
from services.archive.application.admit_transcripts import AdmitTranscripts
from services.archive.application.check_document import CheckByRoles, CheckDocument
from services.archive.application.get_sheet import GetSheet, ListSheets
from services.archive.application.get_status import GetStatus
from services.archive.application.get_transcript import GetTranscript
from services.archive.application.list_rejected import ListRejected
from services.archive.application.list_transcripts import ListTranscripts
from services.archive.application.ports import WrappingKeys
from services.archive.application.retry_rejected import RetryRejected
from services.archive.application.rewrap_data_keys import RewrapDataKeys
from services.archive.application.verify_register import VerifyRegister
from services.archive.domain.document import CLASS_SHEET, TRANSCRIPT, Profile, order_of, transcript_of
from services.archive.domain.known_shapes import KnownShapes
from services.archive.entrypoints.consumers import ArchiveConsumers
from services.archive.entrypoints.rpc import ArchiveRPC
from services.archive.settings import ArchiveSettings
from services.chassis.app import Service
from services.chassis.clock import SystemClock
from services.chassis.errors import Malformed

SETTINGS = ArchiveSettings
MIGRATIONS = Path(__file__).with_name("migrations")
ROLES = {"serve": ("rpc", "consumers", "relay")}


def document_check(trust_dir: Path, profile: Profile = TRANSCRIPT) -> CheckDocument:
    """The check of a document against the anchors in `trust_dir`; what admission and `hocba verify` share."""
    return CheckDocument(profile, CmsSignatures(TrustDirectory(trust_dir), SystemClock()), KnownShapes(profile), xml_table().difference)


def transcript_check(settings: ArchiveSettings) -> CheckByRoles:
    """The check of transcripts, by each order of signatures that policy knows."""
    return CheckByRoles({roles: document_check(settings.trust_dir, transcript_of(roles)) for roles in role_orders(settings.role_orders)})


def role_orders(text: str) -> list[tuple[str, ...]]:
    """Orders of roles out of the setting; Malformed names the one that can't be."""
    try:
        return [order_of(part) for part in text.split(";")]
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


def retry_rejected(settings: ArchiveSettings, service: Service) -> RetryRejected:
    """The operator's second look at what was refused."""
    return RetryRejected(PostgresAdmissions(service.database), admission(settings, service), sheet_admission(settings, service))


def build(settings: ArchiveSettings) -> Service:
    """The service, wired; nothing is connected yet."""
    service = Service("archive", settings)
    catalogue, documents = PostgresCatalogue(service.database), vault(settings, service)
    rpc = ArchiveRPC(
        get_transcript=GetTranscript(catalogue, documents),
        list_transcripts=ListTranscripts(catalogue),
        get_status=GetStatus(catalogue, SystemClock()),
        list_rejected=ListRejected(catalogue),
        verify_register=VerifyRegister(catalogue),
        get_sheet=GetSheet(catalogue, documents),
        list_sheets=ListSheets(catalogue),
    )
    service.add_rpc("hocba.archive.v1.Archive", lambda server: archive_pb2_grpc.add_ArchiveServicer_to_server(rpc, server))
    service.add_consumers(ArchiveConsumers(admission(settings, service), sheet_admission(settings, service)))
    service.publishes(TranscriptsArchived, TranscriptsRejected, SheetsArchived, SheetsRejected)
    return service
