"""Which version may follow which."""

from hypothesis import given
from hypothesis import strategies as st

from services.archive.domain.admission import Admit, Already, Held, decide
from services.archive.domain.findings import Finding, Reason
from services.archive.domain.transcript import TranscriptRef

PUPIL, YEAR = "pupil", 2025


def ref(version: int, pupil: str = PUPIL) -> TranscriptRef:
    return TranscriptRef("transcript", pupil, version, b"c" * 32, f"public-{version}")


def held(*versions: int) -> Held:
    return Held(PUPIL, YEAR, {version: bytes([version]) * 32 for version in versions})


def test_first_version_supersedes_nothing() -> None:
    assert decide(ref(1), YEAR, b"x", None) == Admit(0, ())


def test_first_admitted_version_may_be_a_later_one_and_the_gap_is_void() -> None:
    assert decide(ref(3), YEAR, b"x", None) == Admit(0, (1, 2))


def test_next_version_supersedes_the_last_admitted_one() -> None:
    assert decide(ref(5), YEAR, b"x", held(1, 3)) == Admit(3, (4,))


def test_repeat_is_known() -> None:
    assert decide(ref(3), YEAR, bytes([3]) * 32, held(1, 3)) == Already()


def test_same_version_with_other_bytes_is_refused() -> None:
    decision = decide(ref(3), YEAR, b"other", held(1, 3))
    assert isinstance(decision, Finding)
    assert decision.reason is Reason.VERSION_CONTRADICTS


def test_lower_version_is_refused_even_when_it_was_skipped() -> None:
    decision = decide(ref(2), YEAR, b"x", held(1, 3))
    assert isinstance(decision, Finding)
    assert decision.reason is Reason.VERSION_NOT_ABOVE


def test_transcript_of_another_pupil_or_year_is_refused() -> None:
    for decision in (decide(ref(4, "other"), YEAR, b"x", held(1)), decide(ref(4), YEAR + 1, b"x", held(1))):
        assert isinstance(decision, Finding)
        assert decision.reason is Reason.IDENTITY_CONTRADICTS


@given(st.lists(st.integers(1, 9), max_size=12))
def test_admitted_versions_only_rise_and_every_version_below_the_last_is_admitted_or_void(announced: list[int]) -> None:
    admitted: list[int] = []
    void: set[int] = set()
    for version in announced:
        decision = decide(ref(version), YEAR, bytes([version]) * 32, held(*admitted) if admitted else None)
        if isinstance(decision, Admit):
            assert decision.supersedes == (admitted[-1] if admitted else 0)
            admitted.append(version)
            void |= set(decision.skipped)
    assert admitted == sorted(set(admitted))
    assert set(admitted) | void == set(range(1, max(announced, default=0) + 1))
    assert not set(admitted) & void
