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
    role_orders: str = Field(
        "homeroom_teacher,principal,school_seal",
        description="orders of signatures that some policy of signing asks for, `;` between them: a transcript with any other is refused",
    )
    trust_dir: Path = Field(description="directory of trust anchors (PEM or DER), intermediates and revocation lists")
