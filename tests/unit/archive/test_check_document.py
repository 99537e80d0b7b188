"""The one check of a document: a genuine transcript passes, and each forgery is refused for the right reason."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter

from services.archive.adapters.cms_signatures import CmsSignatures
from services.archive.adapters.trust_store import TrustStore, trust_of
from services.archive.application.check_document import Announced, CheckDocument
from services.archive.domain.document import TRANSCRIPT
from services.archive.domain.findings import Check, Reason
from tests.support import forgeries
from tests.support.signed_documents import (
    FIELDS,
    ROLES,
    SIGNED_AT,
    Pki,
    digest,
    make_pki,
    record_bytes,
    shared_pki,
    sign_once,
    signed_transcript,
    unsigned_body,
)


class LaterClock:
    """A clock that stands a day after every signature of the tests."""

    def now(self) -> datetime:
        return SIGNED_AT + timedelta(days=1)


def checker(trust: TrustStore | None = None) -> CheckDocument:
    return CheckDocument(TRANSCRIPT, CmsSignatures(lambda: trust or trust_in(shared_pki()), LaterClock()))


def trust_in(pki: Pki, *revocations: x509.CertificateRevocationList) -> TrustStore:
    return trust_of([pki.root.certificate], revocations)


def announced(data: bytes, record: bytes | None = None) -> Announced:
    """What a forger who controls the announcement would say: the forged bytes' own digest."""
    return Announced(digest(data), len(data), digest(record_bytes() if record is None else record))


def test_genuine_transcript_is_accepted() -> None:
    data = signed_transcript()
    verdict = checker()(data, announced(data))
    assert verdict.findings == ()
    assert [signer.role for signer in verdict.signers] == list(ROLES)
    assert verdict.record == record_bytes()
    assert {signer.revocation for signer in verdict.signers} == {"unknown"}


@pytest.mark.parametrize(
    ("forge", "reason"),
    [
        (forgeries.trailing_bytes, Reason.TRAILING_BYTES),
        (forgeries.cut_short, Reason.TRUNCATED),
        (forgeries.truncated_to_first_signature, Reason.SIGNATURE_MISSING),
        (forgeries.truncated_to_body, Reason.SIGNATURE_MISSING),
        (forgeries.flipped_bit, Reason.SIGNED_BYTES_DIFFER),
        (forgeries.painted_field, Reason.FIELD_UNEXPECTED),
        (forgeries.replaced_page, Reason.REVISION_UNSIGNED),
        (forgeries.free_text_annotation, Reason.REVISION_UNSIGNED),
        (forgeries.empty_update, Reason.REVISION_UNSIGNED),
        (forgeries.zeroed_signature, Reason.SIGNATURE_INVALID),
        (forgeries.widened_gap, Reason.COVERAGE_BROKEN),
        (forgeries.shortened_range, Reason.COVERAGE_BROKEN),
        (lambda data: forgeries.replaced_record(data, b"{}"), Reason.REVISION_UNSIGNED),
        (lambda data: data.replace(b"%PDF-1.7", b"%PDF-9.9", 1), Reason.MALFORMED),
        (lambda data: b"", Reason.MALFORMED),
        (lambda data: b"%PDF-1.7\nxref\n", Reason.TRUNCATED),
    ],
)
def test_forgery_is_refused_with_its_reason(forge: Callable[[bytes], bytes], reason: Reason) -> None:
    forged = forge(signed_transcript())
    verdict = checker()(forged, announced(forged))
    assert verdict.first is not None
    assert verdict.first.reason is reason, verdict.findings


@pytest.mark.parametrize(
    ("forge", "reason"),
    [
        (forgeries.painted_field, Reason.ACTIVE_CONTENT),
        (forgeries.painted_field, Reason.CHANGED_AFTER_SIGNING),
        (forgeries.replaced_page, Reason.CHANGED_AFTER_SIGNING),
        (forgeries.free_text_annotation, Reason.ACTIVE_CONTENT),
        (forgeries.empty_update, Reason.CHANGED_AFTER_SIGNING),
        (lambda data: forgeries.replaced_record(data, b"{}"), Reason.RECORD_DIFFERS),
        (lambda data: forgeries.replaced_record(data, b"{}"), Reason.CHANGED_AFTER_SIGNING),
    ],
)
def test_each_layer_sees_the_forgery_on_its_own(forge: Callable[[bytes], bytes], reason: Reason) -> None:
    """A forgery that one check missed would still be caught by the next one."""
    forged = forge(signed_transcript())
    assert reason in {finding.reason for finding in checker()(forged, announced(forged)).findings}


def test_announced_digest_and_size_decide_first() -> None:
    data = signed_transcript()
    verdict = checker()(data, Announced(sha256=b"\0" * 32, size=1))
    assert [finding.reason for finding in verdict.findings] == [Reason.SIZE_DIFFERS, Reason.SHA256_DIFFERS]
    assert verdict.first is not None
    assert verdict.first.check is Check.DIGEST


def repaint(writer: IncrementalPdfFileWriter) -> None:
    """Another mark on the first page."""
    page = writer.root["/Pages"]["/Kids"][0]
    page["/Contents"] = writer.add_object(generic.StreamObject(stream_data=b"0 0 9 9 re f"))
    writer.update_container(page)


def add_field(writer: IncrementalPdfFileWriter) -> None:
    """Another field in the form."""
    fields = writer.root["/AcroForm"]["/Fields"]
    fields.append(writer.add_object(generic.DictionaryObject({generic.pdf_name("/FT"): generic.pdf_name("/Btn")})))  # type: ignore[no-untyped-call]
    writer.update_container(fields)


def other_record(writer: IncrementalPdfFileWriter) -> None:
    """Other data under the same name."""
    names = writer.root["/Names"]["/EmbeddedFiles"]["/Names"]
    stream = generic.StreamObject(stream_data=b"{}")
    names[1]["/EF"] = generic.DictionaryObject({generic.pdf_name("/F"): writer.add_object(stream)})  # type: ignore[no-untyped-call]
    writer.update_container(names[1])


def hide_object(writer: IncrementalPdfFileWriter) -> None:
    """An object that nothing shows yet."""
    writer.add_object(generic.StreamObject(stream_data=b"0 0 9 9 re f"))


@pytest.mark.parametrize("edit", [repaint, add_field, other_record, hide_object])
@pytest.mark.parametrize("insider", [1, 2])
def test_signer_who_changes_more_than_the_own_field_is_found_out(edit: Callable[[IncrementalPdfFileWriter], None], insider: int) -> None:
    """Every byte is covered by a valid signature, and yet the teacher has signed another page than the principal."""
    pki = shared_pki()
    data = unsigned_body(record_bytes())
    for position, role in enumerate(ROLES):
        changes = edit if position == insider else None
        data = sign_once(data, FIELDS[role], pki.people[role], [pki.issuing.certificate], position == 0, changes)
    reasons = {finding.reason for finding in checker()(data).findings}
    assert Reason.CHANGED_AFTER_SIGNING in reasons
    assert not reasons & {Reason.SIGNED_BYTES_DIFFER, Reason.COVERAGE_BROKEN, Reason.REVISION_UNSIGNED}


def test_body_that_refers_to_what_is_not_there_yet_is_refused() -> None:
    data = shared_pki().sign(unsigned_body(record_bytes(), dangling=True))
    assert [finding.reason for finding in checker()(data).findings] == [Reason.ACTIVE_CONTENT]


def test_other_sealed_content_is_refused() -> None:
    data = signed_transcript()
    verdict = checker()(data, announced(data, record_bytes(version=2)))
    assert [finding.reason for finding in verdict.findings] == [Reason.RECORD_DIFFERS]


def test_missing_record_is_refused() -> None:
    data = shared_pki().sign(unsigned_body(record_bytes(), attach=False))
    assert [finding.reason for finding in checker()(data).findings] == [Reason.RECORD_MISSING]


def test_document_that_nobody_certified_is_refused() -> None:
    data = shared_pki().sign(unsigned_body(record_bytes()), certify=False)
    assert [finding.reason for finding in checker()(data).findings] == [Reason.NOT_CERTIFIED]


def test_document_that_the_seal_does_not_lock_is_refused() -> None:
    data = shared_pki().sign(unsigned_body(record_bytes(), lock_last=False))
    assert [finding.reason for finding in checker()(data).findings] == [Reason.NOT_LOCKED]


def test_signatures_in_another_order_are_refused() -> None:
    pki = shared_pki()
    data = pki.sign(unsigned_body(record_bytes(), lock_last=False), (ROLES[1], ROLES[0], ROLES[2]))
    verdict = checker()(data)
    assert verdict.first is not None
    assert verdict.first.reason is Reason.SIGNATURE_ORDER


def test_signer_below_another_root_is_untrusted() -> None:
    data = signed_transcript()
    verdict = checker(trust_in(make_pki()))(data)
    assert [finding.reason for finding in verdict.findings] == [Reason.SIGNER_UNTRUSTED] * 3


def test_certificate_that_had_expired_is_refused() -> None:
    pki = make_pki(valid_from=SIGNED_AT - timedelta(days=30), valid_for=timedelta(days=10))
    # pyHanko itself signs with an expired certificate when nobody asks it to check.
    verdict = checker(trust_in(pki))(pki.sign(unsigned_body(record_bytes())))
    assert [finding.reason for finding in verdict.findings] == [Reason.CERTIFICATE_NOT_IN_FORCE] * 3


def test_signature_from_the_future_is_refused() -> None:
    class EarlierClock:
        def now(self) -> datetime:
            return SIGNED_AT - timedelta(days=1)

    check = CheckDocument(TRANSCRIPT, CmsSignatures(lambda: trust_in(shared_pki()), EarlierClock()))
    assert {finding.reason for finding in check(signed_transcript()).findings} == {Reason.CERTIFICATE_NOT_IN_FORCE}


def test_revoked_certificate_is_refused_and_good_ones_are_said_to_be_good() -> None:
    pki = shared_pki()
    revoked = pki.people["principal"].certificate.serial_number
    lists = [_revocations(pki, "issuing", revoked), _revocations(pki, "root")]
    verdict = checker(trust_in(pki, *lists))(signed_transcript())
    assert [(finding.reason, "principal" in finding.detail) for finding in verdict.findings] == [(Reason.CERTIFICATE_REVOKED, True)]
    assert {signer.revocation for signer in verdict.signers} == {"good"}


def test_seal_with_a_persons_certificate_is_refused() -> None:
    pki = shared_pki()
    body = pki.sign(unsigned_body(record_bytes()), ROLES[:2])
    data = sign_once(body, FIELDS["school_seal"], pki.people["principal"], [pki.issuing.certificate], False)
    assert [finding.reason for finding in checker()(data).findings] == [Reason.SIGNER_REPEATED]


def test_another_certificate_than_the_announced_one_is_refused() -> None:
    verdict = checker()(signed_transcript(), Announced(serials=(("principal", "abc"),)))
    assert [finding.reason for finding in verdict.findings] == [Reason.SIGNER_UNTRUSTED]


def test_ca_certificate_may_not_sign() -> None:
    pki = shared_pki()
    body = pki.sign(unsigned_body(record_bytes()), ROLES[:2])
    data = sign_once(body, FIELDS["school_seal"], pki.issuing, [], False)
    assert [finding.reason for finding in checker()(data).findings] == [Reason.SIGNER_UNSUITED]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_no_flipped_byte_outside_the_padding_is_accepted(data: st.DataObject) -> None:
    genuine = signed_transcript()
    position = data.draw(st.integers(0, len(genuine) - 1))
    flip = data.draw(st.integers(1, 255))
    forged = genuine[:position] + bytes((genuine[position] ^ flip,)) + genuine[position + 1 :]
    verdict = checker()(forged, Announced(content_digest=digest(record_bytes())))
    if verdict.accepted:
        # What no signature can cover is its own value: there a change of letter case or padding means nothing, and
        # the announced SHA-256 is what refuses it.
        assert genuine[position : position + 1] in b"abcdefABCDEF"
        assert flip == 0x20
    assert not checker()(forged, announced(genuine)).accepted


@pytest.mark.parametrize("which", range(len(ROLES)))
def test_no_flipped_bit_in_what_a_container_leaves_unsigned_is_accepted(which: int) -> None:
    genuine, check = signed_transcript(), checker()
    for forged in forgeries.flipped_unsigned_parts(genuine, which):
        assert not check(forged, Announced(content_digest=digest(record_bytes()))).accepted


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=400))
def test_arbitrary_bytes_are_refused_without_an_error(noise: bytes) -> None:
    assert not checker()(noise).accepted
    genuine = signed_transcript()
    assert not checker()(genuine[:9000] + noise + genuine[9000:]).accepted or not noise


def _revocations(pki: Pki, issuer: str, *serials: int) -> x509.CertificateRevocationList:
    identity = pki.issuing if issuer == "issuing" else pki.root
    at = datetime(2020, 1, 1, tzinfo=UTC)
    builder = x509.CertificateRevocationListBuilder().issuer_name(identity.certificate.subject).last_update(at).next_update(SIGNED_AT + timedelta(days=30))
    for serial in serials:
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(at).build()
        builder = builder.add_revoked_certificate(entry)
    return builder.sign(identity.key, hashes.SHA256())
