"""
Packs: one class's documents in one ZIP, stored without compression, the same bytes whenever the same documents go in.

Stored entries let a single document be read by its byte range; fixed times and a fixed order make a repeat identical.
"""

import hashlib
import io
import struct
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_LOCAL_HEADER_BYTES = 30
_EPOCH = (1980, 1, 1, 0, 0, 0)
LARGEST_PACK = 512 * 1024 * 1024
MOST_ENTRIES = 10_000


class UnreadablePack(ValueError):
    """The bytes are not a pack: not a ZIP, compressed, encrypted, or with an entry twice."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a document lies in its pack."""

    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class Pack:
    """A pack's bytes, its SHA-256, and where each document lies."""

    data: bytes
    digest: bytes
    places: Mapping[str, Place]

    def object_name(self, school_year: int) -> str:
        """The name under which it is stored: sharded by year and by the first byte of its digest."""
        text = self.digest.hex()
        return f"packs/{school_year}/{text[:2]}/{text}.zip"


def build_pack(documents: Mapping[str, bytes]) -> Pack:
    """A pack of these documents, by file name."""
    data = stored_zip(sorted(documents.items()))
    return Pack(data, hashlib.sha256(data).digest(), dict(_places(data)))


def stored_zip(entries: Iterable[tuple[str, bytes]]) -> bytes:
    """A ZIP of these entries in this order, none compressed: the same bytes whenever the same entries go in."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, data in entries:
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr = 0o444 << 16
            # Without this the version of Python that writes would show in the bytes on some systems.
            entry.create_system = 3
            archive.writestr(entry, data)
    return out.getvalue()


def read_pack(data: bytes) -> dict[str, bytes]:
    """The documents in a pack by file name; raises UnreadablePack when it is none, or has an entry that isn't stored as it is, or twice."""
    if len(data) > LARGEST_PACK:
        raise UnreadablePack(f"the pack has {len(data)} bytes; {LARGEST_PACK} are allowed")
    try:
        return {name: data[place.offset : place.offset + place.size] for name, place in _places(data)}
    except (zipfile.BadZipFile, struct.error, ValueError, NotImplementedError) as error:
        raise UnreadablePack(f"the pack can't be read: {error}") from error


def _places(data: bytes) -> Iterable[tuple[str, Place]]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = archive.infolist()
        if len(entries) > MOST_ENTRIES or len({entry.filename for entry in entries}) != len(entries):
            raise UnreadablePack("the pack has too many entries, or one of them twice")
        if sum(entry.compress_size for entry in entries) > len(data):
            raise UnreadablePack("the pack's entries lie over each other")
        for entry in entries:
            if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 0x1 or entry.file_size != entry.compress_size:
                raise UnreadablePack("an entry of the pack is compressed or encrypted")
            at = entry.header_offset
            name_length, extra_length = struct.unpack_from("<HH", data, at + 26)
            offset = at + _LOCAL_HEADER_BYTES + name_length + extra_length
            if offset + entry.file_size > len(data):
                raise UnreadablePack("an entry of the pack reaches beyond its end")
            yield entry.filename, Place(offset, entry.file_size)
