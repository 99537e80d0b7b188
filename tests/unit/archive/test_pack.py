"""Packs: the same bytes for the same documents, each readable by its range."""

import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.archive.domain.pack import UnreadablePack, build_pack, read_pack

DOCUMENTS = st.dictionaries(st.from_regex(r"[a-f0-9]{8}-v[1-9]\.pdf", fullmatch=True), st.binary(max_size=200), min_size=1, max_size=6)


@given(DOCUMENTS)
def test_pack_reads_back_and_each_range_is_its_document(documents: dict[str, bytes]) -> None:
    pack = build_pack(documents)
    assert read_pack(pack.data) == documents
    for name, place in pack.places.items():
        assert pack.data[place.offset : place.offset + place.size] == documents[name]


@given(DOCUMENTS)
def test_pack_does_not_depend_on_the_order_of_its_documents(documents: dict[str, bytes]) -> None:
    backwards = dict(reversed(documents.items()))
    assert build_pack(documents).data == build_pack(backwards).data


def test_pack_is_named_by_year_and_digest() -> None:
    pack = build_pack({"a-v1.pdf": b"x"})
    assert pack.object_name(2025) == f"packs/2025/{pack.digest.hex()[:2]}/{pack.digest.hex()}.zip"


def test_compressed_entry_is_refused() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a-v1.pdf", b"x" * 1000)
    with pytest.raises(UnreadablePack, match="compressed"):
        read_pack(out.getvalue())


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_entry_that_stands_twice_is_refused() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a-v1.pdf", b"x")
        archive.writestr("a-v1.pdf", b"y")
    with pytest.raises(UnreadablePack, match="twice"):
        read_pack(out.getvalue())


@given(st.binary(max_size=300))
def test_anything_else_is_refused_without_another_error(noise: bytes) -> None:
    with pytest.raises(UnreadablePack):
        read_pack(noise)
