"""Whose signatures a transcript must carry: the order that was announced for it, if policy knows it, and no other."""

import pytest

from services.archive.app import orders_of
from services.archive.application.check_document import Announced, CheckByRoles, Verdict
from services.archive.domain.document import HOMEROOM_TEACHER, PRINCIPAL, ROLES, SCHOOL_SEAL, TRANSCRIPT, RoleOrder, transcript_of
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


def announced(*roles: str, province_id: str = "") -> Announced:
    return Announced(serials=tuple((role, "1f") for role in roles), province_id=province_id)


def test_each_document_is_checked_by_its_announced_order_and_verdicts_keep_their_places() -> None:
    usual, two = Noting(), Noting()
    check = CheckByRoles({RoleOrder(ROLES): usual, RoleOrder(TWO): two})  # type: ignore[dict-item]
    verdicts = check.batch([(b"a", announced(*TWO)), (b"b", announced(*ROLES)), (b"c", announced(*TWO)), (b"d", announced(PRINCIPAL)), (b"e", announced())])
    assert [verdict.sha256 for verdict in verdicts] == [b"a", b"b", b"c", b"d", b"e"]
    assert (usual.seen, two.seen) == ([b"b", b"d", b"e"], [b"a", b"c"])


def test_order_of_another_province_is_none_here() -> None:
    usual, two = Noting(), Noting()
    check = CheckByRoles({RoleOrder(ROLES): usual, RoleOrder(TWO, frozenset({"2025-79"})): two})  # type: ignore[dict-item]
    check.batch([(b"a", announced(*TWO, province_id="2025-79")), (b"b", announced(*TWO, province_id="2025-01")), (b"c", announced(*TWO))])
    assert (usual.seen, two.seen) == ([b"b"], [b"a", b"c"])


def test_profile_of_an_order_asks_for_its_fields_alone() -> None:
    assert transcript_of(ROLES) == TRANSCRIPT
    assert [rule.field for rule in transcript_of((PRINCIPAL, HOMEROOM_TEACHER)).signatures] == ["Principal", "HomeroomTeacher"]


def test_orders_out_of_the_setting() -> None:
    usual = RoleOrder((HOMEROOM_TEACHER, PRINCIPAL, SCHOOL_SEAL))
    assert orders_of(ArchiveSettings.model_fields["role_orders"].default) == (RoleOrder(ROLES),)
    assert orders_of("homeroom_teacher, principal,school_seal; homeroom_teacher,principal") == (usual, RoleOrder(TWO))
    given = "homeroom_teacher,principal,school_seal; 2025-79, 2025-01: homeroom_teacher,principal"
    assert orders_of(given) == (usual, RoleOrder(TWO, frozenset({"2025-79", "2025-01"})))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "principal,principal",
        "headmaster",
        "homeroom_teacher,;principal",
        "2025-79: principal",
        "principal; 2025-79,: homeroom_teacher",
        "principal; 2025-79: principal",
    ],
)
def test_an_order_that_cannot_be_is_named(text: str) -> None:
    with pytest.raises(Malformed, match="role_orders"):
        orders_of(text)
