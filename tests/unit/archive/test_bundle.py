"""Bundles and dossiers: what is written reads back, what proves nothing is refused, and nothing can be changed or hidden in them."""

import functools
import hashlib
import io
import json
import random
import uuid
import zipfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from services.archive.adapters.cms_signatures import CmsSignatures
from services.archive.adapters.evidence_tokens import TrustedTokens
from services.archive.adapters.note_keys import verifier_of
from services.archive.adapters.trust_store import TrustUnreadable, read_algorithms, read_trust
from services.archive.adapters.trusted_proofs import evidence_proof, read_policies
from services.archive.application.check_bundle import BundleVerdict, CheckBundle
from services.archive.application.check_document import CheckDocument
from services.archive.application.check_standing import CheckStanding, Standing
from services.archive.domain.bundle import MIMETYPE, Bundle, UnreadableBundle, is_bundle
from services.archive.domain.document import TRANSCRIPT
from services.archive.domain.dossier import Dossier, is_dossier
from services.archive.domain.findings import Reason
from services.archive.domain.pack import UnreadablePack, read_pack, stored_zip
from services.archive.domain.statement import Kind
from services.archive.domain.status_list import Mark
from services.chassis.clock import SystemClock
from tests.support import proven
from tests.support.proven import COSIGNED, NOW, STAMPED, Proving
from tests.support.signed_documents import record_bytes, signed_transcript

SCHEMA = Path(__file__).parents[3] / "protos" / "hocba" / "archive" / "v1" / "dossier.schema.json"
PUPIL = {"name": "Nguyễn Thị Hoa", "born_on": "2012-03-04", "personal_number": "001312000017"}


@functools.cache
def transcript(year: int, pupil: str = "", personal_number: str | None = "001312000017") -> bytes:
    told = PUPIL | {"personal_number": personal_number} | ({"name": pupil} if pupil else {})
    school_class = {"name": "3A", "grade": year - 2018}
    return signed_transcript(record_bytes(str(uuid.UUID(int=year)), school_year=f"{year}-{year + 1}", pupil=told, school_class=school_class))


@pytest.fixture(scope="module")
def proving(tmp_path_factory: pytest.TempPathFactory) -> Proving:
    return Proving(tmp_path_factory.mktemp("proving"))


def check_by(trust: Path) -> CheckBundle:
    store, algorithms = read_trust(trust), read_algorithms(trust)
    tokens = TrustedTokens(lambda: store, lambda: algorithms)
    document = CheckDocument(TRANSCRIPT, CmsSignatures(lambda: store, SystemClock()))
    return CheckBundle(CheckStanding(read_policies(trust), verifier_of), document, lambda record, data: evidence_proof(record, data, tokens, NOW), NOW)


@pytest.fixture(scope="module")
def check(proving: Proving) -> CheckBundle:
    return check_by(proving.trust)


def claims(verdict: BundleVerdict) -> Any:
    """All that a report says of an accepted bundle."""
    return verdict.accepted, verdict.document.sha256, verdict.document.record, verdict.log, verdict.evidence.since


def test_a_bundle_proves_its_transcript_and_says_as_of_when(proving: Proving, check: CheckBundle) -> None:
    first, second = proving.bundles([transcript(2023), transcript(2024)])
    for bundle in (first, second):
        assert is_bundle(bundle.encoded())
        assert Bundle.read(bundle.encoded()) == bundle
        verdict = check(bundle)
        assert (verdict.accepted, verdict.log.standing, verdict.evidence.since) == (True, Standing.LATEST, STAMPED)
        assert verdict.log.leaf is not None
        assert verdict.log.leaf.at == COSIGNED


@pytest.mark.parametrize(
    ("mark", "standing"),
    [(Mark.SUPERSEDED, Standing.SUPERSEDED), (Mark.REVOKED, Standing.REVOKED), (Mark.SUPERSEDED | Mark.REVOKED, Standing.REVOKED)],
)
def test_what_was_said_later_is_told(proving: Proving, check: CheckBundle, mark: Mark, standing: Standing) -> None:
    old, other = proving.bundles([transcript(2023), transcript(2024)], {0: mark})
    assert (check(old).accepted, check(old).log.standing, check(other).log.standing) == (False, standing, Standing.LATEST)


def test_without_the_status_part_and_for_statements_that_bring_no_document_nothing_is_known(proving: Proving, check: CheckBundle) -> None:
    [bundle] = proving.bundles([transcript(2023)])
    found = check.standing(bundle.proof, None, check(bundle).document.sha256)
    assert (found.good, found.standing, found.problem) == (True, Standing.UNKNOWN, None)
    [revoking] = proving.bundles([transcript(2023)], kind=Kind.REVOKE)
    assert check(revoking).log.standing is Standing.UNKNOWN


def test_the_embedded_record_is_held_against_what_the_log_says_was_sealed(proving: Proving, check: CheckBundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proven, "record_digest", lambda _: b"c" * 32)
    [bundle] = proving.bundles([transcript(2023)])
    verdict = check(bundle)
    assert verdict.document.first is not None
    assert (verdict.accepted, verdict.document.first.reason) == (False, Reason.RECORD_DIFFERS)


def test_parts_of_another_document_prove_nothing(proving: Proving, check: CheckBundle, tmp_path: Path) -> None:
    first, second = proving.bundles([transcript(2023), transcript(2024)])
    stranger = Proving(tmp_path, "other.example").bundles([transcript(2023)])[0]
    assert check(replace(first, proof=second.proof)).log.problem == "the proof is of another document"
    assert "is none of those that are trusted" in str(check(replace(first, proof=stranger.proof)).log.problem)
    assert "doesn't lead" in str(check(replace(first, status=proving.bundles([transcript(2023)], {0: Mark.REVOKED})[0].status)).log.problem)
    assert not check(replace(first, evidence=second.evidence)).evidence.whole
    assert check(replace(first, document=first.document[:-9])).document.first is not None
    assert not check(replace(first, status=b"")).log.good


def test_years_later_it_is_its_evidence_that_proves_its_signatures(proving: Proving, check: CheckBundle) -> None:
    first, second = proving.bundles([transcript(2023), transcript(2024)])
    later = replace(check, now=NOW + timedelta(days=400))
    assert (later(first).accepted, later(first).document.proven_at) == (True, STAMPED)
    unproven = later(replace(first, evidence=second.evidence))
    assert [finding.reason for finding in unproven.document.findings] == [Reason.EXISTENCE_UNPROVEN] * 3
    assert [finding.reason for finding in check(replace(first, evidence=second.evidence)).document.findings] == []


def test_the_container_is_what_other_programs_expect_of_asic(proving: Proving) -> None:
    [bundle] = proving.bundles([transcript(2023)])
    data = bundle.encoded()
    # EN 319 162-1 annex A: the media type at a fixed place, neither compressed nor with an extra field.
    assert (data[:4], data[26:30], data[30:38], data[38 : 38 + len(MIMETYPE)]) == (b"PK\x03\x04", b"\x08\0\0\0", b"mimetype", MIMETYPE.encode())
    with zipfile.ZipFile(io.BytesIO(data)) as container:
        assert container.testzip() is None
        assert container.namelist()[:2] == ["mimetype", "hoc-ba.pdf"]
        assert container.read("hoc-ba.pdf") == transcript(2023)
        assert container.read("META-INF/evidencerecord.ers") == bundle.evidence
        assert b'URI="hoc-ba.pdf"' in container.read("META-INF/ASiCEvidenceRecordManifest.xml")


def entries_of(data: bytes) -> list[tuple[str, bytes]]:
    with zipfile.ZipFile(io.BytesIO(data)) as container:
        return [(name, container.read(name)) for name in container.namelist()]


def deflated(entries: list[tuple[str, bytes]]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as container:
        for name, data in entries:
            container.writestr(name, data)
    return out.getvalue()


def overlapping(data: bytes) -> bytes:
    """Every entry of the directory points at the largest one."""
    central = data.index(b"PK\x01\x02")
    directory = data[central : data.rindex(b"PK\x05\x06")]
    many = directory[: 46 + len("mimetype")].replace(b"mimetype", b"%08d")
    with zipfile.ZipFile(io.BytesIO(data)) as container:
        info = container.getinfo("hoc-ba.pdf")
    made = []
    for number in range(50):
        head = bytearray(many.replace(b"%08d", b"%08d" % number))
        head[20:24] = head[24:28] = info.file_size.to_bytes(4, "little")
        head[42:46] = info.header_offset.to_bytes(4, "little")
        made.append(bytes(head))
    tail = bytearray(data[data.rindex(b"PK\x05\x06") :])
    tail[8:10] = tail[10:12] = (50).to_bytes(2, "little")
    tail[12:16] = sum(map(len, made)).to_bytes(4, "little")
    return data[:central] + b"".join(made) + bytes(tail)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda data: stored_zip([*entries_of(data), ("virus.exe", b"x")]), "doesn't belong there"),
        (lambda data: stored_zip([*entries_of(data), ("../../etc/passwd", b"x")]), "doesn't belong there"),
        (lambda data: stored_zip(entries_of(data)[:-1]), "lacks META-INF/hocba.status-proof"),
        (lambda data: stored_zip(entries_of(data)[::-1]), "packed again"),
        (
            lambda data: stored_zip([(name, b"x" if name.endswith(".txt") else part) for name, part in entries_of(data)]),
            "DOC-TRUOC-README.txt is missing or was changed",
        ),
        (lambda data: stored_zip([("mimetype", b"application/zip"), *entries_of(data)[1:]]), "mimetype is missing or was changed"),
        (lambda data: deflated(entries_of(data)), "compressed"),
        (lambda data: deflated([*entries_of(data), ("bomb", bytes(1 << 24))]), "compressed"),
        (overlapping, "lie over each other"),
        (lambda data: data + b"trailing", "packed again|can't be read"),
        (lambda data: b"leading" + data, "packed again|can't be read"),
        (lambda data: data[:-30], "can't be read"),
        (lambda data: data + bytes(1 << 24), "are allowed"),
        (lambda _: b"", "can't be read"),
    ],
)
def test_a_container_that_was_not_given_out_so_is_refused(proving: Proving, change: Any, why: str) -> None:
    [bundle] = proving.bundles([transcript(2023)])
    with pytest.raises(UnreadableBundle, match=why):
        Bundle.read(change(bundle.encoded()))


def test_a_name_that_stands_twice_is_refused(proving: Proving) -> None:
    [bundle] = proving.bundles([transcript(2023)])
    with pytest.warns(UserWarning, match="Duplicate"):
        twice = stored_zip([*entries_of(bundle.encoded()), ("hoc-ba.pdf", b"another")])
    with pytest.raises(UnreadableBundle, match="twice"):
        Bundle.read(twice)
    with pytest.raises(UnreadablePack):
        read_pack(overlapping(bundle.encoded()))


def test_a_flipped_bit_of_a_bundle_is_refused_or_changes_nothing_that_is_claimed(proving: Proving, check: CheckBundle) -> None:
    [bundle] = proving.bundles([transcript(2023)])
    data, expected = bundle.encoded(), claims(check(bundle))
    rng = random.Random(20261125)
    start = data.index(b"META-INF/evidencerecord.ers")
    # Half of them in the proofs, which are a small part of the file.
    places = [rng.randrange(len(data)) for _ in range(60)] + [rng.randrange(start, len(data)) for _ in range(60)]
    for at in places:
        changed = bytearray(data)
        changed[at] ^= 1 << rng.randrange(8)
        try:
            verdict = check(Bundle.read(bytes(changed)))
        except UnreadableBundle:
            continue
        assert not verdict.accepted or claims(verdict) == expected, at


def test_a_dossier_is_a_chain_that_says_what_is_missing(proving: Proving, check: CheckBundle) -> None:
    bundles = proving.bundles([transcript(2024), transcript(2021), transcript(2022)])
    made = Dossier.of(bundles)
    data = made.encoded()
    assert (is_dossier(data), is_bundle(data), Dossier.read(data) == made) == (True, False, True)
    assert ([year.name for year in made.years], made.missing) == (["2021-2022", "2022-2023", "2024-2025"], [2023])
    manifest = json.loads(read_pack(data)["manifest.json"])
    assert (manifest["schema"], manifest["missing_school_years"], manifest["pupil"]) == ("hocba/dossier/1", ["2023-2024"], PUPIL)
    jsonschema.validate(manifest, json.loads(SCHEMA.read_text(encoding="utf-8")))
    chain = b""
    for line in manifest["transcripts"]:
        chain = hashlib.sha256(chain + hashlib.sha256(read_pack(data)[line["bundle"]]).digest()).digest()
        assert line["chain"] == chain.hex()
    for line in manifest["transcripts"]:
        assert json.loads(read_pack(data)[line["record"]])["school_year"] == line["school_year"]
    assert all(check(year.bundle).accepted for year in made.years)


def test_what_makes_no_chain_is_refused(proving: Proving) -> None:
    [one, twin, stranger, unnumbered] = proving.bundles(
        [transcript(2021), transcript(2022, "Another"), transcript(2023, "", "001399999999"), transcript(2024, "", None)]
    )
    assert len(Dossier.of([one, twin]).years) == 2  # A name may change; the number doesn't.
    assert len(Dossier.of([one, unnumbered]).years) == 2
    with pytest.raises(UnreadableBundle, match="several pupils"):
        Dossier.of([one, stranger])
    with pytest.raises(UnreadableBundle, match="several pupils"):
        Dossier.of([twin, unnumbered])
    with pytest.raises(UnreadableBundle, match="two transcripts of 2021-2022"):
        Dossier.of([one, one])
    with pytest.raises(UnreadableBundle, match="1 to 30"):
        Dossier.of([])
    with pytest.raises(UnreadableBundle, match="no record"):
        Dossier.of([replace(one, document=b"%PDF-1.7")])
    with pytest.raises(UnreadableBundle, match="no record"):
        Dossier.of([replace(one, document=signed_transcript(record_bytes()))])


def test_a_changed_dossier_is_refused(proving: Proving, check: CheckBundle) -> None:
    bundles = proving.bundles([transcript(2021), transcript(2022)])
    data = Dossier.of(bundles).encoded()
    entries = entries_of(data)
    for change in (
        entries[1:],
        entries[:-1],
        [*entries, ("2030-2031/hoc-ba.pdf", b"x")],
        [(name, part.replace(b"3A", b"3B") if name.endswith("record.json") else part) for name, part in entries],
        [(name, part.replace(b"2021", b"2020") if name == "manifest.json" else part) for name, part in entries],
        [(name.replace("2021-2022", "2020-2021"), part) for name, part in entries],
        [*entries[:2], entries[3], entries[2], *entries[4:]],
    ):
        with pytest.raises(UnreadableBundle):
            Dossier.read(stored_zip(change))
    rng = random.Random(7)
    for _ in range(40):
        changed = bytearray(data)
        changed[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        try:
            years = Dossier.read(bytes(changed)).years
        except UnreadableBundle:
            continue
        verdicts = [check(year.bundle) for year in years]
        assert not all(verdict.accepted for verdict in verdicts) or [claims(one) for one in verdicts] == [claims(check(bundle)) for bundle in bundles]


def test_a_policy_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "log.policy").write_text("nonsense")
    with pytest.raises(TrustUnreadable, match=r"log\.policy"):
        read_policies(tmp_path)
