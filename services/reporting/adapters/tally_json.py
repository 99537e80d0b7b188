"""Facts of counted things as the JSON that the table keeps, by subject."""

import json
from collections.abc import Callable, Mapping
from dataclasses import astuple
from typing import Any

from services.reporting.domain.readiness import Certified, Employed, Office, Signer
from services.reporting.domain.tallying import Count
from services.reporting.domain.unlock_life import Step, UnlockLife


def signer_to_json(signer: Signer) -> str:
    """Compact JSON; the same facts give the same text."""
    told: dict[str, Any] = {}
    if employed := signer.employed:
        told["employed"] = [employed.version, employed.school_id, [[office.role, office.valid_from, office.valid_to] for office in employed.offices]]
    if signer.certificates:
        told["certificates"] = {
            key: [one.version, one.certificate_id, one.role, one.registered_at, one.valid_until] for key, one in signer.certificates.items()
        }
    return json.dumps(told, sort_keys=True, separators=(",", ":"))


def signer_from_json(text: str) -> Signer:
    """The facts that signer_to_json wrote."""
    told = json.loads(text)
    employed = None
    if "employed" in told:
        version, school_id, offices = told["employed"]
        employed = Employed(version, school_id, tuple(Office(*office) for office in offices))
    return Signer(employed, {key: Certified(*one) for key, one in told.get("certificates", {}).items()})


def unlock_to_json(life: UnlockLife) -> str:
    """Compact JSON; the same facts give the same text."""
    return json.dumps([[*astuple(life.steps[version])] for version in sorted(life.steps)], separators=(",", ":"))


def unlock_from_json(text: str) -> UnlockLife:
    """The facts that unlock_to_json wrote; of a new row, none."""
    steps = [Step(*told) for told in json.loads(text) or ()]
    return UnlockLife({step.version: step for step in steps})


def counts_to_json(counts: Mapping[Count, int]) -> str:
    """In order, so that the same counts give the same text."""
    return json.dumps([[*count, amount] for count, amount in sorted(counts.items())], separators=(",", ":"))


def counts_from_json(text: str) -> dict[Count, int]:
    """What counts_to_json wrote."""
    return {Count(period, kind, measure): amount for period, kind, measure, amount in json.loads(text)}


CODECS: dict[str, tuple[Callable[[Any], str], Callable[[str], Any]]] = {
    "staff": (signer_to_json, signer_from_json),
    "unlock": (unlock_to_json, unlock_from_json),
}
"""(to JSON, from JSON) of each subject's facts."""
