"""How often one address on the net may ask: rates and their stores are those of the library `limits`."""

from __future__ import annotations

import ipaddress
import math
import time
from collections.abc import Sequence

import limits
from limits.aio.storage import Storage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from limits.errors import ConfigurationError, StorageError
from limits.storage import storage_from_string

from services.chassis.errors import Malformed
from services.chassis.telemetry import log

_IPV6_NETWORK = 64
"""Bits of an IPv6 address that one household or phone holds; the rest it may choose at will."""


class PageLimits:
    """So many requests of one client in a sliding window."""

    def __init__(self, rates: str, store: str) -> None:
        """`rates` such as `120/minute;1000/hour`, `store` such as `async+memory://`; Malformed when the library knows no such thing."""
        try:
            self._rates: Sequence[limits.RateLimitItem] = limits.parse_many(rates)
            storage = storage_from_string(store, wrap_exceptions=True)
            if not isinstance(storage, Storage):
                raise ValueError("the store must be an asynchronous one, async+...")  # noqa: TRY004 - of a setting, as the library's own
            self._counter = SlidingWindowCounterRateLimiter(storage)
        except (ValueError, ConfigurationError) as error:
            raise Malformed(f"HOCBA_ARCHIVE_PAGE_LIMIT {rates!r}, HOCBA_ARCHIVE_PAGE_LIMIT_STORE: {error}", code="settings") from error

    async def wait(self, client: str) -> int:
        """0 when this request may go on, else the seconds until another may."""
        try:
            for rate in self._rates:
                if not await self._counter.hit(rate, client):
                    window = await self._counter.get_window_stats(rate, client)
                    return max(1, math.ceil(window.reset_time - time.time()))
        except StorageError as error:
            # Who counts is away: the page goes on, for it is there to answer.
            log.warning("requests are not counted", error=type(error.__cause__ or error).__name__)
        return 0


def client_of(remote: str, forwarded: str, proxies: int) -> str:
    """
    Whom to count: the address that the outermost of so many trusted proxies saw, out of X-Forwarded-For; what stands before it anybody may have written.
    An IPv6 address counts as its network.
    """
    chain = [*(one.strip() for one in forwarded.split(",")), remote] if forwarded else [remote]
    told = chain[-1 - proxies] if len(chain) > proxies else remote
    try:
        address = ipaddress.ip_address(told)
    except ValueError:
        return remote
    return told if address.version == 4 else str(ipaddress.ip_network((address, _IPV6_NETWORK), strict=False))
