"""What the bench of admission makes of its rounds: all processor time counts, and the middle round."""

from types import SimpleNamespace
from typing import Any

from services.bench.admission import Round, _below_us, summed


def test_the_rate_of_a_core_counts_everybodys_processor_time(monkeypatch: Any) -> None:
    classes: Any = SimpleNamespace(documents=[None] * 1000, batches=[None] * 25)
    rounds = [Round(clock=4.0, archive=0.75, others=0.25, checks=0.25), Round(4.0, 1.5, 0.5, 0.5), Round(2.0, 0.5, 0.0, 0.25)]
    found = summed(classes, rounds)
    assert (found.transcripts, found.classes, found.final_per_second, found.per_core_second) == (1000, 25, 250.0, 1000.0)
    assert (found.archive_us, found.database_and_witnesses_us, found.bare_checks_per_core_second) == (750.0, 250.0, 4000.0)
    assert (found.ratio, found.ratios) == (0.25, [0.25, 0.25, 0.5])


def test_processes_below_this_one_are_found_through_those_between(monkeypatch: Any) -> None:
    monkeypatch.setattr("services.bench.admission.os.getpid", lambda: 10)
    parents = {1: 0, 10: 1, 11: 10, 12: 11, 20: 1}
    assert [pid for pid in parents if _below_us(pid, parents)] == [11, 12]
