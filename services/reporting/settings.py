"""Settings of reporting."""

from pydantic_settings import SettingsConfigDict

from services.chassis.settings import ServiceSettings


class ReportingSettings(ServiceSettings):
    """HOCBA_REPORTING_*"""

    model_config = SettingsConfigDict(env_prefix="HOCBA_REPORTING_", frozen=True, extra="forbid")
