"""The fast way says nothing that the full check wouldn't say: on genuine documents, and on thousands of changed ones."""

import random
import re
import zlib
from collections.abc import Iterator
from functools import lru_cache
from itertools import chain

import pytest

from services.archive.adapters.cms_containers import Container, Containers, Refused, parsed
from services.archive.adapters.cms_signatures import CmsSignatures
from services.archive.adapters.trust_store import trust_of
from services.archive.application.check_document import CheckDocument
from services.archive.domain.document import TRANSCRIPT
from services.archive.domain.examine import examine
from services.archive.domain.known_shapes import KnownShapes, ends_a_block
from services.archive.domain.pdf_file import open_pdf
from tests.support.packed_documents import LAST_PAGE, METADATA, Section, deflate_rows, plain_row, transcript
from tests.support.signed_documents import record_bytes, shared_pki, signed_transcript
from tests.unit.archive.test_packed_documents import DEFLATED, KINDS, LaterClock, genuine

SEED = 20260531


def learned(*documents: bytes, most: int = 8) -> KnownShapes:
    shapes = KnownShapes(TRANSCRIPT, most)
    for data in documents:
        shapes.learn(examine(data, TRANSCRIPT))
    return shapes


@lru_cache(maxsize=1)
def taught() -> KnownShapes:
    """What was learned from one document of each form."""
    return learned(genuine("ec"), genuine(DEFLATED))


def mutated(data: bytes, count: int, seed: int) -> Iterator[bytes]:
    """Changes of one byte anywhere, of a digit of a number, of lengths, and swaps of parts."""
    chance = random.Random(seed)  # a seed that is the same each time
    digits = [at for at, byte in enumerate(data) if 0x30 <= byte <= 0x39 and data[at - 1] not in b"<ABCDEF"]
    for number in range(count):
        changed = bytearray(data)
        match number % 5:
            case 0:
                changed[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
            case 1:
                changed[chance.choice(digits)] = chance.choice(b"0123456789 ")
            case 2:
                at = chance.randrange(len(data))
                changed[at:at] = data[(other := chance.randrange(len(data))) : other + chance.randrange(1, 40)]
            case 3:
                at = chance.randrange(len(data))
                del changed[at : at + chance.randrange(1, 40)]
            case _:
                first, second = sorted(chance.sample(range(len(data)), 2))
                length = chance.randrange(1, 60)
                changed[first : first + length], changed[second : second + length] = data[second : second + length], data[first : first + length]
        yield bytes(changed)


@pytest.mark.parametrize("kind", [*KINDS, DEFLATED])
def test_genuine_documents_are_read_as_the_full_examination_reads_them(kind: str) -> None:
    """Another record, other signers, other kinds of keys: all of it stands in holes."""
    for data in (genuine(kind), genuine(kind, version=2)):
        found = taught().examine(data)
        assert found is not None
        assert found == examine(data, TRANSCRIPT)


def test_what_the_fast_way_says_of_changed_documents_the_full_one_says_too() -> None:
    said = 0
    kinds = ("ec", 1), ("rsa", 2), (DEFLATED, 2)
    for data in chain.from_iterable(mutated(genuine(*kind), 500, SEED + index) for index, kind in enumerate(kinds)):
        found = taught().examine(data)
        if found is not None:
            said += 1
            assert found == examine(data, TRANSCRIPT)
    assert 30 < said < 1200, "the mutations should reach both sides"


@pytest.mark.parametrize("kind", ["ec", DEFLATED])
def test_every_number_that_is_read_is_read_as_the_full_examination_reads_it(kind: str) -> None:
    """Ranges, lengths and the way from section to section: each digit of each of them, one up."""
    data = genuine(kind)
    for number in re.finditer(rb"(?:/ByteRange|/Length|/Prev|/Size|startxref)\W[\d ]+", data):
        for at in (at for at in range(*number.span()) if 0x30 <= data[at] <= 0x39):
            changed = data[:at] + b"%d" % ((data[at] - 0x2F) % 10) + data[at + 1 :]
            found = taught().examine(changed)
            # The size that the attached file's dictionary tells is the only one of them that nothing reads.
            assert (found is not None) == data[: number.start()].endswith(b"/Params<<")
            assert found is None or found == examine(changed, TRANSCRIPT)


def test_verdicts_on_changed_documents_are_the_same_both_ways() -> None:
    trust = trust_of([shared_pki(kind).root.certificate for kind in KINDS])
    full = CheckDocument(TRANSCRIPT, CmsSignatures(lambda: trust, LaterClock()))  # type: ignore[arg-type]
    fast = CheckDocument(TRANSCRIPT, CmsSignatures(lambda: trust, LaterClock()), taught())  # type: ignore[arg-type]
    assert fast(genuine("ec")).accepted
    assert fast(genuine("rsa")).accepted
    for data in mutated(genuine("rsa", version=2), 60, SEED + 2):
        assert fast(data) == full(data)
    assert fast(genuine("rsa", version=2)) == full(genuine("rsa", version=2))


@pytest.mark.parametrize("kind", ["ec", DEFLATED])
def test_one_byte_that_differs_outside_of_the_holes_falls_back(kind: str) -> None:
    """Every byte before the first free stream, and every other byte that isn't in a hole of some kind."""
    data = genuine(kind)
    free = data.index(b"12 0 obj")
    for at in range(free):
        assert taught().examine(data[:at] + bytes((data[at] ^ 1,)) + data[at + 1 :]) is None
    for word in (b"/Perms", b"/DocMDP", b"/FieldMDP", b"/V ", b"/AP", b"/SubFilter", b"/Prev", b"/Index", b"/W[", b"/Root", b"/Size"):
        at = data.rindex(word) + 1
        assert taught().examine(data[:at] + bytes((data[at] ^ 1,)) + data[at + 1 :]) is None, word


def test_every_byte_of_deflated_rows_counts() -> None:
    data = genuine(DEFLATED)
    start = data.index(b"stream\n", open_pdf(data).revisions[0].section_at) + len(b"stream\n")
    for at in range(start, data.index(b"\nendstream", start)):
        assert taught().examine(data[:at] + bytes((data[at] ^ 1,)) + data[at + 1 :]) is None


def test_another_offset_with_a_right_check_sum_falls_back() -> None:
    def change(section: Section) -> None:
        deflate_rows(section)
        section.rows[METADATA] = plain_row(15)

    assert taught().examine(transcript(shared_pki(), record_bytes(), body=change)) is None


def test_what_known_rows_stand_before_is_a_block() -> None:
    """What a known shape computes may only stand where every reader looks for a stored block."""
    rows = bytes(range(80))
    deflater = zlib.compressobj()
    begun = deflater.compress(rows)
    aligned = begun + deflater.flush(zlib.Z_SYNC_FLUSH)
    stored = zlib.compress(rows + bytes(60), 0)
    within, behind = stored[: stored.index(rows) + len(rows)], zlib.compress(rows)
    for deflated, right in ((aligned, True), (aligned[:-1], False), (aligned[:-5], False), (within, False), (behind, False), (behind[:-4], False)):
        assert ends_a_block(deflated, zlib.adler32(rows), 10) == right
    assert not ends_a_block(aligned, zlib.adler32(rows), 9)
    assert not ends_a_block(aligned, zlib.adler32(rows) ^ 1, 10)


@pytest.mark.parametrize("kind", ["ec", DEFLATED])
def test_offsets_and_ranges_are_computed_not_believed(kind: str) -> None:
    data = genuine(kind)
    file = open_pdf(data)
    for revision in file.revisions:
        for offset in (value for value in revision.objects.values() if isinstance(value, int)):
            row = b"\x01" + offset.to_bytes(4, "big") + b"\x00\x00"
            at = data.find(row, revision.section_at)
            if at < 0:
                assert kind == DEFLATED, "only what is deflated can't be seen"
                continue
            assert taught().examine(data[: at + 4] + bytes((data[at + 4] ^ 1,)) + data[at + 5 :]) is None


def test_shape_with_something_wrong_is_not_learned() -> None:
    def hidden(section: Section) -> None:
        section.objects[section.size], section.size = b"<</Note(hidden)>>", section.size + 1

    data = transcript(shared_pki(), record_bytes(), body=hidden)
    assert learned(data).examine(data) is None


def test_document_with_invalid_signatures_teaches_nothing() -> None:
    strangers = trust_of([shared_pki("rsa").root.certificate])
    shapes = KnownShapes(TRANSCRIPT)
    assert not CheckDocument(TRANSCRIPT, CmsSignatures(lambda: strangers, LaterClock()), shapes)(genuine("ec")).accepted  # type: ignore[arg-type]
    assert shapes.examine(genuine("ec")) is None


def test_document_with_tables_is_examined_in_full_each_time() -> None:
    data = signed_transcript()
    assert learned(data).examine(data) is None


def with_annotated_page(text: bytes) -> bytes:
    def change(section: Section) -> None:
        section.packed[LAST_PAGE] = section.packed[LAST_PAGE][:-2] + b"/Note(%b)>>" % text

    return transcript(shared_pki(), record_bytes(), body=change)


def test_shapes_are_bounded_and_the_last_used_ones_stay() -> None:
    first, second, third = (with_annotated_page(text) for text in (b"one", b"two", b"three"))
    shapes = learned(first, second, most=2)
    assert shapes.examine(first) is not None
    shapes.learn(examine(third, TRANSCRIPT))
    assert [shapes.examine(data) is not None for data in (first, second, third)] == [True, False, True]


def containers_of(kind: str) -> list[bytes]:
    return [signature.contents for version in (1, 2) for signature in examine(genuine(kind, version), TRANSCRIPT).signatures]


def read_or_refused(read: object, contents: bytes) -> Container | str:
    try:
        return read(contents)  # type: ignore[operator,no-any-return]
    except Refused as refused:
        return str(refused)


@pytest.mark.parametrize("kind", KINDS)
def test_known_container_is_read_as_the_parser_reads_it(kind: str) -> None:
    containers = Containers()
    whole = containers_of(kind)
    for contents in whole:
        containers.learn(contents, parsed(contents))
    assert containers._known
    for contents in whole:
        assert containers.read(contents) == parsed(contents)
    for contents in mutated(whole[0].rstrip(b"\x00") + bytes(20), 200, SEED):
        assert read_or_refused(containers.read, contents) == read_or_refused(parsed, contents)


def test_containers_are_bounded() -> None:
    containers = Containers(most=2)
    for kind in KINDS:
        for contents in containers_of(kind):
            containers.learn(contents, parsed(contents))
    assert len(containers._known) == 2
