"""Reads the signing policies of provinces from a TOML file.

[[policy]]
signature_level = "B-LTA"       # a rule sets one thing or several
roles = ["homeroom_teacher", "principal", "school_seal"]
sheets_required = true
deputies = ["principal", "subject_teacher"]
provinces = ["2025-79"]         # absent: all
school_levels = ["primary"]     # absent: all
valid_from = 2026-05-01         # absent: always
valid_until = 2027-04-30        # absent: for good
record_xml = true               # absent: records are attached as JSON alone
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

from services.chassis.errors import Malformed
from services.signing.domain.policy import SETTINGS, Policies, PolicyRule, SignatureLevel
from services.signing.domain.record import Level
from services.signing.domain.roles import SignatureRole

_KEYS = {*SETTINGS, "provinces", "school_levels", "valid_from", "valid_until"}
_SCHOOL_LEVELS = {level.value.lower() for level in Level}
T = TypeVar("T")


def policies_from(file: Path | None) -> Policies:
    """The rules of a file, in its order; without a file the defaults hold everywhere. Malformed names the rule at fault."""
    if file is None:
        return Policies()
    try:
        read = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise Malformed(f"policy file {file} can't be read: {error}", code="settings") from None
    if set(read) - {"policy"}:
        raise Malformed(f"policy file {file}: only [[policy]] tables are known, not {sorted(set(read) - {'policy'})}", code="settings")
    policies = Policies(tuple(_rule(file, number, one) for number, one in enumerate(read.get("policy", []), start=1)))
    if contradiction := policies.contradiction():
        first, second, setting = contradiction
        why = f"rules {first + 1} and {second + 1} speak of the same classes and days, and set {setting} differently; drop one"
        raise Malformed(f"policy file {file}: {why}", code="settings")
    return policies


def _rule(file: Path, number: int, told: dict[str, Any]) -> PolicyRule:
    def wrong(why: str) -> Malformed:
        return Malformed(f"policy file {file}, rule {number}: {why}", code="settings")

    def optional(key: str, read: Callable[[Any], T], what: str) -> T | None:
        try:
            return read(told[key]) if key in told else None
        except (ValueError, TypeError):
            raise wrong(f"{key} is {what}, not {told[key]!r}") from None

    if unknown := set(told) - _KEYS:
        raise wrong(f"no key {sorted(unknown)[0]!r}; known are {', '.join(sorted(_KEYS))}")
    provinces = optional("provinces", _texts, 'a list such as ["2025-79"]') or ()
    school_levels = optional("school_levels", _texts, f"a list of {', '.join(sorted(_SCHOOL_LEVELS))}") or ()
    if not set(school_levels) <= _SCHOOL_LEVELS:
        raise wrong(f"school_levels are of {', '.join(sorted(_SCHOOL_LEVELS))}")
    start, end = told.get("valid_from", date.min), told.get("valid_until", date.max)
    if type(start) is not date or type(end) is not date:
        raise wrong("valid_from and valid_until are dates such as 2026-05-01, without quotes")
    some_roles = f"a list of {', '.join(SignatureRole)}"
    rule = PolicyRule(
        optional("signature_level", SignatureLevel, " or ".join(SignatureLevel)),
        provinces,
        school_levels,
        start,
        end,
        optional("roles", _roles, some_roles),
        optional("sheets_required", _truth, "true or false"),
        optional("deputies", _roles, some_roles),
        optional("record_xml", _truth, "true or false"),
    )
    if fault := rule.fault():
        raise wrong(fault)
    return rule


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise TypeError
    return tuple(value)


def _roles(value: Any) -> tuple[SignatureRole, ...]:
    return tuple(SignatureRole(item) for item in _texts(value))


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value
