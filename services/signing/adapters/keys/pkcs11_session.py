"""One session with one PKCS#11 token, as a process of its own.

    python -m services.signing.adapters.keys.pkcs11_session LIBRARY TOKEN PIN_FILE

Vendors' libraries crash, hang, and aren't safe with threads; here all that costs a process. Each line on standard input is a
question in JSON, each line on standard output its answer; the end of the input is the end of the process, so that it
never outlives the worker. The PIN is read from its file here and nowhere else.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pkcs11
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass, exceptions

from services.signing.adapters.keys.memory_guard import no_core_dumps

_DIGEST_INFO = bytes.fromhex("3031300d060960864801650304020105000420")
_HALF = 32  # of a P-256 signature as tokens give it: r and s, 32 bytes each
_P256 = bytes.fromhex("06082a8648ce3d030107")

REFUSED, AWAY = "refused", "away"
_REFUSALS: tuple[tuple[type[Exception], str, str], ...] = (
    (exceptions.PinIncorrect, "pin_wrong", "the token refuses the PIN; correct the PIN file, it isn't tried again before that"),
    (exceptions.PinInvalid, "pin_wrong", "the token refuses the PIN; correct the PIN file, it isn't tried again before that"),
    (exceptions.PinLenRange, "pin_wrong", "the token refuses the PIN; correct the PIN file, it isn't tried again before that"),
    (exceptions.PinLocked, "pin_locked", "the token is locked after too many wrong PINs; have it unlocked by its security officer"),
    (exceptions.PinExpired, "pin_expired", "the token's PIN has expired; set a new one with the vendor's tool"),
    (exceptions.NoSuchKey, "key_unknown", "the token holds no such private key; look at the label"),
    (exceptions.MultipleObjectsReturned, "key_unknown", "the token holds several private keys of this label; give each a label of its own"),
    (exceptions.MechanismInvalid, "key_unsupported", "the token can't sign with this key as hocba needs it"),
    (exceptions.KeyTypeInconsistent, "key_unsupported", "the token can't sign with this key as hocba needs it"),
)


class _Unsupported(Exception):
    """A key of a kind that nobody asked for."""


class Token:
    """The token, logged into at the first question."""

    def __init__(self, library: str, label: str, pin_file: Path) -> None:
        self._library, self._label, self._pin_file = library, label, pin_file
        self._session: Any = None
        self._keys: dict[str, Any] = {}

    def answer(self, question: dict[str, Any]) -> dict[str, Any]:
        """`values` in hexadecimal, or `error` (refused or away) with code and message."""
        try:
            self._log_in()
            return {"values": [self._sign(question["key"], bytes.fromhex(digest)).hex() for digest in question.get("digests", ())]}
        except _Unsupported as error:
            return {"error": REFUSED, "code": "key_unsupported", "message": str(error)}
        except OSError as error:
            return {"error": AWAY, "code": "pin_missing", "message": f"the PIN file can't be read: {error.strerror}"}
        except (exceptions.NoSuchToken, exceptions.TokenNotPresent, exceptions.DeviceRemoved, exceptions.TokenNotRecognised):
            return {"error": AWAY, "code": "token_away", "message": "the token isn't there; plug it in or start its service"}
        except (RuntimeError, pkcs11.PKCS11Error) as error:
            for kind, code, message in _REFUSALS:
                if isinstance(error, kind):
                    return {"error": REFUSED, "code": code, "message": message}
            # The type alone: what a vendor's library says may quote what it was given.
            return {"error": AWAY, "code": "token_failed", "message": f"the token's library answered {type(error).__name__}"}

    def _log_in(self) -> None:
        if self._session is None:
            library = pkcs11.lib(self._library)
            pin = self._pin_file.read_text(encoding="utf-8").strip()
            self._session = library.get_token(token_label=self._label).open(user_pin=pin)

    def _sign(self, label: str, digest: bytes) -> bytes:
        key = self._keys.get(label)
        if key is None:
            key = self._session.get_key(object_class=ObjectClass.PRIVATE_KEY, label=label)
            if key.key_type not in (KeyType.RSA, KeyType.EC) or (key.key_type is KeyType.EC and key[Attribute.EC_PARAMS] != _P256):
                raise _Unsupported("the key is neither RSA nor P-256")
            self._keys[label] = key
        if key.key_type is KeyType.RSA:
            value: bytes = key.sign(_DIGEST_INFO + digest, mechanism=Mechanism.RSA_PKCS)
            return value
        pair: bytes = key.sign(digest, mechanism=Mechanism.ECDSA)
        return encode_dss_signature(int.from_bytes(pair[:_HALF], "big"), int.from_bytes(pair[_HALF:], "big"))


def main() -> None:
    """Answer until the input ends."""
    no_core_dumps()
    library, label, pin_file = sys.argv[1:]
    token = Token(library, label, Path(pin_file))
    for line in sys.stdin:
        sys.stdout.write(json.dumps(token.answer(json.loads(line))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
