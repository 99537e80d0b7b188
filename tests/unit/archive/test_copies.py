"""How a certified copy is numbered, what it says, and what its original must be."""

import json
from datetime import UTC, datetime
from hashlib import sha256

from services.archive.domain.copies import content_of, number_text, original_findings, year_of
from services.archive.domain.findings import Reason
from services.archive.domain.revocation import IssuedVersion
from services.archive.domain.transcript import TranscriptRef
from services.signing.domain.copy_of_document import page_of_copy, read_copy
from tests.support.records import canonical, example

ORIGINAL = b"%PDF-1.7 the original"
SOURCE = IssuedVersion(TranscriptRef("t", "p", 2, bytes(32), "PUBLIC"), sha256(ORIGINAL).digest(), "class", "school", "2025-79", 2025)
RECORD = canonical(example())
CONTENT = content_of("copy", "COPYID", number_text(12, 2026), SOURCE, RECORD)


def test_a_copy_is_numbered_by_the_schools_own_calendar() -> None:
    assert (number_text(12, 2026), year_of(datetime(2026, 12, 31, 16, 59, tzinfo=UTC)), year_of(datetime(2026, 12, 31, 17, tzinfo=UTC))) == (
        "12/2026/SY",
        2026,
        2027,
    )


def test_what_a_copy_says_is_canonical_and_names_no_pupil() -> None:
    told = json.loads(CONTENT)
    assert json.dumps(told, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode() == CONTENT
    assert told["original"] == {"public_id": "PUBLIC", "version": 2, "sha256": SOURCE.sha256.hex()}
    assert [text for text in (json.loads(RECORD)["pupil"]["name"], "teacher") if text in CONTENT.decode()] == []


def test_signing_reads_and_prints_what_the_archive_writes() -> None:
    copy = read_copy(CONTENT)
    assert (copy.copy_id, copy.public_id, copy.beside, copy.digest) == ("copy", "COPYID", SOURCE.sha256, sha256(CONTENT).digest())
    assert page_of_copy(copy)["original"].endswith("phiên bản 2")


def test_the_attached_original_is_the_one_that_is_named() -> None:
    assert original_findings(CONTENT, ORIGINAL) == []
    wrong = [original_findings(CONTENT, ORIGINAL + b" "), original_findings(CONTENT, None), original_findings(b"{}", ORIGINAL)]
    assert [finding.reason for (finding,) in wrong] == [Reason.RECORD_DIFFERS, Reason.RECORD_MISSING, Reason.RECORD_DIFFERS]
