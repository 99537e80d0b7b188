"""Our evidence records next to Bouncy Castle's, an implementation of RFC 4998 that had no part in ours: each judges what the other makes."""

from datetime import timedelta
from pathlib import Path

import pytest

from services.archive.adapters.evidence_records import decode, encode
from services.archive.adapters.evidence_tokens import TrustedTokens
from services.archive.adapters.trust_store import read_algorithms, trust_of
from services.archive.domain.evidence import Proof, verify
from tests.support.judges import bouncycastle
from tests.support.stamping import Root, day, first_chains, stamps_renewed, tree_renewed

ROOT = Root.make(day("2026-01-01"), day("2060-01-01"))
FIRST = ROOT.authority(day("2026-01-01"), day("2031-01-01"))
SECOND = ROOT.authority(day("2030-01-01"), day("2040-01-01"), "rsa2048")
DOCUMENTS = [b"document %d" % number for number in range(7)]
BORN, RENEWED, REHASHED, AGAIN = day("2026-07-01"), day("2030-06-01"), day("2035-01-01"), day("2036-01-01")


def proof(record: bytes, *documents: bytes) -> Proof:
    policy = read_algorithms(Path())
    tokens = TrustedTokens(lambda: trust_of([ROOT.identity.certificate]), lambda: policy)
    read = decode(record)
    at = max(tokens.read(stamp.token).at for chain in read.chains for stamp in chain)
    return verify(read, documents, tokens, policy, at + timedelta(days=1))


def flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


def test_bouncy_castle_accepts_our_records_and_refuses_changed_ones() -> None:
    chains = first_chains([[document] for document in DOCUMENTS], FIRST, BORN)
    group = first_chains([[b"page", b"data"], *([one] for one in DOCUMENTS)], FIRST, BORN)[0]
    alone = first_chains([[b"alone"]], FIRST, BORN)[0]
    stamped = stamps_renewed(chains[3], SECOND, RENEWED)
    good = [(encode(each), [document]) for each, document in zip(chains, DOCUMENTS, strict=True)]
    good += [(encode(group), [b"page", b"data"]), (encode(alone), [b"alone"]), (encode(stamped), [DOCUMENTS[3]])]
    rehashed = tree_renewed([DOCUMENTS[3]], stamped, SECOND, REHASHED)
    good += [(encode(rehashed), [DOCUMENTS[3]]), (encode(stamps_renewed(rehashed, SECOND, AGAIN)), [DOCUMENTS[3]])]
    assert bouncycastle.judge(good, AGAIN + timedelta(days=1)) == [""] * len(good)
    record = encode(stamped)
    lists = chains[3][0][0].lists
    bad = [
        (record, [DOCUMENTS[4]]),
        (encode(rehashed), [DOCUMENTS[4]]),
        (encode(group), [b"page", b"other"]),
        (flipped(record, record.index(lists[1][0]) + 5), [DOCUMENTS[3]]),
        (flipped(record, len(record) - 1), [DOCUMENTS[3]]),
        (record.replace(chains[3][0][0].token, flipped(chains[3][0][0].token, len(chains[3][0][0].token) - 1)), [DOCUMENTS[3]]),
    ]
    assert "" not in bouncycastle.judge(bad, AGAIN + timedelta(days=1))
    for changed, documents in bad:
        assert not proof(changed, *documents).whole


@pytest.mark.parametrize("group", [[b"one"], [b"page", b"data", b"report"]], ids=["a document", "a group"])
def test_we_accept_bouncy_castles_records_and_refuse_changed_ones(group: list[bytes]) -> None:
    groups = [*([document] for document in DOCUMENTS), group]
    made = bouncycastle.make(groups, [("first", FIRST, BORN), ("stamp", SECOND, RENEWED), ("SHA-512", SECOND, REHASHED), ("stamp", SECOND, AGAIN)])
    for record in made:
        found = proof(record, *group)
        assert (found.whole, found.since) == (True, BORN), found.findings
        assert not proof(record, *group[:-1], b"another").whole
        for place in (len(record) - 1, record.index(decode(record).chains[0][0].lists[-1][0]) + 3):
            assert not proof(flipped(record, place), *group).whole
