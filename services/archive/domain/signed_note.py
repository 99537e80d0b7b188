"""
Signed notes (C2SP signed-note): a text, a blank line, and lines that each name a key and carry its signature.

    <text>

    — <key name> base64(<key id, 4 bytes> || <signature>)

A reader takes a note for what those keys say of it that it knows: unknown ones are passed over, a known one whose
signature is wrong makes the note worthless. How signatures are made is the keys' affair.
"""

import base64
import binascii
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

ED25519 = 0x01
COSIGNATURE_ED25519 = 0x04
COSIGNATURE_ML_DSA_44 = 0x06
_BEGIN = "— "
_MOST_SIGNATURES = 64
_LONGEST_NOTE = 1 << 20
_PRIVATE = "PRIVATE+KEY"


class NoteError(ValueError):
    """It is no signed note, or no note that these keys have signed."""


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One line of signature."""

    name: str
    key_id: bytes
    signature: bytes

    @property
    def line(self) -> str:
        """The line with its end."""
        return f"{_BEGIN}{self.name} {base64.b64encode(self.key_id + self.signature).decode()}\n"


@dataclass(frozen=True, slots=True)
class SignedNote:
    """A text, its last line ended, and its signatures."""

    text: str
    signatures: tuple[NoteSignature, ...]

    def encoded(self) -> bytes:
        """The note's bytes."""
        return (f"{self.text}\n" + "".join(signature.line for signature in self.signatures)).encode()


class NoteVerifier(Protocol):
    """A public key under a name."""

    @property
    def name(self) -> str: ...
    @property
    def key_id(self) -> bytes: ...

    def verifies(self, text: str, signature: bytes) -> bool:
        """Whether this key made the signature over the text."""
        ...


@dataclass(frozen=True, slots=True)
class KeyText:
    """A key as it is written down: `<name>+<key id, hex>+base64(<type> || <key>)`, a private one with `PRIVATE+KEY+` before it."""

    name: str
    kind: int
    key: bytes
    """The public key, or the seed of a private one."""
    key_id: bytes

    @classmethod
    def public(cls, name: str, kind: int, key: bytes) -> "KeyText":
        """A public key; its id follows from name and key."""
        return cls(name, kind, key, key_id(name, kind, key))

    @property
    def text(self) -> str:
        """As a public key is written down."""
        return f"{self.name}+{self.key_id.hex()}+{base64.b64encode(bytes([self.kind]) + self.key).decode()}"

    def private_text(self, seed: bytes) -> str:
        """As its private key is written down."""
        return f"{_PRIVATE}+{self.name}+{self.key_id.hex()}+{base64.b64encode(bytes([self.kind]) + seed).decode()}"

    @classmethod
    def read(cls, text: str) -> "KeyText":
        """A public key; NoteError when it can't be one."""
        found = cls._parts(text.strip())
        if found.key_id != key_id(found.name, found.kind, found.key):
            raise NoteError(f"the key of {found.name} doesn't have the id that it names")
        return found

    @classmethod
    def read_private(cls, text: str) -> "KeyText":
        """A private key, its seed in `key`; whether the id fits is known once the public key is."""
        text = text.strip()
        if not text.startswith(_PRIVATE + "+"):
            raise NoteError(f"a private key begins with {_PRIVATE}+")
        return cls._parts(text.removeprefix(_PRIVATE + "+"))

    @classmethod
    def _parts(cls, text: str) -> "KeyText":
        # Base64 may hold a `+` too, so the text is cut from the left.
        name, _, rest = text.partition("+")
        hexadecimal, _, encoded = rest.partition("+")
        try:
            identity, data = bytes.fromhex(hexadecimal), decoded(encoded)
        except ValueError as error:
            raise NoteError("a key is written <name>+<id>+<key>") from error
        if not is_name(name) or len(identity) != 4 or len(data) < 2:
            raise NoteError("a key is written <name>+<id>+<key>")
        return cls(name, data[0], data[1:], identity)


def key_id(name: str, kind: int, key: bytes) -> bytes:
    """The four bytes by which a note names a key."""
    return hashlib.sha256(name.encode() + b"\n" + bytes([kind]) + key).digest()[:4]


def decoded(text: str) -> bytes:
    """What standard base64 says; NoteError when it isn't the one way to write it."""
    try:
        found = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise NoteError("not base64") from error
    if base64.b64encode(found).decode() != text:
        raise NoteError("not the one way to write these bytes in base64")
    return found


def is_name(name: str) -> bool:
    """Whether a key may be called so."""
    return bool(name) and "+" not in name and not any(letter.isspace() for letter in name)


def read_note(data: bytes) -> SignedNote:
    """The note in these bytes; NoteError when they hold none."""
    if len(data) > _LONGEST_NOTE:
        raise NoteError(f"a note of {len(data)} bytes")
    try:
        note = data.decode()
    except UnicodeDecodeError as error:
        raise NoteError("a note is UTF-8") from error
    if any(letter < " " and letter != "\n" for letter in note):
        raise NoteError("a note has no control characters")
    # The text may hold blank lines; the last one ends it.
    text, blank, rest = note.rpartition("\n\n")
    if not blank or not rest.endswith("\n"):
        raise NoteError("a note has a text, a blank line and signatures")
    lines = rest[:-1].split("\n")
    if len(lines) > _MOST_SIGNATURES:
        raise NoteError(f"a note with {len(lines)} signatures")
    return SignedNote(text + "\n", tuple(read_signature(line) for line in lines))


def read_signature(line: str) -> NoteSignature:
    """The signature in a line without its end; NoteError when there is none."""
    name, space, encoded = line.removeprefix(_BEGIN).partition(" ")
    data = decoded(encoded)
    if not line.startswith(_BEGIN) or not space or not is_name(name) or len(data) < 5:
        raise NoteError("a signature line is — <name> <base64>")
    return NoteSignature(name, data[:4], data[4:])


def verified(note: SignedNote, keys: Iterable[NoteVerifier]) -> Sequence[NoteSignature]:
    """The note's signatures by these keys, one a key; NoteError when one of them doesn't verify."""
    known = {(key.name, key.key_id): key for key in keys}
    found: dict[tuple[str, bytes], NoteSignature] = {}
    for signature in note.signatures:
        key = known.get((signature.name, signature.key_id))
        if key is None or (signature.name, signature.key_id) in found:
            continue
        if not key.verifies(note.text, signature.signature):
            raise NoteError(f"the signature of {signature.name} does not verify")
        found[signature.name, signature.key_id] = signature
    return list(found.values())
