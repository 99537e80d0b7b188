"""
Examine a signed transcript's structure: revisions, fields, byte ranges, certification, changes, content, attachment.

Pure and without cryptography: it says which bytes each signature must cover and that nothing hides beside them.
The order of the steps is the order of the report (see findings.Check).
"""

import hashlib
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

from services.archive.domain.certification import check_certification
from services.archive.domain.changes import check_changes
from services.archive.domain.content import attached_stream, check_content
from services.archive.domain.document import Examination, FiledSignature, Profile
from services.archive.domain.findings import Finding, Reason
from services.archive.domain.form import SignatureField, signature_fields, unexpected_fields
from services.archive.domain.pdf_file import PdfFile, TrailingBytes, Truncated, decoded, open_pdf
from services.archive.domain.pdf_syntax import MalformedPdf, Value

_HEX_GAP = re.compile(rb"<(?:[0-9A-Fa-f]{2})+>")
_PDF_TIME = re.compile(rb"D:(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(?:(Z)(?:00'?00'?)?|([+-])(\d\d)'(\d\d)'?)$")


def examine(data: bytes, profile: Profile) -> Examination:
    """Everything that is wrong with the document's structure, in the order of the checks, and what it carries."""
    try:
        file = open_pdf(data)
    except TrailingBytes as error:
        return _broken(data, Reason.TRAILING_BYTES, error)
    except Truncated as error:
        return _broken(data, Reason.TRUNCATED, error)
    except (MalformedPdf, RecursionError) as error:
        return _broken(data, Reason.MALFORMED, error)
    try:
        return _examined(file, profile)
    except (MalformedPdf, RecursionError) as error:
        return _broken(data, Reason.MALFORMED, error)


def _broken(data: bytes, reason: Reason, error: Exception) -> Examination:
    return Examination((Finding(reason, str(error)),), (), None, hashlib.sha256(data).digest())


def _examined(file: PdfFile, profile: Profile) -> Examination:
    last = len(file.revisions) - 1
    fields = signature_fields(file, last, profile)
    findings = list(unexpected_fields(file, last, profile))
    for rule in profile.signatures:
        if rule.role not in fields or fields[rule.role].signature is None:
            findings.append(Finding(Reason.SIGNATURE_MISSING, f"the signature of {rule.role} is missing"))
    if not findings:
        findings += _order(file, profile)
    signatures: list[FiledSignature] = []
    for revision, rule in profile.signed_revisions():
        field = fields.get(rule.role)
        if field is None or field.signature is None:
            continue
        read = _coverage(file, min(revision, last), field)
        if isinstance(read, Finding):
            findings.append(read)
        else:
            signatures.append(read)
    count = last + 1 - profile.body_revisions - len(profile.signatures)
    if count > 0:
        findings.append(Finding(Reason.REVISION_UNSIGNED, f"{count} more revisions than signatures"))
    findings += check_certification(file, fields, profile)
    findings += check_changes(file, fields, profile)
    findings += check_content(file, last, fields)
    try:
        attached = attached_stream(file, last, profile)
        record = None if attached is None else decoded(attached)
    except MalformedPdf as error:
        record = None
        findings.append(Finding(Reason.RECORD_MISSING, f"the attached file can't be read: {error}"))
    else:
        if record is None:
            findings.append(Finding(Reason.RECORD_MISSING, f"no file named {profile.attachment} is attached, or not it alone"))
    return Examination(tuple(findings), tuple(signatures), record, hashlib.sha256(file.data).digest(), file)


def _order(file: PdfFile, profile: Profile) -> Iterator[Finding]:
    """Each signature must appear in its own revision: the first in the first update, and so on."""
    for revision, rule in profile.signed_revisions():
        if revision >= len(file.revisions):
            yield Finding(Reason.SIGNATURE_ORDER, f"the signature of {rule.role} has no revision of its own")
            continue
        before = signature_fields(file, revision - 1, profile).get(rule.role)
        after = signature_fields(file, revision, profile).get(rule.role)
        if before is None or before.signature is not None or after is None or after.signature is None:
            yield Finding(Reason.SIGNATURE_ORDER, f"the signature of {rule.role} was not added by update {revision}")


def _coverage(file: PdfFile, revision: int, field: SignatureField) -> FiledSignature | Finding:
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
    match = _PDF_TIME.match(value) if isinstance(value, bytes) else None
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
