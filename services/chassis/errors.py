"""Errors that may cross a service boundary, and the gRPC status that each becomes.

    ServiceError
      - Refused        FAILED_PRECONDITION  the state of things forbids it; repeating will not help
      - NotFound       NOT_FOUND
      - Conflict       ABORTED              somebody wrote first, or the request id was used for something else
      - Malformed      INVALID_ARGUMENT     the input is wrong; the message says what, where and how to mend it
      - Denied         PERMISSION_DENIED
      - Unavailable    UNAVAILABLE          try again later, nothing was done
      - OutcomeUnknown UNKNOWN              it may or may not have been done: read again, or repeat with the same request id

Anything else that escapes a handler is a bug: callers see INTERNAL and no detail.
"""


class ServiceError(Exception):
    """An error meant for the caller: a stable code for programs and a sentence for people."""

    status = "INTERNAL"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or type(self).__name__.lower()


class Refused(ServiceError):
    """The state of things forbids it; repeating will not help."""

    status = "FAILED_PRECONDITION"


class NotFound(ServiceError):
    """There is no such thing, or not for this caller."""

    status = "NOT_FOUND"


class Conflict(ServiceError):
    """Somebody wrote first; read again and decide anew."""

    status = "ABORTED"


class Malformed(ServiceError):
    """The input is wrong; the message says what, where and how to mend it."""

    status = "INVALID_ARGUMENT"


class Denied(ServiceError):
    """This caller may not do this."""

    status = "PERMISSION_DENIED"


class Unavailable(ServiceError):
    """Something needed is down; nothing was done, try again."""

    status = "UNAVAILABLE"


class OutcomeUnknown(ServiceError):
    """It may or may not have been done; read again, or repeat with the same request id."""

    status = "UNKNOWN"


KINDS: tuple[type[ServiceError], ...] = (Refused, NotFound, Conflict, Malformed, Denied, Unavailable, OutcomeUnknown)
"""The closed list, for the interceptors of both sides."""
