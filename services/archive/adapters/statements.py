"""The service's named SQL statements."""

from pathlib import Path

from services.chassis.database import Queries

QUERIES = Queries(Path(__file__).with_name("queries.sql"), Path(__file__).with_name("log_queries.sql"))
