"""Signatures are worth what their certificates were when something proves that they were there: while in force, past their end, past a revocation."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from services.archive.adapters.cms_signatures import CmsSignatures
from services.archive.adapters.evidence_records import encode
from services.archive.adapters.evidence_tokens import TrustedTokens
from services.archive.adapters.trust_store import trust_of
from services.archive.adapters.trusted_proofs import evidence_proof
from services.archive.application.check_document import CheckDocument, Verdict
from services.archive.domain.algorithms import AlgorithmPolicy, KeyRow
from services.archive.domain.document import TRANSCRIPT
from services.archive.domain.existence import TimeStamp, judge_existence
from services.archive.domain.findings import Check, Reason
from tests.support.signed_documents import SIGNED_AT, Identity, shared_pki, signed_transcript
from tests.support.stamping import Root, first_chains
from tests.unit.archive.test_proof_of_time import STAMPED_AT, authority, document, stamp_by

ENDED = shared_pki().people["principal"].certificate.not_valid_after_utc
ROOT = Root.make(SIGNED_AT - timedelta(days=400), SIGNED_AT + timedelta(days=4000))
STAMPING = ROOT.authority(SIGNED_AT - timedelta(days=300), SIGNED_AT + timedelta(days=3000))
POLICY = AlgorithmPolicy(digests={"sha256": None}, keys=[KeyRow("ec", 256)])


def later(days: float) -> datetime:
    return SIGNED_AT + timedelta(days=days)


def revoking(issuer: Identity, certificate: x509.Certificate, at: datetime) -> x509.CertificateRevocationList:
    entry = x509.RevokedCertificateBuilder().serial_number(certificate.serial_number).revocation_date(at).build()
    builder = x509.CertificateRevocationListBuilder().issuer_name(issuer.certificate.subject).last_update(at).next_update(at + timedelta(days=9000))
    return builder.add_revoked_certificate(entry).sign(issuer.key, hashes.SHA256())


def seen(now: datetime, data: bytes | None = None, evidence_of: datetime | None = None, *lists: x509.CertificateRevocationList) -> Verdict:
    """The verdict of who looks at a moment, with an evidence record whose time stamp is of another, or without."""

    class Then:
        def now(self) -> datetime:
            return now

    data = data or signed_transcript()
    store = trust_of([shared_pki().root.certificate, ROOT.identity.certificate], lists)
    since = None
    if evidence_of is not None:
        (chains,) = first_chains([[data]], STAMPING, evidence_of)
        proof = evidence_proof(encode(chains), data, TrustedTokens(lambda: store, lambda: POLICY), now)
        assert proof.whole, proof
        since = proof.since
    verdict = CheckDocument(TRANSCRIPT, CmsSignatures(lambda: store, Then()))(data)
    assert verdict.accepted, "what admission asks is whether the certificates were in force at the claimed time"
    return verdict.over_time(since, now)


def unproven(verdict: Verdict) -> list[str]:
    """The roles whose signatures nothing proves; there is no other finding."""
    assert {(finding.reason, finding.check) for finding in verdict.findings} <= {(Reason.EXISTENCE_UNPROVEN, Check.SIGNERS)}
    return [finding.detail.split(":")[0].removeprefix("the signature of ") for finding in verdict.findings]


EVERYBODY = ["homeroom_teacher", "principal", "school_seal"]


def test_while_the_certificates_are_in_force_a_claim_is_enough() -> None:
    for now in (later(0.1), ENDED - timedelta(seconds=1)):
        verdict = seen(now)
        assert (verdict.accepted, verdict.proven_at) == (True, None)


def test_past_their_end_nothing_but_a_proof_counts() -> None:
    verdict = seen(ENDED)
    assert (unproven(verdict), verdict.accepted, verdict.proven_at) == (EVERYBODY, False, None)
    assert ENDED.isoformat() in verdict.findings[0].detail
    assert "nothing proves" in verdict.findings[0].detail


@pytest.mark.parametrize("stamped", [later(0.1), ENDED - timedelta(seconds=1)])
def test_evidence_from_before_their_end_proves_it_for_ever(stamped: datetime) -> None:
    for now in (later(340), later(2900)):
        verdict = seen(now, None, stamped)
        assert (unproven(verdict), verdict.proven_at) == ([], stamped)


def test_evidence_from_after_their_end_proves_too_little() -> None:
    verdict = seen(later(900), None, ENDED)
    assert (unproven(verdict), verdict.proven_at) == (EVERYBODY, ENDED)
    assert f"the earliest proof that it exists is of {ENDED.isoformat()}" in verdict.findings[0].detail


def test_a_revocation_asks_for_a_proof_from_before_it() -> None:
    pki, at = shared_pki(), later(50)
    person = revoking(pki.issuing, pki.people["principal"].certificate, at)
    authority_of_all = revoking(pki.root, pki.issuing.certificate, at)
    assert unproven(seen(later(49), None, None, person)) == []
    assert unproven(seen(later(60), None, None, person)) == ["principal"]
    assert unproven(seen(later(60), None, None, authority_of_all)) == EVERYBODY
    for stamped, roles in ((later(49), []), (at, ["principal"]), (later(51), ["principal"])):
        assert unproven(seen(later(60), None, stamped, person)) == roles
        # Past the end of all of them the revocation still counts.
        assert unproven(seen(later(2000), None, stamped, person)) == roles


def with_stamps() -> bytes:
    """A document with its own time stamps, by an authority that ends a thousand days after it was signed."""
    by = authority(days=1000)
    return document(stamps=(stamp_by(by), stamp_by(by, later(0.01))))


def test_a_documents_own_time_stamps_prove_as_long_as_their_authorities_last() -> None:
    data = with_stamps()
    for now in (later(1), later(999)):
        verdict = seen(now, data)
        assert (unproven(verdict), verdict.proven_at) == ([], STAMPED_AT)
    verdict = seen(later(1000), data)
    assert (unproven(verdict), verdict.proven_at) == (EVERYBODY, None)
    # What goes on from there is an evidence record.
    verdict = seen(later(1100), data, later(990))
    assert (unproven(verdict), verdict.proven_at) == ([], STAMPED_AT)
    assert unproven(seen(later(1100), data, later(1010))) == EVERYBODY


def test_a_revoked_authority_of_time_stamps_proves_nothing_any_more() -> None:
    data = with_stamps()
    gone = revoking(shared_pki().root, authority(days=1000).certificate, later(400))
    assert unproven(seen(later(399), data, None, gone)) == []
    assert unproven(seen(later(500), data, None, gone)) == EVERYBODY
    assert unproven(seen(later(500), data, later(399), gone)) == []


@pytest.mark.parametrize(
    ("stamps", "since", "proven"),
    [
        ([], None, 100),
        ([], 50, 50),
        # Each holds until the time of the one around it; the outermost until now.
        ([(1, 20), (10, 200)], None, 1),
        ([(1, 9), (10, 200)], None, 10),
        ([(1, 10), (10, 200)], None, 10),
        # The one around it ended, it itself didn't.
        ([(1, 200), (10, 90)], None, 1),
        ([(1, 20), (10, 90)], None, 100),
        # Or until the time of the evidence.
        ([(1, 20), (10, 90)], 80, 1),
        ([(1, 20), (10, 90)], 90, 90),
        # Evidence that is older than a time stamp, as of a file to which one was added, can't be; the earlier time stands.
        ([(1, 20), (10, 90)], 5, 1),
    ],
)
def test_each_proof_must_hold_until_the_next(stamps: list[tuple[int, int]], since: int | None, proven: int) -> None:
    own = [TimeStamp(later(at), later(until)) for at, until in stamps]
    signers = [("a", later(proven)), ("b", later(proven + 1))]
    found, findings = judge_existence(signers, own, None if since is None else later(since), later(100))
    assert found == later(proven)
    assert [finding.detail.split(":")[0] for finding in findings] == ["the signature of a"]
