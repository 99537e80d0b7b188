"""The service's named SQL statements."""

from pathlib import Path

from services.chassis.database import Queries

QUERIES = Queries(*(Path(__file__).with_name(f"{name}.sql") for name in ("queries", "log_queries", "life", "dossiers")))
