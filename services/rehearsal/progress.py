"""Progress that people can watch, and nothing for machines."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Column

WIDE = 110
"""Columns of a terminal from which on a title, a bar and the numbers need no squeezing."""


class Step:
    """One act under way."""

    def __init__(self, progress: Progress | None, task: TaskID | None) -> None:
        self._progress, self._task = progress, task
        self.done = 0

    def advance(self, by: int = 1) -> None:
        self.done += by
        if self._progress is not None and self._task is not None:
            self._progress.advance(self._task, by)

    def at(self, done: int) -> None:
        """Set the count outright, for a step that polls."""
        self.advance(done - self.done)


class Stage:
    """Where acts are shown: bars on a terminal, a line each when the output is a file, nothing when quiet."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.console = Console(stderr=True)
        self._quiet = quiet
        self.seconds: dict[str, float] = {}

    @contextmanager
    def act(self, title: str, total: int | None = None) -> Iterator[Step]:
        """One act; its time is kept under its title."""
        began = time.monotonic()
        if self._quiet or not self.console.is_terminal:
            yield Step(None, None)
        else:
            # On a narrow terminal the title gives way, not the numbers.
            words = TextColumn("{task.description}", table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis"))
            columns = (SpinnerColumn(), words, BarColumn(16), MofNCompleteColumn(), TimeElapsedColumn())
            with Progress(*columns, console=self.console, expand=self.console.width < WIDE) as progress:
                yield Step(progress, progress.add_task(title, total=total))
        self.seconds[title] = time.monotonic() - began
        if not self._quiet and not self.console.is_terminal:
            print(f"  {title} ({self.seconds[title]:.1f} s)", file=sys.stderr, flush=True)
