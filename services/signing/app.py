"""Signing's parts, named and joined."""

from pathlib import Path

from hocba.signing.v1 import signing_pb2_grpc
from hocba.signing.v1.events_pb2 import ExpressSigningOrder, ManifestMoved, RoleSigned, SheetsSigned, SigningOrder, TranscriptsSigned
from services.chassis.app import Service
from services.chassis.clock import Clock, SystemClock
from services.signing.adapters.certificates import X509Certificates
from services.signing.adapters.class_sheet_renderer import ClassSheetRenderer
from services.signing.adapters.key_journal import FileKeyJournal, key_uses
from services.signing.adapters.key_store import NoKeys, Pkcs12KeyStore
from services.signing.adapters.press import PadesSignatory, TypstPress
from services.signing.adapters.renderer import TypstRenderer
from services.signing.adapters.staging import PackStaging
from services.signing.adapters.transactions import PostgresTransactions
from services.signing.adapters.verification import DocumentVerifier
from services.signing.application.announce_signed import AnnounceSigned
from services.signing.application.approve_manifest import ApproveManifest
from services.signing.application.check_key_use import CheckKeyUse
from services.signing.application.halt_class import HaltClass
from services.signing.application.know_people import KnowPeople
from services.signing.application.ports import KeyJournal, KeyStore
from services.signing.application.prepare_pages import PreparePages
from services.signing.application.register_certificate import RegisterCertificate
from services.signing.application.reject_manifest import RejectManifest
from services.signing.application.retry_failed import RetryFailed
from services.signing.application.sign_class import SignClass
from services.signing.application.take_sealed_class import TakeSealedClass
from services.signing.application.views import GetManifest, GetPreview, GetProgress, ListManifests
from services.signing.domain.roles import DEFAULT_ORDER
from services.signing.entrypoints.consumers import SigningConsumers
from services.signing.entrypoints.rpc import SigningRPC
from services.signing.entrypoints.worker import SigningWorker
from services.signing.settings import SigningSettings

SETTINGS = SigningSettings
MIGRATIONS = Path(__file__).with_name("migrations")
ROLES = {"serve": ("rpc", "consumers", "relay"), "work": ("work",)}
WORKER_GROUP = "signing-worker"
ORDERS_AT_ONCE = 4
"""Orders that a worker takes from the broker in one go: few, so that a drain ends soon and a kill repeats little."""


def doors(settings: SigningSettings, transactions: PostgresTransactions, clock: Clock) -> SigningRPC:
    """The RPC face over the service's database."""
    certificates = X509Certificates(settings.trust_dir)
    return SigningRPC(
        list_manifests=ListManifests(transactions),
        get_manifest=GetManifest(transactions),
        get_preview=GetPreview(transactions, PackStaging(settings.staging_url)),
        approve_manifest=ApproveManifest(transactions, certificates, clock, DEFAULT_ORDER, settings.express_limit),
        reject_manifest=RejectManifest(transactions, clock, DEFAULT_ORDER),
        register_certificate=RegisterCertificate(transactions, certificates, clock),
        get_progress=GetProgress(transactions),
        retry_failed=RetryFailed(transactions, clock, settings.express_limit),
        halt_class=HaltClass(transactions, clock),
    )


def worker(settings: SigningSettings, transactions: PostgresTransactions, clock: Clock) -> SigningWorker:
    """A worker over the service's database, its staging and its keys."""
    certificates = X509Certificates(settings.trust_dir)
    staging = PackStaging(settings.staging_url)
    renderer = TypstRenderer(settings.verification_url, settings.form_version, DEFAULT_ORDER)
    press = TypstPress(renderer, ClassSheetRenderer(settings.verification_url))
    keys, journal = _keys(settings, clock)
    sign = SignClass(
        transactions=transactions,
        signatory=PadesSignatory(DocumentVerifier(certificates.chain_of)),
        keys=keys,
        key_journal=journal,
        staging=staging,
        certificates=certificates,
        clock=clock,
        announce_signed=AnnounceSigned(transactions, clock, DEFAULT_ORDER, settings.express_limit),
        order_of_roles=DEFAULT_ORDER,
    )
    return SigningWorker(PreparePages(transactions, press, staging, clock), sign)


def _keys(settings: SigningSettings, clock: Clock) -> tuple[KeyStore, KeyJournal]:
    if settings.keys_dir is None or settings.key_journal_dir is None:
        return NoKeys(), NoKeys()
    password = settings.keys_password_file or settings.keys_dir / "password"
    return Pkcs12KeyStore(settings.keys_dir, password), FileKeyJournal(settings.key_journal_dir, settings.instance, clock)


def key_use(service: Service, journals: Path) -> CheckKeyUse:
    """What the keys did, as the journals in a folder say, against the intents of the service's database."""
    return CheckKeyUse(PostgresTransactions(service.database, DEFAULT_ORDER), lambda: key_uses(journals))


def build(settings: SigningSettings) -> Service:
    """The service, wired; nothing is connected yet."""
    service, clock = Service("signing", settings), SystemClock()
    transactions = PostgresTransactions(service.database, DEFAULT_ORDER)
    rpc = doors(settings, transactions, clock)
    service.add_rpc("hocba.signing.v1.Signing", lambda server: signing_pb2_grpc.add_SigningServicer_to_server(rpc, server))
    take = TakeSealedClass(transactions, clock, settings.express_limit)
    service.add_consumers(SigningConsumers(take, KnowPeople(transactions), service.envelope.open))
    service.add_consumers(worker(settings, transactions, clock), group=WORKER_GROUP, role="work", max_records=ORDERS_AT_ONCE)
    service.publishes(SigningOrder, ExpressSigningOrder, ManifestMoved, RoleSigned, SheetsSigned, TranscriptsSigned)
    return service
