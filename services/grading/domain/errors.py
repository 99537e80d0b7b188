"""Refusals of the grading rules: plain exceptions that carry a stable code and a sentence with what, where and cure.

RuleError
  - BadInput      the value given can never be right; mend it and send it again
  - NotAllowed    the value may be right, but the state of things forbids it now
"""

from __future__ import annotations


class RuleError(Exception):
    """A rule of grading says no; `code` is stable for machines, the text is for the person who must mend it."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class BadInput(RuleError):
    """The input itself breaks a rule."""


class NotAllowed(RuleError):
    """The state of the gradebook or of the pupil's year forbids the step."""
