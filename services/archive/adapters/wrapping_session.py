"""One session with the module that holds wrapping keys, as a process of its own.

    python -m services.archive.adapters.wrapping_session LIBRARY TOKEN PIN_FILE

Vendors' libraries crash, hang, and aren't safe with threads; here all that costs a process. Each line on standard input is a
question in JSON, each line on standard output its answer; the end of the input is the end of the process. The PIN is read
from its file here and nowhere else.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pkcs11
from pkcs11 import Attribute, GCMParams, KeyType, Mechanism, ObjectClass, exceptions

NONCE = 12
_TAG_BITS = 128
_UNOPENED = (exceptions.EncryptedDataInvalid, exceptions.EncryptedDataLenRange, exceptions.GeneralError, exceptions.FunctionFailed)
"""What modules answer to a tag that doesn't fit; the standard leaves it open."""
_KEY = {
    Attribute.CLASS: ObjectClass.SECRET_KEY,
    Attribute.KEY_TYPE: KeyType.AES,
    Attribute.TOKEN: True,
    Attribute.PRIVATE: True,
    Attribute.SENSITIVE: True,
    Attribute.EXTRACTABLE: False,
    Attribute.ENCRYPT: True,
    Attribute.DECRYPT: True,
}


class Module:
    """The token, logged into."""

    def __init__(self, library: str, token: str, pin_file: Path) -> None:
        pin = pin_file.read_text(encoding="utf-8").strip()
        self._session = pkcs11.lib(library).get_token(token_label=token).open(user_pin=pin, rw=True)

    def answer(self, question: dict[str, str]) -> dict[str, Any]:
        """`labels` of all keys, `value` in hexadecimal (none where it can't be opened), `put`; or `missing`."""
        if question["do"] == "labels":
            found: Iterable[Any] = self._session.get_objects({Attribute.CLASS: ObjectClass.SECRET_KEY, Attribute.KEY_TYPE: KeyType.AES})
            return {"labels": [key.label for key in found]}
        if question["do"] == "put":
            self._session.create_object({**_KEY, Attribute.LABEL: question["key"], Attribute.VALUE: bytes.fromhex(question["data"])})
            return {"put": True}
        try:
            key: Any = self._session.get_key(object_class=ObjectClass.SECRET_KEY, label=question["key"])
        except exceptions.NoSuchKey:
            return {"missing": True}
        data, context = bytes.fromhex(question["data"]), bytes.fromhex(question["context"])
        if question["do"] == "wrap":
            nonce = os.urandom(NONCE)
            sealed = key.encrypt(data, mechanism=Mechanism.AES_GCM, mechanism_param=GCMParams(nonce, context, _TAG_BITS))
            return {"value": (nonce + bytes(sealed)).hex()}
        try:
            opened = key.decrypt(data[NONCE:], mechanism=Mechanism.AES_GCM, mechanism_param=GCMParams(data[:NONCE], context, _TAG_BITS))
        except _UNOPENED:
            return {"value": None}
        return {"value": bytes(opened).hex()}


def main() -> None:
    """Answer until the input ends or the module fails; the last line then names the failure."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # Data keys pass through this memory.
    library, token, pin_file = sys.argv[1:]
    try:
        module = Module(library, token, Path(pin_file))
        for line in sys.stdin:
            print(json.dumps(module.answer(json.loads(line))), flush=True)
    except (pkcs11.PKCS11Error, RuntimeError, OSError) as error:
        # The type alone: what a vendor's library says may quote what it was given.
        print(json.dumps({"failed": type(error).__name__}), flush=True)


if __name__ == "__main__":
    main()
