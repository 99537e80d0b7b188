"""The gradebook out as PDF and XLSX, and a filled-in workbook back in."""

import asyncio
import io
import subprocess
from pathlib import Path

import openpyxl
import pytest

from hocba.common.v1 import common_pb2
from hocba.grading.v1 import grading_pb2
from services.chassis.errors import Malformed
from tests.integration.grading.school import NO_CONTEXT, TEACHER, School, SchoolClass, new_id


async def export(school: School, room: SchoolClass, file_format: str, subject: str = "toan") -> bytes:
    request = grading_pb2.ExportGradebookRequest(class_id=room.class_id, subject=subject, term=common_pb2.TERM_1, format=file_format)
    answer = await school.by(TEACHER, school.rpc.ExportGradebook(request, NO_CONTEXT))
    assert answer.file_name == f"so-diem_8A_{subject}_term_1.{file_format}"
    return bytes(answer.document)


async def bring_in(school: School, room: SchoolClass, document: bytes, *, dry_run: bool = False) -> grading_pb2.ImportGradebookResponse:
    request = grading_pb2.ImportGradebookRequest(
        request_id=new_id(), class_id=room.class_id, subject="toan", term=common_pb2.TERM_1, document=document, dry_run=dry_run
    )
    answer: grading_pb2.ImportGradebookResponse = await school.by(TEACHER, school.rpc.ImportGradebook(request, NO_CONTEXT))
    return answer


async def test_a_workbook_goes_out_and_comes_back_in(school: School) -> None:
    room = await school.form(8, 3)
    await school.window()
    await school.enter(room, "toan", [(room.pupils[0], "tx1", "7.3"), (room.pupils[0], "comment", "=1+1")])
    book = openpyxl.load_workbook(io.BytesIO(await export(school, room, "xlsx")))
    page = book.active
    assert page is not None
    assert [c.value for c in page[5]][3:] == ["tx1", "tx2", "tx3", "tx4", "gk", "ck", "comment"]
    assert page["D6"].value == 7.3
    assert page["J6"].data_type != "f"
    page["E6"], page["D7"], page["D8"], page["E8"] = 8.1, "9,5", 11, "=A1"
    filled = io.BytesIO()
    book.save(filled)
    dry = await bring_in(school, room, filled.getvalue(), dry_run=True)
    assert await school.value("SELECT count(*) FROM marks WHERE col = 'tx2'") == 0
    taken = await bring_in(school, room, filled.getvalue())
    assert (taken.changed, list(taken.faults)) == (dry.changed, list(dry.faults))
    assert [(f.row, f.column) for f in taken.faults] == [(8, "tx2"), (8, "tx1")]
    assert all(f.problem and f.cure for f in taken.faults)
    rows = {(r["pupil_id"], r["col"]): r["value"] for r in await fetch(school)}
    assert rows[room.pupils[0], "tx2"] == "8.1"
    assert rows[room.pupils[1], "tx1"] == "9.5"


async def fetch(school: School) -> list[dict[str, str]]:
    async with school.database.transaction() as connection:
        return [dict(row) for row in await connection.fetch("SELECT pupil_id::text, col, value FROM marks")]


async def test_a_foreign_file_is_refused_with_a_cure(school: School) -> None:
    room = await school.form(8, 1)
    await school.window()
    with pytest.raises(Malformed, match="Excel workbook"):
        await bring_in(school, room, b"%PDF-1.7")
    empty = io.BytesIO()
    openpyxl.Workbook().save(empty)
    with pytest.raises(Malformed, match="export the sheet anew"):
        await bring_in(school, room, empty.getvalue())


@pytest.mark.parametrize("subject", ["toan", "homeroom", "gdtc"])
async def test_the_sheet_prints_as_pdf(school: School, subject: str) -> None:
    room = await school.form(8, 2)
    await school.window()
    if subject == "homeroom":
        request = grading_pb2.ExportGradebookRequest(class_id=room.class_id, term=common_pb2.TERM_1, format="pdf")
        from tests.integration.grading.school import HOMEROOM_TEACHER

        document = (await school.by(HOMEROOM_TEACHER, school.rpc.ExportGradebook(request, NO_CONTEXT))).document
    else:
        document = await export(school, room, "pdf", subject)
    assert document.startswith(b"%PDF-")


async def test_marks_are_printed_with_a_comma(school: School, tmp_path: Path) -> None:
    room = await school.form(8, 1)
    await school.window()
    await school.enter(room, "toan", [(room.pupils[0], "tx1", "7.3"), (room.pupils[0], "comment", "Từ 7.0 lên.")])
    (tmp_path / "sheet.pdf").write_bytes(await export(school, room, "pdf"))
    command = ["pdftotext", "-layout", "sheet.pdf", "-"]
    words = (await asyncio.to_thread(subprocess.run, command, cwd=tmp_path, capture_output=True, text=True, check=True)).stdout
    assert "7,3" in words
    assert "7.3" not in words
    assert "7.0 lên" in words


async def test_an_unknown_format_is_refused(school: School) -> None:
    room = await school.form(8, 1)
    request = grading_pb2.ExportGradebookRequest(class_id=room.class_id, subject="toan", term=common_pb2.TERM_1, format="docx")
    with pytest.raises(Malformed, match="use pdf or xlsx"):
        await school.by(TEACHER, school.rpc.ExportGradebook(request, NO_CONTEXT))
