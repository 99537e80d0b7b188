"""Signing's own reading of the canonical record that grading seals (schema `hocba.record/1`).

The record arrives as bytes whose SHA-256 is the content digest. What the page prints and what binds the document is
checked once, when the class arrives; every refusal names the place in the record, because the cure lies with whoever made it.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

SCHEMA = "hocba.record/1"


class Level(StrEnum):
    """Cấp học, in the record's own words."""

    PRIMARY = "PRIMARY"
    LOWER_SECONDARY = "LOWER_SECONDARY"
    UPPER_SECONDARY = "UPPER_SECONDARY"


class UnreadableRecord(ValueError):
    """The record can't be printed as it is; the message says where."""


# What must be there, and of which kind: text, whole number, truth; "text?" may be null; a list holds the shape of its items.
_PERSON = {"name": "text?", "occupation": "text?"}
_PUPIL = dict.fromkeys(
    ("birth_place", "born_on", "ethnicity", "home_town", "ministry_code", "nationality", "personal_number", "priority_group", "register_number", "sex"), "text?"
)
_COMMON: dict[str, Any] = {
    "schema": "text",
    "level": "text",
    "school_year": "text",
    "individual_plan": "truth",
    "transcript": {"id": "text", "public_id": "text", "version": "number"},
    "school": {"name": "text", "province": "text?", "commune": "text?", "place_of_issue": "text?", "principal_title": "text?"},
    "school_class": {"name": "text"},
    "pupil": {"name": "text", "address": "text?", "father": (_PERSON,), "mother": (_PERSON,), "guardian": (_PERSON,), **_PUPIL},
    "corrections": {"count": "number", "subjects": ["text"]},
    "awards": {"title": "text?", "others": ["text"], "certificates": ["text"], "competitions": ["text"]},
    "comments": {"homeroom": "text?", "summer": "text?"},
    "completion": ({"completed": "truth", "programme": "text", "number": "text?", "decided_on": "text?", "council_round": "number?"},),
    "history": [dict.fromkeys(("school_year", "class_name", "school", "province", "register_number", "entered_on"), "text?")],
}
_TEACHERS = [{"name": "text", "responsible": "truth"}]
_SUBJECT = {"name": "text", "taken": "truth", "exempt": ["text"], "comment": "text?", "teachers": _TEACHERS}
_TRAITS = {"comment": "text?", "rows": [{"name": "text", "level": "text?"}]}
_PRIMARY = _COMMON | {
    "subjects": [{**_SUBJECT, **dict.fromkeys(("level", "level_after_supplement", "mark", "mark_after_supplement"), "text?")}],
    "qualities": _TRAITS,
    "general_competences": _TRAITS,
    "specific_competences": _TRAITS,
    "results": {
        "result": "text?",
        "result_after_supplement": "text?",
        "class_completed": "truth",
        "promotion": "text?",
        "height_cm": "text?",
        "weight_kg": "text?",
        "absences_excused": "number",
        "absences_unexcused": "number",
    },
}
_PART = {"conduct": "text?", "learning": "text?"}
_SECONDARY = _COMMON | {
    "subjects": [{**_SUBJECT, "topic_cluster": "truth", **dict.fromkeys(("term_1", "term_2", "year", "after_retake"), "text?")}],
    "results": {"term_1": _PART, "term_2": _PART, "year": _PART, "after_summer": (_PART,), "absences": "number", "promotion": "text?"},
}
SHAPES: dict[Level, dict[str, Any]] = {Level.PRIMARY: _PRIMARY, Level.LOWER_SECONDARY: _SECONDARY, Level.UPPER_SECONDARY: _SECONDARY}
"""What a record of a level has at least."""
_KINDS: dict[str, type] = {"text": str, "number": int, "truth": bool}


@dataclass(frozen=True, slots=True)
class Record:
    """One sealed record: the exact bytes, their digest, and what they say."""

    content: bytes
    digest: bytes
    data: dict[str, Any]
    level: Level

    @property
    def form(self) -> str:
        """The form that it is printed in."""
        return self.level.value.lower()

    @property
    def transcript_id(self) -> str:
        """The transcript's id."""
        return str(self.data["transcript"]["id"])

    @property
    def version(self) -> int:
        """The transcript's version."""
        return int(self.data["transcript"]["version"])

    @property
    def public_id(self) -> str:
        """The id that the QR code leads to."""
        return str(self.data["transcript"]["public_id"])

    @property
    def pupil_name(self) -> str:
        """Full name as the form prints it."""
        return str(self.data["pupil"]["name"])

    @property
    def sheets(self) -> tuple[tuple[str, int], ...]:
        """The class-subject sheets that the record's rows stand in: (id, version), each once."""
        proofs = [subject["sheet"] for subject in self.data["subjects"] if "sheet" in subject]
        for proof in proofs:
            require("$.subjects[].sheet", proof, {"id": "text", "version": "number"})
        return tuple(sorted({(proof["id"], proof["version"]) for proof in proofs}))


def known_record(content: bytes, data: dict[str, Any]) -> Record:
    """A record that read_record accepted when its class arrived, with what its bytes say: not checked again."""
    return Record(content, hashlib.sha256(content).digest(), data, Level(data["level"]))


def read_record(content: bytes) -> Record:
    """Read canonical bytes; anything that isn't the known schema, or holds characters no form can print, is refused."""
    try:
        value = json.loads(content)
    except ValueError as error:
        raise UnreadableRecord(f"$: not JSON ({error})") from None
    if not isinstance(value, dict):
        raise UnreadableRecord("$: an object is expected")
    for key in ("schema", "level"):
        require(f"$.{key}", value.get(key, _MISSING), "text")
    if value["schema"] != SCHEMA:
        raise UnreadableRecord(f"$.schema: {value['schema']!r} is unknown here; this service reads {SCHEMA}")
    if value["level"] not in set(Level):
        raise UnreadableRecord(f"$.level: {value['level']!r} is none of {', '.join(Level)}")
    level = Level(value["level"])
    require("$", value, SHAPES[level])
    for path, text in texts_of("$", value):
        refuse_unprintable(path, text)
    return Record(content, hashlib.sha256(content).digest(), value, level)


_MISSING = object()


def require(path: str, value: Any, shape: Any) -> None:
    """Refuse the first value that isn't of its shape; keys that a shape doesn't name are others' business."""
    if value is _MISSING:
        raise UnreadableRecord(f"{path} is missing")
    if isinstance(shape, str):
        kind = _KINDS[shape.removesuffix("?")]
        if (value is None and shape.endswith("?")) or (isinstance(value, kind) and not (kind is int and isinstance(value, bool))):
            return
        raise UnreadableRecord(f"{path}: {shape.removesuffix('?')} is expected, found {type(value).__name__}")
    if isinstance(shape, tuple):
        if value is not None:
            require(path, value, shape[0])
        return
    if not isinstance(value, type(shape)):
        raise UnreadableRecord(f"{path}: {'an object' if isinstance(shape, dict) else 'a list'} is expected, found {type(value).__name__}")
    if isinstance(shape, dict):
        for key, inner in shape.items():
            require(f"{path}.{key}", value.get(key, _MISSING), inner)
    else:
        for index, item in enumerate(value):
            require(f"{path}[{index}]", item, shape[0])


def texts_of(path: str, value: Any) -> Iterator[tuple[str, str]]:
    """Every text inside a value with its place."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from texts_of(f"{path}.{key}", inner)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from texts_of(f"{path}[{index}]", inner)
    elif isinstance(value, str):
        yield path, value


def refuse_unprintable(path: str, text: str) -> None:
    """Refuse text that would look different from what its bytes say: right-to-left, invisible or undecomposed signs."""
    if text.isascii() and text.isprintable():
        return
    if not unicodedata.is_normalized("NFC", text):
        raise UnreadableRecord(f"{path}: text is not in Unicode normalisation form C")
    for sign in text:
        if sign == "\n":
            continue
        if unicodedata.category(sign)[0] == "C" or unicodedata.bidirectional(sign) in ("R", "AL", "RLE", "RLO", "AN"):
            raise UnreadableRecord(f"{path}: character U+{ord(sign):04X} can't be printed on the form")
