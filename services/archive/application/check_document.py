"""The one check of a document that admission and the offline verifier share."""

import hashlib
from dataclasses import dataclass

from services.archive.application.ports import Signatures, Signer
from services.archive.domain.class_sheets import row_findings, sheet_findings
from services.archive.domain.document import HOMEROOM_TEACHER, PRINCIPAL, SCHOOL_SEAL, Profile
from services.archive.domain.examine import examine
from services.archive.domain.findings import Check, Finding, Reason


@dataclass(frozen=True, slots=True)
class Announced:
    """What was said about a document before its bytes were seen."""

    sha256: bytes | None = None
    size: int | None = None
    content_digest: bytes | None = None
    """SHA-256 of the canonical record that was sealed."""
    serials: tuple[tuple[str, str], ...] = ()
    """(role, certificate serial in hexadecimal) of each announced signature."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """All that was found, in the order of the checks. A document is accepted when there are no findings."""

    sha256: bytes
    findings: tuple[Finding, ...]
    skipped: frozenset[Check]
    """Checks that could not be made: nothing was announced, or an earlier check left nothing to look at."""
    signers: tuple[Signer, ...]
    record: bytes | None

    @property
    def accepted(self) -> bool:
        """Whether every check that was made passed."""
        return not self.findings

    @property
    def first(self) -> Finding | None:
        """The finding that names the refusal: the one of the earliest check."""
        order = list(Check)
        ranked = sorted(self.findings, key=lambda finding: order.index(finding.check) if finding.check else len(order))
        return ranked[0] if ranked else None


@dataclass(frozen=True, slots=True)
class CheckDocument:
    """Checks a document's bytes: digest, structure, coverage, certification, changes, content, signers, record, rows."""

    profile: Profile
    signatures: Signatures

    def __call__(self, data: bytes, announced: Announced = Announced()) -> Verdict:
        """The verdict on `data`. Never raises for what the bytes hold."""
        sha256 = hashlib.sha256(data).digest()
        findings: list[Finding] = []
        skipped: set[Check] = set()
        if announced.sha256 is None and announced.size is None:
            skipped.add(Check.DIGEST)
        if announced.size is not None and announced.size != len(data):
            findings.append(Finding(Reason.SIZE_DIFFERS, f"{len(data)} bytes instead of {announced.size}"))
        if announced.sha256 is not None and announced.sha256 != sha256:
            findings.append(Finding(Reason.SHA256_DIFFERS, f"the bytes hash to {sha256.hex()}"))
        examination = examine(data, self.profile)
        findings += examination.findings
        signers: list[Signer] = []
        if any(finding.check is Check.STRUCTURE for finding in examination.findings):
            skipped |= set(Check) - {Check.DIGEST, Check.STRUCTURE}
        else:
            for signature in examination.signatures:
                verdict = self.signatures.check(signature)
                findings += verdict.findings
                if verdict.signer is not None:
                    signers.append(verdict.signer)
            if not examination.signatures:
                skipped.add(Check.SIGNERS)
            findings += _roles_kept_apart(signers, announced)
            findings += _record(examination.record, announced)
            if examination.record is None:
                skipped.add(Check.SHEETS)
            else:
                findings += sheet_findings(examination.record) if self.profile.is_sheet else row_findings(examination.record)
            if examination.record is not None and announced.content_digest is None:
                # It is there and signed; whether it is what grading sealed, only the announced digest can tell.
                skipped.add(Check.RECORD)
        return Verdict(sha256, tuple(findings), frozenset(skipped), tuple(signers), examination.record)


def _record(record: bytes | None, announced: Announced) -> list[Finding]:
    if record is None or announced.content_digest is None:
        return []
    digest = hashlib.sha256(record).digest()
    if digest != announced.content_digest:
        return [Finding(Reason.RECORD_DIFFERS, f"the attached record hashes to {digest.hex()}")]
    return []


def _roles_kept_apart(signers: list[Signer], announced: Announced) -> list[Finding]:
    """The seal is no person's key, and each role signed with the certificate that was announced for it."""
    findings: list[Finding] = []
    of_role = {signer.role: (signer.issuer, signer.serial) for signer in signers}
    seal = of_role.get(SCHOOL_SEAL)
    if seal is not None and seal in (of_role.get(HOMEROOM_TEACHER), of_role.get(PRINCIPAL)):
        findings.append(Finding(Reason.SIGNER_REPEATED, "the school seal is the certificate of another role"))
    for role, serial in announced.serials:
        if role in of_role and of_role[role][1] != serial:
            findings.append(Finding(Reason.SIGNER_UNTRUSTED, f"{role} signed with another certificate than the announced {serial}"))
    return findings
