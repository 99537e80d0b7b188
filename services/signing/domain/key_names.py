"""Names of keys. A name says in which home its key lives and where in it; the home says how its answers come."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class UnreadableKeyName(ValueError):
    """Not the name of a key; the message says what one looks like."""


class Home(StrEnum):
    """Kinds of homes, as the part of a key name before the colon."""

    PKCS12 = "pkcs12"
    PKCS11 = "pkcs11"
    CSC = "csc"
    AGENT = "agent"


class Answers(StrEnum):
    """How a home answers.

    REPEATABLY: at once, and the same digest always gives the same bytes. AFRESH: at once, but a second use may give other
    bytes, so the first value is kept. LATER: when a person has confirmed, or an agent has come for the digests.
    """

    REPEATABLY = "repeatably"
    AFRESH = "afresh"
    LATER = "later"


_ANSWERS = {Home.PKCS12: Answers.REPEATABLY, Home.PKCS11: Answers.AFRESH, Home.CSC: Answers.LATER, Home.AGENT: Answers.LATER}
_SHAPES = {
    Home.PKCS12: "pkcs12:<file name without .p12>",
    Home.PKCS11: "pkcs11:<token label>/<key label>",
    Home.CSC: "csc:<provider>/<credential id>",
    Home.AGENT: "agent:<school or seal, any word>",
}
_TWO_PARTS = (Home.PKCS11, Home.CSC)


@dataclass(frozen=True, slots=True)
class KeyName:
    """A key's home and its place there: `container` is the token or the provider, empty where a home has only one."""

    home: Home
    container: str
    key: str

    @property
    def answers(self) -> Answers:
        """How signatures of this key come."""
        return _ANSWERS[self.home]

    @classmethod
    def read(cls, text: str) -> KeyName:
        """The name as it is registered with a certificate; one without a home is a PKCS#12 file."""
        prefix, colon, place = text.partition(":")
        if not colon:
            prefix, place = Home.PKCS12, text
        try:
            home = Home(prefix)
        except ValueError:
            raise UnreadableKeyName(f"key name {text!r} names no home of keys; it must look like {' or '.join(_SHAPES.values())}") from None
        container, slash, key = place.partition("/") if home in _TWO_PARTS else ("", "/", place)
        if not slash or not key or (home in _TWO_PARTS and not container):
            raise UnreadableKeyName(f"key name {text!r} must look like {_SHAPES[home]}")
        return cls(home, container, key)
