"""Wrapping keys in files, one file per key, AES-256-GCM (NIST SP 800-38D).

For archives whose keys come from a secret store that mounts files. Where keys must not leave their hardware, take
`wrapping_keys_pkcs11`. Neither home ever deletes a key: what it wrapped would be lost.
"""

import base64
import binascii
import os
import re
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from services.chassis.errors import Conflict, Malformed, Refused, Unavailable

KEY_BYTES = 32
NONCE = 12
_PROVINCE = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]*")
_KEY_ID = re.compile(rf"({_PROVINCE.pattern})/([1-9][0-9]{{0,5}})")


def split_key_id(key_id: str) -> tuple[str, int]:
    """Province and number of a key; Malformed for anything else."""
    found = _KEY_ID.fullmatch(key_id)
    if found is None:
        raise Malformed(f"{key_id!r} isn't the id of a wrapping key; they look like 2025-79/1", code="key_id")
    return found[1], int(found[2])


def no_key(province_id: str) -> Unavailable:
    """What is said where a province has no key."""
    return Unavailable(f"province {province_id} has no wrapping key; make one: hocba archive keys new {province_id} --shares DIR", code="no_wrapping_key")


def changed(key_id: str) -> Refused:
    """What is said of a wrapping that doesn't open."""
    return Refused(f"a data key under wrapping key {key_id} was changed, or the wrapping key isn't the one that wrapped it", code="data_key_damaged")


def lost(key_id: str) -> Unavailable:
    """What is said of a key that isn't where it was."""
    return Unavailable(
        f"wrapping key {key_id} isn't here any more; bring it back: hocba archive keys recover {key_id} SHARE SHARE SHARE", code="wrapping_key_lost"
    )


@dataclass(frozen=True)
class FileWrappingKeys:
    """Fulfils the port WrappingKeys: <folder>/<province>.<number>.key holds 32 bytes in base64, as a mounted secret can."""

    folder: Path
    make_missing: bool = False
    """Make a province's first key when it is asked for: for a stack of one's own, where nobody keeps shares."""

    def current(self, province_id: str) -> str:
        """The key with the highest number."""
        if not _PROVINCE.fullmatch(province_id):
            raise Malformed(f"{province_id!r} isn't a province's id", code="province_id")
        numbers = [int(file.name.split(".")[1]) for file in self.folder.glob(f"{province_id}.[0-9]*.key")]
        if numbers:
            return f"{province_id}/{max(numbers)}"
        if not self.make_missing:
            raise no_key(province_id)
        with suppress(Conflict):  # Where another process was first, its key is as good.
            self.put(f"{province_id}/1", os.urandom(KEY_BYTES))
        return f"{province_id}/1"

    def wrap(self, key_id: str, data_key: bytes, context: bytes) -> bytes:
        """Nonce (12 bytes), ciphertext, tag."""
        nonce = os.urandom(NONCE)
        return nonce + AESGCM(self._key(key_id)).encrypt(nonce, data_key, context)

    def unwrap(self, key_id: str, wrapped: bytes, context: bytes) -> bytes:
        """The data key."""
        try:
            return AESGCM(self._key(key_id)).decrypt(wrapped[:NONCE], wrapped[NONCE:], context)
        except InvalidTag:
            raise changed(key_id) from None

    def put(self, key_id: str, key: bytes) -> None:
        """Write the file whole or not at all."""
        file = self._file(key_id)
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, draft = tempfile.mkstemp(prefix=".", dir=file.parent)  # Readable by its owner alone.
        try:
            with os.fdopen(descriptor, "wb") as out:
                out.write(base64.b64encode(key) + b"\n")
                out.flush()
                os.fsync(out.fileno())
            os.link(draft, file)  # Unlike a rename this never takes another key's place.
        except FileExistsError:
            if self._key(key_id) != key:
                raise Conflict(f"there is another wrapping key {key_id} already; it is left as it is", code="wrapping_key_exists") from None
        finally:
            os.unlink(draft)
        folder = os.open(file.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _file(self, key_id: str) -> Path:
        province_id, number = split_key_id(key_id)
        return self.folder / f"{province_id}.{number}.key"

    def _key(self, key_id: str) -> bytes:
        try:
            key = base64.b64decode(self._file(key_id).read_bytes(), validate=False)
        except FileNotFoundError:
            raise lost(key_id) from None
        except (OSError, binascii.Error) as error:
            raise Unavailable(f"wrapping key {key_id} can't be read ({type(error).__name__})", code="wrapping_key_unreadable") from None
        if len(key) != KEY_BYTES:
            raise Unavailable(f"wrapping key {key_id} has {len(key)} bytes instead of {KEY_BYTES}", code="wrapping_key_unreadable")
        return key
