"""Documents with cross-reference and object streams: genuine ones pass, and every trick that such streams allow is refused."""

import zlib
from collections.abc import Callable
from datetime import timedelta
from functools import lru_cache

import pytest

from services.archive.adapters.cms_signatures import CmsSignatures
from services.archive.adapters.trust_store import trust_of
from services.archive.application.check_document import Announced, CheckDocument, Verdict
from services.archive.domain.document import TRANSCRIPT
from services.archive.domain.findings import Reason
from services.archive.domain.known_shapes import KnownShapes
from tests.support import forgeries
from tests.support.packed_documents import (
    BODY_SECTION,
    CATALOG,
    CONTENT,
    FIELD_OF,
    FORM,
    LAST_PAGE,
    METADATA,
    PREDICTED,
    RECORD,
    Section,
    body_section,
    deflate_rows,
    difference,
    plain_row,
    stream,
    transcript,
    widget,
)
from tests.support.signed_documents import ROLES, SIGNED_AT, digest, record_bytes, shared_pki

KINDS = ("ec", "rsa")
DEFLATED = "deflated"
"""A document whose first cross-references are deflated."""
Change = Callable[[Section], None]


class LaterClock:
    """A clock that stands a day after every signature of the tests."""

    def now(self) -> object:
        return SIGNED_AT + timedelta(days=1)


def checker(*, fast: bool = True) -> CheckDocument:
    trust = trust_of([shared_pki(kind).root.certificate for kind in KINDS])
    return CheckDocument(TRANSCRIPT, CmsSignatures(lambda: trust, LaterClock()), KnownShapes(TRANSCRIPT) if fast else None)  # type: ignore[arg-type]


@lru_cache(maxsize=8)
def genuine(kind: str = "ec", version: int = 1) -> bytes:
    if kind == DEFLATED:
        return transcript(shared_pki(), record_bytes(version=version), body=deflate_rows)
    return transcript(shared_pki(kind), record_bytes(version=version))


@lru_cache(maxsize=1)
def experienced() -> CheckDocument:
    """A check that knows the shape of the genuine documents and the forms of their signatures."""
    check = checker()
    for kind in (*KINDS, DEFLATED):
        assert check(genuine(kind)).accepted
    return check


def both(data: bytes) -> Verdict:
    """The verdict of the full check, which that of the experienced one must be equal to."""
    verdict = checker(fast=False)(data)
    assert experienced()(data) == verdict
    return verdict


@pytest.mark.parametrize("kind", [*KINDS, DEFLATED])
def test_genuine_transcript_is_accepted(kind: str) -> None:
    data, record = genuine(kind, version=2), record_bytes(version=2)
    verdict = experienced()(data, Announced(digest(data), len(data), digest(record)))
    assert verdict.findings == ()
    assert [signer.role for signer in verdict.signers] == list(ROLES)
    assert verdict.record == record
    assert both(data).accepted


def object_in_two_places(section: Section) -> None:
    """The form stands in the object stream, and another one by itself."""
    section.objects[FORM] = b"<</Fields[]>>"


def plain_object_behind_a_packed_one(section: Section) -> None:
    """The rows lead to the object stream, and the same number stands by itself for readers that search."""
    section.gaps[METADATA] = b"%d 0 obj\n<</Fields[]>>\nendobj\n" % FORM


def two_rows_one_offset(section: Section) -> None:
    section.rows[METADATA] = plain_row(section.written()[0].index(b"\n%d 0 obj" % CONTENT) + 1)


def object_inside_of_another(section: Section) -> None:
    """The metadata's row points into a page's content."""
    hidden = b"\n%d 0 obj\n<<>>\nendobj\n" % METADATA
    section.objects[CONTENT] = stream(hidden)
    section.rows[METADATA] = plain_row(section.written()[0].index(hidden) + 1)


def object_behind_the_section(section: Section) -> None:
    section.rows[METADATA] = plain_row(len(section.written()[0]) - 5)


def deflate_bomb(section: Section) -> None:
    section.bundle = lambda content: zlib.compress(content + b" " * 5_000_000)


def endless_bomb(section: Section) -> None:
    section.objects[RECORD] = stream(zlib.compress(b" " * 17_000_000), b"/Type/EmbeddedFile/Filter/FlateDecode")


def chained_object_streams(section: Section) -> None:
    section.bundle_entries = b"/Extends 10 0 R"


def more_than_its_objects(section: Section) -> None:
    section.bundle = lambda content: zlib.compress(content + b"\n(hidden)")


def bytes_behind_the_deflated_ones(section: Section) -> None:
    section.bundle = lambda content: zlib.compress(content) + b"hidden"


def cut_deflated_bytes(section: Section) -> None:
    section.bundle = lambda content: zlib.compress(content)[:-4]


def filtered_section(section: Section) -> None:
    section.trailer, section.encode = b"/Filter/FlateDecode", zlib.compress


def differences(rows: bytes) -> bytes:
    each = [rows[at : at + 7] for at in range(0, len(rows), 7)]
    return b"".join(difference(row, above) for row, above in zip(each, [bytes(7), *each], strict=False))


def otherwise_predicted_rows(section: Section) -> None:
    section.trailer, section.encode = PREDICTED, lambda rows: zlib.compress(b"\0" + rows[:7] + differences(rows)[8:])


def other_predictor(section: Section) -> None:
    section.trailer, section.encode = PREDICTED.replace(b"12", b"15"), lambda rows: zlib.compress(differences(rows))


def wider_predicted_rows(section: Section) -> None:
    section.trailer, section.encode = PREDICTED.replace(b"7", b"8"), lambda rows: zlib.compress(differences(rows))


def cut_row(section: Section) -> None:
    section.trailer, section.encode = PREDICTED, lambda rows: zlib.compress(differences(rows)[:-1])


def bytes_behind_the_rows(section: Section) -> None:
    section.trailer, section.encode = PREDICTED, lambda rows: zlib.compress(differences(rows)) + b"hidden"


def wrong_check_sum_of_rows(section: Section) -> None:
    section.trailer, section.encode = PREDICTED, lambda rows: zlib.compress(differences(rows))[:-1] + b"!"


def endless_rows(section: Section) -> None:
    section.trailer, section.encode = PREDICTED, lambda rows: zlib.compress(differences(rows) + bytes(1_000_000))


def hybrid_section(section: Section) -> None:
    section.trailer = b"/XRefStm 15"


def encrypted(section: Section) -> None:
    section.trailer = b"/Encrypt 2 0 R"


def wider_rows(section: Section) -> None:
    section.widths, section.encode = b"[1 4 3]", lambda rows: b"".join(rows[at : at + 5] + b"\x00" + rows[at + 5 : at + 7] for at in range(0, len(rows), 7))


def one_row_too_many(section: Section) -> None:
    section.encode = lambda rows: rows + plain_row(15)


def section_that_is_not_listed(section: Section) -> None:
    section.rows[section.size] = plain_row(15)


def wrong_index_in_the_stream(section: Section) -> None:
    section.rows[FORM] = b"\x02\x00\x00\x00\x0b\x00\x00"


def object_of_an_unknown_kind(section: Section) -> None:
    section.rows[FORM] = b"\x03\x00\x00\x00\x0b\x00\x04"


def object_of_another_generation(section: Section) -> None:
    section.rows[CATALOG] = section.written()[0].index(b"1 0 obj").to_bytes(4, "big").join((b"\x01", b"\x00\x01"))


def comment_between_objects(section: Section) -> None:
    section.gaps[METADATA] = b"%hidden\n"


def earlier_section_of_a_body(section: Section) -> None:
    section.previous, section.rows[0] = 15, b"\x00\x00\x00\x00\x00\xff\xff"


def content_outside_of_the_file(section: Section) -> None:
    section.objects[RECORD] = stream(b"", b"/Type/EmbeddedFile/F(elsewhere.json)")


def hidden_object(section: Section) -> None:
    section.objects[section.size], section.size = b"<</Note(hidden)>>", section.size + 1


def hidden_packed_object(section: Section) -> None:
    section.packed[section.size], section.size = b"<</Note(hidden)>>", section.size + 1


def unused_object_stream(section: Section) -> None:
    section.objects[section.size], section.size = stream(b"5 0 <<>>", b"/Type/ObjStm/N 1/First 4"), section.size + 1
    section.packed[LAST_PAGE] = section.packed[LAST_PAGE][:-2] + b"/Spare %d 0 R>>" % (section.size - 1)


MALFORMED_BODIES: list[Change] = [
    object_in_two_places,
    plain_object_behind_a_packed_one,
    two_rows_one_offset,
    object_inside_of_another,
    object_behind_the_section,
    deflate_bomb,
    chained_object_streams,
    more_than_its_objects,
    bytes_behind_the_deflated_ones,
    cut_deflated_bytes,
    filtered_section,
    otherwise_predicted_rows,
    other_predictor,
    wider_predicted_rows,
    cut_row,
    bytes_behind_the_rows,
    wrong_check_sum_of_rows,
    endless_rows,
    hybrid_section,
    encrypted,
    wider_rows,
    one_row_too_many,
    section_that_is_not_listed,
    wrong_index_in_the_stream,
    object_of_an_unknown_kind,
    object_of_another_generation,
    comment_between_objects,
    earlier_section_of_a_body,
    unused_object_stream,
]


@pytest.mark.parametrize("change", MALFORMED_BODIES)
def test_body_that_two_readers_could_read_in_two_ways_is_refused(change: Change) -> None:
    """All three have signed it: their signatures cover every byte."""
    verdict = both(transcript(shared_pki(), record_bytes(), body=change))
    assert [finding.reason for finding in verdict.findings] == [Reason.MALFORMED]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (hidden_object, Reason.ACTIVE_CONTENT),
        (hidden_packed_object, Reason.ACTIVE_CONTENT),
        (endless_bomb, Reason.RECORD_MISSING),
        (content_outside_of_the_file, Reason.RECORD_MISSING),
    ],
)
def test_body_with_something_else_than_it_shows_is_refused(change: Change, reason: Reason) -> None:
    verdict = both(transcript(shared_pki(), record_bytes(), body=change))
    assert [finding.reason for finding in verdict.findings] == [reason]


def test_rows_that_are_deflated_as_a_whole_are_read_all_the_same() -> None:
    def change(section: Section) -> None:
        section.trailer, section.encode = PREDICTED, lambda rows: zlib.compress(differences(rows))

    assert both(transcript(shared_pki(), record_bytes(), body=change)).accepted


def test_object_that_something_refers_to_is_not_hidden() -> None:
    def used(section: Section) -> None:
        hidden_packed_object(section)
        section.packed[LAST_PAGE] = section.packed[LAST_PAGE][:-2] + b"/Spare %d 0 R>>" % (section.size - 1)

    assert both(transcript(shared_pki(), record_bytes(), body=used)).accepted


def object_stream_in_an_update(section: Section) -> None:
    number = FIELD_OF[ROLES[1]]
    section.packed[number] = section.objects.pop(number)


def loop_of_sections(section: Section) -> None:
    section.previous = section.written()[1]
    assert section.written()[1] == section.previous


def no_earlier_section(section: Section) -> None:
    section.previous = None


def earlier_section_left_out(section: Section) -> None:
    section.previous = int(section.before.split(b"startxref\n")[1].split(b"\n")[0])


@pytest.mark.parametrize(
    "change", [object_stream_in_an_update, loop_of_sections, no_earlier_section, earlier_section_left_out, filtered_section, deflate_rows, hybrid_section]
)
def test_update_that_two_readers_could_read_in_two_ways_is_refused(change: Change) -> None:
    verdict = both(transcript(shared_pki(), record_bytes(), principal=change))
    assert verdict.first is not None
    assert verdict.first.reason is Reason.MALFORMED


def repainted_page(section: Section) -> None:
    section.objects[LAST_PAGE] = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents %d 0 R/Annots[7 0 R 8 0 R 9 0 R]>>" % CONTENT


def hidden_addition(section: Section) -> None:
    section.objects[section.size], section.size = b"<</Note(hidden)>>", section.size + 1


def deleted_metadata(section: Section) -> None:
    section.rows[METADATA] = b"\x00\x00\x00\x00\x00\x00\x01"


def appearance_of_another_field(section: Section) -> None:
    number = FIELD_OF[ROLES[0]]
    section.objects[number] = widget(ROLES[0]) + b"/AP<</N %d 0 R>>/V 18 0 R>>" % (BODY_SECTION + 4)


@pytest.mark.parametrize("change", [repainted_page, hidden_addition, deleted_metadata, appearance_of_another_field])
@pytest.mark.parametrize("insider", ROLES[1:])
def test_signer_who_changes_more_than_the_own_field_is_found_out(change: Change, insider: str) -> None:
    reasons = {finding.reason for finding in both(transcript(shared_pki(), record_bytes(), **{insider: change})).findings}
    assert Reason.CHANGED_AFTER_SIGNING in reasons
    assert not reasons & {Reason.SIGNED_BYTES_DIFFER, Reason.COVERAGE_BROKEN, Reason.REVISION_UNSIGNED, Reason.MALFORMED}


def updated(data: bytes, objects: dict[int, bytes]) -> bytes:
    return forgeries.Update(data, objects).written()


def table_behind_streams(data: bytes) -> bytes:
    """A reader of tables and one of streams see two different documents."""
    return data + b"xref\n0 0\ntrailer\n<</Size 26/Root 1 0 R/Prev %d>>\nstartxref\n%d\n%%%%EOF\n" % (int(data.split()[-2]), len(data))


@pytest.mark.parametrize(
    ("forge", "reason"),
    [
        (forgeries.trailing_bytes, Reason.TRAILING_BYTES),
        (forgeries.cut_short, Reason.TRUNCATED),
        (forgeries.truncated_to_first_signature, Reason.SIGNATURE_MISSING),
        (forgeries.truncated_to_body, Reason.SIGNATURE_MISSING),
        (forgeries.zeroed_signature, Reason.SIGNATURE_INVALID),
        (forgeries.widened_gap, Reason.COVERAGE_BROKEN),
        (forgeries.shortened_range, Reason.COVERAGE_BROKEN),
        (forgeries.empty_update, Reason.REVISION_UNSIGNED),
        (table_behind_streams, Reason.MALFORMED),
        (lambda data: updated(data, {LAST_PAGE: b"<</Type/Page/Parent 2 0 R/Contents 12 0 R>>"}), Reason.REVISION_UNSIGNED),
        (lambda data: updated(data, {RECORD: stream(b"{}", b"/Type/EmbeddedFile")}), Reason.REVISION_UNSIGNED),
        (lambda data: updated(data, {FORM: b"<</Fields[7 0 R 8 0 R 9 0 R 30 0 R]>>", 30: b"<</FT/Sig/T(Moi)/F 4>>"}), Reason.FIELD_UNEXPECTED),
    ],
)
@pytest.mark.parametrize("kind", KINDS)
def test_forgery_without_a_key_is_refused_with_its_reason(kind: str, forge: Callable[[bytes], bytes], reason: Reason) -> None:
    verdict = both(forge(genuine(kind)))
    assert verdict.first is not None
    assert verdict.first.reason is reason, verdict.findings


def test_odd_digit_in_a_signature_is_refused_without_an_error() -> None:
    data = genuine()
    at = data.rindex(b">>>\nendobj")
    assert data[at - 1 : at] == b"0"
    assert not both(data[: at - 1] + b" " + data[at:]).accepted


def test_body_alone_is_no_transcript() -> None:
    assert {finding.reason for finding in both(body_section(record_bytes()).written()[0]).findings} >= {Reason.SIGNATURE_MISSING}
