"""Who can sign: any order of the news gives the same facts; what is counted follows from them and the time, and says when it turns."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.reporting.adapters.tally_json import counts_from_json, counts_to_json, signer_from_json, signer_to_json
from services.reporting.domain.readiness import Certified, Employed, Office, Signer, readiness
from services.reporting.domain.tallying import Cell, Count, Tallied, differences

RULES = readiness(timedelta(days=30))
NOW = datetime(2026, 5, 20, 3, tzinfo=UTC)
DAYS = st.sampled_from(["", "2026-05-19", "2026-05-20", "2026-05-21", "2026-06-30"])
OFFICES = st.builds(Office, st.sampled_from(["subject_teacher", "principal", "vice_principal", "registrar"]), DAYS, DAYS)
UNTIL = st.sampled_from(["2026-05-20T03:00:00+00:00", "2026-06-01T00:00:00+00:00", "2028-01-01T00:00:00+00:00"])
NEWS = st.one_of(
    st.builds(Employed, st.integers(1, 3), st.sampled_from(["s1", "s2"]), st.lists(OFFICES, max_size=3).map(lambda held: tuple(sorted(held)))),
    st.builds(
        Certified,
        st.integers(1, 2),
        st.sampled_from(["aa", "bb"]),
        st.sampled_from(["subject_teacher", "principal"]),
        st.sampled_from(["2026-01-01T00:00:00+00:00", "2026-02-01T00:00:00+00:00"]),
        UNTIL,
    ),
)


def signer(*news: Employed | Certified) -> Signer:
    facts = RULES.nothing
    for item in news:
        facts = RULES.told(facts, item)
    return facts


def states(facts: Signer, at: datetime = NOW) -> dict[str, str]:
    return {count.kind: count.measure for count in RULES.counts(facts, at)[0]}


def certified(until: datetime, version: int = 1, certificate: str = "aa", role: str = "subject_teacher", registered: str = "2026-01-01") -> Certified:
    return Certified(version, certificate, role, f"{registered}T00:00:00+00:00", until.isoformat())


TEACHER = Employed(1, "s1", (Office("subject_teacher", "2020-09-01"),))


@given(st.lists(NEWS, max_size=8), st.randoms(use_true_random=False))
def test_order_and_repetition_change_nothing(news: list[Employed | Certified], chance: object) -> None:
    shuffled = [*news, *news]
    chance.shuffle(shuffled)  # type: ignore[attr-defined]  # A random.Random.
    facts = signer(*news)
    assert signer(*shuffled) == facts
    assert signer_from_json(signer_to_json(facts)) == facts
    counts, turns_at = RULES.counts(facts, NOW)
    assert counts_from_json(counts_to_json(counts)) == counts
    assert turns_at is None or turns_at > NOW


@given(st.lists(NEWS, max_size=6))
def test_nothing_changes_before_its_turn(news: list[Employed | Certified]) -> None:
    facts = signer(*news)
    counts, turns_at = RULES.counts(facts, NOW)
    just_before = (turns_at or NOW + timedelta(days=4000)) - timedelta(microseconds=1)
    assert RULES.counts(facts, just_before) == (counts, turns_at)


def test_a_certificate_is_valid_then_expiring_then_expired() -> None:
    until = NOW + timedelta(days=40)
    facts = signer(TEACHER, certified(until))
    assert RULES.counts(facts, NOW)[1] == until - timedelta(days=30)
    assert states(facts) == {"subject_teacher": "valid", "staff": "valid"}
    assert states(facts, until - timedelta(days=30)) == {"subject_teacher": "expiring", "staff": "expiring"}
    assert states(facts, until) == {"subject_teacher": "expired", "staff": "expired"}
    assert states(signer(TEACHER)) == {"subject_teacher": "none", "staff": "none"}


def test_the_newest_certificate_that_is_not_revoked_is_the_one_that_counts() -> None:
    long, short = certified(NOW + timedelta(days=900)), certified(NOW + timedelta(days=9), certificate="bb", registered="2026-03-01")
    assert states(signer(TEACHER, long, short))["subject_teacher"] == "expiring"
    revoked = certified(NOW + timedelta(days=9), 2, "bb", registered="2026-03-01")
    assert states(signer(TEACHER, long, short, revoked))["subject_teacher"] == "valid"
    assert states(signer(TEACHER, revoked))["subject_teacher"] == "revoked"


def test_each_member_counts_once_with_the_best_office_and_a_seal_is_nobody() -> None:
    both = Employed(1, "s1", (Office("principal", "2020-09-01"), Office("registrar"), Office("subject_teacher", "2020-09-01")))
    facts = signer(both, certified(NOW + timedelta(days=900)))
    assert states(facts) == {"principal": "none", "subject_teacher": "valid", "staff": "valid"}
    assert states(signer(Employed(1, "s1", (Office("school_seal"),)))) == {"school_seal": "none"}
    assert states(signer(Employed(1, "s1", (Office("clerk"),)))) == {}
    deputy = Employed(1, "s1", (Office("vice_principal"),))
    assert states(signer(deputy, certified(NOW + timedelta(days=900), role="principal")))["vice_principal"] == "valid"


def test_an_office_runs_through_both_its_days_in_viet_nam() -> None:
    facts = signer(Employed(1, "s1", (Office("principal", "2026-05-21", "2026-05-31"),)))
    begins, ends = datetime(2026, 5, 20, 17, tzinfo=UTC), datetime(2026, 5, 31, 17, tzinfo=UTC)
    assert RULES.counts(facts, NOW) == ({}, begins)
    assert states(facts, begins) == {"principal": "none", "staff": "none"}
    assert RULES.counts(facts, begins)[1] == ends
    assert RULES.counts(facts, ends) == ({}, None)


def test_counters_move_by_what_changed() -> None:
    count, other = Count("", "principal", "none"), Count("", "principal", "valid")
    before, after = Tallied("s1", "p1", {count: 1}), Tallied("s1", "p2", {other: 1})
    assert differences([before], [before]) == {}
    assert differences([before], [after]) == {
        Cell("school", "s1", *count): -1,
        Cell("province", "p1", *count): -1,
        Cell("nation", "", *count): -1,
        Cell("school", "s1", *other): 1,
        Cell("province", "p2", *other): 1,
        Cell("nation", "", *other): 1,
    }
