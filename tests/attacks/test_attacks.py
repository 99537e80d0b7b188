"""Every attack of the corpus is refused with the right reason, by one check of one document and by checks of whole classes alike."""

import re
from functools import lru_cache
from pathlib import Path

import pytest

from services.archive.adapters.cms_signatures import CmsSignatures
from services.archive.adapters.trust_store import trust_of
from services.archive.application.check_document import Announced, CheckDocument
from services.archive.domain.document import TRANSCRIPT
from services.archive.domain.findings import Check
from services.archive.domain.known_shapes import KnownShapes
from tests.attacks import with_containers, with_keys, without_keys
from tests.attacks.corpus import Attack, streams, tables
from tests.attacks.table import row
from tests.support.signed_documents import digest, record_bytes, shared_pki
from tests.unit.archive.test_packed_documents import LaterClock

ATTACKS = [*without_keys.ATTACKS, *with_containers.ATTACKS, *with_keys.ATTACKS]
TWINS = [*without_keys.TWINS, *with_containers.TWINS]
NAMES = {attack.name: attack for attack in ATTACKS + TWINS}


def check(*, fast: bool) -> CheckDocument:
    trust = trust_of([shared_pki(kind).root.certificate for kind in ("ec", "rsa")])
    return CheckDocument(TRANSCRIPT, CmsSignatures(lambda: trust, LaterClock()), KnownShapes(TRANSCRIPT) if fast else None)  # type: ignore[arg-type]


@lru_cache(maxsize=1)
def experienced() -> CheckDocument:
    """The check of an admission that has gone on for a while: it knows shapes, containers and paths."""
    made = check(fast=True)
    assert made(streams()).accepted
    assert made(tables()).accepted
    return made


def as_issued(data: bytes) -> Announced:
    return Announced(digest(data), len(data), digest(record_bytes()))


@pytest.mark.parametrize("name", NAMES)
def test_attack_is_refused_with_its_reason_alone_and_in_a_class(name: str) -> None:
    attack: Attack = NAMES[name]
    data = attack.make()
    announced = attack.announced(data)
    alone = check(fast=False)(data, announced)
    assert alone.first is not None
    assert alone.first.reason is attack.reason, alone.findings
    assert Check.DIGEST not in alone.skipped
    genuine = streams(), as_issued(streams())
    before, beside, after = experienced().batch([genuine, (data, announced), genuine])
    assert before.accepted
    assert after.accepted, "an attack must not spoil what comes behind it"
    assert (beside.first, beside.accepted) == (alone.first, False)
    assert beside.findings == alone.findings or attack in TWINS


def test_genuine_documents_are_accepted_both_ways() -> None:
    for data in (tables(), streams(), streams("rsa")):
        assert check(fast=False)(data, as_issued(data)).accepted
        assert experienced()(data, as_issued(data)).accepted


def test_names_are_unlike_and_the_table_has_each_of_them() -> None:
    assert len(NAMES) == len(ATTACKS) + len(TWINS)
    written = Path(__file__).with_name("README.md").read_text(encoding="utf-8")
    told = re.findall(r"^(\| .+? \| .+? \| `\w+` \|)", written, re.MULTILINE)
    assert told == [row(attack) for attack in NAMES.values()], "write it anew: python -m tests.attacks.table"
