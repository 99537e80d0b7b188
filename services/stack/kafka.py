"""One real Kafka broker in KRaft mode on the loopback interface, started, stopped and killed at will."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from services.stack import jars, java, ports
from services.stack.children import Child, spawn, wait_until
from services.stack.places import Places, StackError, write_atomically

_CLUSTER_ID = "aG9jYmEtbG9jYWwtc3RhY2"  # Any 16 bytes in base64url do; a fixed one lets a formatted folder be copied.
_STARTED = b"Kafka Server started"  # The broker's own word, after it has registered and takes requests.

# What differs from Kafka's defaults, and why.
_SETTINGS = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller_port}
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller_port}
advertised.listeners=PLAINTEXT://{host}:{port}
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs={data}
# A misspelt topic is an error, not a new topic; topics are made from the messages' own declarations.
auto.create.topics.enable=false
unclean.leader.election.enable=false
# A group idle over a long holiday keeps its offsets (the default forgets them after a week).
offsets.retention.minutes=5256000
# One node: the internal topics can't have three replicas.
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
# The coordinator's write linger costs each offset commit 5 ms for batching that one machine doesn't need.
group.coordinator.append.linger.ms=0
group.initial.rebalance.delay.ms=0
# After a kill the controller waits this long before it lets the broker back in (9 s by default).
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
group.min.session.timeout.ms=1000
# Small: a laptop runs the whole house.
num.network.threads=2
num.io.threads=4
num.replica.fetchers=1
background.threads=2
log.cleaner.threads=1
log.cleaner.dedupe.buffer.size=2097152
log.segment.bytes=67108864
offsets.topic.segment.bytes=1048576
transaction.state.log.segment.bytes=1048576
metadata.log.segment.bytes=8388608
"""

_LOGGING = """\
status = error
shutdownHook = disable
appender.out.type = Console
appender.out.name = OUT
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{yyyy-MM-dd'T'HH:mm:ss.SSSXXX} %p %m (%c)%n
rootLogger.level = warn
rootLogger.appenderRef.out.ref = OUT
logger.started.name = kafka.server.KafkaRaftServer
logger.started.level = info
"""


@dataclass
class Broker:
    """A broker the stack can reach, and can stop and start if it is the stack's own.

    `bootstrap` is host:port. A broker given by `HOCBA_KAFKA` has no `launch` and is never stopped.
    """

    bootstrap: str
    launch: Callable[[], Child] | None = None
    on_stopped: Callable[[], None] = lambda: None
    child: Child | None = None
    _read_from: int = field(default=0, repr=False)

    @property
    def is_ours(self) -> bool:
        return self.launch is not None

    def start(self) -> Broker:
        """Start the process without waiting for it (again, on the same data and port, after `stop` or `kill`)."""
        if self.launch is None:
            raise StackError(f"The broker {self.bootstrap} was given by HOCBA_KAFKA; hocba doesn't start or stop it.")
        if self.child is None or not self.child.alive:
            self.child = self.launch()
        return self

    def wait_ready(self, seconds: float = 60.0) -> Broker:
        """Return once the broker takes requests; StackError with the end of its log otherwise."""
        if self.child is not None:
            child, log = self.child, self.child.log
            wait_until(lambda: _STARTED in _since(log, child), child, seconds=seconds, what="ready for requests")
            # The first question after a group makes the topic of offsets; until it has leaders no group can work.
            with ThreadPoolExecutor(1) as thread:  # A thread, since the caller may be inside an event loop.
                has_coordinator = thread.submit(lambda: asyncio.run(_wait_for_coordinator(self.bootstrap, seconds))).result()
            if not has_coordinator:
                raise StackError(f"Kafka has no group coordinator after {seconds:.0f} s. Log {log}:\n{child.last_lines()}")
        return self

    def stop(self, grace_seconds: float = 30.0) -> None:
        """End the broker in an orderly way; committed records are on disk."""
        if self.child is not None and self.child.alive:
            self.child.stop(grace_seconds)
            self.on_stopped()

    def kill(self) -> None:
        """End the broker by SIGKILL."""
        if self.child is not None:
            self.child.kill()


# Where a child's part of its log begins, by pid: a log holds several runs, each with a line that says "started".
_log_starts: dict[int, int] = {}


def _since(log: Path, child: Child) -> bytes:
    with log.open("rb") as file:
        file.seek(_log_starts.get(child.process.pid, 0))
        return file.read()


async def _wait_for_coordinator(bootstrap: str, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
        try:
            await admin.start()
            await admin.find_coordinator("hocba-stack")
        except KafkaError:
            await asyncio.sleep(0.05)
        else:
            return True
        finally:
            await admin.close()
    return False


def start(places: Places, *, quick: bool = False, say: Callable[[str], None] = lambda _: None) -> Broker:
    """Start this stack's broker (data in the state folder) without waiting; `HOCBA_KAFKA` is used instead if set.

    `quick` trades peak throughput for a quicker start: right for tests, not for benchmarks.
    """
    if given := os.environ.get("HOCBA_KAFKA"):
        return Broker(bootstrap=given)
    places.make()
    machine = java.find(places, say)
    libraries = jars.resolve(places, say)
    chosen = ports.choose(places, ("kafka", "kafka-controller"))
    home = places.state / "kafka"
    settings, logging = home / "server.properties", home / "log4j2.properties"
    if not (home / "data" / "meta.properties").exists():
        shutil.rmtree(home / "data", ignore_errors=True)
    home.mkdir(parents=True, exist_ok=True)
    fields = {"host": ports.LOOPBACK, "port": chosen["kafka"], "controller_port": chosen["kafka-controller"]}
    write_atomically(settings, _SETTINGS.format(data=home / "data", **fields))
    write_atomically(logging, _LOGGING)
    if not (home / "data").exists():
        _format(libraries, machine, home, settings, logging)

    # Class data sharing halves the start (2.2 s to 1.0 s here); the archive is written when a broker first ends.
    archive = libraries / f"classes-{machine.version}.jsa"
    trained = home / "classes.jsa"
    options = ["-Xms128m", "-Xmx512m", "-Xss512k", "-XX:+UseSerialGC", "-XX:MaxDirectMemorySize=128m"]
    options += ["-XX:TieredStopAtLevel=1"] if quick else []
    options += [f"-XX:SharedArchiveFile={archive}" if archive.exists() else f"-XX:ArchiveClassesAtExit={trained}"]
    options += ["-Xlog:disable", "-Xlog:all=error:stderr", f"-Djava.io.tmpdir={home}", "-Djava.awt.headless=true"]
    options += [f"-Dlog4j2.configurationFile={logging}"]
    command: list[str | Path] = [machine.program, *options, "-cp", f"{libraries}/*", "kafka.Kafka", settings]

    def launch() -> Child:
        log = places.logs / "kafka.log"
        begin = log.stat().st_size if log.exists() else 0
        child = spawn("kafka", command, log=log, cwd=home, death_signal=signal.SIGKILL)
        _log_starts[child.process.pid] = begin
        return child

    def keep_archive() -> None:
        if trained.exists():
            with contextlib.suppress(OSError):
                os.replace(trained, archive)

    return Broker(f"{ports.LOOPBACK}:{chosen['kafka']}", launch, keep_archive).start()


def _format(libraries: Path, machine: java.Java, home: Path, settings: Path, logging: Path) -> None:
    """Give `home/data` the two files an empty KRaft log directory starts with, made once per Kafka version."""
    template = libraries / "formatted"
    if not template.exists():
        with tempfile.TemporaryDirectory(dir=libraries, prefix=".format-") as scratch:
            once = Path(scratch) / "server.properties"
            once.write_text(settings.read_text().replace(f"log.dirs={home / 'data'}", f"log.dirs={scratch}/data"))
            command: list[str | Path] = [
                machine.program,
                "-XX:TieredStopAtLevel=1",
                f"-Dlog4j2.configurationFile={logging}",
            ]
            command += ["-cp", f"{libraries}/*", "kafka.tools.StorageTool", "format"]
            command += ["--ignore-formatted", "-t", _CLUSTER_ID, "-c", once]
            run = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
            if run.returncode != 0:
                raise StackError(f"Kafka's storage could not be formatted: {(run.stdout + run.stderr).strip()[-800:]}")
            with contextlib.suppress(OSError):  # Another stack of this checkout was first; its template is as good.
                os.rename(Path(scratch) / "data", template)
    draft = home / ".data"
    shutil.rmtree(draft, ignore_errors=True)
    shutil.copytree(template, draft)
    os.rename(draft, home / "data")


@contextlib.contextmanager
def running(places: Places, *, quick: bool = False, say: Callable[[str], None] = lambda _: None) -> Iterator[Broker]:
    """A broker that takes requests for the length of the block."""
    broker = start(places, quick=quick, say=say)
    try:
        yield broker.wait_ready()
    finally:
        broker.stop()
