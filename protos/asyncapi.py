"""Write asyncapi.json (AsyncAPI 3.0) from the stream options of the events: one channel per topic, one message per event.

Run by `make protos` after generate.py. Payloads are described by their proto3 JSON mapping; on the wire they are
protobuf in CloudEvents binary mode, which `contentType` and the headers say.
"""

import importlib
import json
import sys
from pathlib import Path
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

HEADERS = {
    "type": "object",
    "required": ["ce_specversion", "ce_id", "ce_type", "ce_source", "ce_subject", "ce_time", "content-type"],
    "properties": {
        "ce_specversion": {"const": "1.0"},
        "ce_id": {"type": "string", "format": "uuid", "description": "Unique per event; the same in every redelivery."},
        "ce_type": {"type": "string", "description": "Full name of the protobuf message in the value."},
        "ce_source": {"type": "string", "examples": ["/hocba/grading"]},
        "ce_subject": {"type": "string", "description": "The Kafka key."},
        "ce_time": {"type": "string", "format": "date-time"},
        "content-type": {"const": "application/protobuf"},
        "traceparent": {"type": "string", "description": "W3C trace context of the transaction that announced the event."},
    },
}
_SCALARS: dict[int, dict[str, Any]] = {
    FieldDescriptor.TYPE_STRING: {"type": "string"},
    FieldDescriptor.TYPE_BYTES: {"type": "string", "contentEncoding": "base64"},
    FieldDescriptor.TYPE_BOOL: {"type": "boolean"},
    FieldDescriptor.TYPE_INT32: {"type": "integer"},
    FieldDescriptor.TYPE_UINT32: {"type": "integer"},
    FieldDescriptor.TYPE_INT64: {"type": "string", "format": "int64"},
}


def document() -> dict[str, Any]:
    """The whole AsyncAPI document as plain data."""
    from hocba.options.v1 import options_pb2

    channels: dict[str, Any] = {}
    messages: dict[str, Any] = {}
    schemas: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    for file in sorted(HERE.glob("hocba/*/v1/events.proto")):
        module = importlib.import_module(".".join((*file.relative_to(HERE).parts[:-1], "events_pb2")))
        for name in sorted(module.DESCRIPTOR.message_types_by_name):
            message: Descriptor = module.DESCRIPTOR.message_types_by_name[name]
            if not message.GetOptions().HasExtension(options_pb2.stream):
                continue
            stream = message.GetOptions().Extensions[options_pb2.stream]
            _describe(message, schemas)
            full = message.full_name
            messages[full] = {
                "name": full,
                "contentType": "application/protobuf",
                "headers": {"$ref": "#/components/schemas/Headers"},
                "payload": {"$ref": f"#/components/schemas/{full}"},
                "x-key-field": stream.key_field,
            }
            channel = channels.setdefault(stream.topic, {"address": stream.topic, "messages": {}, "bindings": {"kafka": _kafka(stream)}})
            channel["messages"][full] = {"$ref": f"#/components/messages/{full}"}
            operations[f"receive.{full}"] = {
                "action": "receive",
                "channel": {"$ref": f"#/channels/{stream.topic}"},
                "messages": [{"$ref": f"#/channels/{stream.topic}/messages/{full}"}],
            }
    schemas["Headers"] = HEADERS
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "hocba events", "version": "1", "license": {"name": "Apache-2.0"}},
        "defaultContentType": "application/protobuf",
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages, "schemas": schemas},
    }


def _kafka(stream: Any) -> dict[str, Any]:
    retention = {"retention.ms": stream.retention_hours * 3_600_000 or -1, "cleanup.policy": ["delete"]}
    return {"topic": stream.topic, "partitions": stream.partitions, "topicConfiguration": retention, "bindingVersion": "0.5.0"}


def _describe(message: Descriptor, schemas: dict[str, Any]) -> None:
    from hocba.options.v1 import options_pb2

    if message.full_name in schemas:
        return
    properties: dict[str, Any] = {}
    schemas[message.full_name] = {"type": "object", "properties": properties}
    for field in message.fields:
        options = field.GetOptions().Extensions
        if field.message_type and field.message_type.full_name == "google.protobuf.Timestamp":
            shape: dict[str, Any] = {"type": "string", "format": "date-time"}
        elif field.message_type:
            _describe(field.message_type, schemas)
            shape = {"$ref": f"#/components/schemas/{field.message_type.full_name}"}
        elif field.enum_type:
            shape = {"type": "string", "enum": [value.name for value in field.enum_type.values]}
        else:
            shape = dict(_SCALARS[field.type])
        if options[options_pb2.seals]:
            shape["description"] = f"JWE of {options[options_pb2.seals]} for {', '.join(options[options_pb2.readers])}"
        properties[field.json_name] = {"type": "array", "items": shape} if field.is_repeated else shape


if __name__ == "__main__":
    (HERE / "asyncapi.json").write_text(json.dumps(document(), indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
