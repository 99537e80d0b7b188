"""The official forms as data with versions: a folder of form.json for each, beside the fonts that all share."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, cast

from services.signing.adapters.drawing import MM
from services.signing.domain.roles import SignatureRole

FORMS = Path(__file__).parent / "forms"


@dataclass(frozen=True, slots=True)
class SignatureBox:
    """Place of one signature on the last page: points from the lower left corner."""

    field: str
    role: SignatureRole
    left: float
    bottom: float
    width: float
    height: float
    hint: str = ""
    stamp: float = 0
    """How much of it from below is for the stamp; what is above shows the captions of the page."""
    date_at: float | None = None
    """Where in its first line the date of signing begins, from the left; None where the form has no date."""


@dataclass(frozen=True)
class Form:
    """One version of one official form: a folder of data, found by name."""

    folder: Path

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What form.json says, with the parts that it takes from parts/ put in."""
        facts = cast(dict[str, Any], _resolved(json.loads((self.folder / "form.json").read_text(encoding="utf-8"))))
        return {**facts, "template_version": f"{facts['form']}/{facts['version']}"}

    @property
    def template_version(self) -> str:
        """Name and version, for example "primary/v1"."""
        return str(self.facts["template_version"])

    @cached_property
    def boxes(self) -> tuple[SignatureBox, ...]:
        """The signature boxes in the form's order."""
        return tuple(
            SignatureBox(
                b["field"],
                SignatureRole(b["role"]),
                b["x"] * MM,
                b["y"] * MM,
                b["w"] * MM,
                b["h"] * MM,
                b["hint"],
                b.get("stamp", b["h"]) * MM,
                b["date_at"] * MM if "date_at" in b else None,
            )
            for b in self.facts["boxes"]
        )

    def box_of(self, role: SignatureRole) -> SignatureBox:
        """The box of one role."""
        return next(box for box in self.boxes if box.role is role)


def _resolved(value: Any) -> Any:
    """A value with every {"part": "name"} replaced by what parts/name.json says."""
    if isinstance(value, dict):
        if set(value) == {"part"}:
            return _resolved(json.loads((FORMS / "parts" / f"{value['part']}.json").read_text(encoding="utf-8")))
        return {key: _resolved(inner) for key, inner in value.items()}
    return [_resolved(inner) for inner in value] if isinstance(value, list) else value


@lru_cache(maxsize=64)
def form_named(template_version: str) -> Form:
    """The form "lower_secondary/v1" and the like; an unknown one is refused with the list of what there is."""
    folder = FORMS / template_version
    if not (folder / "form.json").is_file():
        known = ", ".join(sorted(p.parent.relative_to(FORMS).as_posix() for p in FORMS.glob("*/*/form.json")))
        raise LookupError(f"no form {template_version}; there are {known}")
    return Form(folder)
