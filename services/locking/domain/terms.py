"""What a window opens and a lock closes: the two terms of a school year, and the year over both."""

from __future__ import annotations

import enum


class Term(enum.StrEnum):
    """A term in which marks are entered: học kỳ I or học kỳ II."""

    TERM_1 = "TERM_1"
    TERM_2 = "TERM_2"


class Period(enum.StrEnum):
    """What one lock is about. The year is sealed over both terms, so it has no window of its own."""

    TERM_1 = "TERM_1"
    TERM_2 = "TERM_2"
    YEAR = "YEAR"

    @staticmethod
    def of(term: Term) -> Period:
        return Period(term.value)
