"""`hocba bench enrollment`: a roster file through the service's own door, beside a plain COPY. `measuring` does the work."""

import json
from typing import Annotated

import typer


def attach(group: typer.Typer) -> None:
    """Add the command; what it needs is imported when it runs, so that help stays fast."""

    @group.command()
    def enrollment(
        rows: Annotated[int, typer.Option(min=1000, help="pupils in the generated file")] = 100_000,
        as_json: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
    ) -> None:
        """Import a generated roster through the real service; rows/s, peak memory, and the ratio to a plain COPY."""
        from services.bench.enrollment.measuring import as_dict, measure

        figures = measure(rows)
        if as_json:
            typer.echo(json.dumps(as_dict(figures)))
            return
        typer.echo(f"import       {figures.rows_per_second:>9,} rows/s   ({figures.rows:,} rows of {figures.schools} schools in {figures.import_seconds} s)")
        typer.echo(f"repeat       {figures.repeat_rows_per_second:>9,} rows/s   (nothing changes)")
        typer.echo(f"plain COPY   {figures.copy_rows_per_second:>9,} rows/s")
        typer.echo(f"ratio        {figures.ratio_to_copy:>9.3f}")
        typer.echo(f"memory       {figures.peak_memory_megabytes:>9.1f} MB at its highest ({figures.idle_memory_megabytes} MB idle)")
