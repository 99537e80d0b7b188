"""Child processes that never outlive their parent, and records of them that never name a stranger."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from services.stack.places import StackError

# A child is forked and replaced at once. gRPC's own fork handlers would run in between and abort it now and then.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")

_PR_SET_PDEATHSIG = 1
try:
    _prctl: Callable[..., int] | None = ctypes.CDLL(None, use_errno=True).prctl
except AttributeError:  # Not Linux: children then depend on an orderly end of their parent.
    _prctl = None


@dataclass(frozen=True)
class Identity:
    """A process by pid *and* start, so that a number the kernel has given to another process is never signalled."""

    pid: int
    started_ticks: int
    boot: str

    @classmethod
    def of(cls, pid: int) -> Identity:
        """The identity of the process that has this pid now; StackError if there is none."""
        ticks = _started_ticks(pid)
        if ticks is None:
            raise StackError(f"Process {pid} ended before it could be recorded; its log says why.")
        return cls(pid, ticks, _boot())

    @property
    def alive(self) -> bool:
        return self.boot == _boot() and _started_ticks(self.pid) == self.started_ticks

    def signal(self, number: signal.Signals, *, group: bool = False) -> None:
        """Send a signal to exactly this process (or the group it leads); nothing happens when it is gone."""
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                (os.killpg if group else os.kill)(self.pid, number)

    def ended(self, within_seconds: float) -> bool:
        """Whether the process has ended before the time is up."""
        deadline = time.monotonic() + within_seconds
        while self.alive:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _started_ticks(pid: int) -> int | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The command's name is in brackets and may hold blanks, so the fields are counted from its end.
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else int(fields[19])


@dataclass
class Child:
    """A running child: its name, its handle, how to end it and where it writes."""

    name: str
    process: subprocess.Popen[bytes]
    identity: Identity
    stop_signal: signal.Signals
    log: Path

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    @property
    def exit_code(self) -> int | None:
        return self.process.poll()

    def ask_to_stop(self) -> None:
        """Send the stop signal; the child ends in its own time."""
        if self.alive:
            self.process.send_signal(self.stop_signal)

    def stop(self, grace_seconds: float = 20.0) -> int:
        """End the child and its process group: politely, then by force. Returns its exit code."""
        self.ask_to_stop()
        deadline = time.monotonic() + grace_seconds
        while self.process.returncode is None and not self._has_ended() and time.monotonic() < deadline:
            time.sleep(0.02)
        if self.process.returncode is None:
            # Before the child is reaped its pid can't be given to anybody else, so this reaches only what it has started.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)
        return self.process.wait()

    def _has_ended(self) -> bool:
        """Whether the child has ended, without reaping it."""
        try:
            return os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        except ChildProcessError:
            return True

    def kill(self) -> None:
        """End the child at once, as a power cut would (SIGKILL to its group)."""
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def last_lines(self, count: int = 15) -> str:
        """The end of its log, for an error message."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-count:]) if self.log.exists() else ""


@dataclass(frozen=True)
class Ledger:
    """A parent's children on disk, for whoever comes after a kill; a record that can't be read counts as empty."""

    file: Path

    def write(self, children: Iterable[Child | None]) -> None:
        """Record the children that live now."""
        living = [asdict(child.identity) for child in children if child is not None and child.alive]
        draft = self.file.with_suffix(".new")
        draft.write_text(json.dumps(living, indent=1) + "\n")
        os.replace(draft, self.file)

    def read(self) -> list[Identity]:
        """Those on record, alive or not."""
        try:
            return [Identity(**entry) for entry in json.loads(self.file.read_text())]
        except (OSError, ValueError, TypeError):
            return []

    def end_leftovers(self) -> bool:
        """End whatever a killed parent has left, wait for it, and forget the record; returns whether anything lived.

        Their death signal ends them with the parent, but that takes a moment, and a kernel may lack it.
        """
        left = [identity for identity in self.read() if identity.alive]
        found = bool(left)
        for number, seconds in ((signal.SIGTERM, 10.0), (signal.SIGKILL, 5.0)):
            for identity in left:
                identity.signal(number, group=True)
            left = [identity for identity in left if not identity.ended(seconds)]
        self.file.unlink(missing_ok=True)
        return found


def spawn(
    name: str,
    command: Sequence[str | Path],
    *,
    log: Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stop_signal: signal.Signals = signal.SIGTERM,
    death_signal: signal.Signals = signal.SIGTERM,
    run_as: tuple[int, int] | None = None,
) -> Child:
    """Start a child in a group of its own that gets `death_signal` when this process dies, even by SIGKILL.

    Call it from the main thread: the kernel ties the death signal to the *thread* that forked. `run_as` is (uid, gid);
    it is taken on before the death signal is set, since a change of user clears that signal.
    """
    parent = os.getpid()

    def before_exec() -> None:
        if run_as is not None:
            os.setgroups([])
            os.setgid(run_as[1])
            os.setuid(run_as[0])
        if _prctl is not None:
            _prctl(_PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
            if os.getppid() != parent:  # The parent died between fork and prctl; nobody would ever signal us.
                os._exit(1)

    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(env) if env is not None else None,
            cwd=cwd,
            start_new_session=True,
            preexec_fn=before_exec,
        )
    try:
        identity = Identity.of(process.pid)
    except StackError as gone:
        process.wait()
        tail = log.read_text(errors="replace").splitlines()[-15:]
        ended = f"{name} ended at once with code {process.returncode}. Log {log}:\n"
        raise StackError(ended + "\n".join(tail)) from gone
    return Child(name, process, identity, stop_signal, log)


def wait_until(ready: Callable[[], bool], child: Child, *, seconds: float, what: str) -> None:
    """Return when `ready` says so. Raises StackError when the child ends first or the time is up."""
    deadline = time.monotonic() + seconds
    while not ready():
        if not child.alive:
            raise StackError(f"{child.name} ended with code {child.exit_code} before {what}. Log {child.log}:\n{child.last_lines()}")
        if time.monotonic() > deadline:
            raise StackError(f"{child.name}: not {what} after {seconds:.0f} s. Log {child.log}:\n{child.last_lines()}")
        time.sleep(0.03)
