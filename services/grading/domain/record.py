"""The canonical record: everything one page-pair of the official transcript says about one pupil and one school year.

This is the schema, in reading order. A record is a JSON document of plain types: objects, arrays, strings, integers,
booleans and null. There is no floating-point number in it anywhere: marks are decimal strings with one place ("7.5",
"10.0"; primary marks are whole, "9"). Results are the closed Vietnamese words that the form prints. Dates are ISO 8601
(2025-09-05). All text is in Unicode normalisation form C.

    serialisation   UTF-8, keys sorted by code point, separators "," and ":", no spaces, no escapes but JSON's own
    digest          SHA-256 over exactly those bytes

The salt stands inside the record, so that the digest reveals nothing to somebody who could guess the marks; the public
id is what a QR code shows and is not derived from anything about the pupil. Both stay when a re-seal finds the content
unchanged, and are drawn anew when a new version is made.

Where subject teachers sign class-subject sheets (switch signed_sheet_levels), each subject that the pupil takes has `sheet`: which
version of the sheet holds the row, and the row's proof in it. A row is the subject's entry without `sheet`, with the
pupil's name and the transcript's id beside it; `class_sheets.py` says how it is hashed. The salts inside the rows keep a
proof from telling anything about classmates.

Words with a closed vocabulary:

    conduct, learning       "Tốt" | "Khá" | "Đạt" | "Chưa đạt"               (secondary)
    subject result          "7.9" | "Đạt" | "Chưa đạt" | null                 (secondary)
    level of a subject      "T" | "H" | "C" | null                            (primary: Hoàn thành tốt, Hoàn thành, Chưa)
    level of a trait        "T" | "Đ" | "C" | null                            (primary: Tốt, Đạt, Cần cố gắng)
    result                  "Hoàn thành xuất sắc" | "Hoàn thành tốt" | "Hoàn thành" | "Chưa hoàn thành"
    promotion               "Được lên lớp" | "Không được lên lớp"; in the last grade of a level
                            "Hoàn thành chương trình …" | "Không hoàn thành chương trình …"

Sources: forms of Thông tư 27/2020/TT-BGDĐT and Thông tư 22/2021/TT-BGDĐT; Luật 123/2025/QH15 for the completion block.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Mapping
from typing import Any, Literal, NotRequired, TypedDict

SCHEMA = "hocba.record/1"


class Transcript(TypedDict):
    """Which transcript this is; `id` names (pupil, school year) for ever, `version` rises when the content changes."""

    id: str
    version: int
    supersedes: int | None
    public_id: str
    salt: str


class RuleSetUsed(TypedDict):
    """The rules by which the results were computed, and the switches that settle their open readings."""

    code: str
    title: str
    switches: dict[str, Any]


class Guardian(TypedDict):
    """Father, mother or guardian as the form's first page names them."""

    name: str
    occupation: str


class PupilDetails(TypedDict):
    """The pupil as the form's information page describes him or her; unknown text is an empty string."""

    id: str
    name: str
    sex: Literal["Nam", "Nữ", ""]
    born_on: str
    birth_place: str
    ethnicity: str
    nationality: str
    home_town: str
    address: str
    priority_group: str
    register_number: str
    personal_number: str | None
    ministry_code: str | None
    father: Guardian | None
    mother: Guardian | None
    guardian: Guardian | None


class SchoolDetails(TypedDict):
    """The school as it was called in this school year."""

    id: str
    code: str
    name: str
    commune: str
    province_id: str
    province: str
    principal: str
    principal_title: str
    place_of_issue: str


class ClassDetails(TypedDict):
    """The class and its homeroom teacher."""

    id: str
    name: str
    grade: int
    homeroom_teacher: str


class Stage(TypedDict):
    """One row of QUÁ TRÌNH HỌC TẬP."""

    school_year: str
    class_name: str
    school: str
    province: str
    register_number: str
    entered_on: str


class SubjectTeacher(TypedDict):
    """A teacher named in a subject's row; exactly one of them is responsible for it."""

    name: str
    responsible: bool


class SheetProof(TypedDict):
    """Which class-subject sheet holds this row, and its inclusion proof there (RFC 6962, hexadecimal digests)."""

    id: str
    version: int
    root: str
    salt: str
    index: int
    size: int
    path: list[str]


class SecondarySubject(TypedDict):
    """One row of page A. A row of the form that the pupil doesn't take has `taken` false and nulls."""

    code: str
    name: str
    mode: Literal["SCORED", "COMMENT"]
    taken: bool
    elective: bool
    topic_cluster: bool
    exempt: list[str]
    term_1: str | None
    term_2: str | None
    year: str | None
    after_retake: str | None
    comment: str
    teachers: list[SubjectTeacher]
    sheet: NotRequired[SheetProof]


class PrimarySubject(TypedDict):
    """One row of the first table: Mức đạt được, Điểm KTĐK, Nhận xét at the end of the year."""

    code: str
    name: str
    mode: Literal["LEVEL", "LEVEL_AND_MARK"]
    taken: bool
    exempt: list[str]
    level: str | None
    mark: str | None
    level_after_supplement: str | None
    mark_after_supplement: str | None
    comment: str
    teachers: list[SubjectTeacher]
    sheet: NotRequired[SheetProof]


class TraitRow(TypedDict):
    """One row of qualities or competences."""

    code: str
    name: str
    level: str | None


class TraitGroup(TypedDict):
    """A group of traits that shares one comment, as the form merges the cells of the column Nhận xét."""

    rows: list[TraitRow]
    comment: str


class SecondaryPart(TypedDict):
    """One row of page B."""

    conduct: str | None
    learning: str | None


class SecondaryResults(TypedDict):
    """Page B: the year's results, the absences and what followed. `adjusted` names the parts raised by article 9.3."""

    term_1: SecondaryPart
    term_2: SecondaryPart
    year: SecondaryPart
    after_summer: SecondaryPart | None
    adjusted: list[str]
    absences: int
    absences_excused: int
    absences_unexcused: int
    promotion: str


class PrimaryResults(TypedDict):
    """The foot of the primary form."""

    result: str
    result_after_supplement: str | None
    class_completed: bool
    promotion: str
    height_cm: str
    weight_kg: str
    absences_excused: int
    absences_unexcused: int


class CompletionDecision(TypedDict):
    """The decision that recognises that the programme of a level is completed."""

    programme: str
    completed: bool
    council_round: int
    number: str
    decided_on: str


class Awards(TypedDict):
    """Title by rule, and what else the year brought."""

    title: str | None
    others: list[str]
    certificates: list[str]
    competitions: list[str]


class Comments(TypedDict):
    """What the homeroom teacher wrote at the end of the year, and after the summer."""

    homeroom: str
    summer: str


class Corrections(TypedDict):
    """Cells changed after the first seal: "Trong bảng này có sửa chữa ở: … chỗ, thuộc các môn học: …"."""

    count: int
    subjects: list[str]


class Head(TypedDict):
    """What the records of every level share."""

    schema: str
    transcript: Transcript
    rule_set: RuleSetUsed
    level: Literal["PRIMARY", "LOWER_SECONDARY", "UPPER_SECONDARY"]
    school_year: str
    pupil: PupilDetails
    school: SchoolDetails
    # "class" is a reserved word of Python, hence the longer key.
    school_class: ClassDetails
    history: list[Stage]
    individual_plan: bool
    completion: CompletionDecision | None
    awards: Awards
    comments: Comments
    corrections: Corrections


class PrimaryRecord(Head):
    """Record of a primary pupil's year."""

    subjects: list[PrimarySubject]
    qualities: TraitGroup
    general_competences: TraitGroup
    specific_competences: TraitGroup
    results: PrimaryResults


class SecondaryRecord(Head):
    """Record of a secondary pupil's year, lower and upper."""

    subjects: list[SecondarySubject]
    results: SecondaryResults


Record = PrimaryRecord | SecondaryRecord


def normalised(text: str) -> str:
    """Text in normalisation form C with outer blanks cut, so that what looks alike is alike in bytes."""
    return unicodedata.normalize("NFC", text).strip()


def canonical(document: Mapping[str, object]) -> bytes:
    """Serialise a document the one way that digests are taken over; a float or a foreign type raises TypeError."""
    _refuse_foreign_types(document, "$")
    return json.dumps(document, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")).encode()


def digest_of(content: bytes) -> bytes:
    """SHA-256 over canonical bytes: 32 bytes."""
    return hashlib.sha256(content).digest()


def _refuse_foreign_types(value: object, where: str) -> None:
    if value is None or isinstance(value, str | bool | int):
        return
    if isinstance(value, dict):
        for key, inner in value.items():
            if not isinstance(key, str):
                raise TypeError(f"{where}: key {key!r} is not text")
            _refuse_foreign_types(inner, f"{where}.{key}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            _refuse_foreign_types(inner, f"{where}[{index}]")
    else:
        raise TypeError(f"{where}: {type(value).__name__} has no canonical form; use text, an integer or null")
