"""A SoftHSM2 with tokens of a test's own. The Debian package is installed by `tests.support.programs`."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

_LIBRARIES = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so", "/usr/local/lib/softhsm/libsofthsm2.so")
_CONFIGURATION = "SOFTHSM2_CONF"
PIN = "735-test-only"


@dataclass
class SoftHsm:
    """A folder of tokens, with a PIN file per token."""

    folder: Path
    library: Path

    @property
    def pins(self) -> Path:
        return self.folder / "pins"

    @property
    def tokens(self) -> Path:
        return self.folder / "tokens"

    def make_token(self, label: str) -> None:
        self._run("--init-token", "--free", "--label", label, "--so-pin", "so-of-this-test", "--pin", PIN)
        self.set_pin_file(label, PIN)

    def set_pin_file(self, label: str, pin: str) -> None:
        (self.pins / label).write_text(pin)

    def put(self, token: str, label: str, key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, number: int) -> None:
        file = self.folder / "key.pem"
        no_password = serialization.NoEncryption()
        file.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, no_password))
        self._run("--import", str(file), "--token", token, "--label", label, "--id", f"{number:02x}", "--pin", PIN)
        file.unlink()

    def take_away(self) -> None:
        """Pull all tokens out."""
        self.tokens.rename(self.folder / "away")
        self.tokens.mkdir()

    def bring_back(self) -> None:
        """Plug them in again."""
        shutil.rmtree(self.tokens)
        (self.folder / "away").rename(self.tokens)

    def _run(self, *words: str) -> None:
        subprocess.run(["softhsm2-util", *words], check=True, capture_output=True)


@contextmanager
def a_softhsm(folder: Path) -> Iterator[SoftHsm]:
    """Every process started within the block finds these tokens and no others."""
    library = next((Path(place) for place in _LIBRARIES if Path(place).exists()), None)
    assert library is not None, "no SoftHSM2: python -m tests.support.programs installs it"
    hsm = SoftHsm(folder, library)
    hsm.tokens.mkdir(parents=True)
    hsm.pins.mkdir()
    configuration = folder / "softhsm2.conf"
    configuration.write_text(f"directories.tokendir = {hsm.tokens}\nobjectstore.backend = file\nlog.level = ERROR\nslots.removable = true\n")
    before = os.environ.get(_CONFIGURATION)
    os.environ[_CONFIGURATION] = str(configuration)
    try:
        yield hsm
    finally:
        os.environ.pop(_CONFIGURATION)
        if before is not None:
            os.environ[_CONFIGURATION] = before
