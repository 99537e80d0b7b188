"""Every named statement is used by the store that it lies beside, and every used name is a statement there."""

import re
from pathlib import Path

import pytest

from services.chassis.database import Queries

ADAPTERS = Path(__file__).parents[3] / "services" / "signing" / "adapters"


@pytest.mark.parametrize("file", sorted(ADAPTERS.glob("*.sql")), ids=lambda file: file.stem)
def test_statements_and_their_uses_agree(file: Path) -> None:
    users = [
        path.read_text(encoding="utf-8")
        for path in ADAPTERS.glob("*.py")
        if path.stem == file.stem or f"adapters.{file.stem} import QUERIES" in path.read_text()
    ]
    assert set(re.findall(r'QUERIES\["([a-z_]+)"\]', "\n".join(users))) == set(Queries(file).names())
