"""The rule sets with this deployment's switches."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from services.chassis.errors import Malformed
from services.grading.application.ports import Rules
from services.grading.domain.errors import RuleError
from services.grading.domain.rulesets import REGISTRY, RuleSet, rule_set_for, with_switches


def rules_with(switches_file: Path | None) -> Rules:
    """(grade, school year) -> rule set; a wrong switches file raises Malformed now rather than at the first seal."""
    if switches_file is None:
        return rule_set_for
    try:
        overrides = json.loads(switches_file.read_text(encoding="utf-8"))
        if not isinstance(overrides, dict):
            raise TypeError('not a JSON object; write switches as {"absences_max": 45}')
        for rules in REGISTRY:
            with_switches(rules, overrides)
    except (OSError, ValueError, TypeError, RuleError) as error:
        raise Malformed(f"{switches_file}: {error}", code="switches") from error

    @cache
    def switched(grade: int, school_year: int) -> RuleSet:
        return with_switches(rule_set_for(grade, school_year), overrides)

    return switched
