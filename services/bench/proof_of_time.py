"""`hocba bench proof-of-time`: what level B-LTA costs per transcript beside its signatures, and tokens per second of the stand-in authority.

Processor time on one pinned core; lines take turns in rounds, and the middle round counts. Asking over the network isn't in it.
"""

from __future__ import annotations

import hashlib
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

_DOCUMENTS = 40
RESERVED = 3072


@dataclass(frozen=True)
class Line:
    """One piece of work: how often a second, and how much of it a bare key operation of the same kind would take."""

    what: str
    per_second: float
    microseconds: float
    bare_operations: float


def attach(group: typer.Typer) -> None:
    """Add the command to `hocba bench`."""

    @group.command("proof-of-time")
    def proof_of_time(
        rounds: Annotated[int, typer.Option(min=1, help="rounds in which the lines take turns")] = 5,
        core: Annotated[int, typer.Option(help="the core that everything is pinned to")] = 0,
        as_json: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
    ) -> None:
        """What B-LTA costs per transcript, in microseconds and in bare RSA-2048 operations, and how fast the stand-in stamps."""
        os.sched_setaffinity(0, {core})
        lines, sizes = measure(rounds)
        if as_json:
            typer.echo(json.dumps({"rounds": rounds, "lines": [asdict(line) for line in lines], **sizes}, indent=1))
            return
        typer.echo(f"{'':<48}{'per second':>12}{'us':>9}{'bare operations':>17}")
        for line in lines:
            typer.echo(f"{line.what:<48}{line.per_second:>12,.0f}{line.microseconds:>9.0f}{line.bare_operations:>17.2f}")
        typer.echo(f"bytes: {sizes['bytes_b_b']} with three signatures, {sizes['bytes_b_lta']} with proof of time")


def measure(rounds: int) -> tuple[list[Line], dict[str, int]]:
    """All lines, and how long a document is before and after."""
    with tempfile.TemporaryDirectory(prefix="bench-proof-") as scratch:
        ways, sizes = _ways(Path(scratch))
        took: dict[str, list[float]] = {}
        for turn in range(rounds + 1):
            for what, (work, count) in ways.items():
                began = time.process_time()
                work(count)
                if turn:  # The first round fills what is remembered.
                    took.setdefault(what, []).append((time.process_time() - began) / count)
        middle = {what: statistics.median(spent) for what, spent in took.items()}
        bare = {kind: middle[f"bare {kind}"] for kind in ("RSA-2048", "P-256")}
        lines = [Line(what, 1 / spent, spent * 1e6, spent / bare["P-256" if "P-256" in what else "RSA-2048"]) for what, spent in middle.items()]
        return lines, sizes


def _ways(folder: Path) -> tuple[dict[str, tuple[Callable[[int], Any], int]], dict[str, int]]:
    from services.bench import signing
    from services.chassis.clock import SystemClock
    from services.signing.adapters.certificates import X509Certificates
    from services.signing.adapters.http import Http
    from services.signing.adapters.long_term import TwoRevisions, signed
    from services.signing.adapters.long_term_check import check_finished
    from services.signing.adapters.signatures import rendered
    from services.signing.adapters.time_stamps import TimeStampAuthority
    from services.stack.signer_pki import KeyKind, SignerPki
    from services.trust_services.authority import Authority, Identity
    from services.trust_services.time_stamps import TimeStamper

    desk = signing.Desk(folder / "signers", "rsa-2048")
    trust = Authority.from_folder(desk.pki.authority)
    curve = Identity.from_files(SignerPki(folder / "curve", time_stamp_key=KeyKind.P_256).authority, "tsa")
    stampers = {"RSA-2048": TimeStamper(trust.time_stamps, (trust.issuing.der,)), "P-256": TimeStamper(curve)}
    authority = TimeStampAuthority("", X509Certificates(desk.pki.anchors), SystemClock(), Http())
    documents = []
    for index in range(_DOCUMENTS):
        body = desk.rendered(index)
        one = rendered(body.skeleton, body.tail, body.state, body.tip)
        for step, name in enumerate(desk.key_names):
            waiting = desk._signing(body.skeleton, step, one.tip.size, desk.at).on(one)
            one = waiting.go_on(desk.keys._sign(name, [waiting.to_be_signed])[0])
        documents.append(one.pdf)
    data, revisions = answers(trust, desk.certificates), TwoRevisions(RESERVED)
    finished = [_finished(revisions, pdf, data, stampers["RSA-2048"]) for pdf in documents]

    def write(count: int) -> None:
        for pdf, (_, first, second) in list(zip(documents, finished, strict=True))[:count]:
            stamped = revisions.over_signatures(signed(pdf)).stamped(first)
            _ = revisions.over_validation(stamped, data).stamped(second).pdf

    def check(count: int) -> None:
        for pdf, (made, first, second) in list(zip(documents, finished, strict=True))[:count]:
            check_finished(made, pdf, data, (first, second), lambda token, digest: authority.read(token, digest).at)

    imprint = revisions.over_signatures(signed(documents[0])).imprint
    asked = request(imprint)
    read = _times(lambda: authority.read(finished[0][1], imprint))
    ways: dict[str, tuple[Callable[[int], Any], int]] = {
        "bare RSA-2048": (_times(lambda: stampers["RSA-2048"]._sign(imprint)), 100),
        "bare P-256": (_times(lambda: stampers["P-256"]._sign(imprint)), 400),
        "time-stamp request answered, RSA-2048": (_times(lambda: token(stampers["RSA-2048"], asked)), 100),
        "time-stamp request answered, P-256": (_times(lambda: token(stampers["P-256"], asked)), 400),
        "proof of time written": (write, _DOCUMENTS),
        "finished document checked (two tokens in it)": (check, _DOCUMENTS),
        "token checked": (read, 40),
    }
    before, after = (sum(map(len, pdfs)) // _DOCUMENTS for pdfs in (documents, [made for made, _, _ in finished]))
    return ways, {"bytes_b_b": before, "bytes_b_lta": after}


def _times(work: Callable[[], Any]) -> Callable[[int], None]:
    def repeated(count: int) -> None:
        for _ in range(count):
            work()

    return repeated


def request(imprint: bytes) -> bytes:
    """A time-stamp request of ours."""
    from asn1crypto import tsp

    wanted = {"hash_algorithm": {"algorithm": "sha256"}, "hashed_message": imprint}
    return bytes(tsp.TimeStampReq({"version": 1, "message_imprint": wanted, "nonce": 1 << 63, "cert_req": True}).dump())


def token(stamper: Any, asked: bytes) -> bytes:
    """A request as it comes over the line, answered; without the response's frame."""
    from services.trust_services.time_stamps import Question

    made: bytes = stamper.token(Question.of(asked), datetime.now(UTC))
    return made


def _finished(revisions: Any, pdf: bytes, data: Any, stamper: Any) -> tuple[bytes, bytes, bytes]:
    from services.signing.adapters.long_term import signed

    first = revisions.over_signatures(signed(pdf))
    one = token(stamper, request(first.imprint))
    second = revisions.over_validation(first.stamped(one), data)
    two = token(stamper, request(second.imprint))
    return second.stamped(two).pdf, one, two


def answers(trust: Any, certificates: list[bytes]) -> Any:
    """What the authority says of three signers and of the one who stamps."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.x509 import ocsp

    from services.signing.domain.validation import ValidationData
    from services.trust_services.revocation import Revocations

    at, says = datetime.now(UTC).replace(microsecond=0), Revocations(trust, trust.responder)
    found = []
    for der in (*certificates, trust.time_stamps.der):
        builder = ocsp.OCSPRequestBuilder().add_certificate(x509.load_der_x509_certificate(der), trust.issuing.certificate, hashes.SHA1())  # noqa: S303
        nonce = x509.OCSPNonce(hashlib.sha256(der).digest()[:16])
        found.append(says.answer(builder.add_extension(nonce, critical=False).build().public_bytes(serialization.Encoding.DER), at))
    return ValidationData((trust.issuing.der,), tuple(sorted(found)), (says.listed("root", at),))
