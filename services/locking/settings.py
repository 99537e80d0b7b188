"""Settings of the locking service."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.chassis.settings import ServiceSettings


class LockingSettings(ServiceSettings):
    """HOCBA_LOCKING_*"""

    model_config = SettingsConfigDict(env_prefix="HOCBA_LOCKING_", frozen=True, extra="forbid")

    grading_address: str = Field(description="host:port of grading")
    signing_address: str = Field(description="host:port of signing")
    tick_seconds: float = Field(0.5, gt=0, description="pause between two rounds of the scheduler")
    clock_tolerance_seconds: float = Field(120, gt=0, description="how far this machine's clock may be from the database's before nothing is closed")
    errands_at_once: int = Field(4, ge=1, le=64, description="calls to grading and signing under way at once; keep below database_pool")
    seal_deadline_seconds: float = Field(30, gt=0, le=50, description="time that grading gets to seal one class")
