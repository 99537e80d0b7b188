"""The local PostgreSQL keeps its promises: separate databases, least rights, nothing lost by a kill."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from services.stack import postgresql
from services.stack.places import Places, StackError
from services.stack.postgresql import Server
from tests.support.places import scratch_places


def test_run_time_role_neither_owns_nor_bypasses_row_security(postgres: Server) -> None:
    databases = postgres.provide("grading")
    with psycopg.connect(databases.url) as connection:
        row = connection.execute("SELECT rolsuper, rolbypassrls, rolcreatedb, rolcreaterole FROM pg_roles WHERE rolname = current_user").fetchone()
        assert row == (False, False, False, False)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("CREATE TABLE public.mine (id int)")


def test_a_service_cannot_enter_another_services_database(postgres: Server) -> None:
    postgres.provide("grading")
    archive = postgres.provide("archive")
    foreign = archive.url.removesuffix("/hocba_archive") + "/hocba_grading"
    with pytest.raises(psycopg.OperationalError, match="permission denied"):
        psycopg.connect(foreign)


def test_providing_a_database_again_keeps_its_rows(postgres: Server) -> None:
    databases = postgres.provide("reporting")
    with psycopg.connect(databases.owner_url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS seven")
    again = postgres.provide("reporting")
    with psycopg.connect(again.owner_url) as connection:
        assert connection.execute("SELECT seven FROM kept").fetchone() == (7,)
        connection.execute("DROP TABLE kept")


def test_committed_rows_survive_a_kill() -> None:
    with scratch_places("postgresql") as places, postgresql.running(places) as server:
        databases = server.provide("locking")
        with psycopg.connect(databases.owner_url) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 7 AS seven")
        server.kill()
        server.start().wait_ready()
        with psycopg.connect(databases.owner_url) as connection:
            assert connection.execute("SELECT seven FROM kept").fetchone() == (7,)
        assert _setting(server, "fsync") == "on"
        assert _setting(server, "data_checksums") == "on"
        server.stop()
        postgresql.wipe(places)


def test_a_half_made_cluster_is_made_anew() -> None:
    with scratch_places("postgresql") as places:
        draft = _home(places).with_name(".postgresql-draft")
        draft.mkdir()
        (draft / "PG_VERSION").write_text("15\n")
        with postgresql.running(places, durable=False) as server:
            assert _setting(server, "server_encoding") == "UTF8"
        assert not draft.exists()
        postgresql.wipe(places)


def test_a_cluster_of_another_major_version_is_refused_not_overwritten() -> None:
    with scratch_places("postgresql") as places:
        home = _home(places)
        home.mkdir(exist_ok=True)
        (home / "PG_VERSION").write_text("9\n")
        with pytest.raises(StackError, match=r"made by PostgreSQL 9.*make clean"):
            postgresql.start(places)
        assert (home / "PG_VERSION").read_text() == "9\n"
        postgresql.wipe(places)


def _home(places: Places) -> Path:
    """Where the data goes: below /var/tmp when the checkout lies where PostgreSQL's user may not walk."""
    home, _, _ = postgresql._home(places, postgresql._account())
    return home / "postgresql"


def _setting(server: Server, name: str) -> str:
    with psycopg.connect(server.admin_url) as connection:
        row = connection.execute("SELECT current_setting(%s)", [name]).fetchone()
    return str(row[0]) if row else ""


def test_a_folder_on_the_path_that_cannot_be_looked_into_is_passed_over(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Another user's folder on PATH, as after `su`; root may look everywhere, so here it is a name that no file can have."""
    for program in ("postgres", "initdb"):
        (tmp_path / program).write_text('#!/bin/sh\necho "postgres (PostgreSQL) 99.1"\n')
        (tmp_path / program).chmod(0o755)
    monkeypatch.setenv("PATH", f"/{'x' * 5000}:{tmp_path}:/usr/bin:/bin")
    assert postgresql._programs(tmp_path / "tools", print) == tmp_path
