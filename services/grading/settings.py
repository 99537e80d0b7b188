"""Settings of the grading service."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.chassis.settings import ServiceSettings


class GradingSettings(ServiceSettings):
    """HOCBA_GRADING_*"""

    model_config = SettingsConfigDict(env_prefix="HOCBA_GRADING_", frozen=True, extra="forbid")

    switches_file: Path | None = Field(None, description="JSON object that overrides open readings of the rules (see domain/rulesets.py)")
