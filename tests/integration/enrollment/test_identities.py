"""Identity checks against the stand-in of the population database, a process of its own behind mTLS."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass

import grpc
import pytest
import pytest_asyncio

from hocba.enrollment.v1 import enrollment_pb2 as pb
from hocba.enrollment.v1 import events_pb2 as ev
from hocba.enrollment.v1 import population_pb2
from hocba.enrollment.v1.population_pb2_grpc import PopulationGatewayStub
from services.chassis.errors import ServiceError
from services.chassis.rpc_client import open_channel
from services.enrollment.adapters.population import PopulationGateway
from services.stack import pki
from tests.integration.enrollment.house import House, make_rpc, new_id, office, profile
from tests.support.places import scratch_places


@dataclass
class Population:
    """The running stand-in."""

    keys: pki.Keys
    address: str
    process: asyncio.subprocess.Process

    def channel(self, name: str = "enrollment") -> grpc.aio.Channel:
        leaf = self.keys.leaf(name)
        return open_channel(self.address, "population", ca=self.keys.ca, certificate=leaf.certificate, key=leaf.key)


@pytest_asyncio.fixture(scope="module")
async def population() -> AsyncIterator[Population]:
    with scratch_places("population") as places:
        keys = pki.prepare(places)
        leaf = keys.leaf("population")
        options = [
            "--ca",
            keys.ca,
            "--certificate",
            leaf.certificate,
            "--key",
            leaf.key,
            "--mismatch",
            "0",
            "--not-found",
            "0",
            "--slow",
            "0",
            "--unavailable",
            "0",
        ]
        command = [sys.executable, "-m", "services.population", *map(str, options)]
        process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, env={**os.environ, "PYTHONPATH": "protos"})
        assert process.stdout is not None
        said = await asyncio.wait_for(process.stdout.readline(), 30)
        yield Population(keys, said.decode().rsplit(" ", 1)[1].strip(), process)
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 10) == 0


def numbered(number: int, ending: str) -> ev.PupilProfile:
    """A pupil whose number makes the stand-in give a certain answer."""
    told = profile(number)
    told.personal_number = told.personal_number[:-6] + f"{number:02d}" + ending
    return told


async def verify(house: House, school: str, of_class: str = "") -> tuple[int, int, int, int]:
    request = pb.VerifyIdentitiesRequest(request_id=new_id(), school_id=school, class_id=of_class)
    answer = await house.call(office(school), house.rpc.VerifyIdentities, request)
    assert await house.call(office(school), house.rpc.VerifyIdentities, request) == answer
    return answer.matched, answer.mismatched, answer.unknown, answer.skipped


async def test_each_answer_is_kept_as_what_it_is_and_told(house: House, population: Population) -> None:
    async with population.channel() as channel:
        house.rpc = make_rpc(house.database, house.envelope, population=PopulationGateway(PopulationGatewayStub(channel), 0.7), population_at_once=4)
        school = await house.school("79000001")
        of_class = await house.form(school, "6A1")
        pupils = [numbered(n, ending) for n, ending in enumerate(("9990", "9991", "9992", "9993", "9994"))]
        refs = (await house.enrol(school, of_class, *pupils, profile(50, personal_number=""))).pupils
        # Not found, slow and unavailable are unknown; the one without a number isn't asked for.
        assert await verify(house, school, of_class) == (1, 1, 3, 1)
        told = {ref.pupil_id: (ref.identity_state, ref.version) for ref in house.events(ev.PupilsEnrolled)[-1].pupils}
        assert [told[ref.pupil_id] for ref in refs[:5]] == [("matched", 2), ("mismatched", 2), ("unknown", 2), ("unknown", 2), ("unknown", 2)]
        assert refs[5].pupil_id not in told
        fields = house.rows("SELECT fields FROM identity_checks WHERE state = 'mismatched'")[0][0]
        assert set(fields) <= {"full_name", "birth_date", "gender"}
        assert fields
        # Asked again, what matched is skipped and nothing new is told.
        events = len(house.events(ev.PupilsEnrolled))
        assert await verify(house, school) == (0, 1, 3, 2)
        assert len(house.events(ev.PupilsEnrolled)) == events


async def test_a_gateway_that_is_gone_is_unknown_and_soon_left_alone(house: House, population: Population) -> None:
    leaf = population.keys.leaf("enrollment")
    async with open_channel("127.0.0.1:1", "population", ca=population.keys.ca, certificate=leaf.certificate, key=leaf.key) as channel:
        now = [0.0]
        gateway = PopulationGateway(PopulationGatewayStub(channel), 2.0, lambda: now[0])
        house.rpc = make_rpc(house.database, house.envelope, population=gateway, population_at_once=1)
        school = await house.school("79000001")
        of_class = await house.form(school, "6A1")
        await house.enrol(school, of_class, *(profile(n) for n in range(40)))
        assert await asyncio.wait_for(verify(house, school), 30) == (0, 0, 40, 0)
        assert gateway._resting_until > now[0]


async def test_a_changed_number_is_checked_anew(house: House, population: Population) -> None:
    async with population.channel() as channel:
        house.rpc = make_rpc(house.database, house.envelope, population=PopulationGateway(PopulationGatewayStub(channel), 2.0))
        school = await house.school("79000001")
        of_class = await house.form(school, "6A1")
        (ref,) = (await house.enrol(school, of_class, numbered(1, "9990"))).pupils
        assert await verify(house, school) == (1, 0, 0, 0)
        request = pb.CorrectPersonalNumberRequest(
            request_id=new_id(), school_id=school, pupil_id=ref.pupil_id, personal_number=numbered(2, "9991").personal_number, reason="QĐ 5/2026"
        )
        assert (await house.call(office(school), house.rpc.CorrectPersonalNumber, request)).pupil.identity_state == "unchecked"
        assert await verify(house, school) == (0, 1, 0, 0)


async def test_nobody_but_enrollment_may_ask(population: Population) -> None:
    async with population.channel("edge") as channel:
        with pytest.raises(ServiceError, match="only enrollment"):
            await PopulationGatewayStub(channel).CheckPerson(population_pb2.CheckPersonRequest(personal_number="1" * 12))
