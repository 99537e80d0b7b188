"""The stand-in of the population database answers by seed, in any order."""

import pytest

from services.population.people import ENDINGS, FIELDS, Answer, People, Shares


def test_the_same_seed_gives_the_same_answers_in_any_order() -> None:
    numbers = [f"0792150{n:05d}" for n in range(500)]
    assert [People(7).answer(n) for n in numbers] == [People(7).answer(n) for n in reversed(numbers)][::-1]
    assert [People(7).answer(n) for n in numbers] != [People(8).answer(n) for n in numbers]


def test_endings_force_an_answer() -> None:
    for ending, answer in ENDINGS.items():
        assert People().answer("07921512" + ending)[0] is answer


def test_only_a_mismatch_names_fields_and_always_some() -> None:
    people = People(1, Shares(mismatch=500, not_found=100, slow=100, unavailable=100))
    seen = set()
    for n in range(2_000):
        answer, fields = people.answer(f"0792150{n:05d}")
        seen.add(answer)
        assert bool(fields) is (answer is Answer.MISMATCH)
        assert set(fields) <= set(FIELDS)
    assert seen == set(Answer)


def test_shares_that_exceed_the_whole_are_refused() -> None:
    with pytest.raises(ValueError, match="1000"):
        Shares(mismatch=900, not_found=200)
