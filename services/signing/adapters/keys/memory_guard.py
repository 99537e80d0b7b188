"""Keeps the memory of a process that holds keys or PINs off the disk."""

from __future__ import annotations

import ctypes
import resource
import sys

_PR_SET_DUMPABLE = 4


def no_core_dumps() -> None:
    """From now on a crash of this process writes no core file, and no other process of the same user may attach to it.

    The limit alone would not do: a kernel that pipes cores to a program ignores it.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
