"""The record as XML beside the JSON: where a province asks for it, and never another record than the sealed one."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import pikepdf
import pytest
from typer.testing import CliRunner

from services.__main__ import build
from services.archive.app import document_check
from services.archive.domain.findings import Reason
from services.signing.adapters import renderer
from services.signing.adapters.policies import policies_from
from services.signing.adapters.record_tables import record_table
from services.signing.adapters.samples import canonical, sample
from services.signing.adapters.verification import DocumentVerifier
from services.signing.domain.record import read_record
from services.signing.domain.record_xml import from_xml, to_xml
from services.signing.domain.verdict import NotAsIntended
from services.stack.signer_pki import SignerPki
from tests.integration.signing.world import PROVINCE, World
from tests.support.signed_pages import Office, an_office

MOST_BYTES = 5_000


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Office:
    return an_office(SignerPki(tmp_path_factory.mktemp("keys")))


def attached(pdf: bytes) -> dict[str, bytes]:
    with pikepdf.open(io.BytesIO(pdf)) as document:
        return {name: file.get_file().read_bytes() for name, file in document.attachments.items()}


async def test_a_province_that_asks_for_it_gets_it_and_the_archive_compares(world: World, tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(f'[[policy]]\nsignature_level = "B-B"\nprovinces = ["{PROVINCE}"]\nrecord_xml = true\n')
    world.worker = replace(world.worker, prepare_pages=replace(world.worker.prepare_pages, policies=policies_from(policy)))
    await world.seal()
    await world.work()
    await world.approve_all()
    await world.work()
    issued = await world.issued()
    assert len(issued) == len(world.pupils)
    check = document_check(world.settings.trust_dir)
    for pdf in issued.values():
        files = attached(pdf)
        assert list(files) == ["hoc-ba.json", "hoc-ba.xml"]
        assert from_xml(files["hoc-ba.xml"], record_table()) == json.loads(files["hoc-ba.json"])
        verdict = check(pdf)
        assert verdict.findings == ()
        assert verdict.record == files["hoc-ba.json"]
    file = tmp_path / "hoc-ba.pdf"
    file.write_bytes(pdf)
    run = CliRunner().invoke(build(), ["record", "xml", str(file)])
    assert (run.exit_code, run.stdout.encode()) == (0, files["hoc-ba.xml"])


async def test_without_such_a_policy_there_is_no_xml(world: World) -> None:
    await world.seal()
    await world.work()
    await world.approve_all()
    await world.work()
    assert {tuple(attached(pdf)) for pdf in (await world.issued()).values()} == {("hoc-ba.json",)}


def test_xml_of_another_record_is_refused_by_both_sides_however_they_read(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    verify, check = DocumentVerifier(office.anchors.chain_of), document_check(office.pki.anchors)
    plain = office.page(canonical(sample("primary"))).pdf
    # The second time each side knows documents of this kind and reads only what is a document's own.
    for public_id in ("a" * 26, "b" * 26):
        record = sample("primary")
        record["transcript"]["public_id"] = public_id
        content = canonical(record)
        body = office.renderer.render(read_record(content), with_xml=True)
        assert 0 < len(body.pdf) - len(plain) < MOST_BYTES
        pdf = office.sign(body.pdf, content)
        verify(pdf, office.expectation(body, content))
        assert check(pdf).findings == ()
    assert verify.in_full == 1
    assert check.shapes is not None
    assert check.shapes.examine(pdf) is not None
    record["subjects"][0]["mark"] = "10"
    monkeypatch.setattr(renderer, "to_xml", lambda _, table: to_xml(record, table))
    forged = office.renderer.render(read_record(content), with_xml=True)
    pdf = office.sign(forged.pdf, content)
    for verifier in (verify, DocumentVerifier(office.anchors.chain_of)):
        with pytest.raises(NotAsIntended, match="the attached XML isn't the record"):
            verifier(pdf, office.expectation(forged, content))
    assert check.shapes.examine(pdf) is not None
    for judge in (check, document_check(office.pki.anchors)):
        (finding,) = judge(pdf).findings
        assert finding.reason is Reason.RECORD_DIFFERS
        assert "$.subjects[].mark differs" in finding.detail


def test_what_has_no_record_is_told(tmp_path: Path) -> None:
    file = tmp_path / "other.json"
    for content, said in ((b"[]", "a JSON object is expected"), (b"{", "other.json"), (b'{"news": 1}', "$.news has no line"), (b"%PDF-1.7\n", "no transcript")):
        file.write_bytes(content)
        run = CliRunner().invoke(build(), ["record", "xml", str(file)])
        assert run.exit_code == 2
        assert said in run.output.replace("\n", " ")
