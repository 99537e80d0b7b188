"""Reads the signature policies of provinces from a TOML file.

[[policy]]
signature_level = "B-LTA"
provinces = ["2025-79"]         # absent: all
school_levels = ["primary"]     # absent: all
valid_from = 2026-05-01         # absent: always
valid_until = 2027-04-30        # absent: for good
record_xml = true               # absent: records are attached as JSON alone
"""

from __future__ import annotations

import tomllib
from datetime import date
from pathlib import Path
from typing import Any

from services.chassis.errors import Malformed
from services.signing.domain.policy import Policies, PolicyRule, SignatureLevel
from services.signing.domain.record import Level

_KEYS = {"signature_level", "provinces", "school_levels", "valid_from", "valid_until", "record_xml"}
_SCHOOL_LEVELS = {level.value.lower() for level in Level}


def policies_from(file: Path | None) -> Policies:
    """The rules of a file, in its order; without a file B-B everywhere. Malformed names the rule at fault."""
    if file is None:
        return Policies()
    try:
        read = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise Malformed(f"policy file {file} can't be read: {error}", code="settings") from None
    if set(read) - {"policy"}:
        raise Malformed(f"policy file {file}: only [[policy]] tables are known, not {sorted(set(read) - {'policy'})}", code="settings")
    return Policies(tuple(_rule(file, number, one) for number, one in enumerate(read.get("policy", []), start=1)))


def _rule(file: Path, number: int, told: dict[str, Any]) -> PolicyRule:
    def wrong(why: str) -> Malformed:
        return Malformed(f"policy file {file}, rule {number}: {why}", code="settings")

    if unknown := set(told) - _KEYS:
        raise wrong(f"no key {sorted(unknown)[0]!r}; known are {', '.join(sorted(_KEYS))}")
    try:
        level = SignatureLevel(told.get("signature_level", ""))
    except ValueError:
        raise wrong(f"signature_level is {' or '.join(SignatureLevel)}, not {told.get('signature_level')!r}") from None
    school_levels = tuple(told.get("school_levels", ()))
    if not set(school_levels) <= _SCHOOL_LEVELS:
        raise wrong(f"school_levels are of {', '.join(sorted(_SCHOOL_LEVELS))}")
    start, end = told.get("valid_from", date.min), told.get("valid_until", date.max)
    if type(start) is not date or type(end) is not date:
        raise wrong("valid_from and valid_until are dates such as 2026-05-01, without quotes")
    record_xml = told.get("record_xml", False)
    if not isinstance(record_xml, bool):
        raise wrong("record_xml is true or false, without quotes")
    return PolicyRule(level, tuple(told.get("provinces", ())), school_levels, start, end, record_xml)
