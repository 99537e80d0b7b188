"""The one check of a document that admission and the offline verifier share."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from services.archive.application.ports import Judge, Signatures, Signer
from services.archive.domain.class_sheets import row_findings, sheet_findings
from services.archive.domain.copies import original_findings
from services.archive.domain.document import HOMEROOM_TEACHER, PRINCIPAL, SCHOOL_SEAL, Examination, Profile, RoleOrder
from services.archive.domain.examine import examine
from services.archive.domain.existence import TimeStamp, judge_existence
from services.archive.domain.extracts import part_findings
from services.archive.domain.findings import Check, Finding, Reason
from services.archive.domain.known_shapes import KnownShapes


@dataclass(frozen=True, slots=True)
class Announced:
    """What was said about a document before its bytes were seen."""

    sha256: bytes | None = None
    size: int | None = None
    content_digest: bytes | None = None
    """SHA-256 of the canonical record that was sealed."""
    serials: tuple[tuple[str, str], ...] = ()
    """(role, certificate serial in hexadecimal) of each announced signature, in signing order."""
    province_id: str = ""
    """Whose policy of signatures holds; "" where that isn't known."""

    @property
    def roles(self) -> tuple[str, ...]:
        """Who signed, in signing order, as announced."""
        return tuple(role for role, _ in self.serials)


@dataclass(frozen=True, slots=True)
class Verdict:
    """All that was found, in the order of the checks. A document is accepted when there are no findings."""

    sha256: bytes
    findings: tuple[Finding, ...]
    skipped: frozenset[Check]
    """Checks that could not be made: nothing was announced, or an earlier check left nothing to look at."""
    signers: tuple[Signer, ...]
    record: bytes | None
    stamps: tuple[TimeStamp, ...] = ()
    """The document's own time stamps, each over those before it."""
    proven_at: datetime | None = None
    """When a time-stamp authority saw all signatures; None when there is no proof of time."""

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

    def over_time(self, since: datetime | None, now: datetime) -> "Verdict":
        """The verdict of who looks `now`, perhaps decades later: certificates must have been in force when the signatures are proven to have been there.

        `since`: when something outside of the document, such as an evidence record, proves that all of it existed; None: nothing does.
        """
        proven, findings = judge_existence(((signer.role, signer.in_force_until) for signer in self.signers), self.stamps, since, now)
        return replace(self, findings=self.findings + findings, proven_at=proven if proven < now else None)


@dataclass(frozen=True, slots=True)
class CheckDocument:
    """Checks a document's bytes: digest, structure, coverage, certification, changes, content, signers, record, rows."""

    profile: Profile
    signatures: Signatures
    shapes: KnownShapes | None = None
    """What documents have been found to have in common; without it each of them is examined in full."""
    xml_difference: Callable[[bytes, bytes], str] | None = None
    """The first place where an attached XML says something else than the record; without it an XML is accepted with no document."""

    def __call__(self, data: bytes, announced: Announced = Announced()) -> Verdict:
        """The verdict on `data`. Never raises for what the bytes hold."""
        return self.batch([(data, announced)])[0]

    def batch(self, documents: Iterable[tuple[bytes, Announced]]) -> list[Verdict]:
        """The verdicts on many documents, all by the trust of this moment. Takes a thread's whole time: don't call it in an event loop."""
        judge = self.signatures.judge()
        return [self._one(data, announced, judge) for data, announced in documents]

    def _one(self, data: bytes, announced: Announced, judge: Judge) -> Verdict:
        known = self.shapes.examine(data) if self.shapes is not None else None
        examination = known or examine(data, self.profile)
        findings: list[Finding] = []
        skipped: set[Check] = set()
        if announced.sha256 is None and announced.size is None:
            skipped.add(Check.DIGEST)
        if announced.size is not None and announced.size != len(data):
            findings.append(Finding(Reason.SIZE_DIFFERS, f"{len(data)} bytes instead of {announced.size}"))
        if announced.sha256 is not None and announced.sha256 != examination.sha256:
            findings.append(Finding(Reason.SHA256_DIFFERS, f"the bytes hash to {examination.sha256.hex()}"))
        findings += examination.findings
        signers: list[Signer] = []
        stamps: tuple[TimeStamp, ...] = ()
        if any(finding.check is Check.STRUCTURE for finding in examination.findings):
            skipped |= set(Check) - {Check.DIGEST, Check.STRUCTURE}
        else:
            for signature in examination.signatures:
                verdict = judge.check(signature)
                findings += verdict.findings
                if verdict.signer is not None:
                    signers.append(verdict.signer)
            if not examination.signatures:
                skipped.add(Check.SIGNERS)
            findings += _roles_kept_apart(signers, announced)
            if examination.time_stamps:
                stamps, wrong = _stamps(examination, judge, signers)
                findings += wrong
            findings += _record(examination.record, announced)
            findings += self._alternative(examination)
            rows = self._rows(examination)
            if rows is None:
                skipped.add(Check.SHEETS)
            else:
                findings += rows
            if examination.record is not None and announced.content_digest is None:
                # It is there and signed; whether it is what grading sealed, only the announced digest can tell.
                skipped.add(Check.RECORD)
        if self.shapes is not None and known is None and not findings:
            # Only who has valid signatures can teach a shape, so nobody else can crowd out those that are in use.
            self.shapes.learn(examination)
        proven_at = stamps[0].at if stamps else None
        return Verdict(examination.sha256, tuple(findings), frozenset(skipped), tuple(signers), examination.record, stamps, proven_at)

    def _rows(self, examination: Examination) -> list[Finding] | None:
        """What is wrong with the rows that stand in class-subject sheets, an extract's as well; None where there is nothing to look at."""
        if self.profile.is_copy and not self.profile.is_extract:
            return None
        said = examination.xml if self.profile.is_extract else examination.record
        if said is None:
            return None
        return sheet_findings(said) if self.profile.is_sheet else row_findings(said)

    def _alternative(self, examination: Examination) -> list[Finding]:
        """The XML beside the record must say what the record says, or two readers would see two transcripts; a copy's original, or an extract's part,
        is the one it names.
        """
        if self.profile.is_extract and examination.record is not None:
            return part_findings(examination.record, examination.xml)
        if self.profile.is_copy and examination.record is not None:
            return original_findings(examination.record, examination.xml)
        if examination.xml is None or examination.record is None:
            return []
        differs = "nothing here can compare them" if self.xml_difference is None else self.xml_difference(examination.record, examination.xml)
        return [Finding(Reason.RECORD_DIFFERS, f"the attached XML isn't the record: {differs}")] if differs else []


@dataclass(frozen=True, slots=True)
class CheckByRoles:
    """Checks each transcript by the order of roles that was announced for it, if policy knows that order in its province; else by the first, the usual one.

    So a document with another order, or with fewer signatures than some policy asks for, is refused as one that lacks them.
    """

    orders: Mapping[RoleOrder, CheckDocument]

    def batch(self, documents: Iterable[tuple[bytes, Announced]]) -> list[Verdict]:
        """The verdicts on many documents, all of one order by the trust of one moment."""
        wanted = list(documents)
        orders = [self._order(announced) for _, announced in wanted]
        verdicts: dict[int, Verdict] = {}
        for order, check in self.orders.items():
            mine = [number for number, found in enumerate(orders) if found == order]
            verdicts.update(zip(mine, check.batch(wanted[number] for number in mine), strict=True))
        return [verdicts[number] for number in range(len(wanted))]

    def _order(self, announced: Announced) -> RoleOrder:
        known = (order for order in self.orders if order.roles == announced.roles and order.holds_in(announced.province_id))
        return next(known, next(iter(self.orders)))


def _stamps(examination: Examination, judge: Judge, signers: list[Signer]) -> tuple[tuple[TimeStamp, ...], list[Finding]]:
    """The time stamps, none when anything is wrong with them. They stand in the order of their times, and no signature claims to be younger."""
    verdicts = [judge.check_time(stamp, examination.certificates) for stamp in examination.time_stamps]
    findings = [finding for verdict in verdicts for finding in verdict.findings]
    stamps = tuple(verdict.stamp for verdict in verdicts if verdict.stamp is not None)
    times = [stamp.at for stamp in stamps]
    if not findings and times != sorted(times):
        findings.append(Finding(Reason.TIME_STAMP_INVALID, "a later time stamp names an earlier time"))
    if not findings and any(signer.claimed_at is not None and signer.claimed_at > times[0] for signer in signers):
        findings.append(Finding(Reason.TIME_STAMP_INVALID, "a signature claims a time behind that of the stamp which covers it"))
    return (() if findings else stamps), findings


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
