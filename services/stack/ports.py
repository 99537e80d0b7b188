"""Loopback ports: chosen free, remembered per stack, chosen anew when somebody else has taken them."""

from __future__ import annotations

import json
import random
import socket

from services.stack.places import Places, write_atomically

LOOPBACK = "127.0.0.1"


def is_free(port: int) -> bool:
    """Whether a server could listen on this loopback port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def answers(port: int) -> bool:
    """Whether something accepts connections on this loopback port."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((LOOPBACK, port)) == 0


def choose(places: Places, names: tuple[str, ...]) -> dict[str, int]:
    """One free port per name: the same as at the last start where possible, since a person may have noted it."""
    record = places.state / "ports.json"
    try:
        known: dict[str, int] = {str(k): int(v) for k, v in json.loads(record.read_text()).items()}
    except (OSError, ValueError, AttributeError):
        known = {}
    chosen: dict[str, int] = {}
    for name in names:
        port = known.get(name, 0)
        while not port or port in chosen.values() or not is_free(port):
            # Random, so that two stacks that start at once don't want the same; below the range from which the kernel
            # takes ports for outgoing connections, since one of those may hold the port at the next start.
            port = random.randint(20_000, 32_000)  # noqa: S311 - not a secret
        chosen[name] = port
    write_atomically(record, json.dumps(known | chosen, indent=1, sort_keys=True) + "\n")
    return chosen
