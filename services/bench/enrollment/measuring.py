"""How fast a roster comes in: a generated file through the service's own door, beside a plain COPY of the same pupil rows.

The service runs as the process that production runs (mTLS, tokens, row-level security, outbox, sealed events); only Kafka is
missing, since publishing isn't part of an import. The COPY writes the same rows, in one go, into a table with the same
constraints and indexes on the same server.
"""

from __future__ import annotations

import asyncio
import csv
import io
import os
import shutil
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any

import grpc
import psycopg

from hocba.common.v1 import common_pb2
from hocba.enrollment.v1 import enrollment_pb2 as pb
from hocba.enrollment.v1 import enrollment_pb2_grpc
from services.chassis import migrations
from services.chassis.rpc_client import open_channel
from services.enrollment.app import MIGRATIONS
from services.stack import pki, ports, postgresql
from services.stack.children import Child, spawn
from services.stack.places import CHECKOUT, Places
from services.stack.postgresql import Databases

YEAR = 2026
PROVINCE = "2025-79"
_CLASS_SIZE, _CLASSES = 40, 25
_PART_BYTES = 256 * 1024
_FAMILY = ("Nguyễn", "Trần", "Lê", "Phạm", "Hoàng", "Phan", "Vũ", "Đặng", "Bùi", "Đỗ", "Hồ", "Ngô")
_MIDDLE = ("Văn", "Thị", "Đức", "Ngọc", "Minh", "Thu", "Quang", "Khánh", "Hữu", "Thanh", "Bảo", "Gia")
_GIVEN = ("An", "Bình", "Chi", "Dũng", "Giang", "Hà", "Hòa", "Khang", "Lan", "Linh", "Mai", "Nam", "Phúc", "Quân", "Thảo", "Trang", "Vinh", "Yến")
_HEADINGS = ("STT", "Mã trường", "Mã định danh Bộ GD&ĐT", "Họ tên", "Ngày sinh", "Giới tính", "Dân tộc", "Trạng thái", "Số định danh cá nhân")


@dataclass(frozen=True)
class Figures:
    """What a run measured. Memory is the service process's high-water mark."""

    rows: int
    schools: int
    classes: int
    file_megabytes: float
    import_seconds: float
    rows_per_second: float
    repeat_rows_per_second: float
    peak_memory_megabytes: float
    idle_memory_megabytes: float
    copy_seconds: float
    copy_rows_per_second: float
    ratio_to_copy: float


def generate(rows: int, seed: int = 7) -> tuple[bytes, list[str]]:
    """A CSV file of so many pupils with codes of their own, and the codes of its schools; the same for the same arguments."""
    draw = Random(seed)  # noqa: S311  # Sample data.
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([*_HEADINGS, "Lớp học", "Khối học", "Nơi sinh", "Họ tên cha", "Họ tên mẹ", "Chỗ ở hiện nay"])
    codes = []
    for number in range(rows):
        in_school = number % (_CLASS_SIZE * _CLASSES)
        if in_school == 0:
            codes.append(f"79{number // (_CLASS_SIZE * _CLASSES):06d}")
        in_class = in_school // _CLASS_SIZE
        grade, female = 6 + in_class % 4, draw.random() < 0.5
        family, year = draw.choice(_FAMILY), YEAR - grade - 5
        writer.writerow(
            [
                number + 1,
                codes[-1],
                f"79{number:08d}",
                f"{family} {draw.choice(_MIDDLE)} {draw.choice(_GIVEN)}",
                f"{draw.randint(1, 28):02d}/{draw.randint(1, 12):02d}/{year}",
                "Nữ" if female else "Nam",
                "Kinh",
                "Đang học",
                f"079{3 if female else 2}{year % 100:02d}{number:06d}",
                f"{grade}A{in_class // 4 + 1}",
                f"Khối {grade}",
                "Thành phố Hồ Chí Minh",
                f"{family} {draw.choice(_MIDDLE)} {draw.choice(_GIVEN)}",
                f"{draw.choice(_FAMILY)} Thị {draw.choice(_GIVEN)}",
                f"{draw.randint(1, 400)} đường số {draw.randint(1, 60)}",
            ]
        )
    return text.getvalue().encode("utf-8-sig"), codes


def measure(rows: int) -> Figures:
    """Run the benchmark in a folder of its own; nothing of it is left."""
    root = CHECKOUT / ".state" / "bench"
    root.mkdir(parents=True, exist_ok=True)
    folder = tempfile.mkdtemp(prefix=f"enrollment-{os.getpid()}-", dir=root)
    os.chmod(folder, 0o755)  # noqa: S103  # PostgreSQL runs as another user when we are root.
    places = Places.of(folder).make()
    try:
        with postgresql.running(places, durable=True) as server:
            databases = server.provide("enrollment")
            migrations.migrate(databases.owner_url, MIGRATIONS)
            figures = _measure(places, databases, rows)
        postgresql.wipe(places)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return figures


def _measure(places: Places, databases: Databases, rows: int) -> Figures:
    keys = pki.prepare(places)
    chosen = ports.choose(places, ("enrollment", "enrollment-health"))
    port, health = chosen["enrollment"], chosen["enrollment-health"]
    child = _serve(places, keys, databases, port, health)
    try:
        content, codes = generate(rows)
        token = keys.token("bench", "bench", ("registrar@province:" + PROVINCE, "system_operator@nation"))
        seconds, repeat, idle, peak = asyncio.run(_import(child, keys, f"127.0.0.1:{port}", token, content, codes, rows))
    finally:
        child.stop(20)
    copied = _copy(databases.owner_url, rows)
    return Figures(
        rows=rows,
        schools=len(codes),
        classes=-(-rows // _CLASS_SIZE),
        file_megabytes=round(len(content) / 1e6, 1),
        import_seconds=round(seconds, 2),
        rows_per_second=round(rows / seconds),
        repeat_rows_per_second=round(rows / repeat),
        peak_memory_megabytes=round(peak / 1024, 1),
        idle_memory_megabytes=round(idle / 1024, 1),
        copy_seconds=round(copied, 2),
        copy_rows_per_second=round(rows / copied),
        ratio_to_copy=round(copied / seconds, 4),
    )


def _serve(places: Places, keys: pki.Keys, databases: Databases, port: int, health: int) -> Child:
    leaf = keys.leaf("enrollment")
    told = {
        "LISTEN": f"127.0.0.1:{port}",
        "HEALTH_LISTEN": f"127.0.0.1:{health}",
        "DATABASE_URL": databases.url,
        "KAFKA_BOOTSTRAP": "127.0.0.1:9",
        "TLS_CA_FILE": keys.ca,
        "TLS_CERTIFICATE_FILE": leaf.certificate,
        "TLS_KEY_FILE": leaf.key,
        "TOKEN_KEYS_FILE": keys.token_keys,
        "ENVELOPE_READERS_FILE": keys.envelope_readers,
        "LOG_LEVEL": "error",
    }
    env = {name: value for name, value in os.environ.items() if not name.startswith("HOCBA_")}
    env |= {f"HOCBA_ENROLLMENT_{name}": str(value) for name, value in told.items()}
    return spawn("enrollment", [sys.executable, "-m", "services", "enrollment", "serve"], log=places.logs / "enrollment.log", env=env, cwd=CHECKOUT)


async def _import(child: Child, keys: pki.Keys, address: str, token: str, content: bytes, codes: list[str], rows: int) -> tuple[float, float, int, int]:
    """Import the file twice; give the seconds of both and the service's memory (KiB) before and at its highest."""
    leaf = keys.leaf("edge")
    channel = open_channel(address, "enrollment", ca=keys.ca, certificate=leaf.certificate, key=leaf.key)
    metadata = (("authorization", f"Bearer {token}"),)
    stub: Any = enrollment_pb2_grpc.EnrollmentStub(channel)
    try:
        for code in codes:
            school = pb.RegisterSchoolRequest(
                request_id=str(uuid.uuid4()),
                code=code,
                name=f"Trường {code}",
                province_id=PROVINCE,
                levels=[common_pb2.LEVEL_LOWER_SECONDARY],
                valid_from="2010-08-01",
                public_school=True,
            )
            await stub.RegisterSchool(school, metadata=metadata, timeout=60, wait_for_ready=True)
        idle = _memory(child.process.pid)
        first, taken = await _run(stub, metadata, content)
        again, unchanged = await _run(stub, metadata, content)
        if (taken.rows_taken, unchanged.rows_unchanged) != (rows, rows):
            raise RuntimeError(f"not every row was taken: {taken.rows_taken} of {rows}, then {unchanged.rows_unchanged} unchanged")
        return first, again, idle, _memory(child.process.pid)
    finally:
        await channel.close(None)


async def _run(stub: Any, metadata: Any, content: bytes) -> tuple[float, pb.ImportRosterResponse]:
    async def parts() -> AsyncIterator[pb.ImportRosterRequest]:
        header = pb.ImportRosterRequest.Header(request_id=str(uuid.uuid4()), school_year=YEAR, file_name="roster.csv", form_classes=True)
        yield pb.ImportRosterRequest(header=header)
        for start in range(0, len(content), _PART_BYTES):
            yield pb.ImportRosterRequest(chunk=content[start : start + _PART_BYTES])

    started, last = time.perf_counter(), None
    call: grpc.aio.StreamStreamCall[Any, Any] = stub.ImportRoster(parts(), metadata=metadata, timeout=1800)
    async for answer in call:
        last = answer
    if last is None:
        raise RuntimeError("the import ended without an answer")
    return time.perf_counter() - started, last


def _memory(pid: int) -> int:
    """The highest resident memory of a process so far, in KiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


def _copy(owner_url: str, rows: int) -> float:
    """Seconds of one COPY of the pupil rows that the import made, into a table of the same shape without policies."""
    with psycopg.connect(owner_url) as connection:
        connection.execute("SET hocba.scope = 'system'")
        connection.execute("CREATE TABLE copied (LIKE pupils INCLUDING ALL)")
        connection.commit()
        connection.execute("SET hocba.scope = 'system'")
        with connection.cursor() as cursor, cursor.copy("COPY (SELECT * FROM pupils) TO STDOUT") as out:
            content = b"".join(bytes(part) for part in out)
        connection.commit()
        started = time.perf_counter()
        with connection.cursor() as cursor, cursor.copy("COPY copied FROM STDIN") as into:
            into.write(content)
        connection.commit()
        seconds = time.perf_counter() - started
        counted = connection.execute("SELECT count(*) FROM copied").fetchone()
        if counted != (rows,):
            raise RuntimeError(f"COPY wrote {counted}, not {rows} rows")
    return seconds


def as_dict(figures: Figures) -> dict[str, Any]:
    """The figures as plain data."""
    return asdict(figures)
