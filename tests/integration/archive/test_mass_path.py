"""Documents as the mass path makes them, of all forms and both kinds of keys: the archive's fast check and its full one agree."""

from pathlib import Path

import pytest

from services.archive import app
from services.archive.application.check_document import Announced
from services.archive.domain.document import TRANSCRIPT
from services.archive.domain.examine import examine
from services.archive.domain.known_shapes import KnownShapes
from services.bench import verify
from services.bench.verify import FinishedClasses
from tests.unit.archive.test_known_shapes import SEED, mutated

LEAST_OF_BARE = 1.2
"""Half of what is aimed at (1,500 a second where three bare operations cost 1,500 us): a check that has become another one is caught, a noisy machine isn't."""


@pytest.fixture(scope="module", params=["rsa-2048", "p-256"])
def finished(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> FinishedClasses:
    return FinishedClasses(tmp_path_factory.mktemp("keys"), request.param)


def test_documents_of_all_forms_are_accepted_by_few_shapes(finished: FinishedClasses) -> None:
    check = app.document_check(finished.anchors)
    assert finished.checked(check) == len(finished.documents)
    assert check.shapes is not None
    known = [check.shapes.examine(data) for data, _ in finished.documents]
    assert None not in known
    for data, found in list(zip((data for data, _ in finished.documents), known, strict=True))[::24]:
        assert found == examine(data, TRANSCRIPT)


def test_what_the_fast_way_says_of_changed_documents_the_full_one_says_too(finished: FinishedClasses) -> None:
    shapes = KnownShapes(TRANSCRIPT)
    said = 0
    for place, (data, _) in enumerate(finished.documents[::80]):
        shapes.learn(examine(data, TRANSCRIPT))
        assert shapes.examine(data) is not None
        for changed in mutated(data, 500, SEED + place):
            found = shapes.examine(changed)
            if found is not None:
                said += 1
                assert found == examine(changed, TRANSCRIPT)
    assert said > 20


def test_changed_document_never_passes_by_the_fast_way(finished: FinishedClasses) -> None:
    """What no signature covers is its own value, where the case of a letter means nothing: the announced digest refuses that."""
    check = app.document_check(finished.anchors)
    data, announced = finished.documents[0]
    assert check(data, announced).accepted
    batch = [(changed, Announced(content_digest=announced.content_digest)) for changed in mutated(data, 1500, SEED + 9) if changed != data]
    assert [verdict for verdict, (changed, _) in zip(check.batch(batch), batch, strict=True) if verdict.accepted and changed.upper() != data.upper()] == []


def test_bench_prints_what_the_goal_asks(tmp_path: Path) -> None:
    lines = {line.what: line for line in verify.measure(1)}
    assert lines["the archive's check, RSA-2048"].of_bare > LEAST_OF_BARE
    assert lines["the archive's check, RSA-2048"].of_pyhanko > lines["each examined in full, RSA-2048"].of_pyhanko > 1
