"""Schema changes: plain SQL files in order, run by Alembic under an advisory lock with a short lock time-out.

A service's `migrations/` folder holds NNNN_<what>.sql files; the chassis' own run first. Each file is one Alembic
revision, one transaction. Forward only: what must be undone is a new file. Alembic's table is hocba_migrations.
"""

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from alembic import op
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import Script, ScriptDirectory
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.pool import NullPool

CHASSIS = Path(__file__).with_name("migrations")
LOCK_ID = 0x484F4D49  # "HOMI": two migrations of one database wait for each other.


class _SQLFiles(ScriptDirectory):
    """An Alembic script directory whose revisions are SQL files."""

    def __init__(self, *folders: Path) -> None:
        self._folders = folders
        super().__init__(str(folders[0]))

    def _load_revisions(self) -> Iterator[Script]:
        before: str | None = None
        for folder in self._folders:
            for number, file in enumerate(sorted(folder.glob("*.sql")), start=1):
                if not re.fullmatch(rf"{number:04d}_[a-z0-9_]+\.sql", file.name):
                    raise ValueError(f"{file.name}: expected {number:04d}_<what>.sql; numbers run from 0001 without gaps")
                module: Any = ModuleType(file.stem)
                module.revision, module.down_revision = f"{folder.parent.name}_{file.stem}", before
                module.upgrade = partial(_run, file.read_text(encoding="utf-8"))
                before = module.revision
                yield Script(module, module.revision, str(file))


def migrate(owner_dsn: str, folder: Path) -> list[str]:
    """Bring a database up to date; returns the revisions that ran now. Safe to repeat and to run twice at once."""
    engine = create_engine(owner_dsn.replace("postgresql://", "postgresql+psycopg://", 1), poolclass=NullPool)
    with engine.connect() as connection:
        connection.execute(text("SELECT pg_advisory_lock(:id)"), {"id": LOCK_ID})
        connection.commit()  # The lock belongs to the session and ends with it.
        return _upgrade(connection, _SQLFiles(CHASSIS, folder))


def _upgrade(connection: Connection, scripts: _SQLFiles) -> list[str]:
    ran: list[str] = []

    def steps(revision: Any, _: Any) -> Any:
        upgrades = scripts._upgrade_revs("head", revision)
        ran.extend(step.revision.revision for step in upgrades)
        return upgrades

    with EnvironmentContext(Config(), scripts, fn=steps) as environment:
        environment.configure(connection=connection, version_table="hocba_migrations", transaction_per_migration=True)
        environment.run_migrations()
    return ran


def _run(sql: str, **_: Any) -> None:
    driver: Any = op.get_bind().connection.driver_connection
    driver.execute("SET LOCAL lock_timeout = '4s'")
    driver.execute(sql)  # The driver takes a whole file; SQLAlchemy would want single statements.
