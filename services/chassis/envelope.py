"""Personal data inside events: sealed for named readers, so that neither broker nor bystander can read it.

JWE in general JSON serialization (RFC 7516 section 7.2.1), ECDH-ES+A256KW per reader, A256GCM for the content,
deflated first. The readers are those that the proto option on the field names.
"""

import json
from pathlib import Path
from typing import Any, TypeVar

from google.protobuf.message import Message
from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet

from hocba.options.v1 import options_pb2
from services.chassis.errors import Malformed

M = TypeVar("M", bound=Message)
_ALGORITHMS = ["ECDH-ES+A256KW", "A256GCM", "DEF"]
_REGISTRY = jwe.JWERegistry(algorithms=_ALGORITHMS)
_REGISTRY.max_ciphertext_length = 64 << 20
# joserfc stops inflating at 250 KiB of its own accord: less than one big class. Kafka bounds what arrives here anyway.
_REGISTRY.get_zip("DEF").MAX_SIZE = 64 << 20  # type: ignore[attr-defined]  # Of the one model that is called DEF.


class Envelope:
    """Seals messages for readers, and opens those sealed for us."""

    def __init__(self, readers_file: Path, key_file: Path | None, name: str) -> None:
        readers = KeySet.import_key_set(json.loads(readers_file.read_text()))
        self._readers = {str(key.kid): key for key in readers.keys}
        self._key = ECKey.import_key(json.loads(key_file.read_text())) if key_file else None
        self._name = name

    def seal(self, event: Message, field: str, content: Message) -> None:
        """Put `content` into the Sealed field of the event, for the readers that the field's options name."""
        descriptor = event.DESCRIPTOR.fields_by_name[field]
        options = descriptor.GetOptions().Extensions
        if options[options_pb2.seals] != content.DESCRIPTOR.full_name:
            raise TypeError(f"{event.DESCRIPTOR.full_name}.{field} seals {options[options_pb2.seals]}, not {content.DESCRIPTOR.full_name}")
        sealed = jwe.GeneralJSONEncryption({"enc": "A256GCM", "zip": "DEF"}, content.SerializeToString(deterministic=True))
        for reader in options[options_pb2.readers]:
            sealed.add_recipient({"alg": "ECDH-ES+A256KW", "kid": reader}, self._readers[reader])
        getattr(event, field).jwe = json.dumps(jwe.encrypt_json(sealed, None, registry=_REGISTRY)).encode()

    def open(self, sealed: options_pb2.Sealed, as_type: type[M]) -> M:
        """The message inside; raises Malformed when it is not for us or was changed."""
        if self._key is None:
            raise Malformed(f"{self._name} has no reader key: set envelope_key_file", code="no_reader_key")
        try:
            data = json.loads(sealed.jwe)
            mine = [r for r in data["recipients"] if r["header"]["kid"] == self._name]
            if not mine:
                raise Malformed(f"the sealed part is not for {self._name}", code="not_a_reader")
            mine_only: Any = {**data, "recipients": mine}
            opened = jwe.decrypt_json(mine_only, self._key, registry=_REGISTRY)
        except (JoseError, ValueError, KeyError) as error:
            raise Malformed(f"the sealed part cannot be opened: {type(error).__name__}", code="sealed_broken") from error
        return as_type.FromString(opened.plaintext or b"")
