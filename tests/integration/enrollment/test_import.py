"""The Ministry's roster file on a real database: dry run, faults, repeats, a kill in the middle, and files of many schools."""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import signal
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest
from openpyxl import Workbook

from hocba.enrollment.v1 import enrollment_pb2 as pb
from hocba.enrollment.v1 import events_pb2 as ev
from services.chassis.errors import Conflict, Denied, Malformed
from tests.integration.enrollment.house import HEADINGS, YEAR, House, actor, make_rpc, new_id, office, profile, roster
from tests.support.eventually import eventually

COUNTS = ("rows_read", "rows_taken", "rows_unchanged", "rows_refused", "rows_resumed")


def counts(answer: pb.ImportRosterResponse) -> tuple[int, ...]:
    return tuple(getattr(answer, name) for name in COUNTS)


def stops(answer: pb.ImportRosterResponse) -> list[tuple[int, str]]:
    return [(fault.row, fault.column) for fault in answer.faults if not fault.warning]


def everything(house: House) -> list[object]:
    """All that an import writes."""
    return [
        house.rows("SELECT full_name, ministry_code, personal_number, version FROM pupils ORDER BY ministry_code"),
        house.rows("SELECT c.name, e.roll_number, e.version, e.pupil_id::text FROM enrolments e JOIN classes c USING (class_id) ORDER BY 4"),
        house.rows("SELECT personal_number FROM personal_numbers ORDER BY 1"),
        sorted(ref.version for event in house.events(ev.PupilsEnrolled) for ref in event.pupils),
    ]


async def test_a_dry_run_tells_the_same_and_writes_nothing(house: House) -> None:
    school = await house.school("79000001")
    content = roster([("6A1", profile(n)) for n in range(30)] + [("6A1", profile(99, personal_number="12"))])
    told = await house.load(office(school), content, school_id=school, dry_run=True)
    assert counts(told) == (31, 30, 0, 1, 0)
    assert house.rows("SELECT count(*) FROM pupils") == house.rows("SELECT count(*) FROM import_jobs") == house.rows("SELECT count(*) FROM classes") == [(0,)]
    real = await house.load(office(school), content, school_id=school)
    assert counts(real) == counts(told)
    assert list(real.faults) == list(told.faults)
    assert house.rows("SELECT count(*) FROM pupils") == [(30,)]


async def test_a_second_import_of_the_same_file_changes_nothing(house: House) -> None:
    school = await house.school("79000001")
    content = roster([(f"6A{1 + n // 30}", profile(n)) for n in range(90)])
    job = new_id()
    first = await house.load(office(school), content, school_id=school, job_id=job)
    assert counts(first) == (90, 90, 0, 0, 0)
    assert first.file_sha256 == hashlib.sha256(content).digest()
    before = everything(house)
    assert counts(await house.load(office(school), content, school_id=school, job_id=job)) == (90, 90, 0, 0, 90)
    assert counts(await house.load(office(school), content, school_id=school)) == (90, 0, 90, 0, 0)
    assert everything(house) == before
    assert len(house.events(ev.PupilsEnrolled)) == 3
    with pytest.raises(Conflict, match="mã mới"):
        await house.load(office(school), content + b"\n", school_id=school, job_id=job)


async def test_pupils_without_codes_are_recognised_by_name_and_birth_date(house: House) -> None:
    school = await house.school("79000001")
    bare = [("6A1", profile(n, ministry_code="", personal_number="")) for n in range(3)]
    assert counts(await house.load(office(school), roster(bare), school_id=school)) == (3, 3, 0, 0, 0)
    with_numbers = [("6A1", profile(n, ministry_code="")) for n in range(3)]
    assert counts(await house.load(office(school), roster(with_numbers), school_id=school)) == (3, 3, 0, 0, 0)
    assert house.rows("SELECT count(*), count(absence) FROM pupils") == [(3, 0)]
    assert house.rows("SELECT count(*) FROM personal_numbers") == [(3,)]


async def test_every_bad_row_is_told_and_none_stops_the_file(house: House) -> None:
    school, other = await house.school("79000001"), await house.school("79000002")
    elsewhere = await house.form(other, "6B")
    await house.enrol(other, elsewhere, profile(7))
    in_class = await house.form(school, "6A9")
    await house.enrol(school, in_class, profile(8))
    rows = [
        ("6A1", profile(1)),  # row 2: taken
        ("6A1", profile(2, full_name="")),
        ("6A1", profile(3, personal_number="07921512345")),  # an 11-digit text that begins with 0 has lost no zero
        ("6A1", profile(1)),  # repeats row 2
        ("", profile(4)),
        ("10A1", profile(5)),  # the school has no grade 10
        ("6A1", profile(6, birth_date="1910-01-01")),
        ("6A1", profile(7)),  # at another school
        ("6A1", profile(8)),  # in another class
        ("6A1", profile(9)),  # row 11: taken
    ]
    answer = await house.load(office(school), roster(rows), school_id=school)
    assert stops(answer) == [
        (3, "Họ tên"),
        (4, "Số định danh cá nhân"),
        (5, "Mã định danh Bộ GD&ĐT"),
        (6, "Lớp học"),
        (7, "Khối học"),
        (8, "Ngày sinh"),
        (9, "Lớp học"),
        (10, "Lớp học"),
    ]
    assert counts(answer) == (10, 2, 0, 8, 0)
    assert all(fault.cure for fault in answer.faults)


async def test_a_killed_import_goes_on_where_it_was(house: House, tmp_path: Path) -> None:
    school = await house.school("79000001")
    content = roster([(f"6A{1 + n // 40}", profile(n)) for n in range(2_000)] + [("6A1", profile(0))])
    file, job = tmp_path / "ds.csv", new_id()
    file.write_bytes(content)
    importing = [sys.executable, "-m", "tests.integration.enrollment.importing", school, job, str(file), str(tmp_path)]
    child = await asyncio.create_subprocess_exec(*importing, env={**os.environ, "IMPORT_DATABASE": house.url, "PYTHONPATH": "protos"}, stderr=subprocess.PIPE)
    try:
        await eventually(lambda: house.rows("SELECT last_row FROM import_jobs WHERE last_row > 200"), within=40, what="some chunks settled")
    finally:
        child.send_signal(signal.SIGKILL)
        _, problem = await child.communicate()
    ((settled, done),) = house.rows("SELECT last_row, done FROM import_jobs")
    assert not done, problem
    assert house.rows("SELECT count(*) FROM enrolments") == [(settled - 1,)]
    house.rpc = make_rpc(house.database, house.envelope, import_chunk_rows=50)
    answer = await house.load(office(school), content, school_id=school, job_id=job)
    assert counts(answer) == (2_001, 2_000, 0, 1, settled - 1)
    assert stops(answer) == [(2_002, "Mã định danh Bộ GD&ĐT")]
    assert house.rows("SELECT count(*), count(DISTINCT ministry_code) FROM pupils") == [(2_000, 2_000)]
    # No class lost or doubled a roll number, and each pupil was announced once.
    assert house.rows("SELECT count(*) FROM (SELECT class_id, roll_number FROM enrolments GROUP BY 1, 2 HAVING count(*) > 1) x") == [(0,)]
    assert sum(len(event.pupils) for event in house.events(ev.PupilsEnrolled)) == 2_000


async def test_the_same_file_twice_at_once_is_taken_once(house: House) -> None:
    school = await house.school("79000001")
    house.rpc = make_rpc(house.database, house.envelope, import_chunk_rows=50)
    content = roster([(f"6A{1 + n // 40}", profile(n, ministry_code="", personal_number="")) for n in range(400)])
    answers = await asyncio.gather(*(house.load(office(school), content, school_id=school) for _ in range(3)))
    assert sum(answer.rows_taken for answer in answers) == 400
    assert all(answer.rows_taken + answer.rows_unchanged == 400 for answer in answers)
    assert house.rows("SELECT count(*) FROM pupils") == [(400,)]


async def test_a_province_imports_a_file_of_many_schools_and_only_its_own(house: House) -> None:
    codes = ["79000001", "79000002"]
    schools = [await house.school(code) for code in codes]
    await house.school("48000001", "2025-48")
    told = [("6A1", profile(n)) for n in range(5)]
    content = roster(told, school_codes=[*codes, *codes, "48000001"])
    answer = await house.load(actor("registrar@province:2025-79"), content)
    assert counts(answer) == (5, 4, 0, 1, 0)
    assert stops(answer) == [(6, "Mã trường")]
    assert house.rows("SELECT school_id::text, count(*) FROM enrolments GROUP BY 1 ORDER BY 1") == sorted((school, 2) for school in schools)
    with pytest.raises(Denied, match="Chọn trường"):
        await house.load(office(schools[0]), content)


async def test_a_pupil_of_last_year_goes_on_at_another_school_without_a_transfer(house: House) -> None:
    primary, secondary = await house.school("79000001"), await house.school("79000002")
    last_year = await house.form(primary, "6A1", year=YEAR - 1)
    (ref,) = (await house.enrol(primary, last_year, profile(1))).pupils
    answer = await house.load(office(secondary), roster([("7A1", profile(1))]), school_id=secondary)
    assert counts(answer) == (1, 1, 0, 0, 0)
    assert house.rows("SELECT school_year, school_id::text FROM enrolments ORDER BY 1") == [(YEAR - 1, primary), (YEAR, secondary)]
    assert house.rows("SELECT pupil_id::text, school_id::text, former_schools[1]::text FROM pupils") == [(ref.pupil_id, secondary, primary)]
    # The school of the signed year goes on reading its pupil.
    seen = await house.call(office(primary), house.rpc.ListPupils, pb.ListPupilsRequest(school_id=primary, class_id=last_year))
    assert [p.pupil_id for p in seen.pupils] == [ref.pupil_id]


async def test_a_workbook_as_excel_writes_it_is_read(house: House) -> None:
    school = await house.school("79000001")
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["TRƯỜNG THCS"])
    sheet.append([])
    sheet.append(list(HEADINGS))
    told = profile(1)
    year, month, day = map(int, told.birth_date.split("-"))
    # A date cell (Excel knows no time zones), and a number that has lost its leading zero.
    born = datetime(year, month, day)  # noqa: DTZ001
    sheet.append([1, told.ministry_code, told.full_name, born, "Nam", "Kinh", "Đang học", int(told.personal_number), "6A1", 6])
    out = io.BytesIO()
    book.save(out)
    answer = await house.load(office(school), out.getvalue(), school_id=school, name="DS.XLSX")
    assert counts(answer) == (1, 1, 0, 0, 0)
    assert any(fault.row == 4 and "số 0" in fault.problem for fault in answer.faults)
    assert house.rows("SELECT personal_number, born_on::text FROM pupils") == [(told.personal_number, told.birth_date)]


@pytest.mark.parametrize(
    ("name", "content", "cure"),
    [
        ("ds.pdf", b"%PDF", r"\.xlsx"),
        ("ds.xlsx", b"not a zip", "lưu lại"),
        ("ds.csv", "Họ tên,Ngày sinh,Lớp học\nLê Hà,01/01/2015,6A".encode("utf-16-be"), "dòng tiêu đề|UTF-8"),
        ("ds.csv", "Họ tên,Ngày sinh,Giới tính\nA,01/01/2015,Nam\n".encode(), "thiếu cột 'Lớp học'"),
        ("ds.csv", b"", "dòng tiêu đề"),
        ("ds.csv", "Họ tên,Ngày sinh,Lớp học\nNguyễn Văn".encode() + b"\xff\xfe", "UTF-8"),
    ],
)
async def test_a_file_that_is_no_roster_is_refused_with_a_cure(house: House, name: str, content: bytes, cure: str) -> None:
    school = await house.school("79000001")
    with pytest.raises(Malformed, match=cure):
        await house.load(office(school), content, school_id=school, name=name)
