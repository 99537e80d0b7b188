"""What is fuzzed: everything that reads bytes which somebody else may have written.

A target takes any bytes. It raises only where a reader has broken its promise: by an error that isn't on its closed list, by two ways of
asking that don't agree, or by taking for good what nobody has signed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from services.archive.adapters.cms_containers import Containers, Refused, parsed, parsed_token
from services.archive.adapters.cms_signatures import CmsSignatures
from services.archive.adapters.evidence_records import decode, encode
from services.archive.adapters.evidence_tokens import TrustedTokens
from services.archive.adapters.note_keys import verifier_of
from services.archive.adapters.record_tables import xml_table
from services.archive.adapters.trust_store import read_algorithms, trust_of
from services.archive.application.check_document import CheckDocument
from services.archive.domain.checkpoint import Checkpoint
from services.archive.domain.class_sheets import UNREADABLE, proofs_of, read_sheet_facts, row_findings, sheet_findings
from services.archive.domain.document import CLASS_SHEET, COPY, EXTRACT, TRANSCRIPT, FiledSignature
from services.archive.domain.evidence import verify
from services.archive.domain.examine import examine, profile_of
from services.archive.domain.extracts import compared, part_findings
from services.archive.domain.known_shapes import KnownShapes
from services.archive.domain.log_proof import LogProof, check_proof
from services.archive.domain.pack import UnreadablePack, build_pack, read_pack
from services.archive.domain.sealed_record import read_facts
from services.archive.domain.signed_note import KeyText, NoteError, read_note
from services.archive.domain.statement import Statement
from services.archive.domain.tiles import TileHashes, bundle_of, entries_of, split_hashes
from services.archive.domain.witness_policy import read_policy
from services.signing.adapters.record_tables import record_table
from services.signing.adapters.samples import canonical, sample
from services.signing.adapters.verification import DocumentVerifier
from services.signing.domain.record_xml import to_xml
from services.signing.domain.verdict import NotAsIntended
from services.stack.signer_pki import SignerPki
from tests.support import forgeries
from tests.support.packed_documents import Section, Signed, body_section, filled, signature_section, transcript
from tests.support.packed_documents import stamped as stamped_by
from tests.support.records import record_of, with_sheet
from tests.support.signed_documents import ROLES, SIGNED_AT, record_bytes, shared_pki, signed_transcript, unsigned_body
from tests.support.signed_pages import an_office
from tests.support.stamping import Root, day, first_chains, stamps_renewed, tree_renewed

Run = Callable[[bytes], None]
Mutate = Callable[[bytes, Random], bytes]
_SPLIT = b"\n====\n"
_NO_DIGEST = bytes(32)
"""Stands between the parts of an input that has several."""


class Broken(Exception):
    """A reader doesn't keep its promise."""


@dataclass(frozen=True)
class Target:
    """A reader, and inputs to begin with."""

    seeds: Sequence[bytes]
    run: Run
    mutate: Mutate | None = None
    """A way of changing inputs that gets further than changes of bytes do, taken in turns with those."""


class _Later:
    def now(self) -> object:
        return SIGNED_AT + timedelta(days=1)


def documents() -> Target:
    """The whole check of a document, by the full way and by the one that knows shapes."""
    trust = trust_of([shared_pki(kind).root.certificate for kind in ("ec", "rsa")])
    signatures = CmsSignatures(lambda: trust, _Later())  # type: ignore[arg-type]
    full, fast = (CheckDocument(TRANSCRIPT, signatures, shapes, xml_table().difference) for shapes in (None, KnownShapes(TRANSCRIPT)))
    seeds = [signed_transcript(), transcript(shared_pki(), record_bytes())]
    genuine = {one: full(one).record for one in seeds}
    assert all(fast(one).accepted for one in seeds)

    def run(data: bytes) -> None:
        verdict = full(data)
        if fast(data) != verdict:
            raise Broken("the fast way and the full one differ")
        if verdict.accepted and (verdict.record not in genuine.values() or len(data) not in map(len, seeds)):
            raise Broken("a document that nobody signed is accepted")

    return Target(seeds, run, with_other_tokens)


def structure() -> Target:
    """What of the check is without cryptography, on documents small enough for thousands of tries a second."""
    small = [_small(), _small(stamped=True), body_section(b"{}").written()[0], forgeries.Update(unsigned_body(record_bytes()), {90: b"<<>>"}).written()]

    def run(data: bytes) -> None:
        for profile in (TRANSCRIPT, CLASS_SHEET, COPY, EXTRACT):
            examine(data, profile)
        profile_of(data)

    return Target(small, run, with_other_tokens)


def _small(*, stamped: bool = False) -> bytes:
    """A transcript whose signatures have values of eight bytes."""

    def shrink(section: Section) -> None:
        section.objects = {number: text.replace(b"0" * 8192, b"0" * 16).replace(b"0" * 10000, b"0" * 16) for number, text in section.objects.items()}

    section = body_section(b"{}")
    document = Signed(*section.written(), section.size + 1)
    for role in ROLES:
        section = signature_section(document, role)
        shrink(section)
        data, at = section.written()
        document = Signed(filled(data, len(document.data), lambda _: bytes(8)), at, section.size + 1)
    if stamped:
        document = stamped_by(document, (lambda _: bytes(8), lambda _: bytes(8)), b"x", shrink, shrink)
    return document.data


def containers() -> Target:
    """CMS containers and time-stamp tokens."""
    trust = trust_of([shared_pki(kind).root.certificate for kind in ("ec", "rsa")])
    judge = CmsSignatures(lambda: trust, _Later()).judge()  # type: ignore[arg-type]
    filed = [one for kind in ("ec", "rsa") for one in examine(transcript(shared_pki(kind), record_bytes()), TRANSCRIPT).signatures]
    remembered = Containers()
    for one in filed:
        remembered.learn(one.contents, parsed(one.contents))
    digests = {sha256(one.digest).hexdigest(): one for one in filed}
    good = {one.contents.rstrip(b"\x00") for one in filed}
    token = Root.make(day("2026-01-01"), day("2060-01-01")).authority(day("2026-01-01"), day("2031-01-01")).token("sha256", bytes(32), day("2026-07-01"))

    def run(data: bytes) -> None:
        for read in (parsed, parsed_token):
            try:
                read(data)
            except Refused:
                continue
        if _outcome(remembered.read, data) != _outcome(parsed, data):
            raise Broken("a remembered form reads something else")
        for one in digests.values():
            verdict = judge.check(FiledSignature(one.role, one.field, one.digest, data, one.claimed_at))
            # The ends of ECDSA values may be zeros, so padding is no part of the comparison.
            if not verdict.findings and data.rstrip(b"\x00") not in good:
                raise Broken("another container is accepted")

    return Target([*good, token], run)


def _outcome(read: Callable[[bytes], object], data: bytes) -> object:
    try:
        return read(data)
    except Refused as refused:
        return str(refused)


def evidence() -> Target:
    """Evidence records and the tokens in them."""
    root = Root.make(day("2026-01-01"), day("2060-01-01"))
    first = root.authority(day("2026-01-01"), day("2031-01-01"))
    second = root.authority(day("2030-01-01"), day("2040-01-01"), "rsa2048")
    policy = read_algorithms(Path())
    tokens = TrustedTokens(lambda: trust_of([root.identity.certificate]), lambda: policy)
    one = first_chains([[b"one"], [b"two"], [b"three"]], first, day("2026-07-01"))[0]
    more = stamps_renewed(one, second, day("2030-06-01"))
    seeds = [encode(one), encode(more), encode(tree_renewed([b"one"], more, second, day("2035-01-01")))]

    def run(data: bytes) -> None:
        try:
            record = decode(data)
        except ValueError:
            return
        if verify(record, [b"one"], tokens, policy, day("2036-01-01")).whole and data not in seeds:
            raise Broken("a record that nobody made proves something")

    return Target(seeds, run)


def notes() -> Target:
    """Notes, checkpoints, proofs, policies, keys and statements."""
    key = KeyText.read("example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k")
    signature = "— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
    note = f"This is an example message.\n\n{signature}".encode()
    head = Checkpoint("example.com/foo", 3, bytes(32)).text
    policy = read_policy(f"log {key.text}\nwitness W {key.text} http://w\ngroup g any W\nquorum none\n")
    statement = b"hocba/leaf/1\nissue\nabc\n1\n%b\n%b\n-\nschool\n1750000000\n" % (b"0" * 64, b"1" * 64)
    proof = LogProof(statement, 1, (bytes(32), bytes(32)), f"{head}\n{signature}".encode()).encoded()

    def run(data: bytes) -> None:
        text = data.decode("utf-8", "replace")
        for read in (read_note, lambda one: Checkpoint.read(one.decode("utf-8", "replace"))):
            try:
                read(data)
            except NoteError:
                continue
        for read_text in (KeyText.read, KeyText.read_private, read_policy):
            try:
                read_text(text)
            except NoteError:
                continue
        try:
            if Statement.read(data).canonical() != data:
                raise Broken("a statement has two forms")
        except ValueError:
            pass
        try:
            told = LogProof.read(data)
            if told.encoded() != data:
                raise Broken("a proof has two forms")
            check_proof(told, policy, verifier_of)
        except NoteError:
            return
        raise Broken("a proof that nobody signed is accepted")

    policy_text = f"log {key.text}\nwitness W {key.text} http://w\ngroup g 1 W\nquorum g\n".encode()
    return Target([note, head.encode(), proof, policy_text, key.text.encode(), statement], run)


def tiles() -> Target:
    """Entry bundles and tiles."""

    def run(data: bytes) -> None:
        try:
            if bundle_of(entries_of(data)) != data:
                raise Broken("a bundle has two forms")
        except ValueError:
            pass
        try:
            split_hashes(data)
        except ValueError:
            return
        hashes = TileHashes({(0, 0): data, (1, 0): data[:64]})
        for level in (0, 1, 7, 8, 9):
            try:
                hashes.node(level, 1)
            except KeyError:
                continue

    return Target([bundle_of([b"one", b"", b"three" * 90]), bytes(64), bytes(8192)], run)


def packs() -> Target:
    """Packs in staging."""
    seed = build_pack({"0b7e-v1.pdf": b"%PDF-1.7\nsomething", "0b7f-v1.pdf": b"", "empty-v2.pdf": b"x" * 300}).data

    def run(data: bytes) -> None:
        try:
            found = read_pack(data)
        except UnreadablePack:
            return
        if any(content not in data for content in found.values()) or read_pack(build_pack(found).data) != found:
            raise Broken("a pack holds what isn't in it, or can't be written again")

    return Target([seed, build_pack({}).data], run)


def records() -> Target:
    """What hangs on a document: record, XML, class-subject sheet, an extract's words and part. Anybody's, since it is read whoever signed."""
    pages, sheet = with_sheet([record_of("lower_secondary", f"00000000-0000-0000-0000-00000000000{number}") for number in range(2)], "toan")
    primary = sample("primary")

    def run(data: bytes) -> None:
        record, _, xml = data.partition(_SPLIT)
        for read in (row_findings, sheet_findings, read_facts, read_sheet_facts):
            read(record)
        with suppress(*UNREADABLE):
            proofs_of(record)
        xml_table().difference(record, xml)
        part_findings(record, xml)
        compared(record, xml, _NO_DIGEST, record)
        compared(record, record, _NO_DIGEST, xml)

    row = {"code": "c", "taken": True, "sheet": {"id": "s", "version": 1, "root": "00" * 32, "salt": "00" * 32, "index": 0, "size": 1, "path": []}}
    small = {"level": "A", "rule_set": {"switches": {"signed_sheet_levels": ["A"]}}, "transcript": {"id": "x"}, "pupil": {"name": "y"}, "subjects": [row]}
    about = {"original": {"sha256": _NO_DIGEST.hex(), "public_id": "p", "version": 1}, "copy": {"id": "i"}, "part": {"sha256": "", "parts": ["subjects.c"]}}
    whole = small | {"transcript": {"id": "x", "public_id": "p", "version": 1, "salt": "s"}, "pupil": {"name": "y", "born_on": None}}
    extract = canonical(about) + _SPLIT + canonical(whole)
    seeds = [pages[0], sheet.content, canonical(primary) + _SPLIT + to_xml(primary, record_table()), canonical(small), extract]
    return Target(seeds, run, with_another_value)


def verification() -> Target:
    """The check that signing makes of what it has signed."""
    with TemporaryDirectory() as folder:
        office = an_office(SignerPki(Path(folder)))
        content = record_of("primary", "3c5a6c1e-6a0c-4c53-8f0f-3d6a3a6f6c11")
        page = office.page(content)
        whole = office.sign(page.pdf, content)
        anchors = office.anchors
    expected = office.expectation(page, content)
    verifier = DocumentVerifier(anchors.chain_of)
    verifier(whole, expected)

    def run(data: bytes) -> None:
        try:
            verifier(data, expected)
        except NotAsIntended:
            return
        if data != whole:
            raise Broken("another document is taken for the one that was signed")

    return Target([whole, whole[: len(whole) // 2]], run, with_other_tokens)


TARGETS: dict[str, Callable[[], Target]] = {
    one.__name__: one for one in (documents, structure, containers, evidence, notes, tiles, packs, records, verification)
}


_TOKEN = re.compile(rb"/[A-Za-z0-9]+|\d+|<<|>>|[\[\]()]|\bR\b|\bnull\b")


def with_other_tokens(data: bytes, chance: Random) -> bytes:
    """A PDF with some tokens exchanged for others of it, none of them longer, so that every offset stays true."""
    changed = bytearray(data)
    tokens = list(_TOKEN.finditer(data))
    for _ in range(chance.randint(1, 4) if tokens else 0):
        place, other = chance.choice(tokens), chance.choice(tokens)[0]
        if len(other) <= len(place[0]):
            changed[place.start() : place.end()] = other.ljust(len(place[0]))
    return bytes(changed)


_VALUES: tuple[Any, ...] = (None, True, -1, 0, 1, 1e400, 1 << 70, "", "A", "\ud800", "00" * 32, [], {}, [[]], [{}], ["A"], {"A": 1})


def with_another_value(data: bytes, chance: Random) -> bytes:
    """A record with one value exchanged for another, or left out."""
    record, between, xml = data.partition(_SPLIT)
    try:
        told = json.loads(record)
    except (ValueError, RecursionError):
        return data
    holder: Any = {"": told}
    key: Any = ""
    for _ in range(chance.randint(0, 6)):
        inner = holder[key]
        if not isinstance(inner, dict | list) or not inner:
            break
        holder, key = inner, chance.choice(list(inner) if isinstance(inner, dict) else range(len(inner)))
    if chance.random() < 0.2:
        del holder[key]
    else:
        holder[key] = chance.choice(_VALUES)
    return json.dumps(told).encode() + between + xml
