"""Writes the table of README.md anew: every attack with what other judges say of it. Takes a minute: python -m tests.attacks.table"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding

from tests.attacks import with_containers, with_keys, without_keys
from tests.attacks.corpus import Attack
from tests.support.judges import dss, pdfsig, pyhanko
from tests.support.judges.report import Judge, Report
from tests.support.signed_documents import FIELDS, shared_pki

README = Path(__file__).with_name("README.md")
_BEGIN = "| attack | described in | we refuse with | pdfsig | pyHanko | EU DSS |\n|---|---|---|---|---|---|\n"


def row(attack: Attack) -> str:
    """What the table says of an attack before others are asked."""
    return f"| {attack.name} | {attack.source} | `{attack.reason.value}` |"


def main() -> None:
    """Everything behind the table's head is written anew."""
    logging.disable(logging.CRITICAL)
    attacks = [module_attack for module in (without_keys, with_containers, with_keys) for module_attack in module.ATTACKS]
    attacks += [*without_keys.TWINS, *with_containers.TWINS]
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder, f"{number}.pdf") for number in range(len(attacks))]
        for file, attack in zip(files, attacks, strict=True):
            file.write_bytes(attack.make())
        anchors = [shared_pki(kind).root.certificate.public_bytes(Encoding.DER) for kind in ("ec", "rsa")]
        told = [[_asked(judge, file, anchors) for file in files] for judge in (pdfsig.judge, pyhanko.judge)]
        told.append([_word(report) for report in dss.judge(files, anchors)])
    before, found, _ = README.read_text(encoding="utf-8").partition(_BEGIN)
    assert found, "README.md has no table"
    README.write_text(before + _BEGIN + "".join(_rows(attacks, told)), encoding="utf-8")


def _rows(attacks: Sequence[Attack], told: Sequence[Sequence[str]]) -> Iterator[str]:
    for attack, *words in zip(attacks, *told, strict=True):
        yield f"{row(attack)} {' | '.join(words)} |\n"


def _asked(judge: Judge, file: Path, anchors: Sequence[bytes]) -> str:
    try:
        return _word(judge([file], anchors)[0])
    except Exception:  # An attack may be one on the judge.
        return "breaks down"


def _word(report: Report) -> str:
    """Whether somebody who goes by this judge alone would take the file for a whole transcript."""
    fields = {signature.field for signature in report.signatures}
    if any(problem.startswith("unreadable") for problem in report.problems):
        return "unreadable"
    if not report.signatures or not all(signature.valid for signature in report.signatures):
        return "refuses"
    if report.problems or not all(signature.whole in (None, True) for signature in report.signatures):
        return "objects"
    if not fields >= set(FIELDS.values()):
        return "valid, fewer signatures"
    return "valid" if report.covered is not False else "valid, not all signed"


if __name__ == "__main__":
    main()
