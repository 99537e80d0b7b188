"""Facts and waiting news as the JSON that the tables keep. Keys are short because there is a row for every pupil."""

import json
from typing import Any

from services.reporting.domain.classes import SheetSigning
from services.reporting.domain.facts import Approved, Facts, Identified, News, NotSigned, Outcome, Placed, Signed, Trouble


def facts_to_json(facts: Facts) -> str:
    """Compact JSON; the same facts give the same text."""
    told: dict[str, Any] = {}
    if facts.placed:
        told["placed"] = [facts.placed.version, facts.placed.active, facts.placed.class_id, facts.placed.school_id]
    if facts.identified:
        told["number"] = [facts.identified.version, facts.identified.has_number, facts.identified.state, *facts.identified.missing]
    if facts.outcomes:
        told["outcomes"] = {
            class_id: [outcome.class_version, outcome.sealed, outcome.version, list(outcome.reasons)] for class_id, outcome in facts.outcomes.items()
        }
    if facts.sealed[0]:
        told["sealed"] = list(facts.sealed)
    for key, versions in (("approved", facts.approved), ("signed", facts.signed)):
        if versions:
            told[key] = dict(versions)
    if facts.unsigned:
        told["unsigned"] = {role: _trouble(trouble) for role, trouble in facts.unsigned.items()}
    if facts.archived:
        told["archived"] = facts.archived
    if facts.revoked:
        told["revoked"] = facts.revoked
    if facts.rejected:
        told["rejected"] = _trouble(facts.rejected)
    if facts.submitted:
        told["submitted"] = facts.submitted
    if facts.acknowledged:
        told["acknowledged"] = facts.acknowledged
    return json.dumps(told, sort_keys=True, separators=(",", ":"))


def facts_from_json(text: str) -> Facts:
    """The facts that facts_to_json wrote."""
    told = json.loads(text)
    return Facts(
        placed=Placed(*told["placed"]) if "placed" in told else None,
        identified=_identified(*told["number"]) if "number" in told else None,
        outcomes={
            class_id: Outcome(class_version, sealed, version, tuple(reasons))
            for class_id, (class_version, sealed, version, reasons) in told.get("outcomes", {}).items()
        },
        sealed=tuple(told.get("sealed", (0, ""))),
        approved=told.get("approved", {}),
        signed=told.get("signed", {}),
        unsigned={role: Trouble(*trouble) for role, trouble in told.get("unsigned", {}).items()},
        archived=told.get("archived", 0),
        revoked=told.get("revoked", 0),
        rejected=Trouble(*told["rejected"]) if "rejected" in told else None,
        submitted=told.get("submitted", 0),
        acknowledged=told.get("acknowledged", 0),
    )


def _identified(version: int, has_number: bool, state: str = "unchecked", *missing: str) -> Identified:
    return Identified(version, has_number, state, missing)


def news_to_json(news: News) -> str:
    """News of the kinds that may have to wait for a class's school year."""
    match news:
        case Approved(role, version):
            told: dict[str, Any] = {"kind": "approved", "role": role, "version": version}
        case Signed(role, version):
            told = {"kind": "signed", "role": role, "version": version}
        case NotSigned(role, trouble):
            told = {"kind": "not_signed", "role": role, "trouble": _trouble(trouble)}
        case _:
            raise TypeError(f"{type(news).__name__} comes with its school year and never waits")
    return json.dumps(told, sort_keys=True, separators=(",", ":"))


def news_from_json(text: str) -> News:
    """The news that news_to_json wrote."""
    told = json.loads(text)
    if told["kind"] == "not_signed":
        return NotSigned(told["role"], Trouble(*told["trouble"]))
    return (Approved if told["kind"] == "approved" else Signed)(told["role"], told["version"])


def signing_to_json(signing: SheetSigning) -> str:
    """How far the signing of a class's sheets is; empty when it has none."""
    told = {"class_version": signing.class_version, "needed": sorted(signing.needed), "signed": sorted(signing.signed)}
    return json.dumps({key: value for key, value in told.items() if value}, separators=(",", ":"))


def signing_from_json(text: str) -> SheetSigning:
    """What signing_to_json wrote."""
    told = json.loads(text)
    needed, signed = (frozenset((sheet_id, version) for sheet_id, version in told.get(key, ())) for key in ("needed", "signed"))
    return SheetSigning(told.get("class_version", 0), needed, signed)


def _trouble(trouble: Trouble) -> list[Any]:
    return [trouble.version, trouble.at, trouble.reason]
