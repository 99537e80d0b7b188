"""Sample records to look at forms with: the contract's examples, and what becomes of them with long and with too long texts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

SIZES = ("short", "long", "overfull")
# Beside this file where hocba is installed (see pyproject.toml), with the contract in a checkout.
_FOLDERS = (Path(__file__).with_name("sample_records"), Path(__file__).resolve().parents[3] / "protos" / "examples" / "record")
_SENTENCE = "Nắm vững kiến thức, vận dụng tốt, cần mạnh dạn phát biểu hơn nữa. "
_REMARK = "Em có nhiều cố gắng trong học tập và rèn luyện, biết giúp đỡ bạn bè. "
_LONG_NAME = "Nguyễn Phúc Công Tằng Tôn Nữ Hoàng Quỳnh Trang Ánh Nguyệt Minh Châu"
_LONG_SCHOOL = "Trường Phổ thông Dân tộc bán trú Trung học cơ sở Hoa Mẫu và Sao Mẫu"
# Times that the sentence is repeated in every subject, and the remark in every other place. Long still goes on two pages, overfull needs more.
_REPEATED = {"long": (3, 8), "overfull": (9, 24)}


def levels() -> list[str]:
    """The levels that there is a sample of."""
    return sorted(file.stem for folder in _FOLDERS for file in folder.glob("*.json"))


def sample(level: str, size: str = "short") -> dict[str, Any]:
    """A sample record, free to be changed; LookupError says which levels and sizes there are."""
    file = next((folder / f"{level}.json" for folder in _FOLDERS if (folder / f"{level}.json").is_file()), None)
    if file is None or size not in SIZES:
        raise LookupError(f"no sample {level!r} of size {size!r}; there are {', '.join(levels())}, each {', '.join(SIZES)}")
    record: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
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


def canonical(record: dict[str, Any]) -> bytes:
    """Canonical bytes, as the record's schema defines them: only they have the digest that the page prints."""
    return json.dumps(record, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
