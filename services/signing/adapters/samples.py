"""Sample records and class-subject sheets to look at forms with: the contract's examples, and what becomes of them with long and
with too long texts.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

SIZES = ("short", "long", "overfull")
SHEET = "class_subject"
SHEETS = {SHEET: "LOWER_SECONDARY", "class_subject_primary": "PRIMARY"}
"""The level of the sheet in each of their forms."""
# Beside this file where hocba is installed (see pyproject.toml), with the contract in a checkout.
_EXAMPLES = Path(__file__).resolve().parents[3] / "protos" / "examples"
_FOLDERS = (Path(__file__).with_name("sample_records"), _EXAMPLES / "record")
_SHEET_FOLDERS = (Path(__file__).with_name("sample_sheets"), _EXAMPLES / "sheet")
_SENTENCE = "Nắm vững kiến thức, vận dụng tốt, cần mạnh dạn phát biểu hơn nữa. "
_REMARK = "Em có nhiều cố gắng trong học tập và rèn luyện, biết giúp đỡ bạn bè. "
_LONG_NAME = "Nguyễn Phúc Công Tằng Tôn Nữ Hoàng Quỳnh Trang Ánh Nguyệt Minh Châu"
_LONG_SCHOOL = "Trường Phổ thông Dân tộc bán trú Trung học cơ sở Hoa Mẫu và Sao Mẫu"
# Times that the sentence is repeated in every subject, and the remark in every other place. Long still goes on two pages, overfull needs more.
_REPEATED = {"long": (3, 8), "overfull": (9, 24)}
# Pupils of a sheet, and times that the sentence is repeated beside each name. Short still goes on one page.
_CLASSES = {"short": (35, 0), "long": (45, 1), "overfull": (60, 5)}
_FAMILY, _MIDDLE = ("Nguyễn", "Trần", "Lê", "Phạm", "Hoàng", "Đặng", "Vũ"), ("Văn", "Thị", "Đức", "Minh", "Ngọc")
_GIVEN = ("An", "Bình", "Chi", "Dũng", "Giang", "Hương", "Khánh", "Phương", "Quỳnh", "Tuyết", "Yến")


def levels() -> list[str]:
    """The levels that there is a sample of."""
    return sorted(file.stem for folder in _FOLDERS for file in folder.glob("*.json"))


def sample(form: str, size: str = "short") -> dict[str, Any]:
    """A sample record or sheet, free to be changed; LookupError says which forms and sizes there are."""
    folders, name = (_SHEET_FOLDERS, "lower_secondary") if form in SHEETS else (_FOLDERS, form)
    file = next((folder / f"{name}.json" for folder in folders if (folder / f"{name}.json").is_file()), None)
    if file is None or size not in SIZES:
        raise LookupError(f"no sample {form!r} of size {size!r}; there are {', '.join(forms())}, each {', '.join(SIZES)}")
    record: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    if form in SHEETS:
        return _sheet(record | {"level": SHEETS[form]}, size)
    if size == "short":
        return record
    in_subject, elsewhere = _REPEATED[size]
    record["pupil"]["name"] = _LONG_NAME
    record["school"]["name"] = _LONG_SCHOOL
    record["pupil"]["guardian"] = {"name": _LONG_NAME, "occupation": "Công nhân"}
    record["corrections"] = {"count": 3, "subjects": [subject["name"] for subject in record["subjects"][:3]]}
    record["awards"]["others"] = ["Giải Nhì học sinh giỏi cấp tỉnh", "Giấy khen của Chủ tịch Ủy ban nhân dân phường"]
    for subject in record["subjects"]:
        if subject["taken"]:
            subject["comment"] = (_SENTENCE * in_subject).strip()
    record["comments"] = {"homeroom": (_REMARK * elsewhere).strip(), "summer": (_REMARK * (elsewhere // 4)).strip()}
    for group in ("qualities", "general_competences", "specific_competences"):
        if group in record:
            record[group]["comment"] = (_REMARK * (elsewhere // 4)).strip()
    return record


def forms() -> list[str]:
    """The forms that there is a sample of: one of each level, and those of class-subject sheets."""
    return [*levels(), *SHEETS]


def _sheet(sheet: dict[str, Any], size: str) -> dict[str, Any]:
    """The example with a whole class in it; its rows prove nothing."""
    (only,) = sheet["rows"]
    pupils, repeated = _CLASSES[size]
    sheet["rows"] = [_row(only, at, repeated) for at in range(pupils)]
    if size != "short":
        sheet["school"]["name"] = _LONG_SCHOOL
        sheet["subject"]["name"] = "Hoạt động trải nghiệm, hướng nghiệp"
    return sheet


def _row(like: dict[str, Any], at: int, repeated: int) -> dict[str, Any]:
    name = " ".join(part[at % len(part)] for part in (_FAMILY, _MIDDLE, _GIVEN))
    said: dict[str, Any] = {
        "pupil": _LONG_NAME if repeated and at % 9 == 4 else name,
        "transcript_id": f"00000000-0000-0000-0000-{at + 1:012d}",
        "comment": (_SENTENCE * repeated).strip() if repeated else like["row"]["comment"] if at % 5 == 0 else "",
        "after_retake": like["row"]["after_retake"] if at % 17 == 0 else None,
        "exempt": ["TERM_1"] if at % 13 == 8 else [],
        **{part: f"{(at * step) % 70 / 10 + 3:.1f}" for part, step in (("term_1", 17), ("term_2", 23), ("year", 19))},
        # A form of another level takes these.
        "level": "THC"[at % 3],
        "mark": str(at % 6 + 5),
        "level_after_supplement": "H" if at % 17 == 0 else None,
        "mark_after_supplement": "5" if at % 17 == 0 else None,
    }
    if said["exempt"]:
        said["term_1"] = None
    return {**like, "row": like["row"] | said}


def canonical(record: dict[str, Any]) -> bytes:
    """Canonical bytes, as the record's schema defines them: only they have the digest that the page prints."""
    return json.dumps(record, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
