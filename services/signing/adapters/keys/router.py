"""Chooses a key's home by its name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from services.chassis.errors import Refused, Unavailable
from services.signing.application.ports import Noted
from services.signing.domain.key_names import Home, KeyName, UnreadableKeyName


class KeyHome(Protocol):
    """One home of keys that answer at once."""

    async def sign(self, name: KeyName, digests: Sequence[bytes]) -> list[bytes]:
        """Signatures over SHA-256 digests, in their order; Unavailable while the home is away, Refused when asking again won't help."""
        ...


class KeyRouter:
    """Fulfils ports.KeyStore over the homes that this process was given."""

    def __init__(self, homes: Mapping[Home, KeyHome]) -> None:
        self.homes = homes

    async def sign(self, key_name: str, digests: Sequence[bytes]) -> list[bytes]:
        """Signatures by the home that the name says."""
        try:
            name = KeyName.read(key_name)
        except UnreadableKeyName as error:
            raise Refused(f"{error}; register the certificate again", code="key_unknown") from None
        home = self.homes.get(name.home)
        if home is None:
            raise Unavailable(f"this worker has no home {name.home.value} for key {key_name!r}; its settings must name one", code="no_keys")
        return await home.sign(name, digests) if digests else []


class NoKeys:
    """Fulfils KeyStore and KeyJournal where a process was given no keys: orders wait, and none is lost or parked."""

    async def note(self, key_name: str, order_id: str, uses: Sequence[Noted]) -> None:
        """Refuse before any key could be used."""
        raise Unavailable("this worker has no keys: set HOCBA_SIGNING_KEYS_DIR and HOCBA_SIGNING_KEY_JOURNAL_DIR", code="no_keys")

    async def sign(self, key_name: str, digests: Sequence[bytes]) -> list[bytes]:
        """There is nothing to sign with."""
        raise Unavailable("this worker has no keys: set HOCBA_SIGNING_KEYS_DIR", code="no_keys")
