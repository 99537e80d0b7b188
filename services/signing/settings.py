"""Settings of signing."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.chassis.settings import ServiceSettings


class SigningSettings(ServiceSettings):
    """HOCBA_SIGNING_*"""

    model_config = SettingsConfigDict(env_prefix="HOCBA_SIGNING_", frozen=True, extra="forbid")

    staging_url: str = Field(description="where packs lie until the archive has admitted them: a folder, or a URL such as s3://bucket/prefix")
    trust_dir: Path = Field(description="folder of trust anchors (*.cer, DER): nothing is signed with a certificate that leads to none of them")
    keys_dir: Path | None = Field(None, description="workers only: folder of PKCS#12 files, <key name>.p12")
    keys_password_file: Path | None = Field(None, description="file with the password of the PKCS#12 files; else <keys_dir>/password")
    pkcs11_library: Path | None = Field(None, description="workers only: the PKCS#11 library of a hardware module or token")
    pkcs11_pins_dir: Path | None = Field(None, description="folder with the PIN of each token in a file named as the token's label")
    pkcs11_sessions: int = Field(2, ge=1, le=32, description="sessions with a token at the most, each a process of its own")
    remote_providers_file: Path | None = Field(None, description="TOML file of remote signing providers (CSC API), see the README")
    remote_batch: int = Field(50, ge=1, le=500, description="digests per request to a remote home; not above what the providers take")
    webhook_listen: str = Field("", description="host:port of the HTTP server that takes the providers' notices; empty: none, they are asked")
    key_journal_dir: Path | None = Field(None, description="workers only: folder in which each worker journals what its keys are about to do")
    verification_url: str = Field("https://tracuu.hocba.example/t", description="what the QR code leads to, before the public id; part of the page's bytes")
    form_version: str = Field("v1", description="version of the forms that new pages are set with")
    policy_file: Path | None = Field(None, description="TOML file with the signature level (B-B or B-LTA) by province; without it B-B everywhere")
    validate_every: int = Field(500, ge=0, description="workers: one document in so many is also validated in full by pyHanko before it is announced; 0: none")
    express_limit: int = Field(3, ge=0, description="orders of at most so many pupils go by the express topic, past a mass run")
    release_limit: int = Field(4000, ge=1, description="documents of mass orders that may be with the workers; the others wait for their province's turn")
    release_quantum: int = Field(50, ge=1, description="documents that a province is granted when it is its turn: about a class")
    revocation_kept_seconds: float = Field(600.0, ge=0, description="how long an answer about a certificate serves the batches of its signer")
    revocation_longest_hours: float = Field(24.0, gt=0, description="age beyond which no answer about revocation counts, whatever it says of itself")
    tsa_url: str = Field("", description="workers only: address of the time-stamp authority (RFC 3161 over HTTP); B-LTA documents wait without one")
    tsa_policy: str = Field("", description="OID of the policy that was agreed with the authority; empty: any of its own")
    tsa_chain_dir: Path | None = Field(
        None, description="folder of the certificates (*.cer, DER) between the authority and its anchor, if its tokens lack them"
    )
    tsa_reserved: int = Field(3072, ge=512, le=32_768, description="bytes set aside in the document for each token; part of what the tokens cover")
    outside_seconds: float = Field(10.0, gt=0, description="how long OCSP responders, revocation lists and time-stamp authorities may take to answer")
