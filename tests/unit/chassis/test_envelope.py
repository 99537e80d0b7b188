"""Sealed parts of events open for their readers, however big a class is."""

import json
import random
from pathlib import Path

import pytest
from joserfc.jwk import ECKey

from hocba.grading.v1.events_pb2 import ClassSealed, SealedRecords
from services.chassis.envelope import Envelope
from services.chassis.errors import Malformed


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    public = []
    for name in ("signing", "archive", "stranger"):
        key = ECKey.generate_key("P-256", {"kid": name, "use": "enc"}, private=True)
        (tmp_path / f"{name}.json").write_text(json.dumps(key.as_dict(private=True)))
        public.append(key.as_dict(private=False))
    (tmp_path / "readers.json").write_text(json.dumps({"keys": public}))
    return tmp_path


def envelope(keys: Path, name: str) -> Envelope:
    return Envelope(keys / "readers.json", keys / f"{name}.json", name)


@pytest.mark.parametrize("size", [0, 10_000, 3_000_000])
def test_sealed_part_of_any_size_opens_for_its_readers_only(keys: Path, size: int) -> None:
    content = SealedRecords(records=[random.Random(1).randbytes(size // 2).hex().encode()])
    event = ClassSealed()
    Envelope(keys / "readers.json", None, "grading").seal(event, "records", content)
    for reader in ("signing", "archive"):
        assert envelope(keys, reader).open(event.records, SealedRecords) == content
    with pytest.raises(Malformed, match="not for stranger"):
        envelope(keys, "stranger").open(event.records, SealedRecords)
