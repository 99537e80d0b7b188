"""Idempotent calls: the first answer to a request id is kept in the transaction that did the work."""

import hashlib
import uuid

from google.protobuf.message import Message

from services.chassis.database import Connection
from services.chassis.errors import Conflict, Malformed
from services.chassis.identity import Actor
from services.chassis.outbox import QUERIES


def digest_of(request: Message) -> bytes:
    """SHA-256 of a request, so that one id cannot stand for two different requests."""
    return hashlib.sha256(request.SerializeToString(deterministic=True)).digest()


async def answered(connection: Connection, request_id: str, digest: bytes) -> bytes | None:
    """The answer given to this request before, or None; until the transaction ends, nobody else works on the id.

    Raises Malformed for an id that is no UUID, and Conflict when the id was used for another request.
    """
    try:
        parsed = uuid.UUID(request_id)
    except ValueError as error:
        raise Malformed(f"request_id {request_id!r} is not a UUID: make one per request and keep it for repeats", code="request_id") from error
    await connection.execute(QUERIES["lock_request"], str(parsed))
    row = await connection.fetchrow(QUERIES["find_answer"], parsed)
    if row is None:
        return None
    if row["digest"] != digest:
        raise Conflict(f"request_id {parsed} was used for another request: make a new one", code="request_id_reused")
    return bytes(row["answer"])


async def keep_answer(connection: Connection, request_id: str, method: str, digest: bytes, answer: bytes) -> None:
    """Keep the answer for repeats; call it last in the transaction."""
    await connection.execute(QUERIES["keep_answer"], uuid.UUID(request_id), method, digest, answer)


def digest_for(request: Message, method: str, actor: Actor) -> bytes:
    """SHA-256 of a request, the method it was sent to and the account that sent it.

    Nobody gets another's answer by repeating the id, and one id cannot stand for two steps whose requests look alike.
    """
    return hashlib.sha256(f"{method}\0{actor.account_id}\0".encode() + digest_of(request)).digest()
