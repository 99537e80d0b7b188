"""What may be extracted of a record, what an extract says and prints, and how it is compared with its original."""

import json
from hashlib import sha256
from typing import Any

import pytest

from services.archive.domain.class_sheets import row_findings
from services.archive.domain.copies import number_text
from services.archive.domain.extracts import NotInTheRecord, choices, chosen, compared, content_of_extract, part_findings, part_of
from services.archive.domain.findings import Reason
from services.archive.domain.revocation import IssuedVersion
from services.archive.domain.transcript import TranscriptRef
from services.signing.adapters.composer import Composer
from services.signing.adapters.official_forms import form_named
from services.signing.adapters.renderer import FormRenderer
from services.signing.domain.copy_of_document import Extract, read_copy
from services.signing.domain.extract_of_record import page_of_extract
from services.signing.domain.record import UnreadableRecord
from services.signing.domain.sheet import ROW_FIELDS
from tests.support.records import LEVELS, canonical, example, with_sheet

RECORD = canonical(example())
SALT = example()["transcript"]["salt"]


def source(record: bytes = RECORD) -> IssuedVersion:
    told = json.loads(record)["transcript"]
    ref = TranscriptRef(told["id"], "p", told["version"], sha256(record).digest(), told["public_id"])
    return IssuedVersion(ref, sha256(b"%PDF of " + record).digest(), "class", "school", "2025-79", 2025)


def extracted(*wanted: str, record: bytes = RECORD) -> tuple[bytes, bytes]:
    """(what an extract says, its part)."""
    parts = chosen(record, wanted)
    content = content_of_extract("copy", "COPYID", number_text(12, 2026, is_extract=True), source(record), record, parts)
    return content, part_of(record, parts, "copy")


def page(content: bytes, part: bytes) -> dict[str, Any]:
    extract = read_copy(content)
    assert isinstance(extract, Extract)
    return page_of_extract(extract, part)


def test_what_a_record_lacks_is_refused_with_what_it_has() -> None:
    assert {"subjects", "subjects.toan", "results", "comments"} < set(choices(RECORD))
    assert not {"qualities", "completion"} & set(choices(RECORD)), "a part that isn't there, or is empty, is none to choose"
    for wanted, said in ((["subjects.hoa_hoc", "results"], r"no subjects\.hoa_hoc; choose among pupil, .*subjects\.toan"), ([], "at least one part; choose")):
        with pytest.raises(NotInTheRecord, match=said):
            chosen(RECORD, wanted)
    assert chosen(RECORD, ["results", "subjects.toan", "results"]) == ("subjects.toan", "results")
    assert chosen(RECORD, ["subjects.toan", "subjects"]) == ("subjects",)


def test_a_part_has_what_was_chosen_to_the_letter_and_nothing_else() -> None:
    told, content = example(), json.loads(extracted("subjects.toan", "results")[0])
    part = json.loads(extracted("subjects.toan", "results")[1])
    assert part["subjects"] == [row for row in told["subjects"] if row["code"] == "toan"]
    assert (part["results"], part["pupil"]) == (told["results"], {"name": told["pupil"]["name"], "born_on": told["pupil"]["born_on"]})
    assert not {"comments", "awards", "history", "corrections"} & part.keys()
    assert content["part"]["left_out"] == ["pupil", "history", "corrections", "awards", "comments"]
    assert content["part"]["subjects"] == {"chosen": 1, "all": len(told["subjects"])}
    # The words travel by Kafka and stand in databases: they are nobody's; and with the record's salt what was left out could be tried out.
    assert [name for name in (told["pupil"]["name"], told["pupil"]["id"], SALT) if name in json.dumps(content, ensure_ascii=False)] == []
    assert SALT.encode() not in extracted("pupil", "subjects", "results")[1]
    assert part["salt"] != json.loads(part_of(RECORD, ("results",), "another"))["salt"]


def test_rows_keep_the_proof_that_leads_to_their_sheet() -> None:
    [record], _ = with_sheet([RECORD], "toan")
    _, part = extracted("subjects.toan", record=record)
    assert row_findings(part) == []
    for change in ({"year": "9.9"}, {"sheet": None}):
        forged = json.loads(part)
        forged["subjects"][0] |= change
        assert [finding.reason for finding in row_findings(canonical(forged))] == [Reason.ROW_UNPROVEN]


def test_the_attached_part_is_the_one_that_is_named_and_of_the_original() -> None:
    content, part = extracted("results")
    assert part_findings(content, part) == []
    other = json.loads(content)
    other["original"]["public_id"] = "ANOTHER"
    wrong = [part_findings(content, part + b" "), part_findings(content, None), part_findings(b"{}", part), part_findings(canonical(other), part)]
    assert [finding.reason for (finding,) in wrong] == [Reason.RECORD_DIFFERS, Reason.RECORD_MISSING, Reason.RECORD_DIFFERS, Reason.RECORD_DIFFERS]


def test_an_extract_is_compared_with_its_original_to_the_byte() -> None:
    content, part = extracted("subjects.toan", "results")
    original = source().sha256
    assert compared(content, part, original, RECORD) == ""
    assert "another file" in compared(content, part, bytes(32), RECORD)
    better = example()
    better["results"]["year"]["learning"] = "Tốt"
    assert compared(content, part, original, canonical(better)).endswith("results")
    fewer = json.loads(part)
    fewer["subjects"][0].pop("comment")
    assert compared(content, canonical(fewer), original, RECORD).endswith("subjects")
    assert "can't be compared" in compared(content, part, original, None)
    assert "can't be compared" in compared(b"null", part, original, RECORD)


@pytest.mark.parametrize("level", LEVELS)
def test_every_part_of_every_level_is_printed(level: str) -> None:
    told = example(level)
    record = canonical(told)
    every = [name for name in choices(record) if not name.startswith("subjects.")]
    said = page(*extracted(*every, record=record))
    assert said["left_out"] == "Phần không trích: không có."
    assert [row[0].removesuffix(" (có chuyên đề)") for row in said["rows"]] == [subject["name"] for subject in told["subjects"]]
    assert (said["kind"], said["school_year"]) == ("Trích sao từ bản điện tử sang bản điện tử", "Số: 12/2026/TrS")
    for name in every:
        content, part = extracted(name, record=record)
        document = read_copy(content)
        alone = page(content, part)
        assert alone["rows"] or alone["groups"] or alone["notes"] or alone["remarks"], name
        composer = Composer(form_named(f"{document.form}/v1"), ROW_FIELDS[document.level])
        assert (document.form == "extract") == (not alone["rows"])
        # What isn't chosen takes no room and leaves no heading.
        for spec, flow in zip(composer.form.facts["pages"][0]["flow"], composer._flows[0], strict=True):
            if "source" in spec:
                assert bool(flow.measure(alone, 0)) == bool(alone[spec["source"]])


def test_what_is_left_out_is_said() -> None:
    said = page(*extracted("subjects.toan", "results"))
    count = len(example()["subjects"])
    assert said["left_out"].startswith(f"Phần không trích: {count - 1} trong {count} môn học và hoạt động giáo dục; các thông tin khác về học sinh; ")
    assert said["left_out"].endswith("; nhận xét của giáo viên chủ nhiệm.")


def test_a_pupil_with_a_plan_is_never_shown_without_it_beside_the_results() -> None:
    told = example()
    told["individual_plan"] = True
    assert any("kế hoạch giáo dục cá nhân" in value for _, value in page(*extracted("results", record=canonical(told)))["notes"])


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"schema": "hocba.record/1"}, "no part"),
        ({"results": {"term_1": 5}}, r"\$\.results\.term_1"),
        ({"pupil": {"name": "An\u202e", "born_on": None}}, r"U\+202E"),
        ({"subjects": {}}, r"\$\.subjects"),
    ],
)
def test_a_part_that_no_form_can_print_is_refused_with_its_place(change: dict[str, Any], where: str) -> None:
    content, part = extracted("subjects.toan", "results")
    with pytest.raises(UnreadableRecord, match=where):
        page(content, canonical(json.loads(part) | change))
    with pytest.raises(UnreadableRecord, match="not JSON"):
        page(content, b"")


def test_an_extract_without_its_digest_is_refused() -> None:
    told = json.loads(extracted("results")[0])
    for change, where in (({"sha256": "00"}, r"\$\.part\.sha256"), ({"parts": "results"}, r"\$\.part\.parts")):
        with pytest.raises(UnreadableRecord, match=where):
            read_copy(canonical(told | {"part": told["part"] | change}))


def test_the_same_extract_is_the_same_page() -> None:
    content, part = extracted("subjects", "results")
    first, second = (FormRenderer("https://tra.cuu.example/t").render(read_copy(content), original=part) for _ in range(2))
    assert (first.pdf, first.template_version) == (second.pdf, "extract_secondary/v1")
