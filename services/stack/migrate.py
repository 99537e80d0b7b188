"""Bring every service's database, topics and group offsets up to date, in one process.

    python -m services.stack.migrate grading locking …

One process instead of six `hocba <service> migrate`: the same calls, but Python and its libraries load only once. The
environment holds the settings of all the services named.
"""

from __future__ import annotations

import asyncio
import importlib
import sys

from services.chassis import migrations
from services.chassis.errors import ServiceError


async def _one(name: str) -> str:
    module = importlib.import_module(f"services.{name}.app")
    service = module.build(module.SETTINGS.load())
    ran = migrations.migrate(service.settings.owner_dsn, module.MIGRATIONS)
    made = await service.provision()
    return f"{name}: {len(ran)} migrations, {len(made)} topics"


def main(services: list[str]) -> int:
    """Migrate the named services one after the other; exit status 1 at the first that fails."""
    for name in services:
        try:
            print(asyncio.run(_one(name)), flush=True)
        except ServiceError as error:
            print(f"{name}: {error.message}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
