"""The gradebook as a document: PDF for print (typst), XLSX to fill in (openpyxl)."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import openpyxl
import typst
from openpyxl.styles import Alignment, Border, Font, PatternFill, Side
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from services.grading.application.read_gradebook import Sheet
from services.grading.domain.errors import BadInput
from services.grading.domain.gradebook import CellEntry, Fault
from services.grading.domain.sheets import Kind
from services.grading.domain.subjects import HOMEROOM

FORM = Path(__file__).with_name("gradebook.typ")
HEAD_ROW, CODE_ROW, FIRST_ROW = 4, 5, 6
ID_COLUMN, ROLL_COLUMN, NAME_COLUMN, FIRST_COLUMN = 1, 2, 3, 4
_NUMBERS = (Kind.MARK, Kind.WHOLE_MARK, Kind.COUNT, Kind.MEASURE)
_LETTERS = {"D": "Đ", "CD": "CĐ"}
_ROWS_MAX, _COLUMNS_MAX, _BYTES_MAX = 500, 80, 5_000_000


class SheetDocuments:
    """Makes and reads the documents of a sheet."""

    def pdf(self, sheet: Sheet) -> bytes:
        """A landscape A4 table with a place for the teacher's signature."""
        averages = any(row.average for row in sheet.rows)
        year = any(row.year_average for row in sheet.rows)
        # What nobody has filled in and nobody must is left out on paper: the homeroom sheet has room for forty columns.
        columns = [c for c in sheet.columns if c.required or any(row.cells.get(c.code, ("", ""))[0] for row in sheet.rows)]
        heads = [c.heading for c in columns] + (["TB học kì"] if averages else []) + (["TB cả năm"] if year else [])
        rows = []
        for row in sheet.rows:
            cells = [_shown(row.cells.get(c.code, ("", ""))[0], c.kind) for c in columns]
            ends = [_decimal(value) for value in ([row.average] if averages else []) + ([row.year_average] if year else [])]
            rows.append([str(row.pupil.roll_number), row.pupil.full_name, *cells, *ends])
        content = {
            "title": _title(sheet),
            "under": _under(sheet),
            "heads": heads,
            "wide": [c.kind is Kind.TEXT for c in columns] + [False] * (len(heads) - len(columns)),
            "rows": rows,
        }
        return bytes(typst.compile(str(FORM), sys_inputs={"sheet": json.dumps(content, ensure_ascii=False)}))

    def xlsx(self, sheet: Sheet) -> bytes:
        """A workbook with one sheet; columns are known by the codes of row 5, pupils by the id in column A."""
        book = openpyxl.Workbook()
        page: Any = book.active
        page.title = "Sổ điểm"
        page.append(["", "", _title(sheet)])
        page.append(["", "", _under(sheet)])
        page.append(["", "", "Không sửa cột A và hàng 5. Ô trống: chưa có điểm. V: vắng có phép, chờ kiểm tra bù."])
        page.append(["Mã học sinh", "STT", "Họ và tên", *(c.heading for c in sheet.columns)])
        page.append(["pupil_id", "", "", *(c.code for c in sheet.columns)])
        for row in sheet.rows:
            cells = [_number(row.cells.get(c.code, ("", ""))[0], c.kind) for c in sheet.columns]
            page.append([row.pupil.pupil_id, row.pupil.roll_number, _as_text(row.pupil.full_name), *cells])
        _dress(page, [c.kind for c in sheet.columns])
        out = io.BytesIO()
        book.save(out)
        return out.getvalue()

    def read_xlsx(self, content: bytes) -> tuple[Sequence[CellEntry], Sequence[Fault]]:
        """Every cell of every row that names a pupil; an empty cell empties the mark.

        Raises BadInput for a file that isn't such a workbook, and reports formulas and odd types cell by cell.
        """
        page = _open(content)
        codes = {}
        for column in range(FIRST_COLUMN, min(page.max_column, _COLUMNS_MAX) + 1):
            code = page.cell(CODE_ROW, column).value
            if isinstance(code, str) and code.strip():
                codes[column] = code.strip()
        if page.cell(CODE_ROW, ID_COLUMN).value != "pupil_id" or not codes:
            raise BadInput("not_our_workbook", "row 5 doesn't hold the columns' codes; export the sheet anew and fill in that file")
        cells: list[CellEntry] = []
        faults: list[Fault] = []
        for row in range(FIRST_ROW, min(page.max_row, FIRST_ROW + _ROWS_MAX) + 1):
            pupil_id = str(page.cell(row, ID_COLUMN).value or "").strip()
            values = {code: page.cell(row, column).value for column, code in codes.items()}
            if not pupil_id:
                if any(value is not None for value in values.values()):
                    faults.append(Fault("", "pupil_id", "column A is empty", "put back the pupil's id from the exported file", row))
                continue
            for code, value in values.items():
                try:
                    cells.append(CellEntry(pupil_id, code, _read(value), row=row))
                except BadInput as error:
                    problem, _, cure = error.message.partition("; ")
                    faults.append(Fault(pupil_id, code, problem, cure, row))
        return cells, faults


def _open(content: bytes) -> Worksheet:
    if len(content) > _BYTES_MAX:
        raise BadInput("file_too_big", f"{len(content)} bytes; a sheet has at most {_BYTES_MAX}: export it anew")
    try:
        page = openpyxl.load_workbook(io.BytesIO(content), data_only=False).active
    except (BadZipFile, KeyError, ValueError, OSError) as error:
        raise BadInput("not_a_workbook", "the file can't be read as XLSX; save it as an Excel workbook (.xlsx)") from error
    if not isinstance(page, Worksheet):
        raise BadInput("not_a_workbook", "the file's first sheet is no table; export the sheet anew and fill in that file")
    return page


def _read(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        raise BadInput("bad_value", "the cell holds true or false; type the mark")
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        # A spreadsheet keeps 7.3 as a binary fraction; its shortest decimal form is what the teacher typed.
        return repr(value).removesuffix(".0")
    text = str(value)
    if text.startswith("="):
        raise BadInput("formula", "the cell holds a formula; paste it as a value")
    return text


def _shown(value: str, kind: Kind) -> str:
    if kind is Kind.TEXT:
        return value
    return _decimal(value) if kind in _NUMBERS else _LETTERS.get(value, value)


def _decimal(value: str) -> str:
    """A number as Vietnamese prints it, and as the transcript does."""
    return value.replace(".", ",")


def _number(value: str, kind: Kind) -> object:
    """Marks as numbers, so that a spreadsheet can work with them; everything else as the form shows it."""
    if value and kind in _NUMBERS and value != "V":
        return float(value) if "." in value else int(value)
    return _as_text(_shown(value, kind)) or None


def _as_text(value: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    return f" {value}" if value[:1] in ("=", "+", "-", "@") else value


def _title(sheet: Sheet) -> str:
    return "SỔ CHỦ NHIỆM" if sheet.subject == HOMEROOM else f"SỔ ĐIỂM: {sheet.subject_name}"


def _under(sheet: Sheet) -> str:
    year = sheet.facts.school_year
    return f"Lớp {sheet.facts.name} - {sheet.term.text} - Năm học {year}-{year + 1}"


def _dress(page: Any, kinds: Sequence[Kind]) -> None:
    thin = Side(style="thin", color="FF999999")
    page["C1"].font = Font(bold=True, size=14)
    for row in page.iter_rows(min_row=HEAD_ROW, max_row=page.max_row):
        for cell in row:
            cell.border = Border(left=thin, right=thin, top=thin, bottom=thin)
            cell.alignment = Alignment(vertical="top", wrap_text=True)
    for cell in page[HEAD_ROW]:
        cell.font = Font(bold=True)
        cell.fill = PatternFill("solid", fgColor="FFE8EEF7")
    for cell in page[CODE_ROW]:
        cell.font = Font(size=8, color="FF888888")
    page.column_dimensions["A"].hidden = True
    page.column_dimensions[get_column_letter(ROLL_COLUMN)].width = 5
    page.column_dimensions[get_column_letter(NAME_COLUMN)].width = 28
    for offset, kind in enumerate(kinds):
        page.column_dimensions[get_column_letter(FIRST_COLUMN + offset)].width = 40 if kind is Kind.TEXT else 10
    page.freeze_panes = page.cell(FIRST_ROW, FIRST_COLUMN)
