"""Keys in PKCS#12 files, for demonstrations and for seals that may be in software."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from cryptography.hazmat.primitives.serialization import pkcs12

from services.chassis.errors import Refused, Unavailable
from services.signing.adapters.keys.crypto_mb import FASTER, LANES, CryptoMb, LaneKey
from services.signing.domain.key_names import KeyName

_HASHED = utils.Prehashed(hashes.SHA256())
_WORTH_A_CALL = 3
"""A call of eight lanes takes about as long as this many operations of OpenSSL."""


@dataclass(frozen=True, slots=True, repr=False)
class _Loaded:
    """A key in memory; `lanes` is set where eight operations at once can be had for it."""

    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
    lanes: LaneKey | None


class Pkcs12Keys:
    """Signs with the key in `<folder>/<key>.p12`; loads each file once, since OpenSSL's check of a key is slow.

    `mass` makes many RSA signatures at a time; what it can't do or gets wrong is done by OpenSSL, and `redone` counts the latter.
    """

    def __init__(self, folder: Path, password_file: Path, mass: CryptoMb | None = None) -> None:
        self._folder = folder
        self._password_file = password_file
        self._mass = mass
        self._keys: dict[str, _Loaded] = {}
        self.redone = 0

    async def sign(self, name: KeyName, digests: Sequence[bytes]) -> list[bytes]:
        """RSA PKCS#1 v1.5, or ECDSA in DER with the nonce of RFC 6979: the same digest always gives the same bytes."""
        return await asyncio.to_thread(self._sign, name.key, digests)

    def _sign(self, name: str, digests: Sequence[bytes]) -> list[bytes]:
        loaded = self._loaded(name)
        if isinstance(loaded.key, ec.EllipticCurvePrivateKey):
            algorithm = ec.ECDSA(_HASHED, deterministic_signing=True)
            return [loaded.key.sign(digest, algorithm) for digest in digests]
        if self._mass is None or loaded.lanes is None:
            return [_rsa(loaded.key, digest) for digest in digests]
        values: list[bytes] = []
        for start in range(0, len(digests), LANES):
            values += self._eight(loaded.key, loaded.lanes, digests[start : start + LANES], self._mass)
        return values

    def _eight(self, key: rsa.RSAPrivateKey, lanes: LaneKey, digests: Sequence[bytes], mass: CryptoMb) -> list[bytes]:
        if len(digests) < _WORTH_A_CALL:
            return [_rsa(key, digest) for digest in digests]
        filled = [*digests, *[digests[0]] * (LANES - len(digests))]
        made = mass.sign([lanes] * LANES, filled)[: len(digests)]
        self.redone += made.count(None)
        return [_rsa(key, digest) if value is None else value for digest, value in zip(digests, made, strict=True)]

    def _loaded(self, name: str) -> _Loaded:
        loaded = self._keys.get(name)
        if loaded is None:
            key = self._read(name)
            mass = self._mass is not None and isinstance(key, rsa.RSAPrivateKey) and key.key_size in FASTER and LaneKey.fits(key)
            loaded = self._keys[name] = _Loaded(key, LaneKey(key) if mass and isinstance(key, rsa.RSAPrivateKey) else None)
        return loaded

    def _read(self, name: str) -> rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey:
        if Path(name).name != name or name.startswith("."):
            raise Refused(f"key name {name!r} is not a plain file name; register the certificate again", code="key_unknown")
        if not self._folder.is_dir():
            raise Unavailable(f"the folder of PKCS#12 files isn't there: {self._folder.name}; mount it", code="keys_away")
        try:
            content = (self._folder / f"{name}.p12").read_bytes()
        except FileNotFoundError:
            raise Refused(f"no key {name!r} among the PKCS#12 files; import it, then retry the class", code="key_unknown") from None
        except OSError as error:
            raise Unavailable(f"key {name!r} can't be read: {error.strerror}", code="keys_away") from None
        try:
            password = self._password_file.read_bytes()
        except OSError as error:
            raise Unavailable(f"the password file of the PKCS#12 files can't be read: {error.strerror}", code="keys_away") from None
        try:
            key, _, _ = pkcs12.load_key_and_certificates(content, password)
        except ValueError:
            # Not chained: what the library says of the file and the password is nobody's business.
            raise Refused(f"key {name!r} doesn't open with the password; correct the password file or the file", code="key_locked") from None
        if isinstance(key, rsa.RSAPrivateKey) and key.key_size in (2048, 3072, 4096):
            return key
        if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
            return key
        raise Refused(f"key {name!r} is neither RSA of 2048, 3072 or 4096 bits nor P-256", code="key_unsupported")


def _rsa(key: rsa.RSAPrivateKey, digest: bytes) -> bytes:
    return key.sign(digest, padding.PKCS1v15(), _HASHED)
