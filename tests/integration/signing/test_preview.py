"""`hocba preview`: every form with every sample, as PDF and as pictures."""

from pathlib import Path

import pikepdf
import pytest
from typer.testing import CliRunner

from services.__main__ import build
from services.signing.adapters.samples import SHEET, SHEETS, SIZES, canonical, levels, sample
from tests.support.programs import path_of
from tests.support.records import LEVELS


def test_all_forms_are_set_with_all_samples_and_drawn(tmp_path: Path) -> None:
    path_of("pdftoppm")
    run = CliRunner().invoke(build(), ["preview", "--all", "--out", str(tmp_path / "pdf"), "--png", str(tmp_path / "png")])
    assert run.exit_code == 0, run.output
    assert {path.stem for path in (tmp_path / "pdf").glob("*.pdf")} == {f"{form}-{size}" for form in (*LEVELS, *SHEETS) for size in SIZES}
    for path in (tmp_path / "pdf").glob("*.pdf"):
        with pikepdf.open(path) as pdf:
            pages = len(pdf.pages)
        if path.stem.endswith("overfull"):
            assert pages > 2
        elif not path.stem.startswith(SHEET):
            assert pages == 2
        assert len(list((tmp_path / "png").glob(f"{path.stem}-*.png"))) == pages


def test_given_data_is_set_and_wrong_data_told_with_its_place(tmp_path: Path) -> None:
    record, out = tmp_path / "record.json", tmp_path / "page.pdf"
    record.write_bytes(canonical(sample("primary", "long")))
    run = CliRunner().invoke(build(), ["preview", str(record), "--out", str(out)])
    assert run.exit_code == 0, run.output
    assert out.read_bytes().startswith(b"%PDF-1.7")
    broken = sample("primary")
    broken["pupil"]["name"] = "Vũ Thị ש"
    record.write_bytes(canonical(broken))
    run = CliRunner().invoke(build(), ["preview", str(record), "--out", str(out)])
    assert run.exit_code == 2
    assert "$.pupil.name" in run.output


@pytest.mark.parametrize("arguments", [[], ["--all", "--sample", "primary"], ["--sample", "kindergarten"], ["--sample", "primary", "--size", "tiny"]])
def test_what_cannot_be_set_is_told(arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run = CliRunner().invoke(build(), ["preview", *arguments])
    assert run.exit_code == 2
    assert not list(tmp_path.iterdir())


def test_a_machine_without_poppler_is_told_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    run = CliRunner().invoke(build(), ["preview", "--sample", "primary", "--out", str(tmp_path / "page.pdf"), "--png", str(tmp_path)])
    assert run.exit_code == 2
    assert "apt-get install poppler-utils" in run.output


def test_there_is_a_sample_of_every_level() -> None:
    assert set(levels()) == set(LEVELS)
