"""What the rules say no with, as errors that may cross the wire."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from services.chassis.errors import Malformed, Refused
from services.grading.domain.errors import BadInput, RuleError


@contextmanager
def refusals_spoken() -> Iterator[None]:
    """Turn what the rules say no with into errors that may cross the wire, code and sentence kept."""
    try:
        yield
    except BadInput as no:
        raise Malformed(no.message, code=no.code) from no
    except RuleError as no:
        raise Refused(no.message, code=no.code) from no
