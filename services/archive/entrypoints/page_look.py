"""What the public page looks like: its files under names that change with their content, its texts, and its one template."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import jinja2

from services.archive.application.ports import Status
from services.archive.domain.witness_policy import WitnessPolicy
from services.chassis import web
from services.chassis.web import Asset

FOLDER = Path(__file__).parents[1] / "page"
POLICY = "log-policy.txt"
# A file stands behind those that it names.
_FILES = ("icon.svg", "page.css", "log_proof.js", "page.js")
_VIET_NAM = timezone(timedelta(hours=7))


def read_assets(policy: str | None) -> Mapping[str, Asset]:
    """The page's files by name, the log's policy among them if there is one."""
    found = web.read_assets(FOLDER, _FILES)
    if policy is not None:
        found[POLICY] = Asset.of(POLICY, policy.encode())
    return found


class Look:
    """Sets the page in one of the two languages."""

    def __init__(self, assets: Mapping[str, Asset], policy: WitnessPolicy | None) -> None:
        self.texts: dict[str, Any] = tomllib.loads((FOLDER / "texts.toml").read_text(encoding="utf-8"))
        environment = jinja2.Environment(
            autoescape=True, loader=jinja2.FileSystemLoader(FOLDER), undefined=jinja2.StrictUndefined, trim_blocks=True, auto_reload=False
        )
        shared = {"assets": {name: asset.address for name, asset in assets.items()}, "policy": policy, "local": lambda at: at.astimezone(_VIET_NAM)}
        self._template = environment.get_template("page.html", globals=shared)

    def page(
        self,
        language: str,
        *,
        title: str = "",
        text: str = "",
        status: str = "",
        found: Status | None = None,
        as_of: datetime | None = None,
        public_id: str = "",
    ) -> str:
        """The page: of a status (`found` is None when it is unknown), of a message with its title, or the first one."""
        words = self.texts[language]
        title = words["status"][status]["title"] if status else title
        return self._template.render(lang=language, t=words, title=title, text=text, status=status, found=found, as_of=as_of, public_id=public_id)
