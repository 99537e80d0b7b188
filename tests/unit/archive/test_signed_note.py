"""Notes, checkpoints, cosignatures, policies and proof files: the published vectors, and everything that is refused."""

import base64
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.archive.adapters.note_keys import NoteSigner, new_key, read_signer, verifier_of
from services.archive.domain.checkpoint import Checkpoint
from services.archive.domain.log_proof import LogProof, check_checkpoint, check_proof
from services.archive.domain.merkle import inclusion_ranges, leaf_hash, node_hash, range_hash, root_of
from services.archive.domain.signed_note import COSIGNATURE_ED25519, COSIGNATURE_ML_DSA_44, ED25519, KeyText, NoteError, SignedNote, read_note, verified
from services.archive.domain.statement import FORM_OF_THE_REGISTER, Kind, Statement, document_of
from services.archive.domain.witness_policy import WitnessPolicy, read_policy

VKEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
NOTE = (
    "This is an example message.\n\n— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
).encode()
"""From C2SP's signed-note."""
ORIGIN = "hocba.example/archive/2026"
AT = datetime(2026, 5, 31, 10, tzinfo=UTC)
STATEMENTS = [Statement(Kind.ISSUE, f"PUBLIC{n}", 1, bytes([n]) * 32, b"c" * 32, None, "school", AT).canonical() for n in range(11)]


@pytest.fixture(scope="module")
def make_signer(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, int], NoteSigner]:
    def make(name: str, kind: int) -> NoteSigner:
        file = tmp_path_factory.mktemp("keys") / "key"
        file.write_text(new_key(name, kind))
        return read_signer(file)

    return make


@pytest.fixture(scope="module")
def log(make_signer: Callable[[str, int], NoteSigner]) -> NoteSigner:
    return make_signer(ORIGIN, ED25519)


@pytest.fixture(scope="module")
def witnesses(make_signer: Callable[[str, int], NoteSigner]) -> list[NoteSigner]:
    return [make_signer(f"witness-{n}.example", kind) for n, kind in enumerate((COSIGNATURE_ED25519, COSIGNATURE_ED25519, COSIGNATURE_ML_DSA_44))]


@pytest.fixture(scope="module")
def policy(log: NoteSigner, witnesses: list[NoteSigner]) -> WitnessPolicy:
    lines = [f"log {log.public.text}", *(f"witness W{n} {one.public.text} https://w{n}.example/" for n, one in enumerate(witnesses))]
    return read_policy("\n".join([*lines, "# two of three", "group enough 2 W0 W1 W2", "quorum enough"]))


def test_published_note_is_verified_by_its_published_key() -> None:
    key = verifier_of(KeyText.read(VKEY))
    assert key.key.text == VKEY
    note = read_note(NOTE)
    assert note.text == "This is an example message.\n"
    assert [one.name for one in verified(note, [key])] == ["example.com/foo"]
    assert note.encoded() == NOTE


def test_unknown_key_is_passed_over_and_a_known_one_must_verify(make_signer: Callable[[str, int], NoteSigner]) -> None:
    known = verifier_of(KeyText.read(VKEY))
    stranger = make_signer("example.com/stranger", ED25519)
    note = read_note(NOTE + stranger.sign("another text\n").line.encode())
    assert len(verified(note, [known])) == 1
    with pytest.raises(NoteError, match="stranger does not verify"):
        verified(note, [known, verifier_of(stranger.public)])
    # The same name with another key is another key.
    namesake = make_signer("example.com/foo", ED25519)
    assert verified(note, [verifier_of(namesake.public)]) == []


@given(st.integers(0, len(NOTE) * 8 - 1))
def test_any_bit_of_a_note_counts(at: int) -> None:
    changed = bytearray(NOTE)
    changed[at // 8] ^= 1 << at % 8
    try:
        found = verified(read_note(bytes(changed)), [verifier_of(KeyText.read(VKEY))])
    except NoteError:
        return
    # What isn't refused names another key, or is the same signature in other base64 padding bits, which the decoder would refuse.
    assert found == []


@given(st.binary(max_size=200))
def test_whatever_is_no_note_is_refused_and_nothing_else_is_raised(data: bytes) -> None:
    for read in (read_note, LogProof.read):
        try:
            read(data)
        except NoteError:
            continue


@pytest.mark.parametrize(
    "note",
    [
        b"",
        b"text\n",
        b"text\n\n",
        b"text\n\n- name AAAAAAAA\n",
        "text\n\n— name\n".encode(),
        "text\n\n— name !!\n".encode(),
        "te\txt\n\n— n AAAAAAAA\n".encode(),
        "text\n\n— n AAAAAAAA".encode(),
        "text\n\n— na+me AAAAAAAA\n".encode(),
        "text\n\n— n AAAA\n".encode(),
        b"\xff\n\n",
        b"text\n\n" + "— n AAAAAAAA\n".encode() * 65,
    ],
)
def test_malformed_notes(note: bytes) -> None:
    with pytest.raises(NoteError):
        read_note(note)


def test_text_ends_at_the_last_blank_line(log: NoteSigner) -> None:
    text = "one\n\ntwo\n"
    note = read_note(SignedNote(text, (log.sign(text),)).encoded())
    assert note.text == text
    assert len(verified(note, [verifier_of(log.public)])) == 1


@pytest.mark.parametrize("text", ["", "name", "name+00", VKEY.replace("530d903a", "530d903b"), VKEY.replace("foo", "bar"), "a b+530d903a+AQ==", VKEY + "="])
def test_malformed_keys(text: str) -> None:
    with pytest.raises(NoteError):
        verifier_of(KeyText.read(text))


def test_private_key_whose_id_is_anothers_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(new_key("a.example", ED25519).replace("+a.example+", "+b.example+"))
    with pytest.raises(NoteError, match="id that it names"):
        read_signer(file)
    file.write_text(VKEY)
    with pytest.raises(NoteError, match="PRIVATE"):
        read_signer(file)
    with pytest.raises(NoteError, match="can't be read"):
        read_signer(tmp_path / "missing")


def test_log_signatures_repeat_exactly(log: NoteSigner) -> None:
    assert log.sign("text\n") == log.sign("text\n")


@pytest.mark.parametrize("number", [0, 2])
def test_cosignature_binds_text_and_time(witnesses: list[NoteSigner], number: int) -> None:
    one, checkpoint = witnesses[number], Checkpoint(ORIGIN, 7, bytes(32))
    made = one.cosign(checkpoint, 1_780_221_600)
    key = verifier_of(one.public)
    assert key.verifies(checkpoint.text, made.signature)
    assert not key.verifies(Checkpoint(ORIGIN, 8, bytes(32)).text, made.signature)
    assert not key.verifies(checkpoint.text, (1_780_221_601).to_bytes(8, "big") + made.signature[8:])
    assert not key.verifies(checkpoint.text, made.signature[:8])
    with pytest.raises(NoteError, match="cosigns"):
        one.sign(checkpoint.text)


def test_checkpoint_reads_what_it_writes() -> None:
    checkpoint = Checkpoint(ORIGIN, 20_852_163, bytes(range(32)))
    assert checkpoint.text == f"{ORIGIN}\n20852163\n{base64.b64encode(bytes(range(32))).decode()}\n"
    extended = Checkpoint.read(checkpoint.text + "extension\n")
    assert Checkpoint.read(checkpoint.text) == replace(extended, extensions=()) == checkpoint
    assert extended.text == checkpoint.text + "extension\n"


@pytest.mark.parametrize(
    "text", ["", "o\n1\n", "o\n01\nAA==\n", "o\n-1\n" + "A" * 43 + "=\n", "o+p\n1\n" + "A" * 43 + "=\n", "o\n1\nAA==\n", "o\n1\n" + "A" * 43 + "=\n\nx\n"]
)
def test_malformed_checkpoints(text: str) -> None:
    with pytest.raises(NoteError):
        Checkpoint.read(text)


def test_policy_counts_witnesses_and_groups_of_them(policy: WitnessPolicy) -> None:
    assert policy.satisfied({"W0", "W2"})
    assert not policy.satisfied({"W1"})
    assert not policy.satisfied({"enough", "X"})
    assert policy.witnesses[0].url == "https://w0.example"
    nested = [f"log {policy.log.text}", *(f"witness W{n} {one.key.text}" for n, one in enumerate(policy.witnesses))]
    both = read_policy("\n".join([*nested, "group a any W0 W1", "group b all a W2", "quorum b"]))
    assert both.satisfied({"W1", "W2"})
    assert not both.satisfied({"W0", "W1"})
    assert read_policy("\n".join([*nested, "quorum none"])).satisfied(set())


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ("", "one line `log`"),
        ("log {0}\nlog {0}\nquorum none", "one line `log`"),
        ("log {0}\nquorum W", "line 2"),
        ("log {0}\nwitness W {0}\nwitness W {0}\nquorum W", "line 3: the name W is taken"),
        ("log {0}\nwitness W {0}\ngroup g 2 W\nquorum g", "2 of 1"),
        ("log {0}\ngroup g 1 W\nquorum g", "nobody before"),
        ("log {0}\nwitness W {0}\ngroup g 1 W W\nquorum g", "twice"),
        ("log nonsense\nquorum none", "line 1"),
        ("log {0}\nnonsense\nquorum none", "line 2: no line of a policy"),
    ],
)
def test_malformed_policies(lines: str, why: str) -> None:
    with pytest.raises(NoteError, match=why):
        read_policy(lines.format(VKEY))


def node(level: int, index: int) -> bytes:
    return leaf_hash(STATEMENTS[index]) if level == 0 else node_hash(node(level - 1, 2 * index), node(level - 1, 2 * index + 1))


def proof_of(log: NoteSigner, witnesses: list[NoteSigner], index: int = 6) -> LogProof:
    checkpoint = Checkpoint(log.public.name, len(STATEMENTS), root_of([leaf_hash(one) for one in STATEMENTS]))
    note = SignedNote(checkpoint.text, (log.sign(checkpoint.text), *(one.cosign(checkpoint, 1_780_221_600) for one in witnesses)))
    path = tuple(range_hash(node, leaves) for leaves in inclusion_ranges(index, checkpoint.size))
    return LogProof(STATEMENTS[index], index, path, note.encoded())


def test_proof_file_proves_its_statement_offline(log: NoteSigner, witnesses: list[NoteSigner], policy: WitnessPolicy) -> None:
    told = proof_of(log, witnesses).encoded()
    assert told.startswith(b"c2sp.org/tlog-proof@v1\nextra ")
    proof = LogProof.read(told)
    assert proof.encoded() == told
    leaf = check_proof(proof, policy, verifier_of)
    assert (leaf.statement, leaf.index, leaf.checkpoint.size, leaf.witnesses) == (STATEMENTS[6], 6, 11, ("W0", "W1", "W2"))


def test_proof_without_enough_witnesses_or_of_another_log_is_none(
    log: NoteSigner, witnesses: list[NoteSigner], policy: WitnessPolicy, make_signer: Callable[[str, int], NoteSigner]
) -> None:
    with pytest.raises(NoteError, match="isn't final: cosigned by W1"):
        check_proof(proof_of(log, witnesses[1:2]), policy, verifier_of)
    # One witness twice is one witness.
    with pytest.raises(NoteError, match="isn't final"):
        check_proof(proof_of(log, [witnesses[1], witnesses[1]]), policy, verifier_of)
    with pytest.raises(NoteError, match="has not signed"):
        check_proof(proof_of(make_signer(ORIGIN, ED25519), witnesses), policy, verifier_of)
    other = read_policy(f"log {log.public.text}\nquorum none")
    text = Checkpoint("another.example", 1, bytes(32)).text
    with pytest.raises(NoteError, match=r"one of another\.example"):
        check_checkpoint(SignedNote(text, (log.sign(text),)), other, verifier_of)


def test_any_other_leaf_index_or_path_proves_nothing(log: NoteSigner, witnesses: list[NoteSigner], policy: WitnessPolicy) -> None:
    good = proof_of(log, witnesses)
    for bad in (
        LogProof(STATEMENTS[5], good.index, good.path, good.checkpoint),
        LogProof(good.statement, 5, good.path, good.checkpoint),
        LogProof(good.statement, good.index, good.path[:-1], good.checkpoint),
        LogProof(good.statement, good.index, (bytes(32), *good.path[1:]), good.checkpoint),
        LogProof(good.statement, 11, good.path, good.checkpoint),
    ):
        with pytest.raises(NoteError, match="path"):
            check_proof(LogProof.read(bad.encoded()), policy, verifier_of)


def test_statement_reads_what_it_writes() -> None:
    statement = Statement(Kind.SUPERSEDE, "AEBAG", 2, b"\x01" * 32, b"\x02" * 32, b"\x03" * 32, "5ad6a2e5", AT)
    told = statement.canonical()
    assert told == b"hocba/leaf/1\nsupersede\nAEBAG\n2\n" + b"01" * 32 + b"\n" + b"02" * 32 + b"\n" + b"03" * 32 + b"\n5ad6a2e5\n1780221600\n"
    assert Statement.read(told) == statement
    assert document_of(told) == "01" * 32
    assert document_of(told.replace(b"hocba/leaf/1", FORM_OF_THE_REGISTER.encode())) == "01" * 32
    assert document_of(b"another\nform\n") == ""


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        (b"\n2\n", b"\n02\n"),
        (b"\n2\n", b"\nx\n"),
        (b"supersede", b"Supersede"),
        (b"leaf/1", b"leaf/2"),
        (b"AEBAG", b""),
        (b"01" * 32, b"01" * 31),
        (b"600\n", b"600"),
    ],
)
def test_statement_has_one_form(was: bytes, becomes: bytes) -> None:
    told = Statement(Kind.REVOKE, "AEBAG", 2, b"\x01" * 32, b"\x02" * 32, None, "5ad6a2e5", AT).canonical().replace(b"revoke", b"supersede")
    assert was in told
    with pytest.raises(ValueError):
        Statement.read(told.replace(was, becomes))
