"""What is read from a class-subject sheet, and what its page says."""

import json
import uuid
from typing import Any

import pytest

from services.signing.domain.class_sheet import ClassSheet, is_class_sheet, page_of, read_class_sheet
from services.signing.domain.record import UnreadableRecord, read_record
from tests.support.records import canonical, example, record_of, with_sheet


def a_sheet(form: str = "lower_secondary", subject: str = "toan", version: int = 1, **changed: Any) -> ClassSheet:
    record = json.loads(record_of(form, str(uuid.UUID(int=1)), name="Lê Thị Hoa"))
    next(row for row in record["subjects"] if row["code"] == subject).update(changed)
    _, made = with_sheet([canonical(record)], subject, version)
    return read_class_sheet(made.content)


def page(sheet: ClassSheet) -> dict[str, Any]:
    return page_of(sheet)


def test_a_row_shows_name_results_and_remark() -> None:
    sheet = a_sheet(term_1="7.5", term_2="8.0", year="7.8", after_retake=None, comment="Chăm chỉ.")
    said = page(sheet)
    assert said["rows"] == [("1", "Lê Thị Hoa", "7,5", "8,0", "7,8", "", "Chăm chỉ.")]
    assert (said["subject"], said["version"], said["count"]) == ("Toán", "1", "Danh sách có 1 học sinh.")
    assert sheet.data["sheet"]["root"] in said["root"]


def test_an_exempted_pupil_stands_there_as_exempted() -> None:
    said = page(a_sheet(term_1=None, term_2="8.0", year=None, after_retake=None, exempt=["TERM_1"]))
    assert said["rows"][0][2:6] == ("Miễn", "8,0", "Miễn", "")


def test_primary_sheets_show_levels() -> None:
    sheet = a_sheet("primary", level="T", mark="9", level_after_supplement=None, mark_after_supplement=None)
    assert (sheet.form, page(sheet)["rows"][0][2:6]) == ("class_subject_primary", ("T", "9", "", ""))


def test_a_later_version_says_what_it_replaces() -> None:
    said = page(a_sheet(version=2))
    assert said["version"] == "2, thay các dòng của cùng học sinh trong các bản trước"
    assert said["state"] == ("BẢN BỔ SUNG LẦN 1", "Gồm các dòng mới hoặc thay đổi")
    assert page(a_sheet())["state"] == ("", "")


def test_who_takes_the_cluster_of_topics_stands_below_the_list_and_not_in_names() -> None:
    sheet = a_sheet("upper_secondary", topic_cluster=True)
    assert (page(sheet)["rows"][0][1], page(sheet)["count"]) == ("Lê Thị Hoa", "Danh sách có 1 học sinh. Học chuyên đề của môn học.")
    line = sheet.data["rows"][0]
    without = {**line, "row": line["row"] | {"topic_cluster": False}}

    def count(*rows: dict[str, Any]) -> str:
        return str(page(ClassSheet(sheet.content, sheet.digest, sheet.data | {"rows": list(rows)}, sheet.level))["count"])

    assert count(line, without, line) == "Danh sách có 3 học sinh. Học chuyên đề của môn học: số 1, 3."
    assert count(line, line) == "Danh sách có 2 học sinh. Cả danh sách học chuyên đề của môn học."
    assert count(without) == "Danh sách có 1 học sinh."


def test_records_and_sheets_are_told_apart_and_refused_by_each_others_reader() -> None:
    record, sheet = record_of("primary", str(uuid.UUID(int=1))), a_sheet().content
    assert (is_class_sheet(record), is_class_sheet(sheet)) == (False, True)
    with pytest.raises(UnreadableRecord, match=r"\$.schema"):
        read_class_sheet(record)
    with pytest.raises(UnreadableRecord, match=r"\$.schema"):
        read_record(sheet)


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"schema":"hocba.sheet/1","level":"KINDERGARTEN"}'])
def test_what_is_no_sheet_is_refused(content: bytes) -> None:
    with pytest.raises(UnreadableRecord):
        read_class_sheet(content)


def test_names_that_no_form_can_print_are_refused() -> None:
    spoilt = a_sheet().content.replace("Lê Thị Hoa".encode(), "Lê Thị \u202eHoa".encode())
    with pytest.raises(UnreadableRecord, match=r"U\+202E"):
        read_class_sheet(spoilt)


def test_a_record_names_the_sheets_of_its_rows_once_each() -> None:
    named = read_record(canonical(example("lower_secondary"))).sheets
    proofs = [row["sheet"] for row in example("lower_secondary")["subjects"] if "sheet" in row]
    assert named == tuple(sorted((proof["id"], proof["version"]) for proof in proofs))
    assert read_record(record_of("primary", str(uuid.UUID(int=1)))).sheets == ()
