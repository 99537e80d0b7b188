"""Coverage: any order and any repetition of the news gives the same facts, standings and counters."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.reporting.adapters.facts_json import facts_from_json, facts_to_json, signing_from_json, signing_to_json
from services.reporting.domain.classes import SheetSigning, SheetsSealed, SheetsSigned
from services.reporting.domain.counting import Age, Cell, ClassFacts, Counted, Wait, ages_of, cells_of, differences, waits_of
from services.reporting.domain.facts import (
    ROLES,
    Acknowledged,
    Approved,
    Archived,
    Facts,
    Identified,
    Judged,
    News,
    NotSigned,
    Outcome,
    Placed,
    Rejected,
    Revoked,
    Signed,
    Submitted,
    Trouble,
)
from services.reporting.domain.history import due
from services.reporting.domain.quality import FLAWS, flaws_of
from services.reporting.domain.standing import MEASURES, NOWHERE, WHO_ACTS, Standing, Step, standing_of, who_acts

YEAR = 2025
SINCE = datetime(2026, 5, 31, 10, tzinfo=UTC)
CLASSES = {
    "": ClassFacts(0),
    "a": ClassFacts(1, "2025-01", "s1", YEAR, 10, "10A1"),
    "b": ClassFacts(1, "2025-79", "s2", YEAR, 10, "10A2"),
}
VERSIONS = st.integers(1, 4)
CLASS_IDS = st.sampled_from(["a", "b"])
ROLE = st.sampled_from(ROLES)
TROUBLE = st.builds(Trouble, VERSIONS, st.sampled_from(["2026-05-31T10:00:00Z", "2026-06-01T10:00:00Z"]), st.sampled_from(["x", "y"]))
WAITING = st.builds(Outcome, VERSIONS, st.just(False), st.just(0), st.lists(st.sampled_from(list(WHO_ACTS)[:14]), min_size=1, max_size=3).map(tuple))
SEALED = st.builds(Outcome, VERSIONS, st.just(True), VERSIONS, st.just(()))
NEWS: st.SearchStrategy[News] = st.one_of(
    st.builds(Placed, VERSIONS, st.booleans(), CLASS_IDS, st.sampled_from(["s1", "s2"])),
    st.builds(
        Identified,
        VERSIONS,
        st.booleans(),
        st.sampled_from(["unchecked", "matched", "mismatched", "unknown"]),
        st.lists(st.sampled_from(["gender", "birth_date", "of_a_newer_producer"]), unique=True).map(tuple),
    ),
    st.builds(Judged, CLASS_IDS, WAITING | SEALED),
    st.builds(Approved, ROLE, VERSIONS),
    st.builds(Signed, ROLE, VERSIONS),
    st.builds(NotSigned, ROLE, TROUBLE),
    st.builds(Archived, VERSIONS),
    st.builds(Rejected, TROUBLE),
    st.builds(Submitted, VERSIONS),
    st.builds(Acknowledged, VERSIONS),
)


def told(news: list[News]) -> Facts:
    facts = Facts()
    for item in news:
        facts = facts.told(item)
    return facts


def counted(facts: Facts) -> Counted:
    standing = standing_of(facts)
    return Counted(YEAR, standing, SINCE, CLASSES[standing.class_id])


def cells(standing: Standing) -> list[Cell]:
    return cells_of(YEAR, standing, CLASSES[standing.class_id])


@given(st.lists(NEWS, max_size=12), st.randoms(use_true_random=False))
def test_order_and_repetition_change_nothing(news: list[News], random: object) -> None:
    again = news + news[: len(news) // 2]
    random.shuffle(again)  # type: ignore[attr-defined]  # hypothesis' Random.
    assert told(again) == told(news)


@given(st.lists(NEWS, max_size=12), st.randoms(use_true_random=False))
def test_counters_kept_by_differences_equal_a_count_at_the_end(news: list[News], random: object) -> None:
    again = news + news
    random.shuffle(again)  # type: ignore[attr-defined]  # hypothesis' Random.
    counters: Counter[Cell] = Counter()
    waits: Counter[Wait] = Counter()
    states = [Facts()]
    for item in again:
        states.append(states[-1].told(item))
    for before, after in pairwise(states):
        cells_moved, waits_moved = differences([counted(before)], [counted(after)])
        counters.update(cells_moved)
        waits.update(waits_moved)
    at_end = counted(told(news))
    assert {cell: count for cell, count in counters.items() if count} == Counter(cells(at_end.standing))
    assert {wait: count for wait, count in waits.items() if count} == Counter(waits_of(YEAR, at_end.standing, SINCE, at_end.of_class))


@given(st.lists(NEWS, max_size=12))
def test_whoever_is_enrolled_is_archived_or_has_exactly_one_reason(news: list[News]) -> None:
    standing = standing_of(told(news))
    assert (Step.ENROLLED in standing.steps) == (Step.ARCHIVED in standing.steps or bool(standing.reason))
    assert not (Step.ARCHIVED in standing.steps and standing.reason)
    assert not (Step.ARCHIVED in standing.steps and Step.REJECTED in standing.steps)
    if standing.reason:
        assert who_acts(standing.reason)


@given(st.lists(NEWS, max_size=12))
def test_each_counter_is_the_same_in_class_school_province_and_nation(news: list[News]) -> None:
    found = cells(standing_of(told(news)))
    by_scope = {scope: sorted(cell.measure for cell in found if cell.scope == scope) for scope in ("class", "school", "province", "nation")}
    assert len({tuple(measures) for measures in by_scope.values()}) == 1


PLACED = Placed(1, True, "a", "s1")
WITH_NUMBER = Identified(1, True)
JUDGED = Judged("a", Outcome(1, True, 1, ()))
JOURNEY: list[tuple[News, str, Step]] = [
    (PLACED, "not_sealed", Step.ENROLLED),
    (Identified(1, False), "no_personal_number", Step.ENROLLED),
    (Identified(2, True), "not_sealed", Step.IDENTITY_UNCHECKED),
    (Judged("a", Outcome(1, False, 0, ("missing_marks", "missing_conduct"))), "missing_marks", Step.ENROLLED),
    (Judged("a", Outcome(2, False, 0, ("retake_in_summer",))), "retake_in_summer", Step.READY),
    (Judged("a", Outcome(3, True, 1, ())), "awaiting_homeroom_teacher", Step.SEALED),
    (Approved("homeroom_teacher", 1), "signing_under_way", Step.APPROVED_HOMEROOM),
    (NotSigned("homeroom_teacher", Trouble(1, "2026-05-31T10:00:00Z", "certificate_expired")), "signing_failed", Step.NONE),
    (Signed("homeroom_teacher", 1), "awaiting_principal", Step.SIGNED_HOMEROOM),
    (Signed("principal", 1), "awaiting_school_seal", Step.SIGNED_PRINCIPAL),
    (Signed("school_seal", 1), "archiving_under_way", Step.SIGNED_SEAL),
    (Rejected(Trouble(1, "2026-05-31T10:00:00Z", "signer_untrusted")), "rejected", Step.REJECTED),
    (Archived(1), "", Step.ARCHIVED),
    (Identified(3, True, "mismatched"), "", Step.IDENTITY_CONTRADICTORY),
    (Identified(4, True, "matched"), "", Step.IDENTITY_VERIFIED),
    (Submitted(1), "", Step.SUBMITTED),
    (Acknowledged(1), "", Step.ACKNOWLEDGED),
    (Revoked(1), "revoked", Step.SIGNED_SEAL),
    (Judged("a", Outcome(4, True, 2, ())), "awaiting_homeroom_teacher", Step.SEALED),
    (Archived(2), "", Step.ARCHIVED),
]


def test_journey_of_one_pupil_shows_each_reason_in_turn() -> None:
    facts = Facts()
    for news, reason, step in JOURNEY:
        facts = facts.told(news)
        standing = standing_of(facts)
        assert standing.reason == reason, news
        assert step in standing.steps, news


def test_new_version_takes_back_every_signature_of_the_old_one() -> None:
    old: list[News] = [PLACED, JUDGED, *(Signed(role, 1) for role in ROLES), Archived(1)]
    standing = standing_of(told([*old, Judged("a", Outcome(2, True, 2, ()))]))
    assert standing.steps == Step.ENROLLED | Step.READY | Step.SEALED


def test_pupil_who_left_before_sealing_counts_nowhere() -> None:
    assert standing_of(told([PLACED, Placed(2, False, "a", "s1")])) == NOWHERE


def test_pupil_who_moves_counts_in_the_new_class() -> None:
    assert standing_of(told([PLACED, Placed(2, True, "b", "s2")])).class_id == "b"


def test_pupil_who_moves_after_sealing_still_counts_where_the_year_was_sealed() -> None:
    standing = standing_of(told([PLACED, JUDGED, Placed(2, True, "b", "s2")]))
    assert (standing.class_id, Step.SEALED in standing.steps) == ("a", True)


SHEETS = st.frozensets(st.tuples(st.sampled_from(["toan", "van", "anh"]), st.integers(1, 2)), max_size=4)
SHEET_NEWS = st.builds(SheetsSealed, VERSIONS, SHEETS) | st.builds(SheetsSigned, SHEETS)


@given(st.lists(SHEET_NEWS, max_size=10), st.randoms(use_true_random=False))
def test_signing_of_sheets_comes_out_the_same_in_any_order(news: list[SheetsSealed | SheetsSigned], random: object) -> None:
    def all_told(items: list[SheetsSealed | SheetsSigned]) -> SheetSigning:
        signing = SheetSigning()
        for item in items:
            signing = signing.told(item)
        return signing

    again = news + news[: len(news) // 2]
    random.shuffle(again)  # type: ignore[attr-defined]  # hypothesis' Random.
    assert all_told(again) == all_told(news)
    assert signing_from_json(signing_to_json(all_told(news))) == all_told(news)


def test_sheets_are_awaited_before_anybody_else_and_no_more_once_somebody_signed() -> None:
    news: list[News] = [PLACED, JUDGED]
    assert standing_of(told(news), {"a"}).reason == "awaiting_subject_teacher"
    assert standing_of(told(news), {"b"}).reason == "awaiting_homeroom_teacher"
    assert standing_of(told([*news, Approved(ROLES[0], 1)]), {"a"}).reason == "awaiting_subject_teacher", "an early approval waits too"
    assert standing_of(told([*news, Signed(ROLES[0], 1)]), {"a"}).reason == "awaiting_principal"


def test_reason_of_a_newer_producer_is_counted_and_somebody_acts() -> None:
    standing = standing_of(told([PLACED, Judged("a", Outcome(1, False, 0, ("something_new",)))]))
    assert standing.reason == "something_new"
    assert who_acts(standing.reason) == "homeroom_teacher"


@pytest.mark.parametrize("role", ROLES)
def test_failure_of_an_older_version_is_no_longer_a_reason(role: str) -> None:
    news: list[News] = [PLACED, Judged("a", Outcome(2, True, 2, ())), NotSigned(role, Trouble(1, "2026-05-31T10:00:00Z", "x"))]
    assert standing_of(told(news)).reason == "awaiting_homeroom_teacher"


@given(st.lists(NEWS, max_size=12))
def test_facts_come_back_from_their_json(news: list[News]) -> None:
    assert facts_from_json(facts_to_json(told(news))) == told(news)


def test_facts_written_before_identities_were_told_are_read() -> None:
    assert facts_from_json('{"number":[1,false]}').identified == Identified(1, False, "unchecked")


def test_each_flaw_of_a_pupils_data_is_counted_until_it_is_mended() -> None:
    flawed = standing_of(told([PLACED, Identified(1, False, "unchecked", ("birth_place", "ethnicity", "of_a_newer_producer"))]))
    counts = {measure: 1 for measure, step in MEASURES.items() if step in flawed.steps}
    assert [code for code, _, _ in flaws_of(counts)] == ["without_number", "without_birth_place", "without_ethnicity"]
    unchecked = standing_of(told([PLACED, Identified(2, True)]))
    assert unchecked.steps == Step.ENROLLED | Step.IDENTITY_UNCHECKED, "without a number there was nothing to verify"
    assert standing_of(told([PLACED, Identified(3, True, "matched")])).steps == Step.ENROLLED | Step.IDENTITY_VERIFIED


def test_every_flaw_is_counted_by_a_step() -> None:
    assert set(FLAWS) <= set(MEASURES)


def test_age_of_a_reason_is_that_of_its_first_and_of_its_middle_pupil() -> None:
    days = [date(2026, 5, day) for day in (1, 2, 9)]
    waiting = [("a", days[2], 3), ("a", days[0], 1), ("a", days[1], 1), ("b", days[2], 2)]
    assert ages_of(waiting) == {"a": Age(days[0], days[2]), "b": Age(days[2], days[2])}


def test_schools_are_written_down_each_day_and_the_others_each_hour_of_legal_time() -> None:
    noon = datetime(2026, 5, 31, 5, 0, tzinfo=UTC)
    assert due(None, noon) == ("nation", "province", "school")
    assert due(noon, noon + timedelta(minutes=59)) == ()
    assert due(noon, noon + timedelta(hours=1)) == ("nation", "province")
    assert due(noon, datetime(2026, 5, 31, 17, 0, tzinfo=UTC)) == ("nation", "province", "school")
