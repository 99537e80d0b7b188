"""Randomness for public ids and salts, from the operating system."""

from __future__ import annotations

import base64
import secrets


class SystemDice:
    """128 bits or more each, so that nobody meets or guesses one."""

    def public_id(self) -> str:
        """26 letters and digits of base32, in lower case, without padding."""
        return base64.b32encode(secrets.token_bytes(16)).decode().rstrip("=").lower()

    def salt(self) -> str:
        """32 hexadecimal digits."""
        return secrets.token_hex(16)

    def row_salt(self) -> bytes:
        """As long as the hash, since the contents of a row are few and easily guessed."""
        return secrets.token_bytes(32)
