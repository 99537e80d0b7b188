"""The gRPC door of locking. Errors become statuses in the chassis; refusals of the rules become its errors on the way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from grpc.aio import ServicerContext

from hocba.locking.v1 import locking_pb2 as pb
from hocba.locking.v1 import locking_pb2_grpc
from services.chassis.clock import Clock
from services.chassis.identity import current_actor
from services.locking import contracts
from services.locking.application.close_window import CloseWindow
from services.locking.application.lock_class import LockClass
from services.locking.application.move_unlock import Move, MoveUnlock
from services.locking.application.read import Read
from services.locking.application.request_unlock import RequestUnlock
from services.locking.application.set_policy import SetPolicy
from services.locking.application.set_window import SetWindow
from services.locking.contracts import refusals_spoken
from services.locking.domain.window import Window, state_of

Context = ServicerContext[Any, Any]


@dataclass(frozen=True, slots=True)
class UseCases:
    """What the door leads to."""

    set_window: SetWindow
    close_window: CloseWindow
    lock_class: LockClass
    request_unlock: RequestUnlock
    move_unlock: MoveUnlock
    set_policy: SetPolicy
    read: Read


class LockingRPC(locking_pb2_grpc.LockingServicer):
    """gRPC face of locking."""

    def __init__(self, use: UseCases, clock: Clock) -> None:
        self._use, self._clock = use, clock

    def _window(self, window: Window, confirmed: bool) -> pb.Window:
        return contracts.window_message(window, state_of(window, self._clock.now()), confirmed)

    async def SetWindow(self, request: pb.SetWindowRequest, context: Context) -> pb.SetWindowResponse:
        with refusals_spoken():
            window = await self._use.set_window(contracts.set_window_command(request, current_actor()))
            return pb.SetWindowResponse(window=self._window(window, False))

    async def CloseWindow(self, request: pb.CloseWindowRequest, context: Context) -> pb.CloseWindowResponse:
        with refusals_spoken():
            window = await self._use.close_window(contracts.close_window_command(request, current_actor()))
            return pb.CloseWindowResponse(window=self._window(window, False))

    async def ListWindows(self, request: pb.ListWindowsRequest, context: Context) -> pb.ListWindowsResponse:
        with refusals_spoken():
            found = await self._use.read.windows(contracts.caller_of(current_actor()), contracts.scope_of(request.scope), request.school_year)
            return pb.ListWindowsResponse(windows=[self._window(window, confirmed) for window, confirmed in found])

    async def LockClass(self, request: pb.LockClassRequest, context: Context) -> pb.LockClassResponse:
        with refusals_spoken():
            lock = await self._use.lock_class(contracts.lock_class_command(request, current_actor()))
            return pb.LockClassResponse(lock=contracts.lock_message(lock, False))

    async def GetLock(self, request: pb.GetLockRequest, context: Context) -> pb.GetLockResponse:
        with refusals_spoken():
            class_id, period = contracts.uuid_of(request.class_id, "class_id"), contracts.PERIODS[request.term]
            lock, unlocked = await self._use.read.lock(contracts.caller_of(current_actor()), class_id, period)
            return pb.GetLockResponse(lock=contracts.lock_message(lock, unlocked))

    async def RequestUnlock(self, request: pb.RequestUnlockRequest, context: Context) -> pb.UnlockResponse:
        with refusals_spoken():
            return contracts.unlock_message(await self._use.request_unlock(contracts.request_unlock_command(request, current_actor())))

    async def _move(self, request: pb.MoveUnlockRequest, move: Move) -> pb.UnlockResponse:
        with refusals_spoken():
            return contracts.unlock_message(await self._use.move_unlock(contracts.move_unlock_command(request, current_actor(), move)))

    async def ConfirmUnlock(self, request: pb.MoveUnlockRequest, context: Context) -> pb.UnlockResponse:
        return await self._move(request, Move.CONFIRM)

    async def RefuseUnlock(self, request: pb.MoveUnlockRequest, context: Context) -> pb.UnlockResponse:
        return await self._move(request, Move.REFUSE)

    async def ReportUnlock(self, request: pb.MoveUnlockRequest, context: Context) -> pb.UnlockResponse:
        return await self._move(request, Move.REPORT)

    async def AcknowledgeUnlock(self, request: pb.MoveUnlockRequest, context: Context) -> pb.UnlockResponse:
        return await self._move(request, Move.ACKNOWLEDGE)

    async def ObjectToUnlock(self, request: pb.MoveUnlockRequest, context: Context) -> pb.UnlockResponse:
        return await self._move(request, Move.OBJECT)

    async def FinishUnlock(self, request: pb.MoveUnlockRequest, context: Context) -> pb.UnlockResponse:
        return await self._move(request, Move.FINISH)

    async def CancelUnlock(self, request: pb.MoveUnlockRequest, context: Context) -> pb.UnlockResponse:
        return await self._move(request, Move.CANCEL)

    async def GetUnlock(self, request: pb.GetUnlockRequest, context: Context) -> pb.UnlockResponse:
        with refusals_spoken():
            unlock_id = contracts.uuid_of(request.unlock_id, "unlock_id")
            return contracts.unlock_message(await self._use.read.unlock(contracts.caller_of(current_actor()), unlock_id))

    async def ListUnlocks(self, request: pb.ListUnlocksRequest, context: Context) -> pb.ListUnlocksResponse:
        with refusals_spoken():
            views = await self._use.read.unlocks(contracts.caller_of(current_actor()), contracts.filters_of(request))
            return pb.ListUnlocksResponse(unlocks=map(contracts.unlock_message, views))

    async def SetPolicy(self, request: pb.SetPolicyRequest, context: Context) -> pb.Policy:
        with refusals_spoken():
            return contracts.policy_message(await self._use.set_policy(contracts.set_policy_command(request, current_actor())))

    async def GetPolicy(self, request: pb.GetPolicyRequest, context: Context) -> pb.Policy:
        with refusals_spoken():
            return contracts.policy_message(await self._use.read.policy(contracts.caller_of(current_actor()), request.province_id))
