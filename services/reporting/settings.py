"""Settings of reporting."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.chassis.settings import ServiceSettings


class ReportingSettings(ServiceSettings):
    """HOCBA_REPORTING_*"""

    model_config = SettingsConfigDict(env_prefix="HOCBA_REPORTING_", frozen=True, extra="forbid")

    page_listen: str = Field("", description="host:port of the dashboard and its JSON, plain HTTP behind a proxy that speaks HTTPS; empty: none")
    smallest_count: int = Field(10, ge=2, description="statistics of results tell no count from 1 to below this, nor what would give one away")
    page_proxies: int = Field(
        0, ge=0, description="proxies in front, whose X-Forwarded-Proto is believed: cookies are for HTTPS only where the reader came by it"
    )
    certificate_expiring_days: int = Field(30, ge=0, description="a certificate that ends within so many days is told as expiring; after a change, `rebuild`")
