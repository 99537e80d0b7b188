"""The population database behind its gateway. Whatever goes wrong is UNKNOWN: no answer must never look like a match."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hocba.enrollment.v1 import population_pb2 as pb
from services.chassis.errors import ServiceError
from services.chassis.telemetry import log
from services.enrollment.application.ports import IdentityAnswer, IdentityQuestion
from services.enrollment.domain.pupil import IdentityState

if TYPE_CHECKING:
    from hocba.enrollment.v1.population_pb2_grpc import PopulationGatewayAsyncStub

_PATIENCE = 5
"""Questions in a row without an answer before the gateway is left alone for a while."""
_REST_SECONDS = 10.0
_UNKNOWN = IdentityAnswer(IdentityState.UNKNOWN)


@dataclass(slots=True)
class PopulationGateway:
    """Asks the gateway within a deadline; the channel repeats what was UNAVAILABLE within it."""

    stub: PopulationGatewayAsyncStub
    seconds: float
    monotonic: Callable[[], float] = time.monotonic
    _silent: int = field(default=0, init=False)
    _resting_until: float = field(default=0.0, init=False)

    async def check(self, question: IdentityQuestion) -> IdentityAnswer:
        """Confirm one person. A gateway that has just been silent several times isn't asked again at once."""
        if self.monotonic() < self._resting_until:
            return _UNKNOWN
        request = pb.CheckPersonRequest(
            personal_number=question.personal_number,
            full_name=question.full_name,
            birth_date=question.born_on.isoformat() if question.born_on else "",
            gender=question.gender.value,
        )
        try:
            # Without wait_for_ready a gateway that is down fails at once, instead of using up the deadline for each pupil.
            answer = await self.stub.CheckPerson(request, timeout=self.seconds, wait_for_ready=False)
        except ServiceError as error:
            self._note_silence(error.code)
            return _UNKNOWN
        self._silent = 0
        return _ANSWERS.get(answer.verdict, _UNKNOWN) if answer.verdict != pb.CheckPersonResponse.VERDICT_MISMATCH else _mismatch(answer)

    def _note_silence(self, code: str) -> None:
        self._silent += 1
        if self._silent >= _PATIENCE:
            self._silent, self._resting_until = 0, self.monotonic() + _REST_SECONDS
            log.warning("the population database does not answer; checks are unknown for a while", code=code, seconds=_REST_SECONDS)


class NoPopulationDatabase:
    """Stands where no gateway is configured: every check is unknown, and the pupil's transcript says so."""

    async def check(self, question: IdentityQuestion) -> IdentityAnswer:
        """Give UNKNOWN."""
        return _UNKNOWN


def _mismatch(answer: pb.CheckPersonResponse) -> IdentityAnswer:
    return IdentityAnswer(IdentityState.MISMATCHED, tuple(sorted(answer.fields)))


# Not found is no mismatch: the register lags behind new births and corrections.
_ANSWERS = {
    pb.CheckPersonResponse.VERDICT_MATCH: IdentityAnswer(IdentityState.MATCHED),
    pb.CheckPersonResponse.VERDICT_NOT_FOUND: IdentityAnswer(IdentityState.UNKNOWN, ("not_found",)),
}
