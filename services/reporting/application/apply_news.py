"""Take in news: facts, standings and counters change in one transaction, or not at all."""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime

from services.chassis.errors import Conflict
from services.reporting.application.ports import ClassNews, Key, PupilNews, PupilRow, ReadModel, ReadModelWork
from services.reporting.domain.counting import ClassFacts, Counted, differences
from services.reporting.domain.standing import standing_of


@dataclass(frozen=True, slots=True)
class ApplyNews:
    """Applies a batch. Repeats and outdated news change nothing; the order of batches doesn't matter."""

    model: ReadModel

    async def __call__(self, pupils: Sequence[PupilNews], classes: Sequence[ClassNews]) -> int:
        """How many pupils' rows changed.

        1. lock the named classes, 2. take in what is new about them, 3. join news that waited for a class's school year,
        4. lock the classes in which the pupils count and then the pupils, 5. take in their news, 6. move the counters.
        """
        async with self.model.transaction() as work:
            named = {news.class_id for news in pupils} | {news.class_id for news in classes}
            before = await work.classes(named - {""})
            after = _with_class_news(before, classes)
            changed = {class_id: facts for class_id, facts in after.items() if facts != before[class_id]}
            await work.save_classes(changed | {class_id: facts for class_id, facts in after.items() if facts.signing != before[class_id].signing})
            turned = _turned(before, after, classes)
            ready, waiting = _dated(pupils, after)
            await work.keep_waiting(waiting)
            # Whatever waited for a class of this batch is joined: its year may have become known just now or long ago.
            ready += _dated(await work.take_waiting([id_ for id_ in after if after[id_].school_year]), after)[0]
            keys = {Key(item.pupil_id, item.school_year) for item in ready} | await work.members(changed | turned)
            homes = await work.classes(await work.homes(keys) - set(after))
            return await _take_in(work, keys, ready, homes | before, homes | after, changed, turned)


async def _take_in(
    work: ReadModelWork,
    keys: set[Key],
    news: Sequence[PupilNews],
    before: Mapping[str, ClassFacts],
    after: Mapping[str, ClassFacts],
    changed: Mapping[str, ClassFacts],
    turned: Mapping[str, datetime],
) -> int:
    rows = await work.pupils(keys)
    new_rows = _with_news(rows, news, {class_id for class_id, facts in after.items() if facts.signing.lacking}, turned)
    known = {*after, ""}
    old: list[Counted] = []
    new: list[Counted] = []
    for key, row in rows.items():
        new_row = new_rows.get(key, row)
        if not {row.standing.class_id, new_row.standing.class_id} <= known:
            raise Conflict("a pupil was moved by another process meanwhile; look again", code="moved_meanwhile")
        old.append(Counted(key.school_year, row.standing, row.since, _class_of(before, row.standing.class_id)))
        new.append(Counted(key.school_year, new_row.standing, new_row.since, _class_of(after, new_row.standing.class_id)))
    await work.save_pupils({key: new_rows.get(key, rows[key]) for key in _to_write(rows, new_rows, changed)}, after)
    await work.add(*differences(old, new))
    return len(new_rows)


def _class_of(classes: Mapping[str, ClassFacts], class_id: str) -> ClassFacts:
    return classes[class_id] if class_id else ClassFacts(0)


def _to_write(rows: Mapping[Key, PupilRow], new_rows: Mapping[Key, PupilRow], changed: Mapping[str, ClassFacts]) -> set[Key]:
    """Rows with news, and rows of changed classes, whose school and province stand in the row for row-level security."""
    return set(new_rows) | {key for key, row in rows.items() if row.standing.class_id in changed}


def _with_class_news(before: Mapping[str, ClassFacts], news: Iterable[ClassNews]) -> dict[str, ClassFacts]:
    after = dict(before)
    for item in news:
        known = after[item.class_id]
        signing = known.signing.told(item.sheets) if item.sheets is not None else known.signing
        after[item.class_id] = replace(max(known, item.facts), signing=signing)
    return after


def _turned(before: Mapping[str, ClassFacts], after: Mapping[str, ClassFacts], news: Iterable[ClassNews]) -> dict[str, datetime]:
    """The classes whose sheets have begun or ceased to lack a signature, and when."""
    told = {item.class_id: item.at for item in news if item.at is not None}
    return {
        class_id: told[class_id]
        for class_id, facts in after.items()
        if class_id in told and bool(facts.signing.lacking) != bool(before[class_id].signing.lacking)
    }


def _dated(news: Iterable[PupilNews], classes: Mapping[str, ClassFacts]) -> tuple[list[PupilNews], list[PupilNews]]:
    """(news whose school year is known, by the event itself or by the class; news that must wait for it)."""
    ready: list[PupilNews] = []
    waiting: list[PupilNews] = []
    for item in news:
        year = item.school_year or classes[item.class_id].school_year
        if year:
            ready.append(item if item.school_year else replace(item, school_year=year))
        else:
            waiting.append(item)
    return ready, waiting


def _with_news(rows: Mapping[Key, PupilRow], news: Iterable[PupilNews], lacking: Set[str], turned: Mapping[str, datetime]) -> dict[Key, PupilRow]:
    """The rows that change: by news of their own, or because the sheets of their class turned."""
    changed: dict[Key, PupilRow] = {}
    for item in news:
        key = Key(item.pupil_id, item.school_year)
        row = changed.get(key, rows[key])
        facts = row.facts.told(item.news)
        if facts is row.facts:
            continue
        standing = standing_of(facts, lacking)
        since = row.since if standing.reason == row.standing.reason else _reason_begins(item.at)
        changed[key] = PupilRow(facts, standing, since)
    for key, row in rows.items() if turned else ():
        current = changed.get(key, row)
        standing = standing_of(current.facts, lacking)
        if standing != current.standing and standing.class_id in turned:
            changed[key] = PupilRow(current.facts, standing, turned[standing.class_id])
    return changed


def _reason_begins(at: datetime) -> datetime:
    # The producer's time, not ours: a replay years later must not make old reasons young.
    return at
