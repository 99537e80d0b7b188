"""Documents with proof of time behind the last signature: exactly two revisions, and time stamps that are what they seem."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import pytest
from asn1crypto import tsp
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from services.archive.adapters.cms_signatures import CmsSignatures
from services.archive.adapters.trust_store import trust_of
from services.archive.application.check_document import CheckDocument, Verdict
from services.archive.domain.algorithms import AlgorithmPolicy, KeyRow
from services.archive.domain.document import TRANSCRIPT
from services.archive.domain.findings import Reason
from services.archive.domain.known_shapes import KnownShapes
from services.trust_services import authority as authority_of
from services.trust_services.time_stamps import Question, TimeStamper
from tests.support.packed_documents import CONTENT, LAST_PAGE, METADATA, Section, Signed, Stamp, signed, stamped, stream
from tests.support.signed_documents import SIGNED_AT, Identity, record_bytes, shared_pki
from tests.unit.archive.test_packed_documents import LaterClock, updated

STAMPED_AT = SIGNED_AT + timedelta(minutes=5)
Change = Callable[[Section], None]


@lru_cache(maxsize=8)
def authority(
    usage: tuple[x509.ObjectIdentifier, ...] = (ExtendedKeyUsageOID.TIME_STAMPING,), *, critical: bool = True, days: int = 30, below_issuing: bool = False
) -> Identity:
    """A time-stamp authority below the shared root."""
    root, key = shared_pki().issuing if below_issuing else shared_pki().root, rsa.generate_private_key(65537, 2048)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Dấu thời gian thử nghiệm")]))
        .issuer_name(root.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(SIGNED_AT - timedelta(days=60))
        .not_valid_after(SIGNED_AT + timedelta(days=days))
        .add_extension(x509.KeyUsage(True, False, False, False, False, False, False, False, False), critical=True)
    )
    if usage:
        builder = builder.add_extension(x509.ExtendedKeyUsage(usage), critical=critical)
    return Identity(key, builder.sign(root.key, hashes.SHA256()))


def stamp_by(identity: Identity, at: datetime = STAMPED_AT, imprint_of: Callable[[bytes], bytes] = bytes) -> Stamp:
    """Tokens of this authority with this time."""
    stamper = TimeStamper(authority_of.Identity(identity.key, identity.certificate))

    def stamp(digest: bytes) -> bytes:
        imprint = tsp.MessageImprint({"hash_algorithm": {"algorithm": "sha256"}, "hashed_message": imprint_of(digest)})
        return stamper.token(Question(imprint.dump(), b"", certificates=True), at)

    return stamp


@lru_cache(maxsize=1)
def base() -> Signed:
    return signed(shared_pki(), record_bytes())


def document(first: Change | None = None, second: Change | None = None, stamps: tuple[Stamp, Stamp] | None = None, certificate: bytes | None = None) -> bytes:
    if certificate is None:
        certificate = der(shared_pki().issuing.certificate)
    good = stamp_by(authority())
    return stamped(replace(base()), stamps or (good, good), certificate, first, second).data


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)


def unprejudiced() -> CheckDocument:
    trust = trust_of([shared_pki().root.certificate])
    return CheckDocument(TRANSCRIPT, CmsSignatures(lambda: trust, LaterClock()), KnownShapes(TRANSCRIPT))  # type: ignore[arg-type]


@lru_cache(maxsize=1)
def check() -> CheckDocument:
    """A check that knows the shape of the document before it was stamped."""
    made = unprejudiced()
    assert made(base().data).accepted
    return made


def verdict_on(data: bytes) -> Verdict:
    return check()(data)


def test_document_with_two_time_stamps_is_accepted_and_says_when() -> None:
    verdict = verdict_on(document())
    assert verdict.findings == ()
    assert verdict.proven_at == STAMPED_AT.astimezone(UTC)
    assert verdict_on(base().data).proven_at is None


def test_a_time_stamp_counts_while_its_algorithms_are_good() -> None:
    """The authority has an RSA key, the signers have others."""
    for days, reasons in ((3, set()), (0, {Reason.TIME_STAMP_INVALID})):
        until = STAMPED_AT.astimezone(UTC) + timedelta(days=days)
        algorithms = AlgorithmPolicy({"sha256": None}, [KeyRow("rsa", 2048, until), KeyRow("ec", 256)])
        trust = trust_of([shared_pki().root.certificate], algorithms=algorithms)
        clock = At(STAMPED_AT + timedelta(days=9))
        verdict = CheckDocument(TRANSCRIPT, CmsSignatures(lambda store=trust: store, clock))(document())  # type: ignore[misc]  # Bound in the loop.
        assert {finding.reason for finding in verdict.findings} == reasons, verdict.findings
        assert [stamp.in_force_until for stamp in verdict.stamps] == ([] if reasons else [until] * 2)
        assert reasons or verdict.over_time(None, clock.now()).proven_at is None, "past that end it proves nothing more"


@dataclass(frozen=True)
class At:
    """A clock that stands still."""

    time: datetime

    def now(self) -> datetime:
        return self.time


def test_validation_data_that_is_no_certificate_is_refused() -> None:
    assert {finding.reason for finding in verdict_on(document(certificate=b"no certificate")).findings} == {Reason.TIME_STAMP_INVALID}


def test_authority_below_an_intermediate_one_is_known_by_the_documents_validation_data() -> None:
    by = stamp_by(authority(below_issuing=True))
    assert verdict_on(document(stamps=(by, by))).accepted
    other = der(shared_pki().people["principal"].certificate)
    assert {finding.reason for finding in unprejudiced()(document(stamps=(by, by), certificate=other)).findings} == {Reason.TIME_STAMP_INVALID}


def more_fields(section: Section) -> None:
    section.objects[6] = section.objects[6].replace(b"]", b" 7 0 R]")


def shown_on_the_page(section: Section) -> None:
    section.objects[LAST_PAGE] = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents %d 0 R/Annots[7 0 R 8 0 R 9 0 R 26 0 R]>>" % CONTENT


def field_with_an_appearance(section: Section) -> None:
    number = min(number for number in section.objects if number > 16)
    section.objects[number] = section.objects[number].replace(b"/F 132", b"/F 132/AP<</N 10 0 R>>")


def field_with_a_size(section: Section) -> None:
    number = min(number for number in section.objects if number > 16)
    section.objects[number] = section.objects[number].replace(b"[0 0 0 0]", b"[0 0 9 9]")


def field_of_another_name(section: Section) -> None:
    number = min(number for number in section.objects if number > 16)
    section.objects[number] = section.objects[number].replace(b"TimeStamp", b"SchoolSeal")


def hidden(section: Section) -> None:
    section.objects[section.size], section.size = b"<</Note(hidden)>>", section.size + 1


def signature_instead_of_a_stamp(section: Section) -> None:
    number = max(section.objects)
    section.objects[number] = section.objects[number].replace(b"/DocTimeStamp", b"/Sig").replace(b"ETSI.RFC3161", b"ETSI.CAdES.detached")


def metadata_again(section: Section) -> None:
    section.objects[METADATA] = stream(b"<y/>", b"/Type/Metadata/Subtype/XML")


def script(section: Section) -> None:
    section.objects[1] = section.objects[1].replace(b"/DSS", b"/OpenAction<</S/JavaScript/JS(x)>>/DSS")


def other_pages(section: Section) -> None:
    section.objects[1] = section.objects[1].replace(b"/Pages 2 0 R", b"/Pages 3 0 R")


def picture_as_validation_data(section: Section) -> None:
    number = max(section.objects) - 1
    section.objects[number] = section.objects[number].replace(b"<</Filter", b"<</Type/XObject/Subtype/Form/Filter")


def store_with_more(section: Section) -> None:
    number = max(section.objects) - 3
    section.objects[number] = section.objects[number].replace(b"/Type/DSS", b"/Type/DSS/Note 26 0 R")


def broken_validation_data(section: Section) -> None:
    number = max(section.objects) - 1
    section.objects[number] = stream(b"no deflated bytes", b"/Filter/FlateDecode")


def extension_that_refers(section: Section) -> None:
    section.objects[1] = section.objects[1].replace(b"/ExtensionLevel 5", b"/ExtensionLevel 10 0 R")


def stamp_in_place_of_the_metadata(section: Section) -> None:
    number = max(section.objects)
    section.objects = {key: text.replace(b"/V %d 0 R" % number, b"/V %d 0 R" % METADATA) for key, text in section.objects.items()}
    section.objects[METADATA], section.size = section.objects.pop(number), number


FIRST: list[Change] = [more_fields, shown_on_the_page, field_with_an_appearance, field_with_a_size, field_of_another_name, hidden]
SECOND: list[Change] = [script, other_pages, picture_as_validation_data, store_with_more, broken_validation_data, extension_that_refers, hidden]
EITHER: list[Change] = [metadata_again, stamp_in_place_of_the_metadata, signature_instead_of_a_stamp]


@pytest.mark.parametrize(("first", "second"), [*((change, None) for change in FIRST + EITHER), *((None, change) for change in SECOND + EITHER)])
def test_anything_else_behind_the_last_signature_stays_refused(first: Change | None, second: Change | None) -> None:
    """The authority stamps whatever it is sent: its tokens are valid."""
    reasons = {finding.reason for finding in verdict_on(document(first, second)).findings}
    assert Reason.REVISION_UNSIGNED in reasons


def test_one_revision_alone_is_refused_and_so_is_a_third_one() -> None:
    whole = document()
    ends = [at + len(b"%%EOF\n") for at in range(len(whole)) if whole.startswith(b"%%EOF\n", at)]
    for data in (whole[: ends[4]], updated(whole, {LAST_PAGE: b"<</Type/Page/Parent 2 0 R/Contents 12 0 R>>"}), updated(whole, {90: b"<<>>"})):
        assert Reason.REVISION_UNSIGNED in {finding.reason for finding in verdict_on(data).findings}


def stranger() -> Identity:
    made = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Kẻ lạ")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(made.public_key()).serial_number(7)
    builder = builder.not_valid_before(SIGNED_AT - timedelta(days=1)).not_valid_after(SIGNED_AT + timedelta(days=9))
    builder = builder.add_extension(x509.KeyUsage(True, False, False, False, False, False, False, False, False), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True)
    return Identity(made, builder.sign(made, hashes.SHA256()))


def wrong_stamps() -> dict[str, tuple[Stamp, Stamp]]:
    good, early = stamp_by(authority()), stamp_by(authority(), SIGNED_AT - timedelta(minutes=1))
    return {
        "imprint": (stamp_by(authority(), imprint_of=lambda _: bytes(32)), good),
        "second imprint": (good, stamp_by(authority(), imprint_of=lambda _: bytes(32))),
        "unknown authority": (good, stamp_by(stranger())),
        "no purpose": (stamp_by(authority(())), good),
        "purpose not critical": (stamp_by(authority(critical=False)), good),
        "two purposes": (stamp_by(authority((ExtendedKeyUsageOID.TIME_STAMPING, ExtendedKeyUsageOID.CODE_SIGNING))), good),
        "expired authority": (stamp_by(authority(days=-1)), good),
        "future": (good, stamp_by(authority(), SIGNED_AT + timedelta(days=3))),
        "before the signatures": (early, good),
        "order": (good, stamp_by(authority(), STAMPED_AT - timedelta(minutes=1))),
        "a signature as a token": (lambda digest: digest, good),
    }


def test_wrong_time_stamp_is_refused() -> None:
    for what, stamps in wrong_stamps().items():
        verdict = verdict_on(document(stamps=stamps))
        assert [finding.reason for finding in verdict.findings] == [Reason.TIME_STAMP_INVALID], what
        assert verdict.proven_at is None


def test_byte_changed_behind_the_last_signature_is_refused() -> None:
    data = document()
    behind = len(base().data)
    for at in [*range(behind, behind + 700, 23), *range(len(data) - 600, len(data), 19)]:
        assert not verdict_on(data[:at] + bytes((data[at] ^ 2,)) + data[at + 1 :]).accepted
