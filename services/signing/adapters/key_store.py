"""Keys in PKCS#12 files: for demonstrations and tests, and for a school that trusts its own machine with its seal.

Other homes of a key (PKCS#11 token, remote provider) fulfil the same port; nothing else in the service knows which.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa, utils
from cryptography.hazmat.primitives.serialization import pkcs12

from services.chassis.errors import Refused, Unavailable
from services.signing.domain.intent import Intent


class Pkcs12KeyStore:
    """Signs with the key in `<folder>/<key name>.p12`; loads each file once, since OpenSSL's check of a key is slow."""

    def __init__(self, folder: Path, password_file: Path) -> None:
        self._folder = folder
        self._password_file = password_file
        self._keys: dict[str, rsa.RSAPrivateKey] = {}

    async def sign(self, key_name: str, digests: Sequence[bytes]) -> list[bytes]:
        """PKCS#1 v1.5 signatures over SHA-256 digests, in their order; the same digest always gives the same bytes."""
        return await asyncio.to_thread(self._sign, key_name, digests)

    def _sign(self, key_name: str, digests: Sequence[bytes]) -> list[bytes]:
        key = self._key(key_name)
        already_hashed = utils.Prehashed(hashes.SHA256())
        return [key.sign(digest, padding.PKCS1v15(), already_hashed) for digest in digests]

    def _key(self, key_name: str) -> rsa.RSAPrivateKey:
        key = self._keys.get(key_name)
        if key is None:
            if Path(key_name).name != key_name or key_name.startswith("."):
                raise Refused(f"key name {key_name!r} is not a plain file name; register the certificate again", code="key_unknown")
            path = self._folder / f"{key_name}.p12"
            try:
                content = path.read_bytes()
            except FileNotFoundError:
                raise Refused(f"no key {key_name!r} behind the key port; import it, then retry the class", code="key_unknown") from None
            loaded, _, _ = pkcs12.load_key_and_certificates(content, self._password_file.read_bytes())
            if not isinstance(loaded, rsa.RSAPrivateKey):
                raise Refused(f"key {key_name!r} is not an RSA key; this store signs with RSA only", code="key_unsupported")
            key = self._keys[key_name] = loaded
        return key


class NoKeys:
    """Fulfils KeyStore and KeyJournal where a process was given no keys: orders wait, and none is lost or parked."""

    async def note(self, key_name: str, order_id: str, intents: Sequence[Intent]) -> None:
        """Refuse before any key could be used."""
        raise Unavailable("this worker has no keys: set HOCBA_SIGNING_KEYS_DIR and HOCBA_SIGNING_KEY_JOURNAL_DIR", code="no_keys")

    async def sign(self, key_name: str, digests: Sequence[bytes]) -> list[bytes]:
        """There is nothing to sign with."""
        raise Unavailable("this worker has no keys: set HOCBA_SIGNING_KEYS_DIR", code="no_keys")
