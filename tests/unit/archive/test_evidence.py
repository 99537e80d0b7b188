"""RFC 4998: what a record proves, and that nothing in it can be changed."""

import random
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from hypothesis import given, settings
from hypothesis import strategies as st

from services.archive.adapters.evidence_records import decode, encode
from services.archive.adapters.evidence_tokens import TrustedTokens
from services.archive.adapters.trust_store import read_algorithms, trust_of
from services.archive.domain.algorithms import AlgorithmPolicy
from services.archive.domain.evidence import MOST_LEAVES, Chain, HashTree, Proof, Reason, digest, group, verify
from tests.support.stamping import Root, day, first_chains, new_key, stamps_renewed, tree_renewed

ROOT = Root.make(day("2026-01-01"), day("2060-01-01"))
FIRST = ROOT.authority(day("2026-01-01"), day("2031-01-01"))
SECOND = ROOT.authority(day("2030-01-01"), day("2040-01-01"), "rsa2048")
POLICY = read_algorithms(Path())
TOKENS = TrustedTokens(lambda: trust_of([ROOT.identity.certificate]), lambda: POLICY)
DOCUMENTS = [b"document %d" % number for number in range(11)]
STAMPED = first_chains([[document] for document in DOCUMENTS], FIRST, day("2026-07-01"))
RENEWED = stamps_renewed(STAMPED[3], SECOND, day("2030-06-01"))
REHASHED = tree_renewed([DOCUMENTS[3]], RENEWED, SECOND, day("2035-01-01"))


def proof(record: bytes, *documents: bytes, now: str = "2027-01-01", policy: AlgorithmPolicy = POLICY) -> Proof:
    return verify(decode(record), documents, TOKENS, policy, day(now))


def reasons(found: Proof) -> list[Reason]:
    return [finding.reason for finding in found.findings]


def test_every_document_of_a_batch_is_proven_since_its_time_stamp() -> None:
    for document, chains in zip(DOCUMENTS, STAMPED, strict=True):
        found = proof(encode(chains), document)
        assert (found.whole, found.since) == (True, day("2026-07-01"))


def test_both_renewals_keep_the_proof_reaching_back_to_the_first_time_stamp() -> None:
    assert proof(encode(RENEWED), DOCUMENTS[3], now="2034-01-01") == Proof(day("2026-07-01"), (), (day("2026-07-01"), day("2030-06-01")))
    found = proof(encode(REHASHED), DOCUMENTS[3], now="2039-01-01")
    assert (found.whole, found.since, len(found.stamps)) == (True, day("2026-07-01"), 3)


def test_another_document_is_not_covered() -> None:
    assert reasons(proof(encode(STAMPED[3]), DOCUMENTS[4])) == [Reason.DOCUMENT_NOT_COVERED]
    assert Reason.DOCUMENT_NOT_COVERED in reasons(proof(encode(REHASHED), DOCUMENTS[4], now="2036-01-01"))


def test_a_group_is_proven_with_all_of_its_documents_and_no_others() -> None:
    chains = first_chains([[b"page", b"data"], [b"other"]], FIRST, day("2026-07-01"))[0]
    assert proof(encode(chains), b"page", b"data").whole
    assert proof(encode(tree_renewed([b"page", b"data"], chains, SECOND, day("2030-06-01"))), b"page", b"data", now="2031-01-01").whole
    for wrong in ([b"page", b"data", b"other"], [b"page", b"other"]):
        assert reasons(proof(encode(chains), *wrong)) == [Reason.DOCUMENT_NOT_COVERED]
    three = first_chains([[b"page", b"data", b"report"], [b"other"]], FIRST, day("2026-07-01"))[0]
    assert reasons(proof(encode(three), b"page", b"data")) == [Reason.DOCUMENT_NOT_COVERED]


@pytest.mark.parametrize("first", [True, False])
def test_a_root_of_the_same_name_and_another_kind_of_key_is_another_root(first: bool) -> None:
    """An authority may change its kind of key under one name, and its certificates need not say which root's key is meant."""
    namesake = Root.make(day("2026-01-01"), day("2060-01-01"), "rsa2048")
    assert namesake.identity.certificate.subject == ROOT.identity.certificate.subject
    roots = [namesake.identity.certificate, ROOT.identity.certificate]
    tokens = TrustedTokens(lambda: trust_of(roots if first else roots[::-1]), lambda: POLICY)
    assert verify(decode(encode(STAMPED[3])), [DOCUMENTS[3]], tokens, POLICY, day("2027-01-01")).whole
    alone = TrustedTokens(lambda: trust_of(roots[:1]), lambda: POLICY)
    assert not verify(decode(encode(STAMPED[3])), [DOCUMENTS[3]], alone, POLICY, day("2027-01-01")).whole


def test_without_renewal_nothing_is_proven_once_the_authority_has_ended() -> None:
    found = proof(encode(STAMPED[3]), DOCUMENTS[3], now="2031-01-02")
    assert (found.since, reasons(found)) == (None, [Reason.AUTHORITY_ENDED])


def test_a_renewal_that_came_a_day_late_proves_only_since_itself() -> None:
    late = stamps_renewed(STAMPED[3], SECOND, day("2031-01-02"))
    found = proof(encode(late), DOCUMENTS[3], now="2034-01-01")
    assert (found.since, reasons(found)) == (day("2031-01-02"), [Reason.AUTHORITY_ENDED])
    assert "2031-01-01" in found.findings[0].detail


def test_a_digest_algorithm_is_good_until_the_next_chain_begins_and_no_longer() -> None:
    retired = AlgorithmPolicy({**POLICY.digests, "sha256": day("2034-12-31")}, POLICY.keys)
    found = proof(encode(REHASHED), DOCUMENTS[3], now="2036-01-01", policy=retired)
    assert (found.since, Reason.ALGORITHM_RETIRED in reasons(found)) == (day("2035-01-01"), True)
    found = proof(encode(RENEWED), DOCUMENTS[3], now="2036-01-01", policy=retired)
    assert (found.since, Reason.ALGORITHM_RETIRED in reasons(found)) == (None, True)
    in_time = AlgorithmPolicy({**POLICY.digests, "sha256": day("2035-01-02")}, POLICY.keys)
    assert proof(encode(REHASHED), DOCUMENTS[3], now="2036-01-01", policy=in_time).whole


def test_a_time_stamp_of_the_future_or_of_before_its_predecessor_proves_nothing() -> None:
    assert reasons(proof(encode(STAMPED[3]), DOCUMENTS[3], now="2026-06-30")) == [Reason.TOKEN_INVALID]
    earlier = stamps_renewed(STAMPED[3], FIRST, day("2026-06-01"))
    assert reasons(proof(encode(earlier), DOCUMENTS[3])) == [Reason.TIME_ORDER]


def test_an_authority_of_another_root_or_for_another_purpose_is_not_believed() -> None:
    strangers = Root.make(day("2026-01-01"), day("2060-01-01")).authority(day("2026-01-01"), day("2031-01-01"))
    found = proof(encode(first_chains([[b"x"]], strangers, day("2026-07-01"))[0]), b"x")
    assert (found.since, reasons(found)) == (None, [Reason.TOKEN_INVALID])


def test_a_certificate_that_may_be_for_more_than_time_stamps_stamps_nothing() -> None:
    loose = ROOT.authority(day("2026-01-01"), day("2031-01-01"), critical=False)
    found = proof(encode(first_chains([[b"x"]], loose, day("2026-07-01"))[0]), b"x")
    assert (found.since, reasons(found)) == (None, [Reason.UNREADABLE])


def test_a_record_has_one_way_to_be_written() -> None:
    record = encode(STAMPED[3])
    assert record[:2] == b"\x30\x82"
    with pytest.raises(ValueError, match="DER"):
        decode(b"\x30\x83\x00" + record[2:])


def test_a_revoked_authority_is_good_until_then() -> None:
    root = Root.make(day("2026-01-01"), day("2060-01-01"))
    authority = root.authority(day("2026-01-01"), day("2031-01-01"))
    revoked = x509.RevokedCertificateBuilder().serial_number(authority.identity.certificate.serial_number).revocation_date(day("2028-01-01")).build()
    listed = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(root.identity.certificate.subject)
        .last_update(day("2028-01-02"))
        .next_update(day("2059-01-01"))
        .add_revoked_certificate(revoked)
        .sign(root.identity.key, root.hashed)
    )
    tokens = TrustedTokens(lambda: trust_of([root.identity.certificate], [listed]), lambda: POLICY)
    record = decode(encode(first_chains([[b"x"]], authority, day("2026-07-01"))[0]))
    assert verify(record, [b"x"], tokens, POLICY, day("2027-12-31")).whole
    assert reasons(verify(record, [b"x"], tokens, POLICY, day("2028-01-02"))) == [Reason.AUTHORITY_ENDED]


@pytest.mark.parametrize("chains", [STAMPED[3], RENEWED, REHASHED], ids=["first", "renewed", "rehashed"])
def test_no_bit_of_a_record_can_be_changed(chains: tuple[Chain, ...]) -> None:
    record = encode(chains)
    assert encode(decode(record).chains) == record
    # One bit of every eighth byte of the last time stamp and of every thirty-second byte before it, each run others.
    last = len(record) - len(chains[-1][-1].encoded)
    places = [*range(random.randrange(32), last, 32), *range(last + random.randrange(8), len(record), 8)]
    assert [bit for bit in (place * 8 + random.randrange(8) for place in places) if _holds(_flipped(record, bit))] == []


@settings(max_examples=60, deadline=None)
@given(st.integers(0, len(DOCUMENTS[3]) * 8 - 1))
def test_no_bit_of_the_document_can_be_changed(bit: int) -> None:
    assert not proof(encode(REHASHED), _flipped(DOCUMENTS[3], bit), now="2036-01-01").whole


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400))
def test_what_is_no_record_is_told_as_such(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"evidence record|DER"):
        decode(data)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=3), min_size=1, max_size=40))
def test_each_leaf_leads_to_the_root(groups: list[list[bytes]]) -> None:
    tree = HashTree("sha256", groups)
    for number, values in enumerate(groups):
        lists = tree.reduced(number) or (tuple(values),)
        found = group("sha256", lists[0])
        for beside in lists[1:]:
            found = group("sha256", (*beside, found))
        assert found == tree.root


def test_a_tree_has_a_leaf_and_no_more_than_it_may() -> None:
    leaves = [[digest("sha256", number.to_bytes(4))] for number in range(MOST_LEAVES)]
    assert len(HashTree("sha256", leaves).reduced(MOST_LEAVES - 1)) <= 15
    nothing: list[bytes] = []
    for wrong in ([nothing][:0], [*leaves, [bytes(32)]], [nothing]):
        with pytest.raises(ValueError, match="1 to 10000"):
            HashTree("sha256", wrong)


def test_a_key_must_be_of_an_accepted_size() -> None:
    small = Root.make(day("2026-01-01"), day("2060-01-01"))
    key = new_key("rsa2048")
    assert key.key_size == 2048
    strict = AlgorithmPolicy(POLICY.digests, [row for row in POLICY.keys if row.kind == "ec"])
    tokens = TrustedTokens(lambda: trust_of([small.identity.certificate]), lambda: strict)
    authority = small.authority(day("2026-01-01"), day("2031-01-01"), "rsa2048")
    record = decode(encode(first_chains([[b"x"]], authority, day("2026-07-01"))[0]))
    found = verify(record, [b"x"], tokens, strict, day("2026-07-01") + timedelta(days=1))
    assert reasons(found) == [Reason.TOKEN_INVALID]


def _flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def _holds(record: bytes) -> bool:
    try:
        return proof(record, DOCUMENTS[3], now="2036-01-01" if len(record) > 3000 else "2030-06-01").since == day("2026-07-01")
    except ValueError:
        return False
