"""Whose signatures a transcript must carry: the order that was announced for it, if policy knows it, and no other."""

import pytest

from services.archive.app import role_orders
from services.archive.application.check_document import Announced, CheckByRoles, Verdict
from services.archive.domain.document import HOMEROOM_TEACHER, PRINCIPAL, ROLES, SCHOOL_SEAL, TRANSCRIPT, transcript_of
from services.archive.settings import ArchiveSettings
from services.chassis.errors import Malformed

TWO = (HOMEROOM_TEACHER, PRINCIPAL)


class Noting:
    """Notes what it was given; its verdicts carry the bytes back."""

    def __init__(self) -> None:
        self.seen: list[bytes] = []

    def batch(self, documents: object) -> list[Verdict]:
        self.seen += [data for data, _ in documents]  # type: ignore[attr-defined]
        return [Verdict(data, (), frozenset(), (), None) for data in self.seen]


def announced(*roles: str) -> Announced:
    return Announced(serials=tuple((role, "1f") for role in roles))


def test_each_document_is_checked_by_its_announced_order_and_verdicts_keep_their_places() -> None:
    usual, two = Noting(), Noting()
    check = CheckByRoles({ROLES: usual, TWO: two})  # type: ignore[dict-item]
    verdicts = check.batch([(b"a", announced(*TWO)), (b"b", announced(*ROLES)), (b"c", announced(*TWO)), (b"d", announced(PRINCIPAL)), (b"e", announced())])
    assert [verdict.sha256 for verdict in verdicts] == [b"a", b"b", b"c", b"d", b"e"]
    assert (usual.seen, two.seen) == ([b"b", b"d", b"e"], [b"a", b"c"])


def test_profile_of_an_order_asks_for_its_fields_alone() -> None:
    assert transcript_of(ROLES) == TRANSCRIPT
    assert [rule.field for rule in transcript_of((PRINCIPAL, HOMEROOM_TEACHER)).signatures] == ["Principal", "HomeroomTeacher"]


def test_orders_out_of_the_setting() -> None:
    assert role_orders(ArchiveSettings.model_fields["role_orders"].default) == [ROLES]
    assert role_orders("homeroom_teacher, principal,school_seal; homeroom_teacher,principal") == [(HOMEROOM_TEACHER, PRINCIPAL, SCHOOL_SEAL), TWO]


@pytest.mark.parametrize("text", ["", "principal,principal", "headmaster", "homeroom_teacher,;principal"])
def test_an_order_that_cannot_be_is_named(text: str) -> None:
    with pytest.raises(Malformed, match="role_orders"):
        role_orders(text)
