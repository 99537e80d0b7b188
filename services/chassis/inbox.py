"""The inbox: which events a consumer has applied, in the transaction that applied them."""

import uuid
from collections.abc import Iterable

from services.chassis.database import Connection
from services.chassis.outbox import QUERIES


async def first_time(connection: Connection, consumer: str, event_ids: Iterable[str]) -> set[str]:
    """Those of the events that this consumer has not applied yet; remembers all of them.

    Not needed where a version guard on the row already makes a repeat harmless.
    """
    ids = [uuid.UUID(event_id) for event_id in event_ids]
    return {str(row["event_id"]) for row in await connection.fetch(QUERIES["first_time"], consumer, ids)}
