"""Where an event travels: read from the message's own proto options, so that no topic name stands in Python."""

from dataclasses import dataclass
from functools import cache

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from hocba.options.v1 import options_pb2


@dataclass(frozen=True, slots=True)
class Stream:
    """Topic, key field, retention and partitions of an event."""

    topic: str
    key_field: str
    retention_hours: int
    partitions: int


def stream_of(message: type[Message]) -> Stream:
    """The stream option of an event class; raises TypeError for a message that is not an event."""
    return _stream(message.DESCRIPTOR)


@cache
def _stream(descriptor: Descriptor) -> Stream:
    options = descriptor.GetOptions()
    if not options.HasExtension(options_pb2.stream):
        raise TypeError(f"{descriptor.full_name} has no stream option: it is not an event")
    stream = options.Extensions[options_pb2.stream]
    return Stream(stream.topic, stream.key_field, stream.retention_hours, stream.partitions or 1)


def key_of(message: Message) -> str:
    """The Kafka key of an event; empty keys are a bug, since they would lose the order."""
    key = getattr(message, stream_of(type(message)).key_field)
    if not key:
        raise ValueError(f"{message.DESCRIPTOR.full_name} without {stream_of(type(message)).key_field}")
    return str(key)
