"""Waiting on a condition, never on the clock."""

import asyncio
import inspect
import time
from collections.abc import Callable
from typing import Any


async def eventually(check: Callable[[], Any], *, within: float = 20.0, what: str = "") -> Any:
    """The first true answer of `check` (plain or async); fails with `what` when there is none within the seconds."""
    deadline = time.monotonic() + within
    answer = None
    while time.monotonic() < deadline:
        answer = check()
        if inspect.isawaitable(answer):
            answer = await answer
        if answer:
            return answer
        await asyncio.sleep(0.02)
    raise AssertionError(f"not within {within} s: {what or inspect.getsource(check).strip()} (last answer {answer!r})")
