"""Renew the wrapping of a province's data keys under its current wrapping key; no document is touched."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from services.archive.application.ports import DataKeys, WrappedKey, WrappingKeys

AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Rewrapped:
    """What was done: the key that wraps now, and how many data keys got it."""

    wrapping_key: str
    data_keys: int


@dataclass(frozen=True, slots=True)
class RewrapDataKeys:
    """May be stopped at any time and begun again: what is renewed stays renewed, and both keys are there until it has ended."""

    data_keys: DataKeys
    wrapping_keys: WrappingKeys

    async def __call__(self, province_id: str, told: Callable[[int, int], None] = lambda done, left: None) -> Rewrapped:
        """All data keys of the province; `told` hears (done, still to do) after each step."""
        current = await asyncio.to_thread(self.wrapping_keys.current, province_id)
        done = 0
        while old := await self.data_keys.outdated(province_id, current, AT_ONCE):
            new = await asyncio.to_thread(self._renewed, old, current)
            done += await self.data_keys.rewrapped(old, new)
            told(done, await self.data_keys.count_outdated(province_id, current))
        return Rewrapped(current, done)

    def _renewed(self, old: Sequence[WrappedKey], current: str) -> list[WrappedKey]:
        keys = self.wrapping_keys
        return [
            replace(key, wrapping_key=current, wrapped=keys.wrap(current, keys.unwrap(key.wrapping_key, key.wrapped, key.context), key.context)) for key in old
        ]
