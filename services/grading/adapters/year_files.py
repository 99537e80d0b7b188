"""Reading whole years of a class: cells, choices, decisions, and the people and places around them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from services.chassis.database import Connection, Queries
from services.grading.application.ports import ClassFacts, PupilFile
from services.grading.domain import record as doc
from services.grading.domain.pupil_year import Decision, PupilYear, SubjectChoice
from services.grading.domain.record import normalised
from services.grading.domain.rulesets import RuleSet
from services.grading.domain.sealing import SealedVersion
from services.grading.domain.subjects import HOMEROOM
from services.grading.domain.terms import Term
from services.grading.domain.writing import Surroundings

_NOTHING = SubjectChoice()


def choice_of(electives: Sequence[str], clusters: Sequence[str], exemptions: Sequence[Mapping[str, Any]], individual_plan: bool) -> SubjectChoice:
    """A pupil's choice of subjects out of the columns of pupil_years."""
    if not electives and not clusters and not exemptions and not individual_plan:
        return _NOTHING
    exempt = {kept["subject"]: frozenset(Term(term) for term in kept["terms"]) for kept in exemptions}
    return SubjectChoice(frozenset(electives), frozenset(clusters), exempt, individual_plan)


async def read_year_files(db: Connection, sql: Queries, facts: ClassFacts, rules: RuleSet) -> list[PupilFile]:
    """Every pupil of the class with the whole year, in roll order."""
    rows = await db.fetch(sql["years_of_class"], UUID(facts.class_id))
    ids = [row["pupil_id"] for row in rows]
    cells: dict[str, dict[tuple[str, Term], dict[str, str]]] = {pupil_id: {} for pupil_id in ids}
    for pupil_id, subject, term, column, value in await db.fetch(sql["cells_of_pupils"], ids, facts.school_year):
        cells[pupil_id].setdefault((subject, Term(term)), {})[column] = value
    decisions: dict[str, dict[str, Decision]] = {pupil_id: {} for pupil_id in ids}
    for row in await db.fetch(sql["decisions_of_pupils"], ids, facts.school_year):
        decisions[row["pupil_id"]][row["kind"]] = Decision(row["kind"], row["value"], row["council_round"], row["number"], row["decided_on"], row["reason"])
    corrections: dict[str, dict[str, int]] = {pupil_id: {} for pupil_id in ids}
    for row in await db.fetch(sql["corrections_of_pupils"], ids, facts.school_year):
        corrections[row["pupil_id"]][row["subject"]] = row["places"]
    around = await _Surroundings.read(db, sql, facts, ids)
    return [
        PupilFile(
            year=_year(row, facts, rules, cells, decisions, corrections),
            around=around.of(row),
            transcript_id=row["transcript_id"],
            roll_number=row["roll_number"],
            previous=_previous(row),
        )
        for row in rows
    ]


def _year(
    row: Any,
    facts: ClassFacts,
    rules: RuleSet,
    cells: Mapping[str, Mapping[tuple[str, Term], Mapping[str, str]]],
    decisions: Mapping[str, Mapping[str, Decision]],
    corrections: Mapping[str, Mapping[str, int]],
) -> PupilYear:
    pupil_id = row["pupil_id"]
    return PupilYear(
        pupil_id=pupil_id,
        grade=facts.grade,
        rules=rules,
        choice=choice_of(row["electives"], row["clusters"], json.loads(row["exemptions"]), row["individual_plan"]),
        cells=cells[pupil_id],
        decisions=decisions[pupil_id],
        has_personal_number=row["has_personal_number"],
        transfer_under_way=row["transfer_under_way"],
        born_on=_date(json.loads(row["profile"]).get("birth_date", "")),
        school_year=facts.school_year,
        corrections=corrections[pupil_id],
    )


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _previous(row: Any) -> SealedVersion | None:
    if row["sealed_version"] == 0:
        return None
    return SealedVersion(row["transcript_id"], row["sealed_version"], row["public_id"], row["salt"], bytes(row["digest"]), bytes(row["content"]))


class _Surroundings:
    """People and places of one class, read once for all its pupils."""

    def __init__(
        self,
        school: doc.SchoolDetails,
        school_class: doc.ClassDetails,
        teachers: Mapping[str, tuple[doc.SubjectTeacher, ...]],
        stages: Mapping[str, tuple[doc.Stage, ...]],
    ) -> None:
        self._school, self._class, self._teachers, self._stages = school, school_class, teachers, stages

    @classmethod
    async def read(cls, db: Connection, sql: Queries, facts: ClassFacts, pupil_ids: list[str]) -> _Surroundings:
        """Ask for the school, the staff and each pupil's way through schools."""
        staff: dict[str, list[doc.SubjectTeacher]] = {}
        for row in await db.fetch(sql["staff_of_class"], UUID(facts.class_id)):
            staff.setdefault(row["subject"], []).append({"name": normalised(row["full_name"]), "responsible": row["responsible"]})
        school = await db.fetchrow(sql["get_school"], UUID(facts.school_id)) or {}
        stages: dict[str, list[doc.Stage]] = {}
        for row in await db.fetch(sql["stages_of_pupils"], pupil_ids, facts.school_year):
            stages.setdefault(row["pupil_id"], []).append(
                {
                    "school_year": f"{row['school_year']}-{row['school_year'] + 1}",
                    "class_name": normalised(row["class_name"]),
                    "school": normalised(row["school"]),
                    "province": normalised(row["province"]),
                    "register_number": normalised(row["register_number"]),
                    "entered_on": row["entered_on"],
                }
            )
        principals, homeroom = staff.pop("principal", []), staff.pop(HOMEROOM, [])
        return cls(
            _school_details(school, facts, principals),
            {
                "id": facts.class_id,
                "name": normalised(facts.name),
                "grade": facts.grade,
                "homeroom_teacher": homeroom[0]["name"] if homeroom else "",
            },
            {subject: tuple(teachers) for subject, teachers in staff.items()},
            {pupil_id: tuple(way) for pupil_id, way in stages.items()},
        )

    def of(self, row: Any) -> Surroundings:
        """What surrounds one pupil; rows are shared, so records must not be changed in place."""
        return Surroundings(
            pupil=_pupil_details(row),
            school=self._school,
            school_class=self._class,
            history=self._stages.get(row["pupil_id"], ()),
            teachers=self._teachers,
        )


def _school_details(school: Any, facts: ClassFacts, principals: list[doc.SubjectTeacher]) -> doc.SchoolDetails:
    def text(name: str) -> str:
        return normalised(school.get(name) or "")

    return {
        "id": facts.school_id,
        "code": text("code"),
        "name": text("name"),
        "commune": text("commune"),
        "province_id": text("province_id") or facts.province_id,
        "province": text("province"),
        "principal": principals[0]["name"] if principals else "",
        "principal_title": "Hiệu trưởng",
        "place_of_issue": text("commune") or text("province"),
    }


def _pupil_details(row: Any) -> doc.PupilDetails:
    profile: dict[str, str] = json.loads(row["profile"])

    def text(name: str) -> str:
        return normalised(profile.get(name, ""))

    def person(name: str) -> doc.Guardian | None:
        return {"name": text(name), "occupation": ""} if text(name) else None

    sex = profile.get("gender", "")
    return {
        "id": row["pupil_id"],
        "name": normalised(row["full_name"]),
        "sex": "Nam" if sex == "male" else "Nữ" if sex == "female" else "",
        "born_on": text("birth_date"),
        "birth_place": text("birth_place"),
        "ethnicity": text("ethnicity"),
        "nationality": text("nationality"),
        "home_town": text("home_town"),
        "address": text("address"),
        "priority_group": text("policy_category"),
        "register_number": text("register_number"),
        "personal_number": text("personal_number") or None,
        "ministry_code": text("ministry_code") or None,
        "father": person("father_name"),
        "mother": person("mother_name"),
        "guardian": person("guardian_name"),
    }
