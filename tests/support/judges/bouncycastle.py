"""Bouncy Castle's evidence records (`org.bouncycastle.tsp.ers`): an implementation of RFC 4998 that shares nothing with ours.

Its jars come with those of EU DSS (dss.lock.json); they too are driven in a process of their own (`bouncycastle_process.py`).
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from services.stack import jars, java
from services.stack.places import CHECKOUT, Places
from tests.support.stamping import Stamping

_LOCK = Path(__file__).with_name("dss.lock.json")


def judge(records: Sequence[tuple[bytes, Sequence[bytes]]], at: datetime) -> list[str]:
    """What is wrong with each record over its documents at a moment; empty where nothing is."""
    cases = [{"record": record.hex(), "documents": [one.hex() for one in documents], "at": _milliseconds(at)} for record, documents in records]
    answer: list[str] = _asked({"judge": cases})
    return answer


def make(groups: Sequence[Sequence[bytes]], steps: Sequence[tuple[str, Stamping, datetime]]) -> list[bytes]:
    """The last group's record after each step: (`first` or `stamp`, or the name of a renewed tree's digest such as `SHA-512`; who stamps; when)."""
    told = [{"kind": kind, "at": _milliseconds(at), **_identity(authority)} for kind, authority, at in steps]
    answer: list[str] = _asked({"make": {"groups": [[one.hex() for one in group] for group in groups], "steps": told}})
    return [bytes.fromhex(record) for record in answer]


def _asked(order: dict[str, Any]) -> Any:
    places = Places.of()
    machine = java.find(places)
    libraries = jars.resolve(places, lock=_LOCK)
    order |= {"jvm": str(machine.program.parent.parent / "lib" / "server" / "libjvm.so"), "jars": [str(jar) for jar in sorted(libraries.glob("bc*.jar"))]}
    command = [sys.executable, "-m", "tests.support.judges.bouncycastle_process"]
    run = subprocess.run(command, cwd=CHECKOUT, input=json.dumps(order), capture_output=True, text=True, timeout=300, check=False)
    if run.returncode != 0:
        raise RuntimeError(f"Bouncy Castle ended with {run.returncode}: {run.stderr.strip()[-2000:]}")
    return json.loads(run.stdout)


def _identity(authority: Stamping) -> dict[str, str]:
    key = authority.identity.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return {"key": key.hex(), "certificate": authority.identity.der.hex(), "digest": authority.digest}


def _milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)
