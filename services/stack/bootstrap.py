"""Make `.state/venv` what requirements-dev.lock says, whatever state it was left in.

    python3 services/stack/bootstrap.py

Runs on the machine's own Python (3.11 or newer) with nothing but its standard library. A stamp inside the environment
holds the digests of the lock and the project: as long as they match, this takes a blink. The stamp is written last,
so an environment whose making was cut short is thrown away and made anew.
"""

from __future__ import annotations

import ctypes
import fcntl
import glob
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
STATE = CHECKOUT / ".state"
VENV = STATE / "venv"
LOCK = CHECKOUT / "requirements-dev.lock"
STAMP = VENV / ".hocba.json"
OLDEST = (3, 11)
libc = ctypes.CDLL(None) if sys.platform == "linux" else None


# The lock's descriptor. Children inherit it, so that the lock is free only when the last of them has ended, even
# after this process was killed.
held: list[int] = []


class Trouble(Exception):
    """What the person at the keyboard has to know, in one message."""


def main() -> int:
    try:
        if sys.version_info < OLDEST:
            return use_newer_python()
        STATE.mkdir(exist_ok=True)
        if read_stamp() == wanted_stamp():
            return 0
        # Two makes at once: the second waits, then finds the work done.
        with open(STATE / "bootstrap.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            held.append(lock.fileno())
            bring_up_to_date()
    except Trouble as trouble:
        print(f"hocba: {trouble}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("hocba: interrupted; the next run starts over", file=sys.stderr)
        return 130
    return 0


def use_newer_python() -> int:
    for minor in range(20, OLDEST[1] - 1, -1):
        newer = shutil.which(f"python3.{minor}")
        if newer:
            return subprocess.call([newer, str(Path(__file__).resolve())])
    raise Trouble(f"Python {OLDEST[0]}.{OLDEST[1]} or newer is needed; python3 here is {sys.version.split()[0]}")


def wanted_stamp() -> dict[str, str]:
    """What the environment depends on: the lock, the project's description, this Python and this folder."""
    return {
        "lock": hashlib.sha256(LOCK.read_bytes()).hexdigest(),
        "bootstrap": hashlib.sha256(Path(__file__).read_bytes()).hexdigest(),
        "project": hashlib.sha256((CHECKOUT / "pyproject.toml").read_bytes()).hexdigest(),
        "python": sys.version.split()[0],
        "folder": str(CHECKOUT),
    }


def read_stamp() -> dict[str, str] | None:
    try:
        stamp = json.loads(STAMP.read_text())
        return stamp if isinstance(stamp, dict) and (VENV / "bin" / "python").exists() else None
    except (OSError, ValueError):
        return None


def bring_up_to_date() -> None:
    wanted, found = wanted_stamp(), read_stamp()
    if found == wanted:
        return
    started = time.monotonic()
    usable = found is not None and all(found.get(key) == wanted[key] for key in ("python", "folder"))
    if usable:
        STAMP.unlink()
    else:
        make_empty_environment()
    if not usable or found is None or found["lock"] != wanted["lock"]:
        count = sum(1 for line in LOCK.read_text().splitlines() if "==" in line)
        say(f"Python packages: {'checking' if usable else 'installing'} {count} from {LOCK.name}")
        install_packages()
    install_project()
    draft = STAMP.with_suffix(".new")
    draft.write_text(json.dumps(wanted, indent=1) + "\n")
    os.replace(draft, STAMP)
    say(f"Python packages: ready after {time.monotonic() - started:.0f} s")


def make_empty_environment() -> None:
    """An environment without pip, which needs no ensurepip: Debian leaves that out unless python3-venv is installed."""
    if VENV.exists():
        say("Python environment: unfinished or of another Python, making it anew")
        shutil.rmtree(VENV)
    run([sys.executable, "-m", "venv", "--without-pip", str(VENV)], "the virtual environment could not be made")


def install_packages() -> None:
    """By uv, which the lock pins too and which is several times faster; by pip where there is no uv for this machine."""
    pip, python = find_pip(), str(VENV / "bin" / "python")
    try:
        command = [find_uv(pip), "pip", "sync", "--quiet", "--require-hashes", "--compile-bytecode"]
        run([*command, "--python", python, str(LOCK)], "uv could not install the lock", env=uv_settings(pip))
    except Trouble as trouble:
        say(f"{trouble}\nhocba: trying pip, which takes a minute")
        command = [*pip, "--python", python, "install", "--quiet", "--no-deps", "--require-hashes", "-r", str(LOCK)]
        run(command, f"the packages of {LOCK.name} could not be installed")


def find_uv(pip: list[str]) -> str:
    """The uv that the lock pins, fetched once per version."""
    entry = re.search(r"^uv==(?:.*\\\n)+.*\n", LOCK.read_text(), re.MULTILINE)
    if entry is None:
        raise Trouble(f"{LOCK.name} pins no uv")
    place = STATE / "tools" / f"uv-{hashlib.sha256(entry.group(0).encode()).hexdigest()[:12]}"
    if not place.exists():
        with tempfile.TemporaryDirectory(dir=STATE, prefix=".bootstrap-") as scratch:
            pinned, draft = Path(scratch, "uv.lock"), Path(scratch, "uv")
            pinned.write_text(entry.group(0))
            command = [*pip, "install", "--quiet", "--no-deps", "--require-hashes", "--target", str(draft), "-r", str(pinned)]
            run(command, "uv could not be installed")
            place.parent.mkdir(exist_ok=True)
            os.replace(draft, place)
    return str(place / "bin" / "uv")


def uv_settings(pip: list[str]) -> dict[str, str]:
    """uv's environment: the index and certificates that the person has set for pip, no own Python, no progress bars."""
    env = {**os.environ, "UV_NO_PROGRESS": "1", "UV_PYTHON_DOWNLOADS": "never"}
    listed = subprocess.run([*pip, "config", "list"], capture_output=True, text=True, check=False).stdout
    for option, variable in (
        ("index-url", "UV_DEFAULT_INDEX"),
        ("extra-index-url", "UV_INDEX"),
        ("cert", "SSL_CERT_FILE"),
    ):
        stated = re.search(rf"^(?:global\.|install\.|:env:\.){option}='([^']*)'", listed, re.MULTILINE)
        if stated and variable not in env:
            env[variable] = stated.group(1)
    return env


def find_pip() -> list[str]:
    """A pip that can install into another environment: this Python's, ensurepip's, or Debian's as root."""
    own = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    if works(own):
        return own
    bundled = glob.glob(os.path.join(sys.base_prefix, "share", "python-wheels", "pip-*.whl"))
    with suppress(ImportError):
        import ensurepip

        bundled += [wheel for folder in ensurepip.__path__ for wheel in glob.glob(os.path.join(folder, "_bundled", "pip-*.whl"))]
    for wheel in sorted(bundled, reverse=True):
        # A wheel of pip runs as it lies.
        if works([sys.executable, wheel + "/pip"]):
            return [sys.executable, wheel + "/pip", "--disable-pip-version-check"]
    if os.geteuid() == 0 and shutil.which("apt-get"):
        say("this Python has no pip: installing Debian's python3-pip")
        env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        with suppress(Trouble):
            run(["apt-get", "update", "-qq"], "apt-get update failed", env=env)
        run(["apt-get", "install", "-qq", "-y", "--no-install-recommends", "python3-pip"], "apt-get failed", env=env)
        if works(own):
            return own
    raise Trouble(f"{sys.executable} has neither pip nor ensurepip; install python3-pip or python3-venv")


def works(pip: list[str]) -> bool:
    return subprocess.run([*pip, "--version"], capture_output=True, check=False).returncode == 0


def install_project() -> None:
    """Make `services`, `hocba` and the `hocba` command importable from the checkout, without a build or a network.

    A path file and a console script are all that an editable installation would write.
    """
    site = next(VENV.glob("lib/python3.*/site-packages"))
    (site / "hocba.pth").write_text(f"{CHECKOUT}\n{CHECKOUT / 'protos'}\n")
    script = VENV / "bin" / "hocba"
    script.unlink(missing_ok=True)
    # With the guard, since processes that a command spawns read the script again.
    script.write_text(f'#!{VENV / "bin" / "python"}\nfrom services.__main__ import main\n\nif __name__ == "__main__":\n    main()\n')
    script.chmod(0o755)


def run(command: list[str], trouble: str, env: dict[str, str] | None = None) -> None:
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, env=env, check=False, pass_fds=held, preexec_fn=die_with_parent)
    if done.returncode != 0:
        raise Trouble(f"{trouble} (code {done.returncode}): {(done.stderr + done.stdout).strip()[-1500:]}")


def die_with_parent() -> None:
    """Have the kernel end this child when its parent is killed, where the kernel can (Linux: PR_SET_PDEATHSIG)."""
    if libc is not None:
        libc.prctl(1, signal.SIGKILL, 0, 0, 0)


def say(line: str) -> None:
    print(f"hocba: {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
