"""Settings of the archive."""

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator
from pydantic_settings import SettingsConfigDict

from services.chassis.settings import ServiceSettings


class ArchiveSettings(ServiceSettings):
    """HOCBA_ARCHIVE_*"""

    model_config = SettingsConfigDict(env_prefix="HOCBA_ARCHIVE_", frozen=True, extra="forbid")

    staging_url: str = Field(description="where signing leaves its packs: a folder, or a URL such as s3://bucket/prefix")
    store_url: str = Field(description="the archive's own store, written once: a folder, or a URL such as s3://bucket/prefix")
    role_orders: str = Field(
        "homeroom_teacher,principal,school_seal",
        description="orders of signatures that some policy of signing asks for, `;` between them, each with `province,province:` before it unless it holds "
        "everywhere as the first does: a transcript with any other is refused",
    )
    trust_dir: Path = Field(description="directory of trust anchors (PEM or DER), intermediates and revocation lists")
    log_url: str = Field(
        "", description="the transparency log's tiles and checkpoint: a folder, or a URL such as s3://bucket/prefix; none: admissions queue up"
    )
    log_key_file: Path | None = Field(None, description="the log's private key as a signed note's (PRIVATE+KEY+...); its name is the log's origin")
    log_policy_file: Path | None = Field(None, description="C2SP tlog-policy: the log's public key, its witnesses, and how many make a checkpoint final")
    log_listen: str = Field("", description="host:port of the HTTP server for tiles and checkpoint; empty: none, the folder is served by others")
    log_interval_seconds: float = Field(1.0, gt=0, description="time between two checkpoints while little arrives")
    page_listen: str = Field("", description="host:port of the public page behind the QR code, which signing's verification_url names; empty: none")
    page_proxies: int = Field(
        0, ge=0, le=10, description="trusted proxies before the page, each of which adds to X-Forwarded-For; 0: that header is not believed"
    )
    page_limit: str = Field(
        "120/minute",
        description="how often one client's address may ask, as the library `limits` writes rates; with `;` between several; each process counts for itself",
    )
    wrapping_keys_dir: Path | None = Field(None, description="folder with the provinces' wrapping keys, <province>.<number>.key")
    wrapping_keys_make: bool = Field(False, description="make a province's first key when it is needed; for stacks of one's own, since nobody keeps shares")
    wrapping_pkcs11_library: Path | None = Field(None, description="library of the module that holds the wrapping keys, instead of a folder")
    wrapping_pkcs11_token: str = Field("", description="label of its token")
    wrapping_pkcs11_pin_file: Path | None = Field(None, description="file with the token's PIN")

    tsa_url: str = Field("", description="address of the time-stamp authority (RFC 3161 over HTTP); without one admission stops when the window ends")
    tsa_policy: str = Field("", description="OID of the policy that was agreed with the authority; empty: any of its own")
    evidence_batch: int = Field(10_000, ge=1, le=10_000, description="documents under one time stamp, at most")
    evidence_seconds: float = Field(600, gt=0, description="time between two batches while little arrives")
    evidence_window_seconds: float = Field(14_400, gt=0, description="how long documents may wait for a time stamp before admission stops")

    access_anchor_seconds: float = Field(3600, gt=0, description="how long a line of the access log waits at most until the transparency log is told")

    retention_access_days: int | None = Field(
        None, ge=731, description="how long a line of the access log says who read what, two years at least, as its trigger holds it; none: for ever"
    )
    retention_staging_days: int | None = Field(
        None, ge=1, description="how long a pack stays in staging at least, and then until the archive has issued what it holds; none: for ever"
    )
    retention_holds_file: Path | None = Field(
        None, description="legal holds: ids of transcripts and pupils, one a line; nothing of the schools that have their documents is deleted"
    )
    retention_seconds: float = Field(86_400, gt=0, description="time between two looks at what has had its time")

    watch_seconds: float = Field(60, gt=0, description="time between two looks at what is late")
    watch_renewal_days: int = Field(90, ge=1, description="how long before its end evidence is renewed at the latest; twice as long before people hear of it")
    watch_log_seconds: float = Field(
        900, gt=0, description="how long a statement may wait for a final checkpoint; half of it, as in all of these, before people hear"
    )
    watch_witness_seconds: float = Field(7200, gt=0, description="how long a witness may lack checkpoints")
    watch_parked_seconds: float = Field(3600, gt=0, description="how long a record may stay parked")
    watch_refused_days: float = Field(3, gt=0, description="how long a refused document may wait for one that is admitted in its place")
    watch_log_check_days: float = Field(3, gt=0, description="how long ago the log may have been checked at the most (`hocba archive fsck`)")
    watch_document_check_days: float = Field(16, gt=0, description="the same for every stored document")

    @model_validator(mode="after")
    def _one_home(self) -> Self:
        module = (self.wrapping_pkcs11_library, self.wrapping_pkcs11_token, self.wrapping_pkcs11_pin_file)
        if (self.wrapping_keys_dir is None) == (not all(module)) or (any(module) and not all(module)):
            raise ValueError(
                "wrapping keys have one home: set WRAPPING_KEYS_DIR, or WRAPPING_PKCS11_LIBRARY, WRAPPING_PKCS11_TOKEN and WRAPPING_PKCS11_PIN_FILE"
            )
        return self
