"""A rehearsal on a stack of its own, so that it never touches what a developer's stack holds."""

import asyncio
import shutil
from contextlib import AsyncExitStack
from pathlib import Path

from services.rehearsal.progress import Stage
from services.rehearsal.term_end import Outcome, play
from services.stack import processes, supervisor
from services.stack.places import Places

WORKERS = 2
START = "Khởi động Kafka, PostgreSQL, sáu dịch vụ (start the stack)"


def on_a_fresh_stack(pupils: int, seed: int, *, keep: bool, quiet: bool) -> Outcome:
    """Start six services and two workers on empty stores, play, and end them again unless `keep`."""
    stage, home = Stage(quiet=quiet), Places.of_demo()
    documents = home.state / "transcripts"
    shutil.rmtree(documents, ignore_errors=True)
    documents.mkdir(parents=True)
    if keep:
        supervisor.down(home)
        with stage.act(START):
            deployment = supervisor.up(home, workers=WORKERS, fresh=True)
        try:
            return asyncio.run(play(deployment, pupils, seed, stage, documents))
        except BaseException:  # Ctrl-C too: only a play that came to its end is worth keeping.
            supervisor.down(home)
            raise
    return asyncio.run(_in_the_foreground(home, pupils, seed, stage, documents))


async def _in_the_foreground(home: Places, pupils: int, seed: int, stage: Stage, documents: Path) -> Outcome:
    async with AsyncExitStack() as open_stack:
        with stage.act(START):
            stack = await open_stack.enter_async_context(processes.running(home, workers=WORKERS, fresh=True))
        outcome = await play(stack.deployment, pupils, seed, stage, documents)
    outcome.page = ""  # Nobody serves it any more.
    return outcome
