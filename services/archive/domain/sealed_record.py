"""The few facts that the archive reads from a document's attached record: which transcript it is, and whose school's."""

import json
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RecordFacts:
    """What the record says about itself. Nothing here is personal."""

    transcript_id: str
    version: int
    public_id: str
    level: str
    school_name: str


def read_facts(record: bytes) -> RecordFacts | None:
    """The facts; None when the bytes are not a record that says them."""
    try:
        told = json.loads(record)
        transcript = told["transcript"]
        facts = RecordFacts(
            transcript_id=transcript["id"],
            version=transcript["version"],
            public_id=transcript["public_id"],
            level=told["level"],
            school_name=told["school"]["name"],
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    texts = (facts.transcript_id, facts.public_id, facts.level, facts.school_name)
    return facts if all(isinstance(text, str) for text in texts) and isinstance(facts.version, int) else None
