"""To the wire: what the use cases answer."""

from __future__ import annotations

from collections.abc import Sequence

from hocba.grading.v1 import grading_pb2
from services.grading.application.check_readiness import Readiness
from services.grading.application.enter_sheet import Saved
from services.grading.application.ports import MarkChange, Seal
from services.grading.application.read_gradebook import Sheet
from services.grading.contracts.events import outcome_message, stamp, wire_term
from services.grading.domain.gradebook import Fault
from services.grading.domain.subjects import HOMEROOM


def faults(found: Sequence[Fault]) -> list[grading_pb2.CellFault]:
    """Cells that were not taken."""
    return [grading_pb2.CellFault(pupil_id=f.pupil_id, column=f.column, problem=f.problem, cure=f.cure, row=f.row) for f in found]


def sheet_saved_response(saved: Saved) -> grading_pb2.EnterSheetResponse:
    """The answer to a save."""
    return grading_pb2.EnterSheetResponse(
        version=saved.version,
        changed=saved.changed,
        unchanged=saved.unchanged,
        faults=faults(saved.faults),
        expected=saved.expected,
        filled=saved.filled,
    )


def _wire_subject(subject: str) -> str:
    return "" if subject == HOMEROOM else subject


def gradebook_response(sheet: Sheet) -> grading_pb2.GetGradebookResponse:
    """A sheet to show."""
    rows = [
        grading_pb2.GradebookRow(
            pupil_id=row.pupil.pupil_id,
            roll_number=row.pupil.roll_number,
            full_name=row.pupil.full_name,
            cells=[
                grading_pb2.Cell(pupil_id=row.pupil.pupil_id, column=column, value=value, source=source)
                for column, (value, source) in row.cells.items()
                if value
            ],
            average=row.average,
            year_average=row.year_average,
        )
        for row in sheet.rows
    ]
    return grading_pb2.GetGradebookResponse(
        version=sheet.version,
        open=not sheet.closed_because,
        closed_because=sheet.closed_because,
        rows=rows,
        columns=[column.code for column in sheet.columns],
    )


def history_response(changes: Sequence[MarkChange]) -> grading_pb2.GetMarkHistoryResponse:
    """The history of a sheet's cells."""
    return grading_pb2.GetMarkHistoryResponse(
        changes=[
            grading_pb2.MarkChange(
                pupil_id=c.pupil_id,
                column=c.column,
                old_value=c.old_value,
                new_value=c.new_value,
                account_id=c.account_id,
                reason=c.reason,
                unlock_id=c.unlock_id,
                changed_at=stamp(c.changed_at),
            )
            for c in changes
        ]
    )


def readiness_response(readiness: Readiness) -> grading_pb2.GetReadinessResponse:
    """What is missing."""
    return grading_pb2.GetReadinessResponse(
        pupils=[grading_pb2.PupilReadiness(pupil_id=p.pupil_id, ready=not p.reasons, reasons=p.reasons) for p in readiness.pupils],
        missing=[
            grading_pb2.Missing(subject=_wire_subject(m.subject), term=wire_term(m.term), staff_id=m.staff_id, cells=m.cells, pupils=m.pupils)
            for m in readiness.missing
        ],
    )


def seal_response(seal: Seal) -> grading_pb2.SealClassResponse:
    """The answer to a lock."""
    return grading_pb2.SealClassResponse(
        class_version=seal.class_version, class_digest=seal.class_digest, outcomes=[outcome_message(outcome) for outcome in seal.outcomes]
    )
