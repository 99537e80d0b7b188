"""The status list: bits, chunks, paths, and everything about its proof that is refused."""

import base64
import random
import zlib
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.archive.domain.checkpoint import Checkpoint
from services.archive.domain.merkle import leaf_hash
from services.archive.domain.signed_note import NoteError
from services.archive.domain.statement import FORM_OF_THE_REGISTER, Kind, Statement
from services.archive.domain.status_list import (
    CHUNK_BYTES,
    CHUNK_LEAVES,
    EMPTY_CHUNK,
    Mark,
    StatusList,
    StatusProof,
    by_chunk,
    document_in,
    mark_at,
    marked,
    said,
    status_root,
)

SIZE = 5 * CHUNK_LEAVES + 17
AT = datetime(2026, 6, 1, tzinfo=UTC)


def statement(kind: Kind, sha256: bytes = b"a" * 32, previous: bytes | None = None) -> bytes:
    return Statement(kind, "PUBLIC", 1, sha256, b"c" * 32, previous, "school", AT).canonical()


def listed(marks: dict[int, int], size: int = SIZE) -> tuple[StatusList, dict[int, bytes], Checkpoint]:
    chunks = {number: marked(EMPTY_CHUNK, of_chunk) for number, of_chunk in by_chunk(marks).items()}
    whole = StatusList().grown(size, chunks)
    return whole, chunks, Checkpoint("log.example", size, bytes(32), (whole.line,))


def proof_of(whole: StatusList, chunks: dict[int, bytes], index: int) -> StatusProof:
    number = index // CHUNK_LEAVES
    return StatusProof(chunks.get(number, EMPTY_CHUNK), whole.path(number))


@given(st.dictionaries(st.integers(0, SIZE - 1), st.sampled_from([1, 2, 3]), max_size=20), st.integers(0, SIZE - 1))
def test_what_was_marked_is_proven_and_nothing_else(marks: dict[int, int], index: int) -> None:
    whole, chunks, checkpoint = listed(marks)
    for place in (index, *marks):
        proof = StatusProof.read(proof_of(whole, chunks, place).encoded())
        assert proof.mark(place, checkpoint) == Mark(marks.get(place, 0))


def test_a_list_grows_to_what_it_is_when_made_at_once() -> None:
    rng = random.Random(4)
    marks = {rng.randrange(SIZE): rng.choice((1, 2, 3)) for _ in range(40)}
    grown, bits = StatusList(), dict[int, bytes]()
    for number, (place, mark) in enumerate(marks.items(), 1):
        size = SIZE * number // 40
        chunk = place // CHUNK_LEAVES
        grown = grown.grown(max(size, (chunk + 1) * CHUNK_LEAVES if len(grown.chunks) <= chunk else size), {})
        bits[chunk] = marked(bits.get(chunk, EMPTY_CHUNK), {place % CHUNK_LEAVES: mark})
        grown = grown.grown(size, {chunk: bits[chunk]})
    assert grown.grown(SIZE, {}) == listed(marks)[0]
    assert StatusList.read(grown.encoded()) == grown


def test_bits_lie_as_in_a_token_status_list() -> None:
    bits = marked(EMPTY_CHUNK, {0: 1, 3: 2, 4: 3})
    assert (bits[:2].hex(), [int(mark_at(bits, place)) for place in range(6)]) == ("8103", [1, 0, 0, 2, 3, 0])


def test_statements_mark_the_document_that_they_name() -> None:
    assert said(statement(Kind.SUPERSEDE, b"b" * 32, b"a" * 32)) == (b"a" * 32, Mark.SUPERSEDED)
    assert said(statement(Kind.REVOKE)) == (b"a" * 32, Mark.REVOKED)
    assert said(statement(Kind.SUPERSEDE)) is None
    for kind in (Kind.ISSUE, Kind.SHEET, Kind.EVIDENCE):
        assert said(statement(kind)) is None
    assert {kind for kind in Kind if document_in(statement(kind))} == {Kind.ISSUE, Kind.SUPERSEDE, Kind.SHEET}
    of_the_register = statement(Kind.ISSUE).replace(b"hocba/leaf/1", FORM_OF_THE_REGISTER.encode())
    assert (said(of_the_register), document_in(of_the_register), said(b"late"), document_in(b"hocba/leaf/1\nissue\n")) == (None, None, None, None)


def test_a_proof_of_another_place_list_or_size_shows_nothing() -> None:
    whole, chunks, checkpoint = listed({7: 1})
    proof = proof_of(whole, chunks, 7)
    other = Checkpoint("log.example", SIZE, bytes(32), (listed({8: 1})[0].line,))
    for index, head in (
        (CHUNK_LEAVES, checkpoint),
        (7, other),
        (7, Checkpoint("log.example", SIZE, bytes(32))),
        (7, Checkpoint("log.example", 7, bytes(32), (whole.line,))),
    ):
        with pytest.raises(NoteError, match="doesn't lead"):
            proof.mark(index, head)
    with pytest.raises(NoteError, match="one status list"):
        status_root(Checkpoint("log.example", 1, bytes(32), (whole.line, whole.line)))


@pytest.mark.parametrize(
    "chunk",
    [
        zlib.compress(EMPTY_CHUNK[:-1]),
        zlib.compress(EMPTY_CHUNK + b"\0"),
        zlib.compress(bytes(1 << 28)),
        zlib.compress(EMPTY_CHUNK)[:-1],
        zlib.compress(EMPTY_CHUNK) + b"x",
        b"no zlib",
    ],
)
def test_a_chunk_of_another_size_is_none(chunk: bytes) -> None:
    with pytest.raises(NoteError, match="chunk"):
        StatusProof.read(b"hocba/status-proof/1\nchunk " + base64.b64encode(chunk) + b"\n")


@pytest.mark.parametrize("data", [b"", b"\xff", b"hocba/status-proof/1\n", b"hocba/status-proof/2\nchunk AA==\n", b"hocba/status-proof/1\nchunk AA==\nAA==\n"])
def test_what_is_no_proof(data: bytes) -> None:
    with pytest.raises(NoteError):
        StatusProof.read(data)


@given(st.integers(0, 7), st.data())
def test_a_flipped_bit_is_refused_or_claims_the_same(bit: int, data: st.DataObject) -> None:
    whole, chunks, checkpoint = listed({7: 1, CHUNK_LEAVES * 3: 2})
    told = bytearray(proof_of(whole, chunks, 7).encoded())
    at = data.draw(st.integers(0, len(told) - 1))
    told[at] ^= 1 << bit
    try:
        assert StatusProof.read(bytes(told)).mark(7, checkpoint) == Mark.SUPERSEDED
    except NoteError:
        return


def test_an_empty_chunk_is_short_to_hand_out() -> None:
    assert len(StatusProof(EMPTY_CHUNK, ()).encoded()) < 120
    assert (len(EMPTY_CHUNK), len(leaf_hash(EMPTY_CHUNK))) == (CHUNK_BYTES, 32)
