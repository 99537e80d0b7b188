"""What a decision may say, and what the log says of it."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from services.archive.domain.revocation import Decision, IssuedVersion, RevocationReason, revoking
from services.archive.domain.statement import Kind, Statement, document_of, revokes
from services.archive.domain.transcript import TranscriptRef

TODAY = date(2026, 6, 30)
DECISION = Decision(RevocationReason.FRAUD, "123/QĐ-SGDĐT", TODAY, bytes(32))
VERSION = IssuedVersion(TranscriptRef("t", "p", 2, bytes(32), "public"), bytes(range(32)), "class", "school", "2025-79", 2025)


@pytest.mark.parametrize("number", ["123/QĐ-SGDĐT", "1/QĐ-THCSNTMK", "12/2026/QĐ-UBND", "45/QĐ-TH.NĐ"])
def test_numbers_of_documents_are_taken(number: str) -> None:
    assert replace(DECISION, number=number).fault(TODAY) == ""


@pytest.mark.parametrize("number", ["", "QĐ", "123", "123/", "123/Nguyễn Văn An", "123/QĐ\n", "a/QĐ-SGDĐT", "1234567/QĐ", "1/" + "Q" * 60])
def test_what_could_hold_a_name_is_no_number(number: str) -> None:
    assert "decision_number" in replace(DECISION, number=number).fault(TODAY)


def test_a_decision_has_a_digest_and_lies_not_in_the_future() -> None:
    assert "decision_date" in replace(DECISION, day=date(2026, 7, 1)).fault(TODAY)
    assert "decision_sha256" in replace(DECISION, sha256=b"short").fault(TODAY)


def test_each_word_of_the_decision_changes_what_the_log_commits_to() -> None:
    others = [
        replace(DECISION, reason=RevocationReason.CONTENT_WRONG),
        replace(DECISION, number="124/QĐ-SGDĐT"),
        replace(DECISION, day=date(2026, 6, 29)),
        replace(DECISION, sha256=bytes([1]) * 32),
    ]
    digests = {decision.digest("public", 2) for decision in [DECISION, *others]} | {DECISION.digest("other", 2), DECISION.digest("public", 3)}
    assert len(digests) == 7


def test_the_leaf_names_document_and_decision_and_nobody() -> None:
    leaf = revoking(VERSION, DECISION, datetime(2026, 6, 30, 8, tzinfo=UTC))
    said = Statement.read(leaf)
    assert (said.kind, said.public_id, said.version, said.previous) == (Kind.REVOKE, "public", 2, None)
    assert (said.sha256, said.content_digest) == (VERSION.sha256, DECISION.digest("public", 2))
    assert (document_of(leaf), revokes(leaf)) == (VERSION.sha256.hex(), True)
    assert not revokes(replace(said, kind=Kind.ISSUE).canonical())
