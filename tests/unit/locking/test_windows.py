"""Which window holds for a class, what may be said about it, and what the lease then is."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.locking.domain.lease import Lease, LeaseState, ended, planned
from services.locking.domain.refusals import Invalid, Refusal, Refused, Superseded
from services.locking.domain.scope import Area, Authority, Place, Scope
from services.locking.domain.terms import Period, Term
from services.locking.domain.window import Effective, Span, Window, changed, closed, effective, opened
from tests.unit.locking.builders import HOUR, NOW, PLACE, an_id

PROVINCE, SCHOOL, CLASS = PLACE.province_id, PLACE.school_id, PLACE.class_id
NATION_WIDE = Scope(Area.NATION)
PROVINCE_WIDE = Scope(Area.PROVINCE, PROVINCE)
SCHOOL_WIDE = Scope(Area.SCHOOL, PROVINCE, SCHOOL)
ONE_CLASS = Scope(Area.CLASS, PROVINCE, SCHOOL, CLASS)


def span(start: float, end: float) -> Span:
    return Span(NOW + timedelta(hours=start), NOW + timedelta(hours=end))


def a_window(scope: Scope, start: float, end: float, frame: Span | None = None, **more: object) -> Window:
    return replace(Window(an_id(scope.key), 1, scope, 2025, Term.TERM_2, span(start, end), frame), **more)  # type: ignore[arg-type]  # Fields by name.


def held(*windows: Window, place: Place = PLACE) -> Span | None:
    word = effective(place, Term.TERM_2, windows)
    return word.span if word else None


def test_nobody_speaks_so_the_class_is_closed() -> None:
    assert effective(PLACE, Term.TERM_2, []) is None
    elsewhere = a_window(Scope(Area.PROVINCE, "2025-01"), 0, 9)
    other_term = a_window(PROVINCE_WIDE, 0, 9, term=Term.TERM_1)
    other_year = a_window(PROVINCE_WIDE, 0, 9, school_year=2024)
    withdrawn = a_window(PROVINCE_WIDE, 0, 9, withdrawn=True)
    assert effective(PLACE, Term.TERM_2, [elsewhere, other_term, other_year, withdrawn]) is None


def test_school_narrows_what_its_province_said() -> None:
    assert held(a_window(PROVINCE_WIDE, 0, 9), a_window(SCHOOL_WIDE, 2, 5)) == span(2, 5)


def test_school_is_cut_to_the_frame_of_its_province() -> None:
    assert held(a_window(PROVINCE_WIDE, 0, 9), a_window(SCHOOL_WIDE, 2, 20)) == span(2, 9)


def test_school_differs_within_the_room_that_the_province_gave() -> None:
    province = a_window(PROVINCE_WIDE, 0, 9, frame=span(-5, 30))
    assert held(province) == span(0, 9)
    assert held(province, a_window(SCHOOL_WIDE, 9, 30)) == span(9, 30)


def test_a_class_may_leave_the_schools_own_window_but_not_the_provinces_frame() -> None:
    windows = a_window(PROVINCE_WIDE, 0, 9), a_window(SCHOOL_WIDE, 0, 5), a_window(ONE_CLASS, 5, 12)
    assert held(*windows) == span(5, 9)


def test_every_higher_authority_gives_a_frame() -> None:
    windows = (
        a_window(NATION_WIDE, 3, 9),
        a_window(PROVINCE_WIDE, 0, 9, frame=span(0, 20)),
        a_window(SCHOOL_WIDE, 1, 12),
    )
    assert held(*windows) == span(3, 9)


def test_a_grade_goes_before_the_whole_area() -> None:
    leaving = a_window(Scope(Area.PROVINCE, PROVINCE, grade=9), 0, 3)
    everyone = a_window(PROVINCE_WIDE, 0, 9)
    assert held(leaving, everyone) == span(0, 9)
    assert held(leaving, everyone, place=replace(PLACE, grade=9)) == span(0, 3)


def test_nothing_left_inside_the_frames_means_closed() -> None:
    word = effective(PLACE, Term.TERM_2, [a_window(NATION_WIDE, 0, 2), a_window(SCHOOL_WIDE, 3, 5)])
    assert word is not None
    assert word.span is None


def test_the_year_is_sealed_when_any_authority_says_so() -> None:
    word = effective(PLACE, Term.TERM_2, [a_window(PROVINCE_WIDE, 0, 9, seals_year=True), a_window(SCHOOL_WIDE, 0, 5)])
    assert word is not None
    assert word.seals_year


def test_opening_twice_outside_the_frame_or_in_the_past_is_refused() -> None:
    province, school = a_window(PROVINCE_WIDE, 0, 9), a_window(SCHOOL_WIDE, 0, 9)
    assert opened(school, [province], NOW) == school
    for window, others, refusal in (
        (school, [school], Refusal.WINDOW_EXISTS),
        (a_window(SCHOOL_WIDE, 0, 10), [province], Refusal.OUTSIDE_FRAME),
        (a_window(SCHOOL_WIDE, -3, -1), [], Refusal.CLOSING_IN_THE_PAST),
    ):
        with pytest.raises(Refused) as refused:
            opened(window, others, NOW)
        assert refused.value.refusal == refusal
    assert opened(school, [replace(school, withdrawn=True)], NOW) == school


def test_change_makes_the_next_version_and_never_reopens() -> None:
    window = a_window(SCHOOL_WIDE, 0, 9)
    later = changed(window, (span(0, 12), None), True, [window], NOW)
    assert (later.version, later.span, later.seals_year) == (2, span(0, 12), True)
    with pytest.raises(Superseded):
        changed(window, (span(0, 12), None), False, [], NOW, expected_version=7)
    with pytest.raises(Refused) as refused:
        changed(window, (span(0, 12), None), False, [], NOW + 9 * HOUR)
    assert refused.value.refusal == Refusal.WINDOW_IS_CLOSED


def test_closing_ends_it_now_and_withdraws_what_never_opened() -> None:
    assert closed(a_window(SCHOOL_WIDE, -1, 9), NOW).span == span(-1, 0)
    withdrawn = closed(a_window(SCHOOL_WIDE, 1, 9), NOW)
    assert withdrawn.withdrawn
    with pytest.raises(Refused):
        closed(withdrawn, NOW)


def test_scopes_must_name_their_coordinates() -> None:
    for make in (
        lambda: Scope(Area.NATION, PROVINCE),
        lambda: Scope(Area.SCHOOL, None, SCHOOL),
        lambda: Scope(Area.PROVINCE, PROVINCE, grade=13),
        lambda: Scope(Area.CLASS, PROVINCE, SCHOOL, CLASS, grade=7),
        lambda: Span(NOW, NOW),
        lambda: Span(NOW.replace(tzinfo=None), NOW),
        lambda: a_window(PROVINCE_WIDE, 0, 9, frame=span(1, 20)),
    ):
        with pytest.raises(Invalid):
            make()


def word(start: float, end: float, seals_year: bool = False) -> Effective:
    return Effective(span(start, end), UUID(int=1), seals_year)


def plan(current: Lease | None, told: Effective | None, now: datetime = NOW) -> Lease | None:
    return planned(current, CLASS, Term.TERM_2, told, now)


def test_lease_follows_the_windows_until_its_closing_has_passed() -> None:
    lease = plan(None, word(-1, 5))
    assert lease is not None
    assert (lease.version, lease.span) == (1, span(-1, 5))
    longer = plan(lease, word(-1, 8, seals_year=True))
    assert longer is not None
    assert (longer.version, longer.span, longer.period) == (2, span(-1, 8), Period.YEAR)
    assert plan(longer, word(-1, 8, seals_year=True)) == longer
    for told in (word(-1, 100), None):
        assert plan(longer, told, NOW + 8 * HOUR) == longer
        assert plan(replace(lease, state=LeaseState.CLOSED), told) == replace(lease, state=LeaseState.CLOSED)


def test_an_open_lease_that_loses_its_time_ends_now_and_one_that_never_opened_is_emptied() -> None:
    lease = plan(None, word(-1, 5))
    for told in (None, Effective(None, UUID(int=1), False), word(-9, -2)):
        cut = plan(lease, told)
        assert cut is not None
        assert (cut.version, cut.span) == (2, span(-1, 0))
    future = plan(None, word(1, 5))
    emptied = plan(future, None)
    assert emptied is not None
    assert (emptied.version, emptied.span) == (2, None)
    assert plan(None, None) is None


def test_ending_a_lease_tells_grading_only_when_it_did_not_end_by_itself() -> None:
    lease = Lease(CLASS, Term.TERM_2, 3, span(-1, 5))
    assert (ended(lease, NOW).version, ended(lease, NOW).span) == (4, span(-1, 0))
    assert (ended(lease, NOW + 5 * HOUR).version, ended(lease, NOW + 5 * HOUR).span) == (3, span(-1, 5))
    assert ended(lease, NOW - 2 * HOUR).span is None
    assert ended(lease, NOW).state == LeaseState.CLOSED


hours = st.integers(-50, 50)
spans = st.tuples(hours, hours).filter(lambda pair: pair[0] < pair[1]).map(lambda pair: span(*pair))
scopes = st.sampled_from(
    [
        NATION_WIDE,
        Scope(Area.NATION, grade=7),
        PROVINCE_WIDE,
        Scope(Area.PROVINCE, PROVINCE, grade=7),
        SCHOOL_WIDE,
        Scope(Area.SCHOOL, PROVINCE, SCHOOL, grade=7),
        ONE_CLASS,
    ]
)
some_windows = st.lists(
    st.builds(lambda scope, when: a_window(scope, 0, 1, span=when), scopes, spans),
    max_size=7,
    unique_by=lambda w: w.scope,
)


@settings(max_examples=300, deadline=None)
@given(windows=some_windows, data=st.data())
def test_order_of_windows_does_not_matter_and_no_frame_is_left(windows: list[Window], data: st.DataObject) -> None:
    told = effective(PLACE, Term.TERM_2, windows)
    assert told == effective(PLACE, Term.TERM_2, data.draw(st.permutations(windows)))
    if told is None or told.span is None:
        return
    for authority in Authority:
        of_it = [window for window in windows if window.scope.authority == authority]
        if of_it:
            assert told.span.within(max(of_it, key=lambda window: window.scope.specificity).bound)
