"""Signing's parts, named and joined."""

import asyncio
from datetime import timedelta
from functools import partial
from pathlib import Path

from hocba.signing.v1 import signing_pb2_grpc
from hocba.signing.v1.events_pb2 import (
    CertificateMoved,
    CopiesSigned,
    ExpressSigningOrder,
    ManifestMoved,
    RoleSigned,
    SheetsSigned,
    SigningOrder,
    TranscriptsSigned,
)
from services.chassis.app import Service
from services.chassis.clock import Clock, SystemClock
from services.chassis.telemetry import log
from services.signing.adapters.certificates import X509Certificates
from services.signing.adapters.full_validation import SampledValidation
from services.signing.adapters.http import Http
from services.signing.adapters.key_journal import FileKeyJournal, key_uses
from services.signing.adapters.keys import crypto_mb
from services.signing.adapters.keys.csc import CscHome, read_providers, values_of
from services.signing.adapters.keys.memory_guard import no_core_dumps
from services.signing.adapters.keys.pkcs11 import Pkcs11Keys, TokenLibrary
from services.signing.adapters.keys.pkcs12 import Pkcs12Keys
from services.signing.adapters.keys.router import KeyHome, KeyRouter, NoKeys
from services.signing.adapters.keys.values import is_by
from services.signing.adapters.long_term import TwoRevisions
from services.signing.adapters.policies import policies_from
from services.signing.adapters.press import FormPress, PadesSignatory
from services.signing.adapters.proof_of_time import PadesLongTerm
from services.signing.adapters.remote_requests import alone
from services.signing.adapters.renderer import FormRenderer
from services.signing.adapters.revocation import HttpRevocations
from services.signing.adapters.signature_images import stencil_of
from services.signing.adapters.staging import PackStaging
from services.signing.adapters.time_stamps import TimeStampAuthority
from services.signing.adapters.transactions import PostgresTransactions
from services.signing.adapters.verification import DocumentVerifier
from services.signing.application.advance_requests import AdvanceRequests, TakeNotice
from services.signing.application.announce_certificates import AnnounceCertificates
from services.signing.application.announce_signed import AnnounceFinished, AnnounceSigned
from services.signing.application.approve_manifest import ApproveManifest
from services.signing.application.check_key_use import CheckKeyUse
from services.signing.application.finish_class import FinishClass
from services.signing.application.halt_class import HaltClass
from services.signing.application.know_people import KnowPeople
from services.signing.application.open_digests import ListOpenDigests, SubmitSignatures
from services.signing.application.ports import KeyJournal, KeyStore
from services.signing.application.preflight import Preflight
from services.signing.application.prepare_pages import PreparePages
from services.signing.application.progress import GetProgress, GetRunProgress, ListFailures
from services.signing.application.register_certificate import RegisterCertificate
from services.signing.application.reject_manifest import RejectManifest
from services.signing.application.release_queued import LetGo, MeasureBacklog, ReleaseQueued
from services.signing.application.retry_failed import RetryFailed
from services.signing.application.sign_class import SignClass
from services.signing.application.take_copy import TakeCopy
from services.signing.application.take_sealed_class import TakeSealedClass
from services.signing.application.take_values import Resume
from services.signing.application.views import GetManifest, GetPreview, ListManifests
from services.signing.application.wait import PutOff, WakeOrders
from services.signing.domain.key_names import Home
from services.signing.entrypoints.consumers import SigningConsumers
from services.signing.entrypoints.releaser import Releaser
from services.signing.entrypoints.remote import Notices, RemotePoller
from services.signing.entrypoints.rpc import SigningRPC
from services.signing.entrypoints.waker import Waker
from services.signing.entrypoints.worker import SigningWorker
from services.signing.settings import SigningSettings

SETTINGS = SigningSettings
MIGRATIONS = Path(__file__).with_name("migrations")
ROLES = {"serve": ("rpc", "consumers", "relay", "remote", "waits", "releases"), "work": ("work",)}
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
        approve_manifest=ApproveManifest(transactions, certificates, clock, settings.express_limit),
        reject_manifest=RejectManifest(transactions, clock),
        register_certificate=RegisterCertificate(transactions, certificates, stencil_of, clock),
        get_progress=GetProgress(transactions),
        get_run_progress=GetRunProgress(transactions),
        list_failures=ListFailures(transactions),
        retry_failed=RetryFailed(transactions, clock, settings.express_limit),
        halt_class=HaltClass(transactions, clock),
        list_open_digests=ListOpenDigests(transactions, clock),
        submit_signatures=SubmitSignatures(transactions, resume_of(settings, transactions, clock), is_by),
    )


def worker(settings: SigningSettings, transactions: PostgresTransactions, clock: Clock) -> SigningWorker:
    """A worker over the service's database, its staging and its keys."""
    certificates = X509Certificates(settings.trust_dir)
    staging = PackStaging(settings.staging_url)
    press = FormPress(partial(FormRenderer, settings.verification_url, settings.form_version))
    keys, journal = _keys(settings, clock)
    sign = SignClass(
        transactions=transactions,
        signatory=PadesSignatory(DocumentVerifier(certificates.chain_of), SampledValidation(settings.trust_dir, settings.validate_every)),
        keys=keys,
        key_journal=journal,
        staging=staging,
        preflight=Preflight(transactions, certificates, revocations(settings, certificates, clock), clock),
        put_off=PutOff(transactions, clock),
        clock=clock,
        announce_signed=AnnounceSigned(transactions, clock, settings.express_limit),
        check_value=is_by,
        remote_batch=settings.remote_batch,
    )
    return SigningWorker(
        PreparePages(transactions, press, staging, clock, policies_from(settings.policy_file)),
        sign,
        finisher(settings, transactions, clock),
        LetGo(transactions),
    )


def finisher(settings: SigningSettings, transactions: PostgresTransactions, clock: Clock) -> FinishClass:
    """The pass that gives documents their proof of time; it needs no key."""
    certificates = X509Certificates(settings.trust_dir)
    authority = TimeStampAuthority(settings.tsa_url, certificates, clock, Http(settings.outside_seconds), settings.tsa_policy, settings.tsa_chain_dir)
    return FinishClass(
        transactions=transactions,
        long_term=PadesLongTerm(TwoRevisions(settings.tsa_reserved), authority),
        time_authority=authority,
        revocations=revocations(settings, certificates, clock),
        staging=PackStaging(settings.staging_url),
        put_off=PutOff(transactions, clock),
        clock=clock,
        announce_finished=AnnounceFinished(transactions, clock),
    )


def revocations(settings: SigningSettings, certificates: X509Certificates, clock: Clock) -> HttpRevocations:
    """Whom to ask about revocation, and how long an answer counts."""
    kept, longest = timedelta(seconds=settings.revocation_kept_seconds), timedelta(hours=settings.revocation_longest_hours)
    return HttpRevocations(certificates, clock, Http(settings.outside_seconds), kept, longest)


def _keys(settings: SigningSettings, clock: Clock) -> tuple[KeyStore, KeyJournal]:
    if settings.key_journal_dir is None:
        return NoKeys(), NoKeys()
    homes = key_homes(settings)
    if homes:
        no_core_dumps()
    return KeyRouter(homes), FileKeyJournal(settings.key_journal_dir, settings.instance, clock)


def key_homes(settings: SigningSettings) -> dict[Home, KeyHome]:
    """The homes of keys that answer at once, as far as the settings name them."""
    homes: dict[Home, KeyHome] = {}
    if settings.keys_dir is not None:
        try:
            mass = crypto_mb.load()
            log.info("mass keys", library=mass.where.name)
        except crypto_mb.NotHere as reason:
            mass = None
            log.info("mass keys", library="OpenSSL", reason=str(reason))
        homes[Home.PKCS12] = Pkcs12Keys(settings.keys_dir, settings.keys_password_file or settings.keys_dir / "password", mass)
    if settings.pkcs11_library is not None and settings.pkcs11_pins_dir is not None:
        homes[Home.PKCS11] = Pkcs11Keys(TokenLibrary(settings.pkcs11_library, settings.pkcs11_pins_dir, settings.pkcs11_sessions))
    return homes


def resume_of(settings: SigningSettings, transactions: PostgresTransactions, clock: Clock) -> Resume:
    """What takes the answers of homes that answer later."""
    return Resume(transactions, is_by, clock, settings.express_limit)


def add_remote(service: Service, settings: SigningSettings, transactions: PostgresTransactions, clock: Clock) -> None:
    """The role `remote`: requests are brought on by one process at a time, notices are taken by each that listens."""
    providers = read_providers(settings.remote_providers_file) if settings.remote_providers_file is not None else {}
    home, resume = CscHome(providers), resume_of(settings, transactions, clock)
    poller = RemotePoller(AdvanceRequests(transactions, {Home.CSC: home}, resume, clock), lambda: alone(service.database), home.close)
    tokens = {name: provider.notices_token_file.read_text().strip() for name, provider in providers.items() if provider.notices_token_file is not None}
    notices = Notices(TakeNotice(transactions, resume, clock), tokens, values_of)

    async def run(stop: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(poller.run(stop))
            if settings.webhook_listen:
                group.create_task(notices.run(settings.webhook_listen, stop))

    service.add_background("remote", run)


def key_use(service: Service, journals: Path) -> CheckKeyUse:
    """What the keys did, as the journals in a folder say, against the intents of the service's database."""
    return CheckKeyUse(PostgresTransactions(service.database), lambda: key_uses(journals))


def announce_certificates(service: Service) -> AnnounceCertificates:
    """The operator's repeat of what was told of certificates."""
    return AnnounceCertificates(PostgresTransactions(service.database))


def build(settings: SigningSettings) -> Service:
    """The service, wired; nothing is connected yet."""
    service, clock = Service("signing", settings), SystemClock()
    transactions = PostgresTransactions(service.database)
    rpc = doors(settings, transactions, clock)
    service.add_rpc("hocba.signing.v1.Signing", lambda server: signing_pb2_grpc.add_SigningServicer_to_server(rpc, server))
    take = TakeSealedClass(transactions, clock, settings.express_limit)
    service.add_consumers(SigningConsumers(take, TakeCopy(transactions, clock, settings.express_limit), KnowPeople(transactions), service.envelope.open))
    service.add_consumers(worker(settings, transactions, clock), group=WORKER_GROUP, role="work", max_records=ORDERS_AT_ONCE)
    add_remote(service, settings, transactions, clock)
    service.add_background("waits", Waker(WakeOrders(transactions, clock, settings.express_limit)).run)
    release = ReleaseQueued(transactions, clock, settings.release_limit, settings.release_quantum)
    service.add_background("releases", Releaser(release, MeasureBacklog(transactions), transactions.queued).run)
    service.publishes(SigningOrder, ExpressSigningOrder, ManifestMoved, RoleSigned, SheetsSigned, CopiesSigned, TranscriptsSigned, CertificateMoved)
    return service
