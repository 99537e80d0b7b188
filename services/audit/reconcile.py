"""
Reconciliation across stores: locked = intended = signed = archived = leaves of the log = reported.

Each store tells, class by class, how many versions of transcripts it holds and a digest of which; that is one statement and a row for each class.
Only classes that two neighbours tell differently are read pupil by pupil. The stores are no one snapshot, so whatever differs is looked at once more, by
pupil and in both stores, before it is told; and what is on its way (`State`) is told apart from what is lost.
"""

import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from hocba.archive.v1.events_pb2 import TranscriptRevoked, TranscriptsArchived
from hocba.grading.v1.events_pb2 import ClassSealed
from hocba.signing.v1.events_pb2 import TranscriptsSigned
from services.audit.lag import Lag, lag_of
from services.audit.stores import Stores
from services.chassis.clock import Clock
from services.chassis.streams import stream_of
from services.reporting.domain.reconciliation import Discrepancy, Reconciliation, State

GRACE = timedelta(minutes=15)
"""What is younger is on its way, whatever else is known of it."""
COLUMNS = ("locked", "sealed", "intended", "signed", "archived", "in_log", "reported")


class Version(NamedTuple):
    """A version of a pupil's transcript."""

    pupil_id: str
    school_year: int
    version: int


@dataclass(frozen=True, slots=True)
class Way:
    """How news of it travels to the store that lacks it."""

    producer: str
    consumer: str
    topic: str


@dataclass(frozen=True, slots=True)
class Link:
    """Two sets that must be equal. `left_all` is where what only the right has is looked for, when the left names newest versions alone."""

    left: str
    right: str
    missing: str
    """What it is called when the right lacks it."""
    extra: str
    """What it is called when the left never had it."""
    way: Way | None = None
    left_all: str = ""


_SEALED, _SIGNED, _ARCHIVED, _REVOKED = (stream_of(event).topic for event in (ClassSealed, TranscriptsSigned, TranscriptsArchived, TranscriptRevoked))
LINKS = (
    Link("locking.locked", "grading.sealed", "locked_not_sealed", "sealed_not_locked"),
    Link("grading.sealed", "signing.taken", "sealed_not_taken", "taken_not_sealed", Way("grading", "signing", _SEALED)),
    Link("signing.signed", "archive.decided", "signed_not_archived", "archived_not_signed", Way("signing", "archive", _SIGNED)),
    Link("grading.newest", "reporting.sealed", "sealed_not_reported", "reported_not_sealed", Way("grading", "reporting", _SEALED), "grading.sealed"),
    Link("archive.newest", "reporting.archived", "archived_not_reported", "reported_not_archived", Way("archive", "reporting", _ARCHIVED), "archive.archived"),
    Link("archive.revoked", "reporting.revoked", "revoked_not_reported", "reported_not_revoked", Way("archive", "reporting", _REVOKED)),
)
WITHIN = (
    "signing.sealed_not_intended",
    "signing.intended_not_signed",
    "signing.signed_not_intended",
    "archive.archived_not_in_log",
    "reporting.counted_otherwise",
)
"""Sets that should be empty, each named after its discrepancy."""
WAITING_FOR_PLACE, IN_LOG_NOT_ARCHIVED = "archive.waiting_for_place", "archive.in_log_not_archived"
_COUNTED = {
    "locked": "locking.locked",
    "sealed": "grading.sealed",
    "intended": "signing.intended",
    "signed": "signing.signed",
    "archived": "archive.archived",
    "in_log": "archive.in_log",
    "reported": "reporting.archived",
    "waiting": "signing.waiting",
    "current": "archive.newest",
}


@dataclass(frozen=True, slots=True)
class Range:
    """Whose transcripts are compared; empty: everybody's."""

    province_id: str = ""
    school_id: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A reconciliation, and how many versions each store holds."""

    result: Reconciliation
    by_school: Mapping[tuple[str, str], Mapping[str, int]]
    """(province, school) -> counts. `reported` counts pupils, hence compares with `current`, the archive's newest versions;
    `waiting` is with persons and workers."""
    lag_known: bool

    @property
    def total(self) -> Counter[str]:
        """Over all schools."""
        return sum((Counter(counts) for counts in self.by_school.values()), Counter())

    def numbers(self, state: State) -> Counter[str]:
        """How many discrepancies of a state there are, by name."""
        return Counter(one.name for one in self.result.discrepancies if one.state is state)


async def reconcile(stores: Stores, wanted: Range, clock: Clock, *, grace: timedelta = GRACE, say: Callable[[str], None] = lambda _: None) -> Comparison:
    """Compare all stores. Reads only; `say` hears what is being looked at."""
    begun, now = time.perf_counter(), clock.now()
    tallies: dict[str, dict[str, Any]] = {}
    # In the order in which a transcript travels: what moves meanwhile is then seen at the end of its way rather than nowhere.
    for name in dict.fromkeys([*(side for link in LINKS for side in (link.left, link.right)), *_COUNTED.values()]):
        say(name)
        tallies[name] = {row["class_id"]: row for row in await stores.set_rows("tallies", name, wanted.province_id, wanted.school_id)}
    found: list[tuple[Discrepancy, Way | None]] = []
    for link in LINKS:
        say(link.missing)
        found += await _of_link(stores, link, _differing(tallies[link.left], tallies[link.right]))
    for name in WITHIN:
        say(name)
        found += [(_discrepancy(name.split(".")[1], row), None) for row in await _rows(stores, name, wanted)]
    found += [(one, None) for one in await _leaves_without_document(stores, wanted)]
    lag = await lag_of(stores.kafka, stores.topic_prefix, {(way.consumer, way.topic) for _, way in found if way})
    told = await _told_apart(stores, found, lag, now - grace)
    told += [
        replace(_discrepancy("archived_not_in_log", row), state=State.IN_FLIGHT, why="waits_for_place")
        for row in await _rows(stores, WAITING_FOR_PLACE, wanted)
    ]
    by_school = _by_school(tallies)
    versions = sum(counts["sealed"] for counts in by_school.values())
    seconds = time.perf_counter() - begun
    result = Reconciliation(str(uuid.uuid4()), now, wanted.province_id, wanted.school_id, round(seconds, 3), versions, tuple(sorted(told, key=_order)))
    return Comparison(result, by_school, lag.known)


async def _of_link(stores: Stores, link: Link, classes: Collection[str]) -> list[tuple[Discrepancy, Way | None]]:
    if not classes:
        return []
    left = _by_version(await _rows(stores, link.left, classes=classes))
    right = _by_version(await _rows(stores, link.right, classes=classes))
    missing, extra = left.keys() - right.keys(), right.keys() - left.keys()
    # Once more, by pupil, wherever the other store may count it, and as it is by now.
    there = _by_version(await _rows(stores, link.right, pupils={key.pupil_id for key in missing}))
    still = _by_version(await _rows(stores, link.left, pupils={key.pupil_id for key in missing}))
    before = _by_version(await _rows(stores, link.left_all or link.left, pupils={key.pupil_id for key in extra}))
    found: list[tuple[Discrepancy, Way | None]] = []
    found += [(_discrepancy(link.missing, left[key]), link.way) for key in missing if key not in there and key in still]
    found += [(_discrepancy(link.extra, right[key]), None) for key in extra if key not in before]
    return found


async def _leaves_without_document(stores: Stores, wanted: Range) -> list[Discrepancy]:
    leaves = await stores.rows(IN_LOG_NOT_ARCHIVED)
    if not leaves:
        return []
    sealed = {row["public_id"]: row for row in await stores.rows("grading.by_public_id", [row["public_id"] for row in leaves])}
    unknown = {"pupil_id": "", "school_year": 0, "class_id": "", "province_id": ""}
    rows = [{**unknown, **leaf, **dict(sealed.get(leaf["public_id"], {}))} for leaf in map(dict, leaves)]
    return [
        _discrepancy("in_log_not_archived", row)
        for row in rows
        if wanted.province_id in ("", row["province_id"]) and wanted.school_id in ("", row["school_id"])
    ]


async def _told_apart(stores: Stores, found: Sequence[tuple[Discrepancy, Way | None]], lag: Lag, since: datetime) -> list[Discrepancy]:
    """What is on its way, what is parked, and what is lost."""
    classes: dict[tuple[str, str], set[str]] = defaultdict(set)
    for one, way in found:
        if way:
            classes["outbox_keys", way.producer].add(one.class_id)
            classes["parked_among", way.consumer].add(one.class_id)
    keys = {of: await stores.keys(*of, sorted(wanted)) for of, wanted in classes.items()}
    told = []
    for one, way in found:
        if way and one.class_id in keys["parked_among", way.consumer]:
            told.append(replace(one, state=State.PARKED, why=f"parked by {way.consumer}"))
        elif way and one.class_id in keys["outbox_keys", way.producer]:
            told.append(replace(one, state=State.IN_FLIGHT, why=f"in the outbox of {way.producer}"))
        elif way and lag.of(way.consumer, way.topic, one.class_id):
            told.append(replace(one, state=State.IN_FLIGHT, why=f"not yet read by {way.consumer}"))
        elif one.since is not None and one.since > since and one.name not in _NEVER_YOUNG:
            told.append(replace(one, state=State.IN_FLIGHT, why="young"))
        else:
            told.append(one)
    return told


_NEVER_YOUNG = frozenset({"locked_not_sealed", "taken_not_sealed", "archived_not_signed", "archived_not_in_log", "in_log_not_archived", "signed_not_intended"})
"""What one transaction writes, or what can't come before its cause: no time makes it right."""


async def _rows(
    stores: Stores, name: str, wanted: Range = Range(), *, classes: Collection[str] | None = None, pupils: Collection[str] | None = None
) -> list[Any]:
    if (classes is not None and not classes) or (pupils is not None and not pupils):
        return []
    given = [None if some is None else sorted(some) for some in (classes, pupils)]
    return await stores.set_rows("rows", name, wanted.province_id, wanted.school_id, *given)


def _by_version(rows: Iterable[Any]) -> dict[Version, Any]:
    return {Version(row["pupil_id"], row["school_year"], row["version"]): row for row in rows}


def _differing(left: Mapping[str, Any], right: Mapping[str, Any]) -> set[str]:
    digests = [{class_id: bytes(row["digest"]) for class_id, row in side.items()} for side in (left, right)]
    return {class_id for class_id in left.keys() | right.keys() if digests[0].get(class_id) != digests[1].get(class_id)}


def _by_school(tallies: Mapping[str, Mapping[str, Any]]) -> dict[tuple[str, str], dict[str, int]]:
    found: dict[tuple[str, str], dict[str, int]] = {}
    for column, name in _COUNTED.items():
        for row in tallies[name].values():
            counts = found.setdefault((row["province_id"] or "", row["school_id"] or ""), dict.fromkeys(_COUNTED, 0))
            counts[column] += row["versions"]
    return found


def _discrepancy(name: str, row: Any) -> Discrepancy:
    province_id, school_id, class_id, pupil_id = (str(row[key] or "") for key in ("province_id", "school_id", "class_id", "pupil_id"))
    return Discrepancy(name, State.LOST, "", province_id, school_id, class_id, pupil_id, row["school_year"], row["version"], row["since"])


def _order(one: Discrepancy) -> tuple[str, ...]:
    return one.state, one.name, one.province_id, one.school_id, one.class_id, one.pupil_id, f"{one.version:09}"
