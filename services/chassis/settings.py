"""Settings of a service: typed, frozen, read from HOCBA_<SERVICE>_* and nothing else.

A variable that no field asks for is an error, since a misspelt setting that is silently ignored is the
dearest kind of default. Secrets are read from files that the variables name, never from the variables.
"""

import os
import socket
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from services.chassis.errors import Malformed


class ServiceSettings(BaseSettings):
    """What every service needs; each service adds its own few fields."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid")

    listen: str = Field("127.0.0.1:0", description="host:port of the gRPC server (mTLS)")
    health_listen: str = Field("", description="host:port of a plaintext gRPC server that answers health checks only; empty: none")
    database_url: str = Field(description="postgresql://role@host:port/database, without the password")
    database_password_file: Path | None = Field(None, description="file that holds the password of the run-time role")
    database_pool: int = Field(10, ge=1, le=100, description="connections at the most")
    owner_url: str = Field("", description="as database_url, for the owner role; used by migrate only")
    owner_password_file: Path | None = None
    kafka_bootstrap: str = Field(description="host:port[,host:port...]")
    kafka_ca_file: Path | None = Field(None, description="CA of the brokers; given: TLS with our certificate")
    kafka_replicas: int = Field(1, ge=1, description="replication factor of topics made by migrate")
    topic_prefix: str = Field("", description="put before every topic and group name; lets several stacks share a broker")
    tls_ca_file: Path = Field(description="CA that signs every service's certificate")
    tls_certificate_file: Path = Field(description="our certificate; its URI SAN is our name")
    tls_key_file: Path
    token_keys_file: Path = Field(description="JWKS with the public keys of the token issuer")
    token_issuer: str = Field("https://issuer.hocba.local", description="`iss` of the tokens that are taken")
    envelope_readers_file: Path = Field(description="JWKS with the public key of each reader of sealed events; kid = service")
    envelope_key_file: Path | None = Field(None, description="our own private reader key (JWK), if we read sealed events")
    telemetry: Literal["none", "console", "otlp"] = "none"
    otlp_endpoint: str = "127.0.0.1:4317"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    instance: str = Field(default_factory=socket.gethostname, description="name of this process in consumer groups; keep it across restarts")
    drain_seconds: float = Field(0.0, ge=0, description="wait between 'not ready' and closing the door, for load balancers to notice")
    grace_seconds: float = Field(20.0, gt=0, description="time that running calls and batches get to finish")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings

    @classmethod
    def load(cls, **given: Any) -> Self:
        """The settings from the environment; raises Malformed that names every variable at fault."""
        prefix = str(cls.model_config["env_prefix"]).upper()
        known = {prefix + name.upper() for name in cls.model_fields}
        unknown = sorted(name for name in os.environ if name.upper().startswith(prefix) and name.upper() not in known)
        problems = [f"{name}: no setting of that name; remove or correct it" for name in unknown]
        try:
            settings = cls(**given)
        except ValidationError as error:
            for item in error.errors():
                problems.append(f"{prefix}{'_'.join(map(str, item['loc'])).upper()}: {item['msg']}")
        if problems:
            raise Malformed("settings are wrong:\n  " + "\n  ".join(problems), code="settings")
        return settings

    def with_password(self, url: str, password_file: Path | None) -> str:
        """`url` with the password of the file put in."""
        if password_file is None:
            return url
        from urllib.parse import quote

        scheme, rest = url.split("://", 1)
        role, rest = rest.split("@", 1)
        return f"{scheme}://{role}:{quote(password_file.read_text().strip())}@{rest}"

    @property
    def dsn(self) -> str:
        """Connection string of the run-time role, with password: never log it."""
        return self.with_password(self.database_url, self.database_password_file)

    @property
    def owner_dsn(self) -> str:
        """Connection string of the owner role, with password: never log it."""
        return self.with_password(self.owner_url, self.owner_password_file)
