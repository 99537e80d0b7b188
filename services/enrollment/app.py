"""Wiring of enrollment: the one file that names everything."""

from __future__ import annotations

import uuid

from hocba.enrollment.v1 import enrollment_pb2_grpc, events_pb2
from hocba.enrollment.v1.population_pb2_grpc import PopulationGatewayStub
from services.chassis.app import Service, migrations_of
from services.chassis.clock import Clock, SystemClock
from services.enrollment.adapters.catalogue import shipped_catalogue
from services.enrollment.adapters.population import NoPopulationDatabase, PopulationGateway
from services.enrollment.adapters.roster_files import ReceivedFile
from services.enrollment.adapters.transactions import PostgresTransactions
from services.enrollment.application.appoint_staff import AppointStaff
from services.enrollment.application.assign_teaching import AssignTeaching
from services.enrollment.application.correct_personal_number import CorrectPersonalNumber
from services.enrollment.application.enrol_pupils import EnrolPupils
from services.enrollment.application.form_class import FormClass
from services.enrollment.application.import_roster import ImportRoster
from services.enrollment.application.merge_schools import MergeSchools
from services.enrollment.application.ports import PopulationDatabase, Transactions
from services.enrollment.application.read_roster import ReadRoster
from services.enrollment.application.register_school import RegisterSchool
from services.enrollment.application.transfer_pupil import TransferPupil
from services.enrollment.application.verify_identities import VerifyIdentities
from services.enrollment.application.withdraw_transfer import WithdrawTransfer
from services.enrollment.entrypoints.rpc import EnrollmentRPC
from services.enrollment.settings import EnrollmentSettings

SETTINGS = EnrollmentSettings
MIGRATIONS = migrations_of(__file__)
ROLES = {"serve": ("rpc", "relay")}


def door(settings: EnrollmentSettings, transactions: Transactions, population: PopulationDatabase, clock: Clock) -> EnrollmentRPC:
    """The gRPC face with a use case behind each method."""
    catalogue = shipped_catalogue()
    return EnrollmentRPC(
        register_school=RegisterSchool(transactions, catalogue, clock, uuid.uuid4),
        merge_schools=MergeSchools(transactions, catalogue, clock),
        form_class=FormClass(transactions, uuid.uuid4),
        appoint_staff=AppointStaff(transactions, uuid.uuid4),
        assign_teaching=AssignTeaching(transactions),
        enrol_pupils=EnrolPupils(transactions, clock, uuid.uuid4),
        import_roster=ImportRoster(transactions, clock, uuid.uuid4, settings.import_chunk_rows),
        correct_personal_number=CorrectPersonalNumber(transactions, clock),
        verify_identities=VerifyIdentities(transactions, population, clock, settings.population_at_once),
        transfer_pupil=TransferPupil(transactions, clock, uuid.uuid4, settings.transfer_needs_both_schools),
        withdraw_transfer=WithdrawTransfer(transactions),
        read=ReadRoster(transactions, catalogue, clock),
        receive=lambda file_name: ReceivedFile(file_name, settings.import_file_megabytes << 20),
    )


def build(settings: EnrollmentSettings) -> Service:
    """Enrollment with everything it needs, ready to run."""
    service = Service("enrollment", settings)
    population: PopulationDatabase = NoPopulationDatabase()
    if settings.population_address:
        channel = service.channel(settings.population_address, "population")
        population = PopulationGateway(PopulationGatewayStub(channel), settings.population_seconds)
    rpc = door(settings, PostgresTransactions(service.database, service.envelope), population, SystemClock())
    service.add_rpc("hocba.enrollment.v1.Enrollment", lambda server: enrollment_pb2_grpc.add_EnrollmentServicer_to_server(rpc, server))
    service.publishes(
        events_pb2.SchoolRegistered,
        events_pb2.ClassFormed,
        events_pb2.StaffAppointed,
        events_pb2.TeachingAssigned,
        events_pb2.PupilsEnrolled,
        events_pb2.PupilTransferred,
    )
    return service
