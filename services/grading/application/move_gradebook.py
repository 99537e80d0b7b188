"""The gradebook out as a document and back in again: PDF to print, XLSX to fill in."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from services.chassis.clock import Clock
from services.grading.application.enter_sheet import Command as EnterCommand
from services.grading.application.enter_sheet import EnterSheet, Saved
from services.grading.application.ports import Author, Request, Rules, Transactions
from services.grading.application.read_gradebook import Query, ReadGradebook, Sheet
from services.grading.application.sheet_access import gradebook_of, require_writer
from services.grading.domain.errors import BadInput
from services.grading.domain.gradebook import CellEntry, Fault
from services.grading.domain.terms import Term


class Documents(Protocol):
    """Turns sheets into files and files into cells."""

    def pdf(self, sheet: Sheet) -> bytes:
        """A landscape A4 table for print."""
        ...

    def xlsx(self, sheet: Sheet) -> bytes:
        """A workbook that `read_xlsx` understands."""
        ...

    def read_xlsx(self, content: bytes) -> tuple[Sequence[CellEntry], Sequence[Fault]]:
        """Cells of a filled-in workbook with the rows they stand in, and what could not be read.

        Raises BadInput for a file that isn't such a workbook.
        """
        ...


@dataclass(frozen=True, slots=True)
class ExportGradebook:
    """The sheet as a document, for whoever may read it: (bytes, file name)."""

    read: ReadGradebook
    documents: Documents

    async def __call__(self, query: Query, file_format: str) -> tuple[bytes, str]:
        makers = {"pdf": self.documents.pdf, "xlsx": self.documents.xlsx}
        if file_format not in makers:
            raise BadInput("bad_format", f"format {file_format!r} is unknown; use pdf or xlsx")
        sheet = await self.read(query)
        name = f"so-diem_{sheet.facts.name}_{sheet.subject}_{sheet.term.name.lower()}.{file_format}".replace("/", "-").replace(" ", "-")
        # Laying out a page takes a tenth of a second of pure computing, which mustn't hold up other teachers' saves.
        return await asyncio.to_thread(makers[file_format], sheet), name


@dataclass(frozen=True, slots=True)
class Import:
    """A filled-in workbook for a sheet; a dry run judges it and saves nothing."""

    request: Request
    author: Author
    class_id: str
    subject: str
    term: Term
    content: bytes = field(repr=False)
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class ImportGradebook:
    """Take a workbook's cells as if they had been typed; each fault names row, column and cure."""

    transactions: Transactions
    clock: Clock
    rules: Rules
    enter: EnterSheet
    documents: Documents

    async def __call__(self, command: Import) -> Saved:
        cells, faults = await asyncio.to_thread(self.documents.read_xlsx, command.content)
        if command.dry_run:
            saved = await self._judge(command, cells)
        else:
            saved = await self.enter(EnterCommand(command.request, command.author, command.class_id, command.subject, command.term, cells))
        return Saved(saved.version, saved.changed, saved.unchanged, [*faults, *saved.faults], saved.expected, saved.filled)

    async def _judge(self, command: Import, cells: Sequence[CellEntry]) -> Saved:
        async with self.transactions() as work:
            facts = await work.get_class(command.class_id)
            rows = await work.read_sheet(facts, command.subject, command.term)
            require_writer(command.author, rows, facts, command.subject)
            book = gradebook_of(facts, rows, self.rules, command.subject, command.term)
            entry = book.enter(cells, self.clock.now())
            return Saved(rows.version, len(entry.changes), entry.unchanged, entry.faults, entry.expected, entry.filled)
