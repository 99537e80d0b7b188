"""The year 2076: fifty years of authorities that end, a root that ends, a digest and a kind of key that break, renewed by rule, late, or never.

The rule: time stamps are renewed in the year before their authority ends, hash trees two years before their digest does.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest
from cryptography.hazmat.primitives import hashes

from services.archive.adapters.cms_signatures import CmsSignatures
from services.archive.adapters.evidence_records import decode, encode
from services.archive.adapters.evidence_tokens import TrustedTokens
from services.archive.adapters.trust_store import trust_of
from services.archive.application.check_document import CheckDocument, Verdict
from services.archive.domain.algorithms import AlgorithmPolicy, KeyRow
from services.archive.domain.document import TRANSCRIPT
from services.archive.domain.evidence import Chain, Proof, Reason, verify
from services.archive.domain.findings import Reason as DocumentReason
from tests.support.signed_documents import SIGNED_AT, Pki, make_pki, record_bytes, shared_pki, signed_transcript, unsigned_body
from tests.support.stamping import Root, Stamping, day, first_chains, stamps_renewed, tree_renewed

POLICY = AlgorithmPolicy(
    digests={"sha256": day("2040-01-01"), "sha384": None, "sha512": None},
    keys=[KeyRow("rsa", 2048, day("2037-01-01")), KeyRow("rsa", 3072, day("2048-01-01")), KeyRow("ec", 256)],
)
OLD = Root.make(day("2026-01-01"), day("2056-01-01"), "p384", hashes.SHA512())
NEW = Root.make(day("2050-01-01"), day("2090-01-01"), "p384", hashes.SHA512())
TOKENS = TrustedTokens(lambda: trust_of([OLD.identity.certificate, NEW.identity.certificate]), lambda: POLICY)
AUTHORITIES: dict[str, Stamping] = {
    "2026": OLD.authority(day("2026-01-01"), day("2036-01-01"), "rsa2048", "sha256"),
    "2034": OLD.authority(day("2034-01-01"), day("2050-01-01"), "rsa4096", "sha512"),
    "2045": OLD.authority(day("2045-01-01"), day("2055-01-01"), "p384", "sha384"),
    "2052": NEW.authority(day("2052-01-01"), day("2064-01-01"), "p384", "sha384"),
    "2062": NEW.authority(day("2062-01-01"), day("2080-01-01"), "p384", "sha512"),
}
BORN = day("2026-07-01")
DOCUMENT = signed_transcript()


@dataclass(frozen=True)
class Step:
    """A renewal: when, by whom, of the tree or of the time stamp."""

    at: str
    by: str
    tree: bool = False


BY_RULE = {
    "2035": Step("2035-06-01", "2034"),
    "tree": Step("2038-01-01", "2034", tree=True),
    "2047": Step("2047-01-01", "2045"),
    "2054": Step("2054-06-01", "2052"),
    "2063": Step("2063-06-01", "2062"),
}


def record(steps: dict[str, Step], until: datetime = day("2100-01-01")) -> bytes:
    """The record as it stood at a moment, after these steps."""
    chains: tuple[Chain, ...] = first_chains([[DOCUMENT], [b"another of its batch"]], AUTHORITIES["2026"], BORN)[0]
    for step in steps.values():
        at = day(step.at)
        if at <= until and step.tree:
            chains = tree_renewed([DOCUMENT], chains, AUTHORITIES[step.by], at, "sha512")
        elif at <= until:
            chains = stamps_renewed(chains, AUTHORITIES[step.by], at)
    return encode(chains)


def proof(evidence: bytes, now: datetime) -> Proof:
    return verify(decode(evidence), [DOCUMENT], TOKENS, POLICY, now)


@pytest.mark.parametrize("now", [*(f"{year}-12-31" for year in range(2026, 2076, 5)), *(step.at for step in BY_RULE.values()), "2076-11-25"])
def test_renewed_by_rule_the_proof_reaches_back_to_the_first_day_at_every_time(now: str) -> None:
    found = proof(record(BY_RULE, day(now)), day(now) + timedelta(hours=1))
    assert (found.since, found.findings) == (BORN, ())


MISSED = {
    "2035": ("2038-01-01", [Reason.AUTHORITY_ENDED]),
    "tree": (None, [Reason.ALGORITHM_RETIRED]),
    "2047": ("2054-06-01", [Reason.AUTHORITY_ENDED]),
    "2054": ("2063-06-01", [Reason.AUTHORITY_ENDED]),
    "2063": (None, [Reason.AUTHORITY_ENDED]),
}


@pytest.mark.parametrize("name", MISSED)
def test_a_missed_renewal_is_named_and_what_came_after_it_still_counts(name: str) -> None:
    since, reasons = MISSED[name]
    found = proof(record({key: step for key, step in BY_RULE.items() if key != name}), day("2076-11-25"))
    assert (found.since, [one.reason for one in found.findings]) == (since and day(since), reasons), found.findings


LATE = {
    "2035": ("2036-01-02", Reason.AUTHORITY_ENDED, "2036-01-01"),
    "tree": ("2040-01-02", Reason.ALGORITHM_RETIRED, "sha256"),
    # The authority is still good, its kind of key no longer is.
    "2047": ("2048-01-02", Reason.AUTHORITY_ENDED, "CRYPTO"),
    "2054": ("2055-01-02", Reason.AUTHORITY_ENDED, "2055-01-01"),
    "2063": ("2064-01-02", Reason.AUTHORITY_ENDED, "2064-01-01"),
}


@pytest.mark.parametrize("name", LATE)
def test_a_renewal_that_came_a_day_late_is_named_and_proves_from_its_own_day_on(name: str) -> None:
    at, reason, why = LATE[name]
    steps = {**BY_RULE, name: Step(at, BY_RULE[name].by, BY_RULE[name].tree)}
    found = proof(record(steps), day("2076-11-25"))
    assert (found.since, [one.reason for one in found.findings]) == (day(at), [reason]), found.findings
    assert why in found.findings[0].detail
    # The last day was early enough.
    in_time = {**BY_RULE, name: Step((day(at) - timedelta(days=2)).date().isoformat(), BY_RULE[name].by, BY_RULE[name].tree)}
    assert proof(record(in_time), day("2076-11-25")).since == BORN


def test_a_document_forged_after_its_digest_broke_is_proven_only_by_what_was_still_good() -> None:
    """Who can find a second document for an old SHA-256 in 2050 can't find one that the renewed tree covers as well."""
    forged = DOCUMENT + b"\n"
    found = verify(decode(record(BY_RULE)), [forged], TOKENS, POLICY, day("2076-11-25"))
    assert found.since is None
    assert {one.reason for one in found.findings} == {Reason.DOCUMENT_NOT_COVERED, Reason.RENEWAL_NOT_COVERED}


def judged_in_2076(evidence: bytes | None) -> Verdict:
    """What `hocba verify` says of the document by then."""

    class Future:
        def now(self) -> datetime:
            return day("2076-11-25")

    store = trust_of([shared_pki().root.certificate])
    verdict = CheckDocument(TRANSCRIPT, CmsSignatures(lambda: store, Future()))(DOCUMENT)
    return verdict.over_time(proof(evidence, Future().now()).since if evidence else None, Future().now())


def test_whose_signers_and_their_root_ended_decades_ago_is_valid_by_what_was_renewed_by_rule() -> None:
    assert shared_pki().root.certificate.not_valid_after_utc < day("2076-11-25")
    verdict = judged_in_2076(record(BY_RULE))
    assert (verdict.findings, verdict.proven_at) == ((), BORN)


LONG = make_pki(valid_for=timedelta(days=80 * 365))
"""Signers whose certificates are still in force in 2076, with P-256 keys: what ends is SHA-256, in 2040."""
BY_LONG = LONG.sign(unsigned_body(record_bytes()))


def judged_with_algorithms(now: datetime, since: datetime | None, policy: AlgorithmPolicy = POLICY, pki: Pki = LONG) -> Verdict:
    """What is said of a document whose signers' certificates never end before `now`."""
    store = trust_of([pki.root.certificate], algorithms=policy)
    data = BY_LONG if pki is LONG else pki.sign(unsigned_body(record_bytes()))
    verdict = CheckDocument(TRANSCRIPT, CmsSignatures(lambda: store, Standing(now)))(data)
    return verdict.over_time(since, now)


@dataclass(frozen=True)
class Standing:
    """A clock that stands still."""

    time: datetime

    def now(self) -> datetime:
        return self.time


@pytest.mark.parametrize(
    ("now", "since", "good"),
    [
        ("2039-12-31", None, True),
        ("2040-01-01", None, False),
        ("2076-11-25", None, False),
        ("2076-11-25", "2039-12-31", True),
        ("2076-11-25", "2040-01-01", False),
    ],
)
def test_past_the_end_of_their_digest_signatures_need_a_proof_from_before_it(now: str, since: str | None, *, good: bool) -> None:
    verdict = judged_with_algorithms(day(now), day(since) if since else None)
    assert [finding.reason for finding in verdict.findings] == ([] if good else [DocumentReason.EXISTENCE_UNPROVEN] * 3)
    assert {signer.in_force_until for signer in verdict.signers} == {day("2040-01-01")}


def test_keys_end_by_kind_and_size_anywhere_in_the_path() -> None:
    until = day("2030-01-01")
    rows = [KeyRow("rsa", 2048), KeyRow("ec", 256, until)]
    verdict = judged_with_algorithms(day("2031-01-01"), None, replace(POLICY, keys=rows))
    assert {signer.in_force_until for signer in verdict.signers} == {until}
    assert not verdict.accepted
    assert judged_with_algorithms(day("2031-01-01"), None, replace(POLICY, keys=[KeyRow("ec", 256)])).accepted
    # Not named: never good, whatever proves its age.
    for policy in (replace(POLICY, keys=[KeyRow("ec", 384)]), replace(POLICY, digests={"sha512": None})):
        found = judged_with_algorithms(day("2031-01-01"), day("2027-01-01"), policy)
        assert {finding.reason for finding in found.findings} == {DocumentReason.SIGNATURE_INVALID}


def test_the_digest_of_a_path_and_that_of_a_signature_below_it_end_each_by_themselves() -> None:
    under_sha512 = make_pki(valid_for=timedelta(days=80 * 365), hashed=hashes.SHA512())
    for name, ended in (("sha256", (True, True)), ("sha512", (False, True))):
        policy = replace(POLICY, digests={"sha256": None, "sha512": None} | {name: day("2030-01-01")})
        for pki, refused in zip((LONG, under_sha512), ended, strict=True):
            assert judged_with_algorithms(day("2031-01-01"), None, policy, pki).accepted is not refused, name


def test_who_signs_with_what_is_no_longer_good_is_refused_at_once() -> None:
    """Admission asks nothing about later, and this is no matter of later."""
    early = replace(POLICY, digests={"sha256": SIGNED_AT, "sha512": None})
    store = trust_of([LONG.root.certificate], algorithms=early)
    verdict = CheckDocument(TRANSCRIPT, CmsSignatures(lambda: store, Standing(SIGNED_AT + timedelta(days=1))))(BY_LONG)
    assert {finding.reason for finding in verdict.findings} == {DocumentReason.SIGNATURE_INVALID}
    assert "algorithms.toml" in verdict.findings[0].detail


@pytest.mark.parametrize("evidence", [None, record({key: step for key, step in BY_RULE.items() if key != "2047"})])
def test_without_evidence_or_past_a_missed_renewal_nothing_proves_that_it_is_older_than_its_signers_end(evidence: bytes | None) -> None:
    """By then anybody may have found the keys, and signed what claims to be of 2026."""
    assert [finding.reason for finding in judged_in_2076(evidence).findings] == [DocumentReason.EXISTENCE_UNPROVEN] * 3
