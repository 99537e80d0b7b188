"""Revisions appended to a file: a reader that isn't ours finds the objects, and the tip is found again."""

import io

import pikepdf
import pytest

from services.signing.adapters.increments import NotOurs, PackedRows, Tip, appended, first_references, plain_row, runs_of, tip_of
from services.signing.adapters.pdf_revisions import check_layout, revisions_of
from services.signing.domain.verdict import NotAsIntended

ID = b"0123456789ABCDEF" * 2


def a_file() -> bytes:
    body = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"
    rows = []
    for number, text in enumerate([b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[]/Count 0>>"], start=1):
        rows.append(plain_row(len(body)))
        body += b"%d 0 obj\n%b\nendobj\n" % (number, text)
    shared = PackedRows.of([b"\x00\x00\x00\x00\x00\xff\xff", rows[0]])
    return body + first_references(3, shared, rows[1:], 1, ID, len(body))


def test_another_reader_finds_what_was_appended_and_the_tip_is_found_again() -> None:
    base = a_file()
    assert tip_of(base) == Tip(len(base), base.rindex(b"3 0 obj"), 4, 1, ID)
    first, tip = appended(tip_of(base), [(4, b"(new)"), (1, b"<</Type/Catalog/Pages 2 0 R/New 4 0 R>>")])
    second, last = appended(tip, [(6, b"(newer)"), (1, b"<</Type/Catalog/Pages 2 0 R/New 6 0 R>>")])
    whole = base + first + second
    assert tip_of(base + first) == tip
    assert tip_of(whole) == last
    with pikepdf.open(io.BytesIO(whole)) as pdf:
        assert pdf.check_pdf_syntax() == []
        assert str(pdf.Root.New) == "newer"
    with pikepdf.open(io.BytesIO(base + first)) as pdf:
        assert str(pdf.Root.New) == "new"


def test_rows_are_read_as_they_were_written_deflated_or_plain() -> None:
    """Pages that were made before rows were deflated are signed and checked like others."""
    base = a_file()
    rows = [b"\x00\x00\x00\x00\x00\xff\xff", *(plain_row(base.index(b"%d 0 obj" % number)) for number in (1, 2, 3))]
    start = base.index(b"3 0 obj")
    end = b"\nendstream\nendobj\nstartxref\n%d\n%%%%EOF\n" % start
    plain = base[:start] + b"3 0 obj\n<</Type/XRef/Size 4/Root 1 0 R/ID[<%b><%b>]/W[1 4 2]/Index[0 4]/Length 28>>\nstream\n%b%b" % (ID, ID, b"".join(rows), end)
    assert tip_of(plain) == Tip(len(plain), start, 4, 1, ID)
    for file in (base, plain):
        (revision,) = revisions_of(file)
        assert revision.rows == b"".join(rows)
        check_layout(file, revision)
        assert len(revisions_of(file + appended(tip_of(file), [(4, b"(new)")])[0])) == 2


def test_every_byte_of_deflated_rows_counts() -> None:
    base = a_file()
    begin = base.index(b"stream\n") + len(b"stream\n")
    for at in range(begin, base.index(b"\nendstream", begin)):
        with pytest.raises(NotAsIntended):
            _ = revisions_of(base[:at] + bytes((base[at] ^ 1,)) + base[at + 1 :])[0].objects


def test_rows_that_say_the_same_of_their_revision_are_known_again_and_no_others() -> None:
    base = a_file()
    longer, moved = appended(tip_of(base), [(1, b"<</Type/Catalog/Pages 2 0 R/Much (more)>>")])
    early, late = (
        revisions_of(start + appended(tip_of(start), [(2, b"<</Type/Pages/Kids[]/Count 0>>"), (9, b"(new)")])[0])[-1] for start in (base, base + longer)
    )
    assert (early.start, late.start) == (len(base), moved.length)
    assert early.relative_rows == late.relative_rows
    for at in range(len(late.rows)):
        changed = late.rows[:at] + bytes((late.rows[at] ^ 1,)) + late.rows[at + 1 :]
        assert late._replace(rows=changed).relative_rows != late.relative_rows
    # A row more, of kind 0 and where the revision begins, would add nothing to the number.
    assert late._replace(rows=b"\x00%b\x00\x00%b" % (late.start.to_bytes(4, "big"), late.rows)).relative_rows != late.relative_rows


def test_what_stands_between_two_revisions_is_found() -> None:
    base = a_file()
    hidden = b"%hidden\n"
    tip = tip_of(base)
    revision, _ = appended(tip._replace(length=tip.length + len(hidden)), [(4, b"(new)")])
    whole = base + hidden + revision
    with pytest.raises(NotAsIntended, match="doesn't stand at byte"):
        check_layout(whole, revisions_of(whole)[-1])


def test_index_groups_neighbours() -> None:
    assert runs_of([4]) == "4 1"
    assert runs_of([1, 4, 5, 9]) == "1 1 4 2 9 1"


@pytest.mark.parametrize("wrong", [b"", b"%PDF-1.7\n", a_file() + b"\n", a_file()[:-1], a_file().replace(b"/XRef", b"/XReg")])
def test_a_file_that_ends_otherwise_is_not_ours(wrong: bytes) -> None:
    with pytest.raises(NotOurs):
        tip_of(wrong)
