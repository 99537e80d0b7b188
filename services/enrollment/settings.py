"""Settings of enrollment: HOCBA_ENROLLMENT_*."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.chassis.settings import ServiceSettings


class EnrollmentSettings(ServiceSettings):
    """What enrollment needs beyond every service."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", env_prefix="HOCBA_ENROLLMENT_")

    population_address: str = Field("", description="host:port of the population database's gateway (mTLS); empty: every identity check is unknown")
    population_seconds: float = Field(3.0, gt=0, le=60, description="deadline of one identity check, its repeats included")
    population_at_once: int = Field(8, ge=1, le=64, description="identity checks under way at the same time")
    transfer_needs_both_schools: bool = Field(True, description="a transfer waits until both schools agree; false: the taking school alone decides")
    import_chunk_rows: int = Field(2_000, ge=50, le=10_000, description="rows of a roster file in one transaction")
    import_file_megabytes: int = Field(64, ge=1, le=512, description="the largest roster file that is taken")
