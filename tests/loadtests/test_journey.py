"""The observer's arithmetic: repeats, disorder, waiting pupils, versions, and what must never happen."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hocba.archive.v1 import events_pb2 as archive
from hocba.common.v1.common_pb2 import TranscriptRef
from hocba.grading.v1 import events_pb2 as grading
from loadtests.journey import Journey, curve_of, reasons

START = datetime(2026, 5, 31, 14, 0, tzinfo=UTC)


def sealed(*outcomes: grading.PupilOutcome, at: float = 0.0) -> grading.ClassSealed:
    event = grading.ClassSealed(class_id="c", outcomes=outcomes)
    event.sealed_at.FromDatetime(START + timedelta(seconds=at))
    return event


def ready(name: str, version: int = 1, changed: bool = True) -> grading.PupilOutcome:
    return grading.PupilOutcome(
        transcript=TranscriptRef(transcript_id=name, pupil_id=f"pupil-{name}", version=version, public_id=f"public-{name}"),
        sealed=True,
        changed=changed,
    )


def waits(name: str, *codes: str) -> grading.PupilOutcome:
    return grading.PupilOutcome(transcript=TranscriptRef(transcript_id=name, pupil_id=f"pupil-{name}"), waiting_reasons=codes)


def archived(*names: str, version: int = 1, at: float = 0.0, index: int = 0) -> archive.TranscriptsArchived:
    event = archive.TranscriptsArchived(
        class_id="c",
        transcripts=[
            archive.ArchivedTranscript(transcript=TranscriptRef(transcript_id=name, version=version), register_index=index + place)
            for place, name in enumerate(names)
        ],
    )
    event.archived_at.FromDatetime(START + timedelta(seconds=at))
    return event


def test_seconds_run_from_the_seal_to_the_archive() -> None:
    journey = Journey()
    journey.on_class_sealed(sealed(ready("a"), ready("b"), at=10))
    journey.on_transcripts_archived(archived("a", at=12.5))
    assert journey.seconds() == [2.5]
    assert journey.under_way() == 1
    assert journey.measures()["transcripts.sealed_ready"] == 2
    assert journey.measures()["transcripts.archived"] == 1


@settings(deadline=None)
@given(st.permutations(range(4)), st.integers(1, 3))
def test_order_and_repeats_change_nothing(order: list[int], repeats: int) -> None:
    journey = Journey()
    steps = [
        lambda: journey.on_class_sealed(sealed(ready("a"), at=0)),
        lambda: journey.on_class_sealed(sealed(ready("b"), waits("w", "missing_marks"), at=1)),
        lambda: journey.on_transcripts_archived(archived("a", at=4, index=0)),
        lambda: journey.on_transcripts_archived(archived("b", at=6, index=1)),
    ]
    for _ in range(repeats):
        for place in order:
            steps[place]()
    assert sorted(journey.seconds()) == [4.0, 5.0]
    assert journey.under_way() == 0
    assert journey.measures()["transcripts.archived_twice"] == 0
    assert reasons(journey.waiting.values()) == {"missing_marks": 1}


def test_unchanged_pupil_of_a_resealed_class_is_not_expected_again() -> None:
    journey = Journey()
    journey.on_class_sealed(sealed(ready("a", 1), ready("b", 1), at=0))
    journey.on_class_sealed(sealed(ready("a", 2), ready("b", 1, changed=False), at=50))
    journey.on_transcripts_archived(archived("a", "b", version=1, at=5))
    journey.on_transcripts_archived(archived("a", version=2, at=60, index=2))
    assert sorted(journey.seconds()) == [5.0, 5.0, 10.0]
    assert journey.under_way() == 0


def test_second_place_in_the_register_is_reported() -> None:
    journey = Journey()
    journey.on_class_sealed(sealed(ready("a")))
    journey.on_transcripts_archived(archived("a", index=0))
    journey.on_transcripts_archived(archived("a", index=9))
    assert journey.measures()["transcripts.archived_twice"] == 1


def test_archived_but_never_sealed_is_reported() -> None:
    journey = Journey()
    journey.on_transcripts_archived(archived("ghost"))
    assert journey.measures()["transcripts.archived_unsealed"] == 1
    assert journey.measures()["transcripts.archived"] == 0


def test_refused_transcript_is_no_longer_under_way() -> None:
    journey = Journey()
    journey.on_class_sealed(sealed(ready("a")))
    entry = archive.RejectedTranscript(transcript=TranscriptRef(transcript_id="a", version=1), reason="digest_differs")
    journey.on_transcripts_rejected(archive.TranscriptsRejected(class_id="c", transcripts=[entry]))
    assert journey.under_way() == 0
    assert journey.measures()["transcripts.rejected"] == 1


def test_pupil_who_waited_and_became_ready_waits_no_more() -> None:
    journey = Journey()
    journey.on_class_sealed(sealed(waits("a", "no_personal_number")))
    journey.on_class_sealed(sealed(ready("a"), at=9))
    assert journey.measures()["transcripts.waiting"] == 0


def test_percentiles_of_an_empty_journey_are_not_numbers() -> None:
    assert math.isnan(Journey().measures()["seal_to_archive.p95_s"])
    assert curve_of([]) == []


def test_drawn_curve_rises_to_all_of_them() -> None:
    points = curve_of([3.0, 1.0, 2.0])
    assert points[-1] == (3.0, 1.0)
    assert [y for _, y in points] == sorted(y for _, y in points)
    assert points[32][0] == pytest.approx(1.0)
