"""Who may approve, which certificate is fit, what a manifest and an intent are named by."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from services.signing.domain.certificate import CertificateFacts, unfit
from services.signing.domain.documents import DocumentKind
from services.signing.domain.intent import Intent
from services.signing.domain.manifest import Entry, list_of
from services.signing.domain.orders import INTENT_LIFE, Order, Step, is_express, order_name, renewed
from services.signing.domain.people import Appointment, StaffMember, authority_for
from services.signing.domain.roles import DEFAULT_ORDER, SignatureRole
from services.signing.domain.transcripts import Place, Ref

DAY = date(2026, 6, 1)
NOW = datetime(2026, 6, 1, 8, tzinfo=UTC)
HOMEROOM, PRINCIPAL, SEAL = DEFAULT_ORDER
TEACHER = SignatureRole.SUBJECT_TEACHER


def member(role: str, staff_id: str = "s1", **more: str) -> StaffMember:
    facts = {"valid_from": "2025-08-01", "valid_to": "", "acts_for_staff_id": "", "authority": ""} | more
    return StaffMember(staff_id, "school", 1, "p1", "Tên", (Appointment(role, **facts),))


@pytest.mark.parametrize(
    ("role", "who", "may"),
    [
        (HOMEROOM, member("homeroom_teacher"), True),
        (HOMEROOM, member("homeroom_teacher", "other"), False),
        (HOMEROOM, member("homeroom_teacher", "other", acts_for_staff_id="s1", authority="12/QĐ"), True),
        (HOMEROOM, member("homeroom_teacher", "other", acts_for_staff_id="s1"), False),
        (HOMEROOM, member("principal"), True),  # who is named homeroom teacher of the class is its homeroom teacher
        (HOMEROOM, member("principal", "other"), False),
        (TEACHER, member("subject_teacher"), True),
        (TEACHER, member("subject_teacher", "other"), False),
        (TEACHER, member("subject_teacher", "other", acts_for_staff_id="s1", authority="12/QĐ"), True),
        (TEACHER, member("subject_teacher", "other", acts_for_staff_id="s1"), False),
        (TEACHER, member("homeroom_teacher", "other", acts_for_staff_id="s1", authority="12/QĐ"), False),
        (PRINCIPAL, member("principal"), True),
        (PRINCIPAL, member("principal", valid_to="2026-05-31"), False),
        (PRINCIPAL, member("principal", valid_from="2026-06-02"), False),
        (PRINCIPAL, member("vice_principal"), False),
        (PRINCIPAL, member("vice_principal", authority="7/QĐ-HT"), True),
        (PRINCIPAL, member("clerk"), False),
        (SEAL, member("clerk"), True),
        (SEAL, member("principal"), False),
        (SEAL, member("registrar"), False),
    ],
)
def test_only_the_office_or_its_recorded_deputy_may_approve(role: SignatureRole, who: StaffMember, may: bool) -> None:
    assert (authority_for(role, [who], "s1", DAY) is not None) is may


def facts(**more: object) -> CertificateFacts:
    base = CertificateFacts(b"x" * 32, "ab", "Tên", "Trường", "CA", "s1", NOW - timedelta(1), NOW + timedelta(1), True)
    return replace(base, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("certificate", "role", "reason"),
    [
        (facts(), HOMEROOM, None),
        (facts(may_sign=False), HOMEROOM, "no key usage"),
        (facts(not_before=NOW + timedelta(1)), HOMEROOM, "valid only from"),
        (facts(not_after=NOW + timedelta(minutes=29)), HOMEROOM, "before the batch would"),
        (facts(not_after=NOW + timedelta(minutes=30)), HOMEROOM, None),
        (facts(staff_id="s2"), PRINCIPAL, "another person"),
        (facts(staff_id=""), PRINCIPAL, None),
        (facts(staff_id=""), SEAL, None),
        (facts(), SEAL, "a person's"),
    ],
)
def test_unfit_certificate_says_why(certificate: CertificateFacts, role: SignatureRole, reason: str | None) -> None:
    found = unfit(certificate, role, "s1", NOW, timedelta(minutes=30))
    assert found is None if reason is None else reason in (found or "")


def entry(transcript: str, **more: object) -> Entry:
    return replace(Entry(transcript, 1, b"c" * 32, "primary/v1", b"t" * 32, b"b" * 32), **more)  # type: ignore[arg-type]


def test_manifest_root_depends_on_every_field_and_not_on_the_order_given() -> None:
    one, two = entry("1"), entry("2")
    root = list_of([one, two]).root
    assert list_of([two, one]).root == root
    changes = [{"version": 2}, {"content_digest": b"C" * 32}, {"template_version": "primary/v2"}, {"template_digest": b"T" * 32}, {"body_digest": b"B" * 32}]
    roots = {list_of([one, replace(two, **change)]).root for change in changes}  # type: ignore[arg-type]
    assert len(roots) == len(changes)
    assert root not in roots


def test_empty_manifest_and_doubled_transcript_are_mistakes() -> None:
    with pytest.raises(ValueError, match="at least one"):
        list_of([])
    with pytest.raises(ValueError, match="once"):
        list_of([entry("1"), entry("1", version=2)])


def test_intent_is_named_by_what_it_is_for_and_not_by_its_bytes() -> None:
    first = Intent("m", "t", 1, SEAL, b"", b"", b"1", b"", "", NOW)
    assert replace(first, to_be_signed=b"2").intent_id == first.intent_id
    others = [replace(first, version=2), replace(first, role=PRINCIPAL), replace(first, manifest_id="n"), replace(first, attempt=1)]
    assert len({first.intent_id, *(other.intent_id for other in others)}) == 5


def test_retry_keeps_the_signing_time_while_intents_live() -> None:
    order = Order(order_name("x"), Place("c", "s", "p"), Step.SIGN, "m", SEAL, 3, NOW, "done", ())
    assert renewed(order, NOW + INTENT_LIFE - timedelta(seconds=1)) == (3, NOW)
    attempt, at = renewed(order, NOW + INTENT_LIFE + timedelta(microseconds=5))
    assert (attempt, at) == (4, NOW + INTENT_LIFE)


def order_of(*lines: Ref) -> Order:
    return Order("o", Place("c", "s", "p"), Step.PREPARE, None, None, 0, NOW, "released", lines)


def test_single_pupils_and_later_sheets_go_past_a_mass_run() -> None:
    pupils = [Ref(str(n), "p", 1, b"", "") for n in range(4)]
    sheets = [Ref(f"s{n}", "", 2, b"", "", DocumentKind.SHEET, "toan") for n in range(12)]
    assert is_express(order_of(*pupils[:3]), 3)
    assert not is_express(order_of(*pupils), 3)
    assert is_express(order_of(pupils[0], *sheets), 3), "a late pupil stands in a sheet of his own in each subject"
    assert not is_express(order_of(pupils[0], replace(sheets[0], version=1)), 3)
