"""Take an open transfer back, so that another one can begin."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from services.enrollment.application.ports import Once, Transactions
from services.enrollment.domain.authority import OFFICE, Caller
from services.enrollment.domain.enrolment import TransferState
from services.enrollment.domain.refusals import Forbidden, Missing


@dataclass(frozen=True, slots=True)
class Command:
    """A transfer that shall not be."""

    once: Once
    caller: Caller
    transfer_id: UUID


@dataclass(frozen=True, slots=True)
class WithdrawTransfer:
    """Let either school end a transfer that waits; one that is done is undone only by a transfer back."""

    transactions: Transactions

    async def __call__(self, command: Command) -> TransferState:
        """Give the state. A repeat gives the same; strangers learn nothing."""
        # Row-level security shows the transfer to its two schools and their provinces only.
        async with self.transactions() as work:
            found = await work.transfers.hold(command.transfer_id)
            if found is None:
                raise Missing("transfer_unknown", "Không có đề nghị chuyển trường này tại trường của tài khoản.")
            transfer, state = found
            source = transfer.source
            target = await work.schools.get(transfer.target_school_id) if transfer.target_school_id else None
            if target is None or not command.caller.may(OFFICE, target.school_id, target.province_id):
                command.caller.require(OFFICE, source.school_id, source.province_id, "rút đề nghị chuyển trường này")
            if await work.answered(command.once) is not None:
                return TransferState.WITHDRAWN
            if state is TransferState.DONE:
                raise Forbidden("transfer_done", "Học sinh đã chuyển trường: muốn quay lại thì làm thủ tục chuyển ngược.")
            await work.transfers.put(transfer, TransferState.WITHDRAWN, target.province_id if target else None)
            await work.keep_answer(command.once, "WithdrawTransfer", {"state": TransferState.WITHDRAWN.value})
            return TransferState.WITHDRAWN
