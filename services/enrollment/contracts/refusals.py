"""What each refusal of a rule is on the wire."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from services.chassis import errors
from services.enrollment.domain import refusals

REFUSALS: dict[type[refusals.RuleBroken], type[errors.ServiceError]] = {
    refusals.Invalid: errors.Malformed,
    refusals.Forbidden: errors.Refused,
    refusals.Missing: errors.NotFound,
    refusals.Denied: errors.Denied,
    refusals.Overtaken: errors.Conflict,
}
"""What each refusal of a rule is on the wire; its code and message go along."""


@contextmanager
def refusals_on_the_wire() -> Iterator[None]:
    """Let a rule's refusal leave as the chassis' error of the same meaning."""
    try:
        yield
    except refusals.RuleBroken as refusal:
        raise REFUSALS[type(refusal)](refusal.message, code=refusal.code) from refusal
