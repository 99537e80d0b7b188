"""
A whole surge on one machine: a fresh stack, a town, a term's last evening and the night after it, a verdict.

    python -m loadtests.surge [--pupils N] [--sheets-per-second R] [...]        (`make surge`)

Leaves `.state/surge/report.html` and ends with 0 when every goal was met, 1 when one was missed, 2 when the run could not be
held. Everything it starts ends with it. Traffic stays on loopback.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from loadtests import goals, town, verdict
from loadtests.answers import Book, accepted_marks, stored_as_accepted
from loadtests.plan import VARIABLE, Doors, Plan
from services.chassis.errors import ServiceError
from services.rehearsal.doors import open_doors
from services.rehearsal.progress import Stage
from services.stack import processes
from services.stack.children import Child, spawn
from services.stack.places import CHECKOUT, Places, StackError
from services.stack.signer_pki import SignerPki

FOLDER = CHECKOUT / ".state" / "surge"
OBSERVER_SECONDS = 30.0
LOCUST_STOP_SECONDS = 25


async def surge(given: argparse.Namespace) -> int:
    """Hold one run and return its exit code."""
    folder = given.folder.resolve()
    shutil.rmtree(folder / "run", ignore_errors=True)
    (folder / "run").mkdir(parents=True, mode=0o700)
    stage, began = Stage(), time.monotonic()
    async with processes.running(Places.of(folder / "stack"), fresh=True, workers=given.workers, say=_say) as stack:
        deployment = stack.deployment
        leaf = deployment.keys.leaf("edge")
        doors = open_doors(deployment.addresses, ca=deployment.keys.ca, certificate=leaf.certificate, key=leaf.key, issuer=deployment)
        try:
            place = await town.build(doors, SignerPki(deployment.signers), pupils=given.pupils, seed=given.seed, stage=stage)
            plan = Plan(
                folder=folder / "run",
                doors=Doors(dict(deployment.addresses), deployment.keys.ca, leaf.certificate, leaf.key),
                tokens={account: deployment.token(account, account, roles) for account, roles in place.roles.items()},
                gradebooks=place.gradebooks,
                signers=place.signers,
                windows=place.windows,
                classes=place.classes,
                seed=given.seed,
                sheets_per_second=given.sheets_per_second,
                statuses_per_second=given.statuses_per_second,
                evening_seconds=given.evening,
                night_seconds=given.night,
                kafka={"bootstrap": deployment.kafka, "topic_prefix": deployment.topic_prefix},
            )
            with stage.act(f"evening and night: {given.sheets_per_second:g} sheets/s at the peak"):
                await _evening_and_night(plan)
            with stage.act("every accepted mark is looked up"):
                _write_stored(plan, await town.stored(doors, place))
        finally:
            (folder / "run" / "plan.json").unlink(missing_ok=True)  # It holds tokens, and nothing needs them any more.
            await doors.close()
        _write_environment(plan, place, given)
    return _conclude(folder, given.goals, time.monotonic() - began)


async def _evening_and_night(plan: Plan) -> None:
    """Run observer and Locust; both end before this returns, whatever happens."""
    file = plan.write()
    observer = _spawn("observer", ["-m", "loadtests.observer", str(file)], plan)
    try:
        await _until(lambda: (plan.folder / "observing").exists(), observer, OBSERVER_SECONDS)
        locust = _spawn("locust", ["-m", "locust", *_locust_arguments(plan)], plan)
        try:
            limit = plan.evening_seconds + plan.night_seconds + LOCUST_STOP_SECONDS + 60
            await _until(lambda: not locust.alive, observer, limit)
        finally:
            await asyncio.to_thread(locust.stop, 10.0)
        if locust.exit_code != 0:
            raise StackError(f"Locust ended with code {locust.exit_code}. Log {locust.log}:\n{locust.last_lines()}")
    finally:
        await asyncio.to_thread(observer.stop, 15.0)
    if observer.exit_code != 0:
        raise StackError(f"The observer ended with code {observer.exit_code}. Log {observer.log}:\n{observer.last_lines()}")


def _locust_arguments(plan: Plan) -> list[str]:
    file = Path(__file__).with_name("locustfile.py")
    return ["-f", str(file), "--headless", "--only-summary", "--stop-timeout", str(LOCUST_STOP_SECONDS), "--html", str(plan.folder / "locust.html")]


def _spawn(name: str, arguments: list[str], plan: Plan) -> Child:
    environment = {**os.environ, VARIABLE: str(plan.folder / "plan.json"), "PYTHONPATH": str(CHECKOUT)}
    return spawn(name, [sys.executable, *arguments], log=plan.folder / f"{name}.log", env=environment, cwd=CHECKOUT, death_signal=signal.SIGKILL)


async def _until(done: Callable[[], bool], needed: Child, seconds: float) -> None:
    """Wait for `done()`; StackError when the child that is needed for it ends, or the seconds are over."""
    deadline = time.monotonic() + seconds
    while not done():
        if not needed.alive:
            raise StackError(f"{needed.name} ended with code {needed.exit_code}. Log {needed.log}:\n{needed.last_lines()}")
        if time.monotonic() > deadline:
            raise StackError(f"not done after {seconds:.0f} s; logs are in {needed.log.parent}")
        await asyncio.sleep(0.1)


def _write_stored(plan: Plan, stored: dict[tuple[str, str, int, str, str], str]) -> None:
    accepted = accepted_marks(Book.read(sorted(plan.folder.glob("answers-*.jsonl"))).answers)
    kept, wrong = stored_as_accepted(accepted, stored)
    content = {"measures": {"marks.accepted": len(accepted), "marks.stored": kept}, "wrong": wrong}
    (plan.folder / "stored.json").write_text(json.dumps(content), encoding="utf-8")


def _write_environment(plan: Plan, place: town.Town, given: argparse.Namespace) -> None:
    """What a reader needs to judge the figures, and to repeat them."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=CHECKOUT, check=False, capture_output=True, text=True).stdout.strip()
    content = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit or "unknown",
        "machine": f"{os.cpu_count()} cores, {platform.system()} {platform.release()}, everything on it, the generator too",
        "load average": " ".join(f"{value:.1f}" for value in os.getloadavg()),
        "python": platform.python_version(),
        "locust": version("locust"),
        "grpcio": version("grpcio"),
        "classes": place.classes,
        "pupils": place.pupils,
        "gradebooks": len(place.gradebooks),
        "peak": f"{plan.sheets_per_second:g} sheets/s, {plan.statuses_per_second:g} public questions/s",
        "signing workers": given.workers,
        "seed": plan.seed,
    }
    (plan.folder / "environment.json").write_text(json.dumps(content, indent=1), encoding="utf-8")


def _conclude(folder: Path, goals_file: Path, seconds: float) -> int:
    verdicts = verdict.judge(folder / "run", goals_file)
    shutil.copyfile(folder / "run" / "report.html", folder / "report.html")
    print("\n" + verdict.tell(verdicts))
    print(f"\nreport: {folder / 'report.html'}   ({seconds:.0f} s in all)")
    return goals.exit_code(verdicts)


def _say(line: str) -> None:
    print(f"  {line}", file=sys.stderr, flush=True)


def _arguments(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="hocba surge", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pupils", type=int, default=240, help="at least so many, in twelve classes or more (default %(default)s)")
    parser.add_argument("--sheets-per-second", type=float, default=12.0, help="class sheets saved at the peak (default %(default)s)")
    parser.add_argument("--statuses-per-second", type=float, default=10.0, help="public questions, all the time (default %(default)s)")
    parser.add_argument("--evening", type=float, default=60.0, help="seconds in which marks come in (default %(default)s)")
    parser.add_argument("--night", type=float, default=150.0, help="seconds in which everything must be archived, at most (default %(default)s)")
    parser.add_argument("--workers", type=int, default=2, help="signing workers (default %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed, the same plan (default %(default)s)")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the run and its stack live (default .state/surge)")
    parser.add_argument("--goals", type=Path, default=verdict.GOALS, help="what must be reached (default %(default)s)")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    """Run a surge; the exit code is the verdict."""
    given = _arguments(arguments)
    try:
        goals.read(given.goals)  # A misspelt goal should not cost four minutes first.
        return asyncio.run(_until_asked_to_stop(surge(given)))
    except (StackError, ServiceError, goals.BadGoals, OSError) as error:
        print(f"surge: {error}", file=sys.stderr)
        return 2
    except (KeyboardInterrupt, asyncio.CancelledError):
        print("surge: interrupted; everything it started has ended", file=sys.stderr)
        return 130


async def _until_asked_to_stop(run: Coroutine[None, None, int]) -> int:
    """Turn SIGTERM into the same orderly end as Ctrl-C."""
    task = asyncio.create_task(run)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await task


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
