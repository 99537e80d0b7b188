"""Settings of the archive."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.chassis.settings import ServiceSettings


class ArchiveSettings(ServiceSettings):
    """HOCBA_ARCHIVE_*"""

    model_config = SettingsConfigDict(env_prefix="HOCBA_ARCHIVE_", frozen=True, extra="forbid")

    staging_url: str = Field(description="where signing leaves its packs: a folder, or a URL such as s3://bucket/prefix")
    store_url: str = Field(description="the archive's own store, written once: a folder, or a URL such as s3://bucket/prefix")
    trust_dir: Path = Field(description="directory of trust anchors (PEM or DER), intermediates and revocation lists")
    log_dir: Path | None = Field(None, description="folder of the transparency log's tiles and checkpoint; none: admissions queue up for it")
    log_key_file: Path | None = Field(None, description="the log's private key as a signed note's (PRIVATE+KEY+...); its name is the log's origin")
    log_policy_file: Path | None = Field(None, description="C2SP tlog-policy: the log's public key, its witnesses, and how many make a checkpoint final")
    log_listen: str = Field("", description="host:port of the HTTP server for tiles and checkpoint; empty: none, the folder is served by others")
    log_interval_seconds: float = Field(1.0, gt=0, description="time between two checkpoints while little arrives")
