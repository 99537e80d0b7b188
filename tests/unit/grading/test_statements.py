"""Every named statement is used, and every used name is a statement."""

import re
from pathlib import Path

from services.chassis.database import Queries

ADAPTERS = Path(__file__).parents[3] / "services" / "grading" / "adapters"


def test_statements_and_their_uses_agree() -> None:
    named = set(Queries(ADAPTERS / "queries.sql").names())
    code = "\n".join(file.read_text(encoding="utf-8") for file in ADAPTERS.glob("*.py"))
    used = set(re.findall(r'(?:SQL|sql|_sql)\["([a-z_0-9]+)"\]', code)) | set(re.findall(r'\("([a-z_]+)", \[c for c in changes', code))
    assert used == named


def test_every_statement_says_what_it_is_for() -> None:
    text = (ADAPTERS / "queries.sql").read_text(encoding="utf-8")
    blocks = re.split(r"^-- name: *", text, flags=re.MULTILINE)[1:]
    assert all(block.split("\n")[1].startswith("-- ") for block in blocks)
    assert all("-- locks:" in block for block in blocks if re.search(r"FOR (UPDATE|SHARE)", block.split("-- locks:")[0]))
