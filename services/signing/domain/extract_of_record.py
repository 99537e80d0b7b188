"""What an extract's pages print: its words, and the chosen part of the original's record (schema `hocba.part/1`), in the forms' own way of saying it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from services.signing.domain import sheet_primary, sheet_secondary
from services.signing.domain.copy_of_document import Extract, page_of_copy
from services.signing.domain.record import SHAPES, Level, UnreadableRecord, refuse_unprintable, require, texts_of
from services.signing.domain.sheet import grouped, particulars
from services.signing.domain.words import date_text, joined, listed, mark_text, programme_text

SCHEMA = "hocba.part/1"
_PART = {"schema": "text", "level": "text", "school_class": {"name": "text"}, "pupil": {"name": "text", "born_on": "text?"}}
_LEFT_OUT = {
    "pupil": "các thông tin khác về học sinh",
    "history": "quá trình học tập",
    "subjects": "kết quả các môn học và hoạt động giáo dục",
    "corrections": "số chỗ sửa chữa",
    "qualities": "phẩm chất chủ yếu",
    "competences": "năng lực cốt lõi",
    "results": "kết quả chung của năm học",
    "awards": "khen thưởng, chứng chỉ, cuộc thi",
    "comments": "nhận xét của giáo viên chủ nhiệm",
    "completion": "công nhận hoàn thành chương trình",
}
_PARTICULARS = {
    "sex": "Giới tính",
    "birth_place": "Nơi sinh",
    "ethnicity": "Dân tộc",
    "nationality": "Quốc tịch",
    "home_town": "Quê quán",
    "address": "Nơi ở hiện nay",
    "father": "Họ và tên cha",
    "mother": "Họ và tên mẹ",
    "guardian": "Người giám hộ (nếu có)",
    "personal_number": "Số định danh cá nhân",
    "ministry_code": "Mã định danh Bộ GD&ĐT",
    "register_number": "Số đăng bộ",
    "priority_group": "Đối tượng ưu tiên",
}
Group = tuple[str, tuple[tuple[str, str], ...], str]
Note = tuple[str, str]


def page_of_extract(extract: Extract, part: bytes) -> dict[str, Any]:
    """All values that the form may name: texts by key, and the lists `rows`, `groups`, `notes` and `remarks`."""
    told = _read(extract, part)
    subject_row = sheet_primary.subject_row if extract.level is Level.PRIMARY else sheet_secondary.subject_row
    comments = told.get("comments")
    return page_of_copy(extract) | {
        "kind": "Trích sao từ bản điện tử sang bản điện tử",
        "pupil_name": told["pupil"]["name"].upper(),
        "born_on": date_text(told["pupil"]["born_on"]),
        "class": told["school_class"]["name"],
        "rows": [subject_row(subject) for subject in told.get("subjects", ())],
        "groups": list(_groups(told)),
        "notes": list(_notes(extract, told)),
        "remarks": [("NHẬN XÉT CỦA GIÁO VIÊN CHỦ NHIỆM", comments["homeroom"] or ""), ("NHẬN XÉT TRONG KÌ NGHỈ HÈ (NẾU CÓ)", comments["summer"] or "")]
        if comments
        else [],
        "left_out": f"Phần không trích: {_left_out(extract)}.",
        "said": "Phần được trích giữ nguyên văn dữ liệu của bản gốc và được đính kèm trong tệp này với tên tu-ban-goc.json, "
        f"SHA-256: {extract.beside.hex()}. Đối chiếu với bản gốc: hocba verify, tuỳ chọn --original.",
        "full_name": f"Bản trích sao số {extract.data['copy']['number']}",
        "reference": "Trích sao",
        "lookup": f"Mã tra cứu: {grouped(extract.public_id.upper())} · Mã bản trích sao: {extract.copy_id}",
    }


def _read(extract: Extract, part: bytes) -> dict[str, Any]:
    """The part, held to the record's shapes in all that it has; UnreadableRecord names the place."""
    try:
        told = json.loads(part)
    except ValueError as error:
        raise UnreadableRecord(f"$: not JSON ({error})") from None
    require("$", told, _PART)
    if (told["schema"], told["level"]) != (SCHEMA, extract.level):
        raise UnreadableRecord(f"$: {told['schema']!r} of level {told['level']!r} is no part of this extract's original")
    shapes = SHAPES[extract.level]
    whole = {"pupil"} if "pupil" in extract.data["part"]["parts"] else set()
    require("$", told, {key: shape for key, shape in shapes.items() if key in whole or (key in told and key not in ("schema", "pupil", "transcript"))})
    for path, text in texts_of("$", told):
        refuse_unprintable(path, text)
    return dict(told)


def _groups(told: dict[str, Any]) -> Iterator[Group]:
    """Traits of a primary pupil; a secondary pupil's results by term."""
    for key, caption in (("qualities", "Phẩm chất chủ yếu"), ("general_competences", "Năng lực chung"), ("specific_competences", "Năng lực đặc thù")):
        if key in told:
            yield sheet_primary.traits(caption, told[key])
    for key, caption in (("term_1", "Học kì I"), ("term_2", "Học kì II"), ("year", "Cả năm học"), ("after_summer", "Sau kì nghỉ hè")):
        if result := told.get("results", {}).get(key):
            yield caption, (("Kết quả rèn luyện", result["conduct"] or ""), ("Kết quả học tập", result["learning"] or "")), ""


def _notes(extract: Extract, told: dict[str, Any]) -> Iterator[Note]:
    if "pupil" in extract.data["part"]["parts"]:
        said = particulars(told["pupil"])
        yield from ((label, said[key]) for key, label in _PARTICULARS.items())
    if "history" in told:
        yield "Quá trình học tập", listed(_stage(stage) for stage in told["history"])
    if "corrections" in told:
        corrections = told["corrections"]
        where = f", thuộc các môn học: {joined(corrections['subjects'])}" if corrections["count"] else ""
        yield "Sửa chữa trong bản gốc", f"{corrections['count']} chỗ{where}"
    if "results" in told:
        yield from _results(extract.level, told["results"])
        if told["individual_plan"]:
            yield "Kế hoạch giáo dục", "Học sinh được đánh giá theo kế hoạch giáo dục cá nhân"
    if awards := told.get("awards"):
        yield "Khen thưởng (nếu có)", listed([awards["title"], *awards["others"]])
        if extract.level is not Level.PRIMARY:
            yield "Chứng chỉ (nếu có)", listed(awards["certificates"])
            yield "Kết quả tham gia các cuộc thi (nếu có)", listed(awards["competitions"])
    if "completion" in told:
        yield "Công nhận hoàn thành chương trình", programme_text(told["completion"])


def _results(level: Level, results: dict[str, Any]) -> Iterator[Note]:
    if level is Level.PRIMARY:
        yield from sheet_primary.result_notes(results)
        yield "Chiều cao", f"{mark_text(results['height_cm'])} cm" if results["height_cm"] else ""
        yield "Cân nặng", f"{mark_text(results['weight_kg'])} kg" if results["weight_kg"] else ""
        yield "Số ngày nghỉ có phép, không phép", f"{results['absences_excused']}, {results['absences_unexcused']}"
    else:
        yield "Số buổi nghỉ học cả năm học", str(results["absences"])
        yield "Kết luận", results["promotion"] or ""


def _stage(stage: dict[str, Any]) -> str:
    place = joined([f"lớp {stage['class_name']}" if stage["class_name"] else "", stage["school"], stage["province"]])
    entered = f"ngày {date_text(stage['entered_on'])}" if stage["entered_on"] else ""
    number = f"số đăng bộ {stage['register_number']}" if stage["register_number"] else ""
    return f"{stage['school_year'] or '…'}: {joined([place, number, entered])}"


def _left_out(extract: Extract) -> str:
    about = extract.data["part"]
    rows = about["subjects"]
    others = f"{rows['all'] - rows['chosen']} trong {rows['all']} môn học và hoạt động giáo dục" if 0 < rows["chosen"] < rows["all"] else ""
    return listed([others, *(_LEFT_OUT.get(part, part) for part in about["left_out"])]) or "không có"
