"""gRPC face of enrollment. Errors become statuses in the chassis; what a rule refuses is named by `contracts`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from hocba.enrollment.v1 import enrollment_pb2 as pb
from hocba.enrollment.v1 import enrollment_pb2_grpc
from services.chassis.errors import Malformed
from services.chassis.identity import current_actor
from services.enrollment.application.appoint_staff import AppointStaff
from services.enrollment.application.assign_teaching import AssignTeaching
from services.enrollment.application.correct_personal_number import CorrectPersonalNumber
from services.enrollment.application.enrol_pupils import EnrolPupils
from services.enrollment.application.form_class import FormClass
from services.enrollment.application.import_roster import ImportRoster
from services.enrollment.application.merge_schools import MergeSchools
from services.enrollment.application.ports import IncomingFile
from services.enrollment.application.read_roster import ReadRoster
from services.enrollment.application.register_school import RegisterSchool
from services.enrollment.application.transfer_pupil import TransferPupil
from services.enrollment.application.verify_identities import VerifyIdentities
from services.enrollment.application.withdraw_transfer import WithdrawTransfer
from services.enrollment.contracts import answers, commands
from services.enrollment.contracts.events import pupil_ref
from services.enrollment.contracts.refusals import refusals_on_the_wire
from services.enrollment.domain.school_year import SchoolYear

Context = Any


@dataclass(frozen=True)
class EnrollmentRPC(enrollment_pb2_grpc.EnrollmentServicer):
    """One use case behind each method."""

    register_school: RegisterSchool
    merge_schools: MergeSchools
    form_class: FormClass
    appoint_staff: AppointStaff
    assign_teaching: AssignTeaching
    enrol_pupils: EnrolPupils
    import_roster: ImportRoster
    correct_personal_number: CorrectPersonalNumber
    verify_identities: VerifyIdentities
    transfer_pupil: TransferPupil
    withdraw_transfer: WithdrawTransfer
    read: ReadRoster
    receive: Callable[[str], IncomingFile]

    async def RegisterSchool(self, request: pb.RegisterSchoolRequest, context: Context) -> pb.RegisterSchoolResponse:
        with refusals_on_the_wire():
            school = await self.register_school(commands.register_school_command(request, current_actor()))
            return pb.RegisterSchoolResponse(school_id=str(school.school_id), version=school.version)

    async def MergeSchools(self, request: pb.MergeSchoolsRequest, context: Context) -> pb.MergeSchoolsResponse:
        with refusals_on_the_wire():
            return answers.merge_answer(await self.merge_schools(commands.merge_schools_command(request, current_actor())))

    async def FormClass(self, request: pb.FormClassRequest, context: Context) -> pb.FormClassResponse:
        with refusals_on_the_wire():
            class_id, version = await self.form_class(commands.form_class_command(request, current_actor()))
            return pb.FormClassResponse(class_id=str(class_id), version=version)

    async def AppointStaff(self, request: pb.AppointStaffRequest, context: Context) -> pb.AppointStaffResponse:
        with refusals_on_the_wire():
            staff_id, version = await self.appoint_staff(commands.appoint_staff_command(request, current_actor()))
            return pb.AppointStaffResponse(staff_id=str(staff_id), version=version)

    async def AssignTeaching(self, request: pb.AssignTeachingRequest, context: Context) -> pb.AssignTeachingResponse:
        with refusals_on_the_wire():
            return pb.AssignTeachingResponse(version=await self.assign_teaching(commands.assign_teaching_command(request, current_actor())))

    async def EnrolPupils(self, request: pb.EnrolPupilsRequest, context: Context) -> pb.EnrolPupilsResponse:
        with refusals_on_the_wire():
            return answers.enrol_answer(await self.enrol_pupils(commands.enrol_pupils_command(request, current_actor())))

    async def ImportRoster(self, requests: AsyncIterator[pb.ImportRosterRequest], context: Context) -> AsyncIterator[pb.ImportRosterResponse]:
        with refusals_on_the_wire():
            first = await anext(aiter(requests), None)
            if first is None or first.WhichOneof("part") != "header":
                raise Malformed("the first message must be the header, which says what the file is", code="header_missing")
            command = commands.import_command(first.header, current_actor())
            with self.receive(first.header.file_name) as file:
                async for request in requests:
                    file.add(request.chunk)
                async with aclosing(self.import_roster(command, file)) as progress:
                    async for step in progress:
                        yield answers.import_answer(step, file.sha256)

    async def CorrectPersonalNumber(self, request: pb.CorrectPersonalNumberRequest, context: Context) -> pb.CorrectPersonalNumberResponse:
        with refusals_on_the_wire():
            standing = await self.correct_personal_number(commands.correct_personal_number_command(request, current_actor()))
            return pb.CorrectPersonalNumberResponse(pupil=pupil_ref(standing))

    async def VerifyIdentities(self, request: pb.VerifyIdentitiesRequest, context: Context) -> pb.VerifyIdentitiesResponse:
        with refusals_on_the_wire():
            return answers.verify_answer(await self.verify_identities(commands.verify_identities_command(request, current_actor())))

    async def TransferPupil(self, request: pb.TransferPupilRequest, context: Context) -> pb.TransferPupilResponse:
        with refusals_on_the_wire():
            return answers.transfer_answer(await self.transfer_pupil(commands.transfer_pupil_command(request, current_actor())))

    async def WithdrawTransfer(self, request: pb.WithdrawTransferRequest, context: Context) -> pb.WithdrawTransferResponse:
        with refusals_on_the_wire():
            state = await self.withdraw_transfer(commands.withdraw_transfer_command(request, current_actor()))
            return pb.WithdrawTransferResponse(state=state.value)

    async def ListClasses(self, request: pb.ListClassesRequest, context: Context) -> pb.ListClassesResponse:
        with refusals_on_the_wire():
            school_id = commands.uuid_of(request.school_id, "school_id")
            return answers.class_list(await self.read.classes(school_id, SchoolYear(request.school_year)))

    async def ListPupils(self, request: pb.ListPupilsRequest, context: Context) -> pb.ListPupilsResponse:
        with refusals_on_the_wire():
            ids = commands.uuid_of(request.school_id, "school_id"), commands.uuid_of(request.class_id, "class_id")
            return answers.pupil_list(await self.read.pupils(commands.caller(current_actor()), *ids))

    async def GetPupil(self, request: pb.GetPupilRequest, context: Context) -> pb.GetPupilResponse:
        with refusals_on_the_wire():
            pupil_id = commands.uuid_of(request.pupil_id, "pupil_id")
            return answers.pupil_history(await self.read.pupil(commands.caller(current_actor()), pupil_id))

    async def ListStaff(self, request: pb.ListStaffRequest, context: Context) -> pb.ListStaffResponse:
        with refusals_on_the_wire():
            school_id = commands.uuid_of(request.school_id, "school_id")
            return answers.staff_list(await self.read.staff(commands.caller(current_actor()), school_id))

    async def ListSchools(self, request: pb.ListSchoolsRequest, context: Context) -> pb.ListSchoolsResponse:
        with refusals_on_the_wire():
            found = await self.read.schools(request.province_id, request.closed_too, request.after_code, request.page_size, request.code)
            return answers.school_list(found)

    async def ListProvinces(self, request: pb.ListProvincesRequest, context: Context) -> pb.ListProvincesResponse:
        with refusals_on_the_wire():
            return answers.province_list(self.read.provinces(commands.optional_date(request.on, "on")))
