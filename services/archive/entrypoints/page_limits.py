"""How often one address on the net may ask; rates are written and counted by the library `limits`, in this process's memory."""

from __future__ import annotations

import ipaddress
import math
import time

import limits
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter

from services.chassis.errors import Malformed

_IPV6_NETWORK = 64
"""Bits of an IPv6 address that one household or phone holds; the rest it may choose at will."""


class PageLimits:
    """So many requests of one client in a sliding window."""

    def __init__(self, rates: str) -> None:
        """`rates` such as `120/minute` or `120/minute;1000/hour`; Malformed when they can't be read."""
        try:
            self._rates = limits.parse_many(rates)
        except ValueError as error:
            raise Malformed(f"HOCBA_ARCHIVE_PAGE_LIMIT {rates!r}: {error}", code="settings") from error
        self._counter = SlidingWindowCounterRateLimiter(MemoryStorage())

    async def wait(self, client: str) -> int:
        """0 when this request may go on, else the seconds until another may."""
        for rate in self._rates:
            if not await self._counter.hit(rate, client):
                window = await self._counter.get_window_stats(rate, client)
                return max(1, math.ceil(window.reset_time - time.time()))
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
