"""Where the local stack keeps what it installs and what it runs."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]

SERVICES = ("enrollment", "grading", "locking", "signing", "archive", "reporting")


class StackError(Exception):
    """Something the local stack needs is missing or broken; the message says what, where, and how to mend it."""


@dataclass(frozen=True)
class Places:
    """Paths of one stack. Everything lies below `.state`, which git ignores.

    `installed` holds what is downloaded once per checkout (virtual environment, jars, tools) and is shared by every
    stack of it. `state` holds one stack's databases, keys and logs; another `HOCBA_STATE` is another stack.
    """

    state: Path
    installed: Path = CHECKOUT / ".state"

    @classmethod
    def of(cls, state: Path | str | None = None) -> Places:
        """The places of the stack named by `state`, else by `HOCBA_STATE`, else the checkout's own."""
        named = state or os.environ.get("HOCBA_STATE") or CHECKOUT / ".state" / "stack"
        return cls(state=Path(named).expanduser().resolve())

    @classmethod
    def of_demo(cls) -> Places:
        """Where the demo has its stack, unless `HOCBA_STATE` says otherwise."""
        return cls.of(os.environ.get("HOCBA_STATE") or CHECKOUT / ".state" / "demo")

    @property
    def secrets(self) -> Path:
        return self.state / "secrets"

    @property
    def logs(self) -> Path:
        return self.state / "logs"

    @property
    def keys(self) -> Path:
        return self.state / "keys"

    @property
    def objects(self) -> Path:
        return self.state / "objects"

    def make(self) -> Places:
        """Make the state folder, closed to other users, and return these places."""
        self.state.mkdir(parents=True, exist_ok=True)
        for folder in (self.secrets, self.logs, self.keys):
            folder.mkdir(mode=0o700, exist_ok=True)
        return self


def write_atomically(path: Path, content: bytes | str, mode: int = 0o644) -> None:
    """Replace `path` by `content` in one step, so that a reader never sees half a file."""
    raw = content.encode() if isinstance(content, str) else content
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(raw)
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, path)
