"""
Examine a signed transcript's structure: revisions, fields, byte ranges, certification, changes, content, attachment.

Pure and without cryptography: it says which bytes each signature must cover and that nothing hides beside them.
The order of the steps is the order of the report (see findings.Check).
"""

import hashlib
from collections.abc import Iterator
from dataclasses import replace

from services.archive.domain.certification import check_certification
from services.archive.domain.changes import check_changes
from services.archive.domain.content import alternative_stream, attached_stream, check_content
from services.archive.domain.coverage import coverage
from services.archive.domain.document import CLASS_SHEET, COPY, EXTRACT, TRANSCRIPT, Examination, FiledSignature, Profile
from services.archive.domain.findings import Finding, Reason
from services.archive.domain.form import signature_fields, unexpected_fields
from services.archive.domain.pdf_file import PdfFile, TrailingBytes, Truncated, decoded, open_pdf
from services.archive.domain.pdf_syntax import MalformedPdf
from services.archive.domain.proof_of_time import proof_of_time, signed_part


def profile_of(data: bytes) -> Profile:
    """The profile that a file claims to follow, by the name of what it has attached; whether it does is for the check to say."""
    try:
        file = open_pdf(data)
        last = len(file.revisions) - 1
        return next((profile for profile in (CLASS_SHEET, COPY, EXTRACT) if attached_stream(file, last, profile) is not None), TRANSCRIPT)
    except (MalformedPdf, RecursionError):
        return TRANSCRIPT  # What can't be read is told as such under either.


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
        proof = proof_of_time(file, profile)
        if proof is None:
            return _examined(file, profile)
        # What the two revisions may hold was asked in full: all else is asked of the document as the last signature left it.
        return replace(_examined(signed_part(file, profile), profile), time_stamps=proof.stamps, certificates=proof.certificates)
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
        read = coverage(file, min(revision, last), field)
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
    record, xml = None, None
    try:
        attached, alternative = attached_stream(file, last, profile), alternative_stream(file, last, profile)
        record, xml = (None if stream is None else decoded(stream) for stream in (attached, alternative))
    except MalformedPdf as error:
        findings.append(Finding(Reason.RECORD_MISSING, f"the attached file can't be read: {error}"))
    else:
        if record is None:
            findings.append(Finding(Reason.RECORD_MISSING, f"no file named {profile.attachment} is attached, or not it alone"))
    return Examination(tuple(findings), tuple(signatures), record, hashlib.sha256(file.data).digest(), xml=xml, file=file)


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
