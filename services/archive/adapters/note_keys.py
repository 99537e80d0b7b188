"""Keys that sign notes and cosign checkpoints: Ed25519, and ML-DSA-44 for cosignatures that outlive elliptic curves."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey

from services.archive.domain.checkpoint import Checkpoint, cosigned_message, subtree_message
from services.archive.domain.signed_note import COSIGNATURE_ED25519, COSIGNATURE_ML_DSA_44, ED25519, KeyText, NoteError, NoteSignature

_TIME_BYTES = 8


@dataclass(frozen=True, slots=True)
class PublicNoteKey:
    """Fulfils the port NoteVerifier for every type of key that is written down here."""

    key: KeyText

    @property
    def name(self) -> str:
        """The key's name."""
        return self.key.name

    @property
    def key_id(self) -> bytes:
        """The key's id."""
        return self.key.key_id

    def verifies(self, text: str, signature: bytes) -> bool:
        """Whether the signature is this key's; a cosignature's time is part of it."""
        try:
            if self.key.kind == ED25519:
                Ed25519PublicKey.from_public_bytes(self.key.key).verify(signature, text.encode())
                return True
            at, value = int.from_bytes(signature[:_TIME_BYTES], "big"), signature[_TIME_BYTES:]
            if self.key.kind == COSIGNATURE_ED25519:
                Ed25519PublicKey.from_public_bytes(self.key.key).verify(value, cosigned_message(text, at))
            else:
                MLDSA44PublicKey.from_public_bytes(self.key.key).verify(value, subtree_message(self.name, Checkpoint.read(text), at))
        except (InvalidSignature, NoteError):
            return False
        return True


@dataclass(frozen=True, slots=True)
class NoteSigner:
    """A private key under a name. Ed25519 is deterministic: the same note gets the same signature, however often it is asked for."""

    public: KeyText
    _key: Ed25519PrivateKey | MLDSA44PrivateKey

    def sign(self, text: str) -> NoteSignature:
        """The log's own signature over a checkpoint."""
        if self.public.kind != ED25519:
            raise NoteError(f"the key of {self.public.name} cosigns; it signs no notes of its own")
        return NoteSignature(self.public.name, self.public.key_id, self._key.sign(text.encode()))

    def cosign(self, checkpoint: Checkpoint, at: int) -> NoteSignature:
        """A witness's signature at `at` (Unix seconds)."""
        if self.public.kind == ED25519:
            raise NoteError(f"the key of {self.public.name} signs a log; it is no witness's")
        cosigning = self.public.kind == COSIGNATURE_ED25519
        message = cosigned_message(checkpoint.text, at) if cosigning else subtree_message(self.public.name, checkpoint, at)
        return NoteSignature(self.public.name, self.public.key_id, at.to_bytes(_TIME_BYTES, "big") + self._key.sign(message))


def verifier_of(key: KeyText) -> PublicNoteKey:
    """The verifier of a public key; NoteError for a type or length that nothing here knows."""
    lengths = {ED25519: 32, COSIGNATURE_ED25519: 32, COSIGNATURE_ML_DSA_44: 1312}
    if lengths.get(key.kind) != len(key.key):
        raise NoteError(f"the key of {key.name} is of a type ({key.kind:#04x}) that is not known here")
    return PublicNoteKey(key)


def new_key(name: str, kind: int) -> str:
    """A new private key as it is written down; keep it in a file of mode 0600."""
    key = MLDSA44PrivateKey.generate() if kind == COSIGNATURE_ML_DSA_44 else Ed25519PrivateKey.generate()
    return KeyText.public(name, kind, key.public_key().public_bytes_raw()).private_text(key.private_bytes_raw())


def read_signer(file: Path) -> NoteSigner:
    """The private key in a file; NoteError when it holds none, or one whose id belongs to another key."""
    try:
        told = KeyText.read_private(file.read_text(encoding="ascii"))
    except (OSError, UnicodeDecodeError) as error:
        raise NoteError(f"{file} can't be read as a key ({type(error).__name__})") from error
    if len(told.key) != 32 or told.kind not in (ED25519, COSIGNATURE_ED25519, COSIGNATURE_ML_DSA_44):
        raise NoteError(f"{file} holds a key of a type that is not known here")
    seed = told.key
    key = MLDSA44PrivateKey.from_seed_bytes(seed) if told.kind == COSIGNATURE_ML_DSA_44 else Ed25519PrivateKey.from_private_bytes(seed)
    public = KeyText.public(told.name, told.kind, key.public_key().public_bytes_raw())
    if public.key_id != told.key_id:
        raise NoteError(f"{file}: the key doesn't have the id that it names")
    return NoteSigner(public, key)
