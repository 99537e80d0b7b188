"""A witness by the protocol's letter: what it cosigns, what it refuses and how, and that it never forgets."""

import base64
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from services.archive.adapters.note_keys import NoteSigner, new_key, read_signer, verifier_of
from services.archive.domain.checkpoint import Checkpoint
from services.archive.domain.merkle import consistency_ranges, leaf_hash, node_hash, range_hash, root_of
from services.archive.domain.signed_note import COSIGNATURE_ED25519, COSIGNATURE_ML_DSA_44, ED25519, NoteError, SignedNote, read_signature
from services.witness.ledger import Ledger
from services.witness.witnessing import Answer, Witnessing

AT = datetime(2026, 6, 30, 12, tzinfo=UTC)
LEAVES = [leaf_hash(bytes([number])) for number in range(40)]
FORKED = [*LEAVES[:5], leaf_hash(b"another"), *LEAVES[6:]]


def signer(folder: Path, name: str, kind: int = ED25519) -> NoteSigner:
    file = folder / name.replace("/", "_")
    if not file.exists():
        file.write_text(new_key(name, kind))
    return read_signer(file)


@pytest.fixture(params=[COSIGNATURE_ED25519, COSIGNATURE_ML_DSA_44], ids=["ed25519", "ml-dsa-44"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Witnessing]]:
    """Starts the witness; starting it again ends the one before."""
    running: list[Witnessing] = []

    def start() -> Witnessing:
        if running:
            running[-1].ledger.close()
        log = signer(tmp_path, "log.example/1").public
        running.append(Witnessing({log.name: log}, signer(tmp_path, "witness.example", request.param), Ledger.open(tmp_path / "state"), lambda: AT))
        return running[-1]

    yield start
    running[-1].ledger.close()


def node(leaves: list[bytes], level: int, index: int) -> bytes:
    return leaves[index] if level == 0 else node_hash(node(leaves, level - 1, 2 * index), node(leaves, level - 1, 2 * index + 1))


def question(folder: Path, old: int, new: int, leaves: list[bytes] = LEAVES, *, origin: str = "log.example/1", path: list[bytes] | None = None) -> bytes:
    checkpoint = Checkpoint(origin, new, root_of(leaves[:new]))
    if path is None:
        path = [range_hash(partial(node, leaves), one) for one in consistency_ranges(old, new)] if old <= new else []
    lines = [f"old {old}", *(base64.b64encode(one).decode() for one in path), ""]
    note = SignedNote(checkpoint.text, (signer(folder, origin).sign(checkpoint.text),)).encoded()
    return "".join(f"{line}\n" for line in lines).encode() + note


def cosigns(witnessing: Witnessing, answer: Answer, size: int) -> bool:
    signature = read_signature(answer.body.removesuffix("\n"))
    text = Checkpoint("log.example/1", size, root_of(LEAVES[:size])).text
    return answer.status == 200 and verifier_of(witnessing.signer.public).verifies(text, signature.signature)


def test_it_cosigns_what_continues(make: Callable[[], Witnessing], tmp_path: Path) -> None:
    witnessing = make()
    for old, new in ((0, 5), (5, 5), (5, 6), (6, 37)):
        assert cosigns(witnessing, witnessing.add_checkpoint(question(tmp_path, old, new)), new)
        assert witnessing.ledger.last("log.example/1").size == new


def test_it_remembers_after_a_restart_and_says_where_the_proof_must_begin(make: Callable[[], Witnessing], tmp_path: Path) -> None:
    make().add_checkpoint(question(tmp_path, 0, 20))
    again = make()
    assert again.add_checkpoint(question(tmp_path, 0, 30)) == Answer(409, "20\n", is_size=True)
    assert again.add_checkpoint(question(tmp_path, 10, 15)) == Answer(409, "20\n", is_size=True)
    assert again.add_checkpoint(question(tmp_path, 20, 30)).status == 200


@pytest.mark.parametrize(
    ("old", "new", "path", "status"),
    [(20, 30, [], 422), (20, 30, [bytes(32)] * 5, 422), (20, 20, [bytes(32)], 422), (21, 20, None, 400), (0, 20, None, 409)],
)
def test_what_does_not_continue_is_refused_and_moves_nothing(
    make: Callable[[], Witnessing], tmp_path: Path, old: int, new: int, path: list[bytes] | None, status: int
) -> None:
    witnessing = make()
    witnessing.add_checkpoint(question(tmp_path, 0, 20))
    assert witnessing.add_checkpoint(question(tmp_path, old, new, path=path)).status == status
    assert witnessing.ledger.last("log.example/1") == Checkpoint("log.example/1", 20, root_of(LEAVES[:20]))


def test_a_fork_is_refused_and_kept_as_evidence(make: Callable[[], Witnessing], tmp_path: Path) -> None:
    witnessing = make()
    witnessing.add_checkpoint(question(tmp_path, 0, 20))
    assert witnessing.add_checkpoint(question(tmp_path, 20, 30, FORKED)).status == 422
    assert witnessing.add_checkpoint(question(tmp_path, 20, 20, FORKED)).status == 422
    [kept] = (tmp_path / "state").glob("*.fork-20-*")
    assert kept.read_bytes() in question(tmp_path, 20, 20, FORKED)


def extended(folder: Path, old: int, line: str) -> bytes:
    """The question about 20 leaves of a log that writes a line behind its root."""
    checkpoint = Checkpoint("log.example/1", 20, root_of(LEAVES[:20]), (line,))
    return f"old {old}\n\n".encode() + SignedNote(checkpoint.text, (signer(folder, "log.example/1").sign(checkpoint.text),)).encoded()


def test_extension_lines_are_cosigned_with_the_rest_and_never_two_for_one_size(make: Callable[[], Witnessing], tmp_path: Path) -> None:
    witnessing = make()
    answer = witnessing.add_checkpoint(extended(tmp_path, 0, "status one"))
    signature, text = read_signature(answer.body.removesuffix("\n")), Checkpoint("log.example/1", 20, root_of(LEAVES[:20]), ("status one",)).text
    assert verifier_of(witnessing.signer.public).verifies(text, signature.signature)
    again = make()
    assert again.add_checkpoint(extended(tmp_path, 20, "status one")).status == 200
    assert again.add_checkpoint(extended(tmp_path, 20, "status two")).status == 422
    assert again.add_checkpoint(question(tmp_path, 20, 20)).status == 422
    assert list((tmp_path / "state").glob("*.fork-20-*"))


def test_strangers(make: Callable[[], Witnessing], tmp_path: Path) -> None:
    witnessing = make()
    assert witnessing.add_checkpoint(question(tmp_path, 0, 3, origin="log.example/2")).status == 404
    (tmp_path / "log.example_1").unlink()  # Another key under the same name.
    assert witnessing.add_checkpoint(question(tmp_path, 0, 3)).status == 403
    forged = bytearray(question(tmp_path, 0, 3))
    forged[-30] = ord("A") if forged[-30] != ord("A") else ord("B")
    assert witnessing.add_checkpoint(bytes(forged)).status in (400, 403)


@pytest.mark.parametrize("body", [b"", b"old 0\n", b"old x\n\n", b"new 0\n\n", b"old 0\nnonsense\n\no\n1\n", b"\xff\n\n", b"old 00\n\n"])
def test_nonsense(make: Callable[[], Witnessing], body: bytes) -> None:
    assert make().add_checkpoint(body).status == 400


def test_more_hashes_than_any_proof_has(make: Callable[[], Witnessing], tmp_path: Path) -> None:
    assert make().add_checkpoint(question(tmp_path, 0, 3, path=[bytes(32)] * 64)).status == 400


def test_the_empty_tree_has_one_root(make: Callable[[], Witnessing], tmp_path: Path) -> None:
    witnessing = make()
    assert witnessing.add_checkpoint(question(tmp_path, 0, 0)).status == 200
    note = question(tmp_path, 0, 0).replace(b"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", base64.b64encode(bytes(32)))
    assert witnessing.add_checkpoint(note).status == 403
    # Signed by the log, and still wrong.
    checkpoint = Checkpoint("log.example/1", 0, bytes(32))
    signed = SignedNote(checkpoint.text, (signer(tmp_path, "log.example/1").sign(checkpoint.text),)).encoded()
    assert witnessing.add_checkpoint(b"old 0\n\n" + signed).status == 422


def test_it_writes_down_before_it_cosigns(make: Callable[[], Witnessing], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    witnessing = make()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        witnessing.add_checkpoint(question(tmp_path, 0, 20))
    monkeypatch.undo()
    assert witnessing.ledger.last("log.example/1").size == 0


def test_a_ledger_that_cannot_be_read_is_not_forgotten(make: Callable[[], Witnessing], tmp_path: Path) -> None:
    witnessing = make()
    witnessing.add_checkpoint(question(tmp_path, 0, 20))
    [file] = (tmp_path / "state").glob("*.checkpoint")
    file.write_text("")
    with pytest.raises(NoteError):
        witnessing.add_checkpoint(question(tmp_path, 0, 20))


def test_one_process_holds_a_ledger(make: Callable[[], Witnessing], tmp_path: Path) -> None:
    make()
    with pytest.raises(BlockingIOError):
        Ledger.open(tmp_path / "state")
