"""
Two ways to tell a read side of a synthetic nation, with the same rows as their result.

*By events*: each message goes to reporting's own consumers, as a batch from the broker would.
*In bulk*: reporting's own rules run once for each sort of pupil (stage, day, kind); their result is written for every pupil of that sort by COPY,
in one transaction, as the tables' owner and into empty tables only. Row-level security, which COPY doesn't know, is lifted for the owner within it.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from itertools import groupby, islice
from typing import Any

import psycopg

from services.chassis.consumer import Received, handlers_of
from services.chassis.database import Database
from services.chassis.errors import Refused
from services.reporting.adapters.facts_json import facts_to_json, signing_to_json
from services.reporting.adapters.read_model import PostgresReadModel
from services.reporting.application.apply_news import ApplyNews
from services.reporting.application.keep_details import KeepDetails
from services.reporting.application.ports import PupilNews, PupilRow
from services.reporting.domain.classes import SheetSigning, SheetsSealed
from services.reporting.domain.counting import Cell, ClassFacts, Wait, cells_of, waits_of
from services.reporting.domain.facts import Facts
from services.reporting.domain.standing import NOWHERE, Standing, standing_of
from services.reporting.entrypoints.consumers import ReportingConsumers
from services.simulate.nation import STAGES, YEAR, Class, School
from services.simulate.term_end import registered, told

Say = Callable[[int], None]
"""Is told, now and then, how many pupils are filled in."""
CLASSES_AT_ONCE, SCHOOLS_AT_ONCE = 60, 50
_CLASS, _SCHOOL = str(uuid.UUID(int=0xC1)), str(uuid.UUID(int=0x5C))
_SEALED_SIGNING = signing_to_json(SheetSigning().told(SheetsSealed(1, frozenset())))
_NARROW = ("class", "school")
_PUPIL_COLUMNS = "pupil_id, school_year, facts, class_id, placed_school_id, school_id, province_id, steps, reason, since"


def consumers(database: Database) -> ReportingConsumers:
    """Reporting's consumers on a database."""
    model = PostgresReadModel(database)
    return ReportingConsumers(ApplyNews(model), KeepDetails(model))


def batches(classes: Iterable[Class]) -> Iterator[tuple[int, list[list[Received[Any]]]]]:
    """(pupils so far, batches of one type each in the order of their causes), for some classes at a time."""
    schools: set[str] = set()
    pupils, left = 0, iter(classes)
    while some := list(islice(left, CLASSES_AT_ONCE)):
        new = {one.school.school_id: one.school for one in some if one.school.school_id not in schools}
        schools |= set(new)
        stories = [list(told(one)) for one in some]
        events = [(registered(school), stories[0][0][1]) for school in new.values()]
        # The n-th message of each class beside those of the others: batches of one type, as topics have them in a surge.
        for turn in range(max(map(len, stories))):
            events += sorted((story[turn] for story in stories if turn < len(story)), key=lambda event: type(event[0]).__name__)
        received = [Received(message, str(uuid.uuid4()), "", at, {}) for message, at in events]
        pupils += sum(len(one.pupils) for one in some)
        yield pupils, [list(run) for _, run in groupby(received, lambda one: type(one.event))]


async def by_events(database: Database, classes: Iterable[Class], say: Say) -> int:
    """How many events were applied."""
    handlers, applied = handlers_of(consumers(database)), 0
    for pupils, runs in batches(classes):
        for run in runs:
            await handlers[type(run[0].event)](run)
            applied += len(run)
        say(pupils)
    return applied


@dataclass(frozen=True, slots=True)
class Sort:
    """What all pupils of one stage, day and kind have in common."""

    facts: str
    """JSON, with places for class and school."""
    standing: Standing
    since: datetime | None


@cache
def sort_of(stage: int, day: int, kind: str) -> Sort:
    """By reporting's own rules, from the messages about a class of one such pupil."""
    sample = Class(_CLASS, School(_SCHOOL, "2025-01", "", (1,)), "", 1, stage, day, (str(uuid.UUID(int=1)),), (kind,))
    row = PupilRow(Facts(), NOWHERE, None)
    for news in _news(sample):
        facts = row.facts.told(news.news)
        standing = standing_of(facts)
        row = PupilRow(facts, standing, row.since if standing.reason == row.standing.reason else news.at)
    return Sort(facts_to_json(row.facts), row.standing, row.since)


def _news(sample: Class) -> Iterator[PupilNews]:
    """What reporting makes of the messages, caught on the way to its use case."""
    from services.reporting import contracts

    takes = {
        "PupilsEnrolled": contracts.pupils_enrolled,
        "ClassSealed": contracts.class_sealed,
        "ManifestMoved": contracts.manifest_moved,
        "RoleSigned": contracts.role_signed,
        "TranscriptsSigned": contracts.transcripts_signed,
        "TranscriptsArchived": contracts.transcripts_archived,
        "TranscriptsRejected": contracts.transcripts_rejected,
    }
    for message, at in told(sample):
        take: Any = takes.get(type(message).__name__)
        if take:
            yield from take(message, at)[0]


def in_bulk(owner_url: str, classes: Iterable[Class], say: Say) -> int:
    """How many pupils were filled in; Refused when there are any already."""
    wide: Counter[Cell] = Counter()
    wide_waits: Counter[Wait] = Counter()
    filled = 0
    with psycopg.connect(owner_url) as connection, connection.cursor() as cursor:
        cursor.execute("SET LOCAL hocba.scope = 'system'")
        cursor.execute("LOCK TABLE classes, pupils, counters, waits, schools IN SHARE ROW EXCLUSIVE MODE")
        if cursor.execute("SELECT 1 FROM classes LIMIT 1").fetchone():
            raise Refused("this read side has classes already: a synthetic nation goes into an empty one", code="not_empty")
        cursor.execute("ALTER TABLE pupils NO FORCE ROW LEVEL SECURITY")
        for _, some in groupby(enumerate(_by_school(classes)), lambda numbered: numbered[0] // SCHOOLS_AT_ONCE):
            schools = [one for _, one in some]
            counters, waits = _fill_schools(cursor, schools)
            # A school is whole within its portion; what stands above schools is added up to the end.
            _write_counters(cursor, {cell: n for cell, n in counters.items() if cell.scope in _NARROW}, {w: n for w, n in waits.items() if w.scope in _NARROW})
            wide.update({cell: n for cell, n in counters.items() if cell.scope not in _NARROW})
            wide_waits.update({wait: n for wait, n in waits.items() if wait.scope not in _NARROW})
            filled += sum(len(one.pupils) for school in schools for one in school)
            say(filled)
        _write_counters(cursor, wide, wide_waits)
        cursor.execute("ALTER TABLE pupils FORCE ROW LEVEL SECURITY")
    with psycopg.connect(owner_url, autocommit=True) as connection:
        connection.execute("VACUUM (ANALYZE) schools, classes, pupils, counters, waits")
    return filled


def _by_school(classes: Iterable[Class]) -> Iterator[list[Class]]:
    for _, some in groupby(classes, lambda one: one.school.school_id):
        yield list(some)


def _fill_schools(cursor: psycopg.Cursor[Any], schools: list[list[Class]]) -> tuple[Counter[Cell], Counter[Wait]]:
    counters: Counter[Cell] = Counter()
    waits: Counter[Wait] = Counter()
    with cursor.copy(f"COPY pupils ({_PUPIL_COLUMNS}) FROM STDIN") as copy:
        for one in (one for school in schools for one in school):
            copy.write(_pupils(one))
            _count(one, counters, waits)
    _copy(cursor, "schools (school_id, version, name, province_id, province_name)", (_school_row(school[0].school) for school in schools))
    rows = (_class_row(one) for school in schools for one in school)
    _copy(cursor, "classes (class_id, version, province_id, school_id, school_year, grade, name, signing)", rows)
    return counters, waits


def _write_counters(cursor: psycopg.Cursor[Any], counters: Mapping[Cell, int], waits: Mapping[Wait, int]) -> None:
    _copy(cursor, "counters (school_year, scope, scope_id, grade, measure, pupils)", ((*cell, count) for cell, count in counters.items()))
    _copy(cursor, "waits (school_year, scope, scope_id, reason, day, pupils)", ((*wait, count) for wait, count in waits.items()))


def _pupils(one: Class) -> str:
    lines = []
    sorts = {kind: _line(one, sort_of(one.stage, one.day, kind)) for kind in set(one.kinds)}
    for pupil, kind in zip(one.pupils, one.kinds, strict=True):
        lines.append(f"{pupil}\t{sorts[kind]}")
    return "".join(lines)


def _line(one: Class, sort: Sort) -> str:
    facts = sort.facts.replace(_CLASS, one.class_id).replace(_SCHOOL, one.school.school_id)
    school, standing = one.school.school_id, sort.standing
    since = sort.since.isoformat() if sort.since else "\\N"
    values = (YEAR, facts, one.class_id, school, school, one.school.province_id, int(standing.steps), standing.reason, since)
    return "\t".join(map(str, values)) + "\n"


def _count(one: Class, counters: Counter[Cell], waits: Counter[Wait]) -> None:
    of_class = ClassFacts(1, one.school.province_id, one.school.school_id, YEAR, one.grade, one.name)
    for kind, pupils in Counter(one.kinds).items():
        sort = sort_of(one.stage, one.day, kind)
        standing = replace(sort.standing, class_id=one.class_id, school_id=one.school.school_id)
        for cell in cells_of(YEAR, standing, of_class):
            counters[cell] += pupils
        for wait in waits_of(YEAR, standing, sort.since, of_class):
            waits[wait] += pupils


def _class_row(one: Class) -> tuple[Any, ...]:
    signing = _SEALED_SIGNING if one.stage >= STAGES.index("sealed") else "{}"
    return one.class_id, 1, one.school.province_id, one.school.school_id, YEAR, one.grade, one.name, signing


def _school_row(school: School) -> tuple[Any, ...]:
    return school.school_id, 1, school.name, school.province_id, f"Tỉnh {school.province_id}"


def _copy(cursor: psycopg.Cursor[Any], into: str, rows: Iterable[tuple[Any, ...]]) -> None:
    with cursor.copy(f"COPY {into} FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)
