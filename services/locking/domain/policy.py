"""
A province's policy on unlocking, as data with versions.

The custom that is documented (a teacher goes through the principal, states the reason, is confirmed by the school and
reported to the higher level) leaves open whether the higher level must answer, for how long one waits and what an
objection does. Those are switches here, not code. An unlock keeps the version under which it was requested.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Any

from services.locking.domain.refusals import Invalid

MAXIMUM_HOURS = 24 * 365


class Wait(enum.StrEnum):
    """Whether a grant waits for the DOET: not at all, until it answers, or until it answers or the time is over."""

    NEVER = "NEVER"
    UNTIL_ACKNOWLEDGED = "UNTIL_ACKNOWLEDGED"
    FOR_A_TIME = "FOR_A_TIME"


@dataclass(frozen=True, slots=True)
class Policy:
    """One version of one province's switches; province_id "" is what holds where a province has said nothing."""

    province_id: str = ""
    version: int = 0
    confirm_within_hours: int = 72
    report_by_hand: bool = False
    wait: Wait = Wait.FOR_A_TIME
    wait_hours: int = 24
    objection_stops: bool = True
    lapse_after_hours: int = 240
    open_for_hours: int = 48
    max_pupils: int = 5
    confirming_roles: tuple[str, ...] = ("principal",)
    late_seal_hours: int = 24

    def __post_init__(self) -> None:
        for name in ("confirm_within_hours", "wait_hours", "lapse_after_hours", "open_for_hours", "late_seal_hours"):
            if not 1 <= getattr(self, name) <= MAXIMUM_HOURS:
                raise Invalid(f"policy.{name}", f"phải từ 1 đến {MAXIMUM_HOURS} giờ")
        if not 1 <= self.max_pupils <= 100:
            raise Invalid("policy.max_pupils", "phải từ 1 đến 100 học sinh")
        if not self.confirming_roles or set(self.confirming_roles) - {"principal", "vice_principal"}:
            raise Invalid("policy.confirming_roles", "chỉ gồm principal và vice_principal, ít nhất một vai trò")

    @property
    def confirm_within(self) -> timedelta:
        return timedelta(hours=self.confirm_within_hours)

    @property
    def wait_for(self) -> timedelta:
        return timedelta(hours=self.wait_hours)

    @property
    def lapse_after(self) -> timedelta:
        return timedelta(hours=self.lapse_after_hours)

    @property
    def open_for(self) -> timedelta:
        return timedelta(hours=self.open_for_hours)


SWITCHES = tuple(field.name for field in fields(Policy) if field.name not in ("province_id", "version"))


def policy_from_data(province_id: str, version: int, data: Mapping[str, Any]) -> Policy:
    """Read a policy as it is stored or sent: a flat mapping of switches, absent ones at their defaults."""
    unknown = sorted(set(data) - set(SWITCHES))
    if unknown:
        raise Invalid(f"policy.{unknown[0]}", f"không có công tắc này; các công tắc là: {', '.join(SWITCHES)}")
    values: dict[str, Any] = dict(data)
    defaults = Policy()
    for name, value in values.items():
        expected = type(getattr(defaults, name))
        if expected is Wait:
            if value not in set(Wait):
                raise Invalid(f"policy.{name}", f"phải là một trong {', '.join(Wait)}")
            values[name] = Wait(value)
        elif expected is tuple:
            if not isinstance(value, list) or not all(isinstance(role, str) for role in value):
                raise Invalid(f"policy.{name}", "phải là danh sách vai trò")
            values[name] = tuple(sorted(set(value)))
        elif type(value) is not expected:
            raise Invalid(f"policy.{name}", f"phải là kiểu {expected.__name__}")
    return Policy(province_id=province_id, version=version, **values)


def policy_to_data(policy: Policy) -> dict[str, Any]:
    """Write a policy for storing; `policy_from_data` reads it back to an equal one."""
    data = {name: getattr(policy, name) for name in SWITCHES}
    data["wait"] = policy.wait.value
    data["confirming_roles"] = list(policy.confirming_roles)
    return data
