"""What was appended behind the last signature is checked to the last byte."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime

import pytest
import pytest_asyncio

from services.chassis.clock import SystemClock
from services.chassis.errors import Refused
from services.signing.adapters.certificates import X509Certificates
from services.signing.adapters.http import Http
from services.signing.adapters.increments import appended, tip_of
from services.signing.adapters.long_term import TwoRevisions, signed
from services.signing.adapters.long_term_check import check_finished
from services.signing.adapters.revocation import HttpRevocations
from services.signing.adapters.time_stamps import TimeStampAuthority
from services.signing.domain.validation import ValidationData
from services.signing.domain.verdict import NotAsIntended
from services.stack.signer_pki import SignerPki
from tests.support.places import scratch_places
from tests.support.records import LEVELS, record_of
from tests.support.signed_pages import an_office
from tests.support.trust import trust_in

ID = "3c5a6c1e-6a0c-4c53-8f0f-3d6a3a6f6c11"


@dataclass
class Proven:
    """A signed document, the same finished, and what was put into it."""

    level: str
    before: bytes
    pdf: bytes
    data: ValidationData
    tokens: tuple[bytes, bytes]
    authority: TimeStampAuthority

    def check(self, pdf: bytes, data: ValidationData | None = None, tokens: tuple[bytes, bytes] | None = None) -> None:
        check_finished(pdf, self.before, data or self.data, tokens or self.tokens, self.read_at)

    def read_at(self, token: bytes, digest: bytes) -> datetime:
        try:
            return self.authority.read(token, digest).at
        except Refused as error:
            raise NotAsIntended(error.message) from None


@pytest_asyncio.fixture(scope="module", params=LEVELS)
async def proven(request: pytest.FixtureRequest) -> AsyncIterator[Proven]:
    with scratch_places("proven") as places, trust_in(places) as trust:
        await trust.start()
        before, chain, made = await asyncio.to_thread(_signed, trust.pki, request.param)
        certificates, clock = X509Certificates(trust.pki.anchors), SystemClock()
        authority = TimeStampAuthority(trust.tsa, certificates, clock, Http())
        revisions = TwoRevisions(3072)
        first = revisions.over_signatures(signed(before))
        (one,) = await authority.stamp([first.imprint])
        stamp = authority.read(one, first.imprint)
        data = await HttpRevocations(certificates, clock).proofs([*((der, chain) for der in made), (stamp.certificate, stamp.chain)], stamp.at)
        assert isinstance(data, ValidationData), data
        second = revisions.over_validation(first.stamped(one), data)
        (two,) = await authority.stamp([second.imprint])
        yield Proven(request.param, before, second.stamped(two).pdf, data, (one, two), authority)


def _signed(pki: SignerPki, level: str) -> tuple[bytes, tuple[bytes, ...], list[bytes]]:
    office = an_office(pki)
    content = record_of(level, ID)
    made = list(office.made.values())
    return office.sign(office.page(content).pdf, content), made[0].chain, [one.certificate for one in made]


async def test_finished_document_is_as_intended_and_has_the_same_bytes_again(proven: Proven) -> None:
    proven.check(proven.pdf)
    again = TwoRevisions(3072)
    stamped = again.over_signatures(signed(proven.before)).stamped(proven.tokens[0])
    assert again.over_validation(stamped, proven.data).stamped(proven.tokens[1]).pdf == proven.pdf


async def test_one_wrong_bit_anywhere_is_found(proven: Proven) -> None:
    chance = random.Random(proven.level)
    for _ in range(120):
        at = chance.randrange(len(proven.before), len(proven.pdf))
        changed = bytearray(proven.pdf)
        changed[at] ^= 1 << chance.randrange(8)
        with pytest.raises(NotAsIntended):
            proven.check(bytes(changed))


async def test_anything_more_or_less_than_two_revisions_is_found(proven: Proven) -> None:
    middle = proven.pdf.index(b"%%EOF\n", len(proven.before)) + len(b"%%EOF\n")
    more, _ = appended(tip_of(proven.pdf), [(tip_of(proven.pdf).size, b"<</Hidden true>>")])
    for wrong in (proven.before, proven.pdf[:middle], proven.pdf[:-1], proven.pdf + b"\n", proven.pdf + more):
        with pytest.raises(NotAsIntended):
            proven.check(wrong)


async def test_other_data_or_other_tokens_than_those_stored_are_found(proven: Proven) -> None:
    data, (one, two) = proven.data, proven.tokens
    for other in (ValidationData(data.certificates, data.ocsps, ()), ValidationData(data.certificates, data.ocsps[:-1], data.crls)):
        with pytest.raises(NotAsIntended):
            proven.check(proven.pdf, other)
    for tokens in ((two, one), (one, one)):
        with pytest.raises(NotAsIntended, match="isn't the one that was stored"):
            proven.check(proven.pdf, tokens=tokens)


async def test_token_that_does_not_fit_is_told_with_its_cure(proven: Proven) -> None:
    with pytest.raises(ValueError, match="HOCBA_SIGNING_TSA_RESERVED"):
        TwoRevisions(512).over_signatures(signed(proven.before)).stamped(proven.tokens[0])
