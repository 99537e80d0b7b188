"""Six judges that had no part in making the documents agree on every form, amount of text, key type and path.

And on forgeries: which judge notices what is a table that must hold exactly, so that a judge that stops looking is seen
as well as a document that stops being guarded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pikepdf
import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from services.signing.adapters.samples import SHEET, SHEETS, canonical, forms, sample
from services.signing.domain.roles import DEFAULT_ORDER, SignatureRole
from services.stack.signer_pki import SignerPki
from tests.support import long_term
from tests.support.judged_documents import FORGERIES, KEYS, PAINTED_BETWEEN, PATHS, Case, Documents, cases
from tests.support.judges import dss, openssl, pdfsig, pyhanko, qpdf, verapdf
from tests.support.judges.report import Judge, Report, SignatureReport, difference
from tests.support.places import scratch_places
from tests.support.signed_documents import shared_pki
from tests.support.signed_pages import document_of

JUDGES: dict[str, Judge] = {module.NAME: module.judge for module in (pyhanko, pdfsig, openssl, qpdf, verapdf, dss)}
READERS_OF_SIGNATURES = ("pyhanko", "pdfsig", "openssl", "dss")
FIELDS = ("HomeroomTeacher", "Principal", "SchoolSeal")
FIELD_OF = {SignatureRole.SUBJECT_TEACHER: "SubjectTeacher", **dict(zip(DEFAULT_ORDER, FIELDS, strict=True))}
# The first certifies and leaves only the other fields open, the last leaves nothing; an only one certifies and leaves nothing.
NOTHING_LEFT = "NO_CHANGES on the document, ALL fields locked"
PERMISSIONS = ("FILL_FORMS on the document, None fields locked", "None on the document, None fields locked", NOTHING_LEFT)
UNKNOWN = "INDETERMINATE (CERTIFICATE_CHAIN_GENERAL_FAILURE): No revocation data found for the certificate!"
FORGED, FORGED_SHEET = Case("rsa-2048", "lower_secondary"), Case("rsa-2048", SHEET)

ALL_CASES = list(cases())
# Who reads signatures notices every byte that they cover. A field that was painted before the last signature is covered by it,
# so only those notice who compare revisions. qpdf and veraPDF look at no signature, but know a broken file when they see one.
NOTICED_BY: dict[str, set[str]] = {
    **{name: set(READERS_OF_SIGNATURES) for name in FORGERIES},
    # Compressed content whose head is broken can't be read.
    "page content": {*READERS_OF_SIGNATURES, "qpdf"},
    "XMP": {*READERS_OF_SIGNATURES, "verapdf"},
    "cut revision": {*READERS_OF_SIGNATURES, "qpdf", "verapdf"},
    "bytes after the end": {*READERS_OF_SIGNATURES, "verapdf"},
    PAINTED_BETWEEN: {"pyhanko", "dss"},
}

# What a bit in the middle of deflated data breaks besides the digest depends on where it falls: in a sheet, more.
NOTICED_IN_SHEETS = NOTICED_BY | {"XMP": {*READERS_OF_SIGNATURES, "qpdf", "verapdf"}}
# A sheet has one signature, so nothing can be painted between two.
ALL_FORGED = [(FORGED, name) for name in [*FORGERIES, PAINTED_BETWEEN]] + [(FORGED_SHEET, name) for name in FORGERIES if name[-1] not in "23"]

Verdicts = Mapping[str, Mapping[str, Report]]


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Documents]:
    with scratch_places("office") as places:
        offices = {name: make(SignerPki(places.keys / f"signers-{name}")) for name, make in KEYS.items()}
        yield Documents(tmp_path_factory.mktemp("documents"), offices)


@pytest.fixture(scope="module")
def verdicts(documents: Documents) -> Verdicts:
    """What every judge says of every document, by file name; each judge is called once, for all files."""
    files = [documents.file(case) for case in ALL_CASES]
    files += [documents.forged(case, name) for case, name in ALL_FORGED]
    files += [documents.long_term(level) for level in long_term.LEVELS]
    anchors = [anchor.read_bytes() for office in documents.offices.values() for anchor in office.pki.anchors.iterdir()]
    anchors.append(shared_pki().root.certificate.public_bytes(Encoding.DER))
    said = {name: judge(files, anchors) for name, judge in JUDGES.items()}
    return {file.name: {name: reports[index] for name, reports in said.items()} for index, file in enumerate(files)}


@pytest.mark.parametrize("case", ALL_CASES, ids=lambda case: case.name)
def test_every_judge_accepts_every_document(case: Case, verdicts: Verdicts, documents: Documents) -> None:
    reports = verdicts[documents.file(case).name]
    assert {name: report.problems for name, report in reports.items()} == dict.fromkeys(JUDGES, ())
    assert all(report.accepts for report in reports.values())
    for name in READERS_OF_SIGNATURES:
        assert [s.field for s in reports[name].signatures] == [FIELD_OF[role] for role in case.roles]
        assert all(s.valid and s.whole is not False for s in reports[name].signatures), reports[name].lines()
    assert reports["verapdf"].conforms_to == verapdf.FLAVOUR
    with pikepdf.open(documents.file(case)) as pdf:
        last = len(pdf.pages)
    # Decree 30/2020 puts the seal over the left third of the principal's signature; EU DSS remarks on boxes that overlap.
    overlapping = [] if case.form in SHEETS else case.roles
    assert reports["dss"].remarks == tuple(f"{FIELD_OF[role]}: annotations overlap on page {last}" for role in overlapping)


def test_every_form_can_be_listened_to(documents: Documents) -> None:
    """PDF/UA-1 by veraPDF, of finished documents of every form and amount of text; pyHanko's own path doesn't claim it."""
    cases = [case for case in ALL_CASES if case.path == "mass" and not case.missing]
    files = [documents.file(case) for case in cases]
    reports = verapdf.judge(files, flavour="ua1")
    assert {file.name: report.problems for file, report in zip(files, reports, strict=True)} == {file.name: () for file in files}
    assert {report.conforms_to for report in reports} == {"ua1"}


def test_pages_with_a_banner_are_archived_and_listened_to_like_others(documents: Documents, tmp_path: Path) -> None:
    renderer, files = documents.offices["rsa-2048"].renderer, []
    for form in forms():
        content = sample(form)
        content["sheet" if form in SHEETS else "transcript"] |= {"version": 2, "supersedes": 1}
        files += [tmp_path / f"{form}-{state}.pdf" for state in ("later", "draft")]
        for file in files[-2:]:
            file.write_bytes(renderer.render(document_of(canonical(content)), draft=file.stem.endswith("draft")).pdf)
    for flavour in (verapdf.FLAVOUR, "ua1"):
        reports = verapdf.judge(files, flavour=flavour)
        assert {file.name: report.problems for file, report in zip(files, reports, strict=True)} == {file.name: () for file in files}
        assert {report.conforms_to for report in reports} == {flavour}


@pytest.mark.parametrize("case", ALL_CASES, ids=lambda case: case.name)
def test_judges_agree_on_signer_and_level(case: Case, verdicts: Verdicts, documents: Documents) -> None:
    reports, office = verdicts[documents.file(case).name], documents.offices[case.key]
    wanted = [office.made[role].signer.common_name for role in case.roles]
    for name in ("pyhanko", "pdfsig", "dss"):
        assert [s.signer for s in reports[name].signatures] == wanted
    for name in ("pyhanko", "dss"):
        assert {s.level for s in reports[name].signatures} == {"B-B"}
    assert [s.permissions for s in reports["pyhanko"].signatures] == ([NOTHING_LEFT] if case.form in SHEETS else list(PERMISSIONS[: len(case.roles)]))
    # Without revocation data in the document its worth is unknown, and unknown is never valid.
    assert {s.conclusion for s in reports["dss"].signatures} == {UNKNOWN}


@pytest.mark.parametrize("level", long_term.LEVELS)
def test_judges_tell_the_levels_apart_and_take_p_256(level: str, verdicts: Verdicts, documents: Documents) -> None:
    reports = verdicts[documents.long_term(level).name]
    assert {name: report.problems for name, report in reports.items()} == dict.fromkeys(JUDGES, ())
    for name in READERS_OF_SIGNATURES:
        assert [(s.field, s.valid) for s in reports[name].signatures] == [(field, True) for field in FIELDS]
    for name in ("pyhanko", "dss"):
        assert {s.level for s in reports[name].signatures} == {level}
    brings_proof = level in ("B-LT", "B-LTA")
    assert {s.conclusion for s in reports["dss"].signatures} == {"TOTAL_PASSED" if brings_proof else UNKNOWN}
    # pyHanko puts revocation data last, also that of the time stamp over the document.
    assert {reports[name].covered for name in READERS_OF_SIGNATURES} == {not brings_proof}
    assert reports["verapdf"].conforms_to == verapdf.FLAVOUR


@pytest.mark.parametrize("path", [path for path in PATHS if path != "mass"])
@pytest.mark.parametrize("form", forms())
@pytest.mark.parametrize("key", KEYS)
def test_both_paths_are_judged_alike(key: str, form: str, path: str, verdicts: Verdicts, documents: Documents) -> None:
    ours, theirs = (verdicts[documents.file(Case(key, form, path=one)).name] for one in ("mass", path))
    assert not (told := difference(ours, theirs, ("mass", path))), told


@pytest.mark.parametrize(("case", "name"), ALL_FORGED, ids=lambda part: part.form if isinstance(part, Case) else part)
def test_forgeries_are_noticed_by_every_judge_that_can(case: Case, name: str, verdicts: Verdicts, documents: Documents) -> None:
    genuine, forged = verdicts[documents.file(case).name], verdicts[documents.forged(case, name).name]
    # Whoever waits for three signatures notices that one is gone; what is left is genuine.
    noticed = {judge for judge, report in forged.items() if not report.accepts or len(report.signatures) < len(genuine[judge].signatures)}
    assert noticed == (NOTICED_IN_SHEETS if case.form in SHEETS else NOTICED_BY)[name]


def test_a_changed_dictionary_or_container_breaks_this_signature_and_those_after_it(verdicts: Verdicts, documents: Documents) -> None:
    for part in ("dictionary", "container"):
        for number in range(len(FIELDS)):
            forged = verdicts[documents.forged(FORGED, f"{part} {number + 1}").name]
            for judge in READERS_OF_SIGNATURES:
                assert [s.valid for s in forged[judge].signatures] == [index < number for index in range(len(FIELDS))], (judge, part, number)


def test_another_root_makes_every_judge_of_chains_refuse(documents: Documents, tmp_path: Path) -> None:
    stranger = SignerPki(tmp_path / "stranger").anchors / "root.cer"
    file = documents.file(FORGED)
    for name in ("pyhanko", "openssl", "dss"):
        (report,) = JUDGES[name]([file], [stranger.read_bytes()])
        assert [s.valid for s in report.signatures] == [False] * len(FIELDS), name


def test_a_page_that_is_no_pdf_a_is_told_with_the_rule(tmp_path: Path, documents: Documents) -> None:
    with pikepdf.open(documents.file(FORGED)) as pdf:
        del pdf.Root.OutputIntents
        pdf.Root.Lang = pikepdf.String("vi")
        pdf.pages[0].obj.Annots = pikepdf.Array([pikepdf.Dictionary(Type=pikepdf.Name.Annot, Subtype=pikepdf.Name.Movie, Rect=[0, 0, 1, 1])])
        pdf.save(tmp_path / "other.pdf")
    (report,) = JUDGES["verapdf"]([tmp_path / "other.pdf"], ())
    assert report.conforms_to is None
    assert any(problem.startswith("ISO 19005-3:2012 6.3.1-1") for problem in report.problems), report.problems


def test_a_difference_between_two_paths_is_readable() -> None:
    one = {"pyhanko": Report("pyhanko", (SignatureReport("Principal", True, level="B-B"),))}
    other = {"pyhanko": Report("pyhanko", (SignatureReport("Principal", True, level="B-T"),))}
    assert difference(one, one, ("mass", "pyhanko")) == ""
    told = difference(one, other, ("mass", "pyhanko")).splitlines()
    assert told[:2] == ["--- mass", "+++ pyhanko"]
    assert told[3:] == ["-pyhanko: Principal: valid True, level B-B", "+pyhanko: Principal: valid True, level B-T"]
