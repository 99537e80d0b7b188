"""What the register is told on its command line; it is no service of a province, so it reads no HOCBA_<SERVICE>_ settings but these."""

import os
import secrets
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class RegisterSettings:
    """Files and addresses of one register."""

    database_url: str
    """postgresql://role@host:port/database, with the password or without."""
    state: Path
    """Folder of unfinished uploads and of the key under which pupils' numbers are digested. The key must outlive every restore of the database."""
    key: Path
    """The key that signs receipts, as `hocba log-key` writes it."""
    trust: Path
    """Anchors, intermediates and revocation lists of the authorities whose certificates departments may have."""
    tls_certificate: Path
    tls_key: Path

    def pupil_key(self) -> bytes:
        """The key of pupils' numbers, made when the register first starts."""
        file = self.state / "pupils.key"
        if not file.exists():
            self.state.mkdir(mode=0o700, parents=True, exist_ok=True)
            draft = file.with_name(f".{file.name}.{os.getpid()}")
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as opened:
                opened.write(secrets.token_bytes(32))
                opened.flush()
                os.fsync(opened.fileno())
            os.replace(draft, file)
        return file.read_bytes()
