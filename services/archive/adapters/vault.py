"""Keeps documents encrypted: AES-256-GCM (NIST SP 800-38D) under a data key per owner, in one immutable pack a class.

The data keys are in the database before anything is encrypted with them, and the nonce follows from the document, so a
repeat after a crash writes the same bytes. Digests in the index always name the document itself; a pack's name is that of
its own, encrypted bytes.
"""

import asyncio
import hashlib
import hmac
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from services.archive.adapters.object_stores import ObjectStore
from services.archive.application.ports import DataKeys, Deposit, Location, WrappedKey, WrappingKeys
from services.archive.domain.pack import Pack, build_pack
from services.chassis.clock import Clock
from services.chassis.errors import Refused

CIPHER = "AES-256-GCM"
KEY_BYTES = 32
_NONCE, _TAG = 12, 16


@dataclass(frozen=True)
class EncryptedVault:
    """Fulfils the port Vault."""

    objects: ObjectStore
    data_keys: DataKeys
    wrapping_keys: WrappingKeys
    clock: Clock

    async def keep(self, province_id: str, school_year: int, deposits: Sequence[Deposit]) -> Pack:
        """Encrypt, pack, put if absent."""
        keys = await self._keys_for(province_id, sorted({deposit.owner_id for deposit in deposits}))
        pack = await asyncio.to_thread(self._packed, keys, deposits)
        await self.objects.keep(pack.object_name(school_year), pack.data)
        return pack

    async def read(self, place: Location) -> bytes:
        """Read, unwrap, decrypt. Packs of before there was encryption are read as they are."""
        if not place.encrypted:
            return await self.objects.read(place.pack_name, place.offset, place.size)
        stored = await self.objects.read(place.pack_name, place.offset, _NONCE + place.size + _TAG)
        key = (await self.data_keys.of(place.province_id, [place.owner_id])).get(place.owner_id)
        if key is None:
            raise Refused(
                f"the data key of owner {place.owner_id} in province {place.province_id} is lost; restore table data_keys from a copy", code="data_key_lost"
            )
        return await asyncio.to_thread(self._opened, key, place, stored)

    async def _keys_for(self, province_id: str, owner_ids: Sequence[str]) -> Mapping[str, WrappedKey]:
        known = await self.data_keys.of(province_id, owner_ids)
        missing = [owner_id for owner_id in owner_ids if owner_id not in known]
        if not missing:
            return known
        await self.data_keys.add(await asyncio.to_thread(self._new_keys, province_id, missing), self.clock.now())
        # Read again, since another process may have been first.
        return await self.data_keys.of(province_id, owner_ids)

    def _new_keys(self, province_id: str, owner_ids: Sequence[str]) -> list[WrappedKey]:
        current = self.wrapping_keys.current(province_id)
        made = [WrappedKey(owner_id, province_id, current, b"") for owner_id in owner_ids]
        return [replace(key, wrapped=self.wrapping_keys.wrap(current, os.urandom(KEY_BYTES), key.context)) for key in made]

    def _packed(self, keys: Mapping[str, WrappedKey], deposits: Sequence[Deposit]) -> Pack:
        plain = {owner_id: self._plain(key) for owner_id, key in keys.items()}
        return build_pack({deposit.file_name: encrypted(plain[deposit.owner_id], deposit.owner_id, deposit.data) for deposit in deposits})

    def _opened(self, key: WrappedKey, place: Location, stored: bytes) -> bytes:
        try:
            return decrypted(self._plain(key), place.owner_id, place.sha256, stored)
        except InvalidTag:
            raise Refused(
                f"the stored bytes of a document in pack {place.pack_name} are damaged; restore the pack from a copy", code="archive_damaged"
            ) from None

    def _plain(self, key: WrappedKey) -> bytes:
        return self.wrapping_keys.unwrap(key.wrapping_key, key.wrapped, key.context)


def encrypted(data_key: bytes, owner_id: str, data: bytes) -> bytes:
    """Nonce (12 bytes), ciphertext as long as the document, tag (16 bytes); bound to owner and document."""
    digest = hashlib.sha256(data).digest()
    # A nonce that only this document can have: the same document repeats it, and any other one with a chance of 2^-96.
    nonce = hmac.digest(_derived(data_key, b"nonce"), digest, "sha256")[:_NONCE]
    return nonce + AESGCM(_derived(data_key, b"encryption")).encrypt(nonce, data, _bound(owner_id, digest))


def decrypted(data_key: bytes, owner_id: str, digest: bytes, stored: bytes) -> bytes:
    """The document with this SHA-256; InvalidTag when anything differs."""
    return AESGCM(_derived(data_key, b"encryption")).decrypt(stored[:_NONCE], stored[_NONCE:], _bound(owner_id, digest))


def _derived(data_key: bytes, purpose: bytes) -> bytes:
    return hmac.digest(data_key, b"hocba archive, " + purpose, "sha256")


def _bound(owner_id: str, digest: bytes) -> bytes:
    return b"hocba document\n" + owner_id.encode() + b"\n" + digest
