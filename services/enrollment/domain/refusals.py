"""What the rules of enrollment can say no with.

A rule never knows about the wire: `contracts` gives each refusal its status there. The message is read by a person in a
school office, so it is Vietnamese and says what is wrong, where, and how to mend it.

    RuleBroken
      - Invalid   the request can't be right as it stands; correct it and send it again
      - Forbidden the state of things forbids it; sending it again won't help
      - Missing   what the request names isn't there (or isn't the caller's to see)
      - Denied    the actor's roles don't reach that far
      - Overtaken somebody else wrote first; read again and decide again
"""

from __future__ import annotations


class RuleBroken(Exception):
    """A rule said no; `code` is stable and made for programs, the message is made for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Invalid(RuleBroken):
    """The request can't be right as it stands."""


class Forbidden(RuleBroken):
    """The state of things forbids it."""


class Missing(RuleBroken):
    """What the request names isn't there."""


class Denied(RuleBroken):
    """The actor's roles don't reach that far."""


class Overtaken(RuleBroken):
    """Somebody else wrote first."""
