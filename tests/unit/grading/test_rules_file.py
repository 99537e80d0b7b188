"""A deployment's switches come from a file, and a wrong one is refused at start."""

from pathlib import Path

import pytest

from services.chassis.errors import Malformed
from services.grading.adapters.rules import rules_with
from services.grading.domain.rulesets import rule_set_for


def test_switches_of_a_file_apply_to_every_rule_set(tmp_path: Path) -> None:
    file = tmp_path / "switches.json"
    file.write_text('{"absences_max": 60, "completion_decision_grades": [9]}')
    rules = rules_with(file)
    assert {rules(grade, 2025).switches.absences_max for grade in range(1, 13)} == {60}
    assert rules(5, 2025).switches.completion_decision_grades == (9,)
    assert rules(8, 2025) is rules(8, 2025)
    assert rules_with(None)(8, 2025) is rule_set_for(8, 2025)


@pytest.mark.parametrize("text", ['{"absence_max": 60}', "{", "[]", '{"adjustment_reading": "drop"}'])
def test_a_wrong_file_is_refused_by_name(tmp_path: Path, text: str) -> None:
    file = tmp_path / "switches.json"
    file.write_text(text)
    with pytest.raises(Malformed, match=r"switches\.json"):
        rules_with(file)
