"""Which bytes a signature covers: all of the file up to its own revision's end, but for its value."""

import hashlib
import re
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache

from services.archive.domain.document import FiledSignature
from services.archive.domain.findings import Finding, Reason
from services.archive.domain.form import SignatureField
from services.archive.domain.pdf_file import PdfFile
from services.archive.domain.pdf_syntax import Value

_HEX_GAP = re.compile(rb"<(?:[0-9A-Fa-f]{2})+>")
_PDF_TIME = re.compile(rb"D:(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(?:(Z)(?:00'?00'?)?|([+-])(\d\d)'(\d\d)'?)$")


def coverage(file: PdfFile, revision: int, field: SignatureField) -> FiledSignature | Finding:
    """The signature's own facts, when its byte range is the whole file so far but its own value."""
    signature = field.signature
    assert signature is not None

    def broken(why: str) -> Finding:
        return Finding(Reason.COVERAGE_BROKEN, f"the byte range of {field.role}'s signature {why}")

    offset = file.place_of(signature.number, revision)
    if not isinstance(offset, int):
        return broken("belongs to a signature that its revision doesn't hold")
    entries = file.object_at(offset)
    if not isinstance(entries, dict):
        return broken("is not in a dictionary")
    span = entries.get("ByteRange")
    contents = entries.get("Contents")
    if not isinstance(span, list) or len(span) != 4 or not isinstance(contents, bytes):
        return broken("is missing")
    numbers = [item for item in span if isinstance(item, int) and not isinstance(item, bool) and item >= 0]
    if len(numbers) != 4 or numbers[0] != 0:
        return broken("doesn't begin at the file's first byte")
    gap_start, gap_end, tail = numbers[1], numbers[2], numbers[3]
    if gap_end + tail != file.revisions[revision].end:
        return broken("doesn't end where its revision ends")
    if not offset < gap_start < gap_end < file.end_of(offset):
        return broken("leaves out bytes outside the signature's own dictionary")
    gap = file.data[gap_start:gap_end]
    if _HEX_GAP.fullmatch(gap) is None or bytes.fromhex(gap[1:-1].decode("ascii")) != contents:
        return broken("leaves out more than the signature's value")
    covered = hashlib.sha256(memoryview(file.data)[:gap_start])
    covered.update(memoryview(file.data)[gap_end : gap_end + tail])
    return FiledSignature(field.role, field.name, covered.digest(), contents, claimed_at(entries.get("M")))


def claimed_at(value: Value) -> datetime | None:
    """The time in a signature's /M (ISO 32000-1 section 7.9.4), or None when there is none that can be read."""
    return _time(value) if isinstance(value, bytes) else None


@lru_cache(maxsize=1024)
def _time(text: bytes) -> datetime | None:
    match = _PDF_TIME.match(text)
    if match is None:
        return None
    zone: timezone = UTC
    if match[8]:
        ahead = timedelta(hours=int(match[9]), minutes=int(match[10]))
        zone = timezone(ahead if match[8] == b"+" else -ahead)
    try:
        return datetime(*(int(match[part]) for part in range(1, 7)), tzinfo=zone).astimezone(UTC)  # type: ignore[misc,arg-type]  # six ints
    except ValueError:
        return None
