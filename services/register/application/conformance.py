"""What a vendor's submission lacks, check by check: the register's own checks, as far as they need none of its tables."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.archive.domain.signed_note import KeyText, NoteVerifier
from services.archive.domain.submission import SubmissionError, read_record
from services.archive.domain.witness_policy import WitnessPolicy
from services.register.application.ports import Certified
from services.register.domain.judgement import BatchRefused, Finding, final, miscounted, parsed, proven


class State(StrEnum):
    """What a check has come to."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_CHECKED = "not_checked"
    """What it needs wasn't given, or an earlier check failed that it rests on."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One check of the table in `findings`."""

    code: str
    state: State
    detail: str = ""
    records: tuple[int, ...] = ()
    """Places of the records that fail it."""


_OF_RECORDS = ("statement_unreadable", "operation_differs", "proof_broken", "pupil_unnamed", "duplicate")
_OF_THE_SIGNATURE = ("signature_invalid", "certificate_untrusted", "certificate_not_in_force", "certificate_revoked")


@dataclass(frozen=True, slots=True)
class Signature:
    """What came of reading the detached signature: who signed, None for nobody."""

    signer: Certified | None


def check_manifest(
    data: bytes, signature: Signature | None, policy: WitnessPolicy | None, verifier_of: Callable[[KeyText], NoteVerifier], now: datetime
) -> list[CheckResult]:
    """Every check in the order of the table; without signature or policy, what rests on them is not checked."""
    found = {code: CheckResult(code, State.NOT_CHECKED) for code in ("malformed", *_OF_THE_SIGNATURE, "checkpoint_not_final", "counts_differ", *_OF_RECORDS)}
    if signature is not None:
        found |= {one.code: one for one in _signature(signature.signer, now)}
    try:
        manifest = parsed(data)
    except BatchRefused as refusal:
        return list((found | {"malformed": CheckResult("malformed", State.FAILED, str(refusal))}).values())
    malformed = []
    for place, told in enumerate(manifest.records):
        try:
            read_record(told, manifest.hashes)
        except SubmissionError as error:
            malformed.append((place, str(error)))
    found["malformed"] = _result("malformed", malformed)
    difference = miscounted(manifest)
    found["counts_differ"] = CheckResult("counts_differ", State.FAILED if difference else State.PASSED, difference)
    if policy is None:
        return list(found.values())
    try:
        checkpoint = final(manifest, policy, verifier_of)
    except BatchRefused as refusal:
        return list((found | {"checkpoint_not_final": CheckResult("checkpoint_not_final", State.FAILED, str(refusal))}).values())
    found["checkpoint_not_final"] = CheckResult("checkpoint_not_final", State.PASSED)
    wanting = [one for one in proven(manifest, checkpoint) if isinstance(one, Finding)]
    for code in _OF_RECORDS:
        found[code] = _result(code, [(one.record or 0, one.detail) for one in wanting if one.code == code])
    return list(found.values())


def _signature(signer: Certified | None, now: datetime) -> list[CheckResult]:
    if signer is None:
        return [CheckResult("signature_invalid", State.FAILED, "no signature over exactly these bytes")]
    passed = [CheckResult("signature_invalid", State.PASSED)]
    if signer.valid is None:
        return [*passed, CheckResult("certificate_untrusted", State.FAILED, "no path leads to an anchor in the trust directory")]
    begin, end = signer.valid
    revoked = signer.revoked_at is not None and signer.revoked_at <= now
    return [
        *passed,
        CheckResult("certificate_untrusted", State.PASSED),
        CheckResult("certificate_not_in_force", State.PASSED if begin <= now <= end else State.FAILED, f"from {begin:%Y-%m-%d} to {end:%Y-%m-%d}"),
        CheckResult("certificate_revoked", State.FAILED if revoked else State.PASSED, f"revoked at {signer.revoked_at:%Y-%m-%d}" if revoked else ""),
    ]


def _result(code: str, wanting: list[tuple[int, str]]) -> CheckResult:
    if not wanting:
        return CheckResult(code, State.PASSED)
    return CheckResult(code, State.FAILED, wanting[0][1], tuple(place for place, _ in wanting))
