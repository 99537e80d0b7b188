"""Grading's own store in PostgreSQL: one transaction as the use cases see it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from google.protobuf.message import Message

from services.chassis import requests
from services.chassis.database import Connection, Database, Queries, scope_of
from services.chassis.envelope import Envelope
from services.chassis.errors import Malformed, NotFound
from services.chassis.identity import current_actor
from services.chassis.outbox import announce
from services.grading.adapters.roster import PostgresRoster
from services.grading.adapters.year_files import choice_of, read_year_files
from services.grading.application.ports import Author, ClassFacts, Lease, MarkChange, PupilFile, Request, Seal, SheetRows
from services.grading.contracts import events
from services.grading.domain.class_sheets import SheetVersion
from services.grading.domain.gradebook import CellChange, Reopening, SheetPupil, Window
from services.grading.domain.pupil_year import Decision, SubjectChoice
from services.grading.domain.rulesets import RuleSet
from services.grading.domain.subjects import HOMEROOM
from services.grading.domain.tally import tally
from services.grading.domain.terms import Term

SQL = Queries(Path(__file__).with_name("queries.sql"))
TALLIES = Queries(Path(__file__).with_name("tallies.sql"))
NO_TERM = 0
SEPARATOR = "\x1f"
"""Between the items of a list that travels as text; no cell holds it, since cells refuse control characters."""


@dataclass(frozen=True, slots=True)
class PostgresTransactions:
    """Opens transactions that see the rows of the calling actor."""

    database: Database
    envelope: Envelope

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[PostgresWork]:
        async with self.database.transaction(scope_of(current_actor())) as connection:
            yield PostgresWork(connection, self.envelope)

    def __call__(self) -> Any:
        return self._open()


class PostgresWork:
    """One open transaction."""

    def __init__(self, connection: Connection, envelope: Envelope) -> None:
        self._db, self._envelope = connection, envelope
        self.roster = PostgresRoster(connection, SQL)

    async def answered(self, request: Request) -> bytes | None:
        return await requests.answered(self._db, request.request_id, request.digest)

    async def keep_answer(self, request: Request, answer: bytes) -> None:
        await requests.keep_answer(self._db, request.request_id, request.method, request.digest, answer)

    # --- classes and sheets ---

    async def get_class(self, class_id: str) -> ClassFacts:
        return _facts(await self._db.fetchrow(SQL["get_class"], as_uuid("class_id", class_id)), class_id)

    async def hold_sheet(self, class_id: str, subject: str, term: Term) -> ClassFacts:
        key = (as_uuid("class_id", class_id), subject, int(term))
        row = await self._db.fetchrow(SQL["hold_sheet"], *key)
        if row is not None and row["sheet_version"] is None and await self._db.fetchval(SQL["make_sheet"], *key) is None:
            row = await self._db.fetchrow(SQL["hold_sheet"], *key)
        return _facts(row, class_id)

    async def hold_class(self, class_id: str) -> ClassFacts:
        key = as_uuid("class_id", class_id)
        facts = _facts(await self._db.fetchrow(SQL["hold_class"], key), class_id)
        await self._db.execute(SQL["hold_pupils"], key)
        return facts

    async def read_sheet(self, facts: ClassFacts, subject: str, term: Term) -> SheetRows:
        scopes = ["nation", f"province:{facts.province_id}", f"school:{facts.school_id}", f"class:{facts.class_id}"]
        key = (UUID(facts.class_id), subject, int(term), facts.school_year, scopes, facts.grade)
        row = await self._db.fetchrow(SQL["read_sheet"], *key)
        held: dict[str, dict[str, tuple[str, str]]] = {}
        for pupil_id, column, value, source in _list(row["cells"]):
            held.setdefault(pupil_id, {})[column] = (value, source)
        return SheetRows(
            version=row["version"],
            pupils={
                pupil_id: SheetPupil(pupil_id, roll, name, choice_of(*choice), sealed > 0) for pupil_id, roll, name, *choice, sealed in _list(row["pupils"])
            },
            held=held,
            windows=[Window(*map(datetime.fromisoformat, times)) for times in _list(row["windows"])],
            reopenings=[
                Reopening(unlock_id, about, Term(of_term), frozenset(pupils), datetime.fromisoformat(until))
                for unlock_id, about, of_term, pupils, until in _list(row["reopenings"])
            ],
            writers=frozenset(row["writers"]),
        )

    async def save_cells(
        self,
        facts: ClassFacts,
        subject: str,
        term: Term,
        changes: Sequence[CellChange],
        author: Author,
        now: datetime,
        *,
        reason: str = "",
        unlock_id: str = "",
    ) -> None:
        place = (facts.school_year, subject, int(term), SEPARATOR, UUID(facts.school_id))
        for name, part in (("add_cells", [c for c in changes if c.fresh]), ("change_cells", [c for c in changes if not c.fresh])):
            if part:
                columns = [SEPARATOR + SEPARATOR.join(column) for column in zip(*map(_cell_row, part), strict=True)]
                await self._db.execute(SQL[name], *columns, *place, author.account_id, reason, unlock_id, now)

    async def save_fill(self, facts: ClassFacts, subject: str, term: Term, version: int, expected: int, filled: int) -> None:
        await self._db.execute(SQL["save_fill"], UUID(facts.class_id), subject, int(term), version, expected, filled)
        # Summer results belong to pupils, not to a sheet that anybody waits for, so nobody counts them.
        if term is not Term.SUMMER:
            await announce(self._db, events.sheet_saved(facts, subject, term, version, expected, filled))

    async def history(self, facts: ClassFacts, subject: str, term: Term, pupil_id: str) -> list[MarkChange]:
        pupil = as_uuid("pupil_id", pupil_id) if pupil_id else None
        rows = await self._db.fetch(SQL["history_of_sheet"], UUID(facts.class_id), facts.school_year, subject, int(term), pupil)
        return [MarkChange(*row) for row in rows]

    # --- pupils' years ---

    async def read_years(self, facts: ClassFacts, rules: RuleSet) -> list[PupilFile]:
        return await read_year_files(self._db, SQL, facts, rules)

    async def class_sheets(self, facts: ClassFacts) -> list[SheetVersion]:
        rows = await self._db.fetch(SQL["class_sheets"], UUID(facts.class_id))
        return [
            SheetVersion(
                sheet_id=row["sheet_id"],
                version=row["version"],
                subject=row["subject"],
                staff_id=row["staff_id"] or "",
                public_id=row["public_id"],
                root=bytes(row["root"]),
                rows=row["row_count"],
                digest=bytes(row["digest"]),
                content=bytes(row["content"]),
            )
            for row in rows
        ]

    async def responsible(self, facts: ClassFacts) -> Mapping[str, str]:
        rows = await self._db.fetch(SQL["staff_of_class"], UUID(facts.class_id))
        return {row["subject"]: row["staff_id"] for row in rows if row["responsible"] and row["subject"] != "principal"}

    async def homeroom_persons(self, facts: ClassFacts) -> frozenset[str]:
        rows = await self._db.fetch(SQL["staff_of_class"], UUID(facts.class_id))
        return frozenset(row["person_id"] for row in rows if row["subject"] == HOMEROOM)

    async def class_persons(self, facts: ClassFacts) -> frozenset[str]:
        rows = await self._db.fetch(SQL["staff_of_class"], UUID(facts.class_id))
        return frozenset(row["person_id"] for row in rows if row["subject"] != "principal")

    async def set_choice(self, facts: ClassFacts, pupil_id: str, choice: SubjectChoice, reasons: Mapping[str, str]) -> None:
        exemptions = [
            {"subject": code, "terms": sorted(int(term) for term in terms), "reason": reasons.get(code, "")}
            for code, terms in sorted(choice.exemptions.items())
        ]
        await self._db.execute(
            SQL["set_choice"],
            UUID(pupil_id),
            facts.school_year,
            sorted(choice.electives),
            sorted(choice.clusters),
            json.dumps(exemptions, ensure_ascii=False),
        )

    async def add_decision(self, facts: ClassFacts, pupil_id: str, decision: Decision, author: Author, now: datetime) -> None:
        await self._db.execute(
            SQL["add_decision"],
            UUID(pupil_id),
            facts.school_year,
            UUID(facts.school_id),
            decision.kind,
            decision.value,
            decision.round,
            decision.number,
            decision.decided_on,
            decision.reason,
            author.account_id,
            now,
        )

    # --- windows, seals, re-openings ---

    async def put_window(self, lease: Lease) -> int:
        window_id = as_uuid("window_id", lease.window_id)
        await self._db.execute(
            SQL["put_window"],
            window_id,
            lease.version,
            _scope_of(lease),
            lease.grade,
            lease.school_year,
            int(lease.term),
            lease.opens_at,
            lease.closes_at,
            lease.withdrawn,
        )
        return int(await self._db.fetchval(SQL["window_version"], window_id))

    async def find_seal(self, lock_id: str) -> Seal | None:
        row = await self._db.fetchrow(SQL["find_seal"], as_uuid("lock_id", lock_id))
        if row is None:
            return None
        term = None if row["term"] == NO_TERM else Term(row["term"])
        outcomes = [events.outcome_from_json(kept) for kept in json.loads(row["outcomes"])]
        return Seal(lock_id, row["class_id"], term, row["class_version"], bytes(row["class_digest"]), outcomes)

    async def keep_seal(self, facts: ClassFacts, seal: Seal, now: datetime) -> None:
        class_id, lock_id = UUID(facts.class_id), UUID(seal.lock_id)
        kept = json.dumps([events.outcome_to_json(outcome) for outcome in seal.outcomes])
        await self._db.execute(SQL["keep_seal"], lock_id, class_id, int(seal.term or NO_TERM), seal.class_version, seal.class_digest, kept, now)
        await self._db.execute(SQL["raise_class_version"], class_id, seal.class_version, seal.term is Term.TERM_1, now)
        await self._db.execute(SQL["end_reopenings"], class_id, now)
        fresh = [(o.pupil_id, o.sealed) for o in seal.outcomes if o.changed and o.sealed is not None]
        if fresh:
            ids, versions = [UUID(s.transcript_id) for _, s in fresh], [s.version for _, s in fresh]
            await self._db.execute(
                SQL["keep_versions"],
                ids,
                versions,
                [UUID(pupil_id) for pupil_id, _ in fresh],
                [s.public_id for _, s in fresh],
                [s.salt for _, s in fresh],
                [s.digest for _, s in fresh],
                [s.content for _, s in fresh],
                facts.school_year,
                UUID(facts.school_id),
                class_id,
                lock_id,
                now,
            )
            await self._db.execute(SQL["raise_sealed_versions"], ids, versions)
        await self._keep_sheets(facts, [sheet for sheet in seal.sheets if sheet.fresh], lock_id, now)
        if seal.term is None:
            await announce(self._db, *self._sealed_events(facts, seal, now))
            await self.tally_results(facts)

    async def class_of_version(self, transcript_id: str, version: int) -> str | None:
        found: str | None = await self._db.fetchval(TALLIES["class_of_version"], as_uuid("transcript_id", transcript_id), version)
        return found

    async def withdraw(self, transcript_id: str, version: int) -> bool:
        return await self._db.fetchval(TALLIES["withdraw"], UUID(transcript_id), version) is not None

    async def sealed_classes(self, school_year: int, after: str, limit: int) -> list[str]:
        return [row["class_id"] for row in await self._db.fetch(TALLIES["sealed_classes"], NO_TERM, school_year, UUID(after), limit)]

    async def tally_results(self, facts: ClassFacts) -> None:
        rows = await self._db.fetch(TALLIES["records_in_force"], UUID(facts.class_id), NO_TERM)
        version = int(await self._db.fetchval(TALLIES["next_tally"], UUID(facts.class_id)))
        event, content = events.results_tallied(facts, version, tally(bytes(row["content"]) for row in rows))
        self._envelope.seal(event, "tally", content)
        await announce(self._db, event)

    async def _keep_sheets(self, facts: ClassFacts, fresh: Sequence[SheetVersion], lock_id: UUID, now: datetime) -> None:
        if not fresh:
            return
        await self._db.execute(
            SQL["keep_sheets"],
            [UUID(sheet.sheet_id) for sheet in fresh],
            [sheet.version for sheet in fresh],
            [sheet.subject for sheet in fresh],
            [UUID(sheet.staff_id) if sheet.staff_id else None for sheet in fresh],
            [sheet.public_id for sheet in fresh],
            [sheet.root for sheet in fresh],
            [sheet.rows for sheet in fresh],
            [sheet.digest for sheet in fresh],
            [sheet.content for sheet in fresh],
            UUID(facts.class_id),
            UUID(facts.school_id),
            lock_id,
            now,
        )

    def _sealed_events(self, facts: ClassFacts, seal: Seal, now: datetime) -> list[Message]:
        announced: list[Message] = []
        for event, records in events.class_sealed(facts, seal, now):
            self._envelope.seal(event, "records", records)
            announced.append(event)
        return announced

    async def find_reopening(self, unlock_id: str) -> int | None:
        version = await self._db.fetchval(SQL["find_reopening"], as_uuid("unlock_id", unlock_id))
        return None if version is None else int(version)

    async def reopen(self, facts: ClassFacts, reopening: Reopening, reason: str) -> None:
        await self._db.execute(
            SQL["add_reopening"],
            UUID(reopening.unlock_id),
            UUID(facts.class_id),
            reopening.subject,
            int(reopening.term),
            sorted(reopening.pupils),
            reopening.open_until,
            reason,
            facts.class_version,
        )
        await announce(self._db, events.scope_reopened(facts, reopening))

    async def close_reopening(self, unlock_id: str, now: datetime) -> int:
        unlock = as_uuid("unlock_id", unlock_id)
        await self._db.execute(SQL["close_reopening"], unlock, now)
        return int(await self._db.fetchval(SQL["changes_under_unlock"], unlock) or 0)


def as_uuid(name: str, text: str) -> UUID:
    """A UUID of a request, or Malformed that names the field."""
    try:
        return UUID(text)
    except ValueError as error:
        raise Malformed(f"{name} {text!r} is not a UUID; send the id as it was given", code="bad_id") from error


def _list(aggregated: str | None) -> list[Any]:
    """A JSON aggregate; PostgreSQL gives NULL for none."""
    return json.loads(aggregated) if aggregated else []


def _facts(row: Any, class_id: str) -> ClassFacts:
    if row is None:
        raise NotFound(f"class {class_id} is unknown here; check the id, or wait until enrollment's event has arrived", code="class_unknown")
    return ClassFacts(
        class_id=row["class_id"],
        school_id=row["school_id"],
        province_id=row["province_id"],
        school_year=row["school_year"],
        grade=row["grade"],
        name=row["name"],
        homeroom_staff_id=row["homeroom_staff_id"],
        class_version=row["class_version"],
        term_1_sealed=row["term_1_sealed"],
    )


def _cell_row(change: CellChange) -> tuple[str, ...]:
    return change.pupil_id, change.column, change.old_value, change.new_value, change.source, "t" if change.after_seal else "f"


def _scope_of(lease: Lease) -> str:
    """The narrowest place that the lease names."""
    for kind, place in (("class", lease.class_id), ("school", lease.school_id), ("province", lease.province_id)):
        if place:
            return f"{kind}:{place}"
    return "nation"
