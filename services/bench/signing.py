"""`hocba bench signing`: transcripts per second on one core, next to plain pyHanko and to the bare key operations, in one run.

Every line is processor time on one pinned core; lines take turns in rounds, and the middle round counts. A transcript has three
signatures. "Render and sign" begins at the canonical record and ends at the finished bytes, record attached. With proof of time (B-LTA) the tokens and
revocation answers are at hand, so that the work is ours alone; pyHanko's line has the authority's work in it, 0.6 ms a token. The token of PKCS#11 works in
this process, so that its time is counted too.
"""

from __future__ import annotations

import asyncio
import gc
import hashlib
import io
import json
import logging
import os
import resource
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random
from typing import Annotated, Any

import typer

PUPILS = 240
CLASS = 40
SHEETS = 24
ROWS = 40
SIGNATURES = 3
_REMARKS = (
    "Nắm vững kiến thức, vận dụng tốt.",
    "Có tiến bộ, cần cố gắng hơn.",
    "Chăm chỉ, tích cực phát biểu xây dựng bài.",
    "Cần rèn luyện thêm kĩ năng tính toán và trình bày.",
    "Hoàn thành tốt các nhiệm vụ học tập, mạnh dạn hơn trong hoạt động nhóm.",
)
_NAMES = (("Nguyễn", "Trần", "Lê", "Phạm", "Hoàng", "Đặng"), ("Văn", "Thị", "Đức", "Minh", "Ngọc"), ("An", "Bình", "Chi", "Dũng", "Giang", "Khánh", "Phương"))
_BASELINE = "bare RSA-2048"


@dataclass(frozen=True)
class Line:
    """One way of making a transcript: its rate, and that as a multiple of three bare RSA-2048 operations and of plain pyHanko."""

    what: str
    per_second: float
    of_bare: float
    of_pyhanko: float
    bytes: int


def attach(group: typer.Typer) -> None:
    """Add the command to `hocba bench`."""

    @group.command("signing")
    def signing(
        rounds: Annotated[int, typer.Option(min=1, help="rounds in which the lines take turns")] = 5,
        core: Annotated[int, typer.Option(help="the core that everything is pinned to")] = 0,
        documents: Annotated[int, typer.Option(min=0, help="measure memory over so many transcripts first; 100000 take some minutes")] = 0,
        as_json: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
    ) -> None:
        """Transcripts per second on one core, as multiples of the bare key operations and of plain pyHanko."""
        os.sched_setaffinity(0, {core})
        resident = memory_over(documents) if documents else {}
        lines, facts = measure(rounds)
        if as_json:
            typer.echo(json.dumps({**facts, "rounds": rounds, "resident_megabytes": resident, "lines": [asdict(line) for line in lines]}, indent=1))
            return
        typer.echo(f"{'':<44}{'per second':>12}{'x bare':>10}{'x pyHanko':>11}{'bytes':>9}")
        for line in lines:
            typer.echo(f"{line.what:<44}{line.per_second:>12,.1f}{line.of_bare:>10.2f}{line.of_pyhanko:>11.0f}{line.bytes or '':>9}")
        for what, reason in facts["absent"].items():
            typer.echo(f"{what:<44}not measured, {reason}")
        typer.echo(f"peak memory {facts['peak_megabytes']} MB")
        for count, megabytes in resident.items():
            typer.echo(f"resident after {count:,} transcripts {megabytes} MB")


def memory_over(documents: int) -> dict[int, int]:
    """Resident megabytes after 240, 10,000 and so on of transcripts of ever other pupils, each rendered, signed (P-256) and checked."""
    found: dict[int, int] = {}
    with tempfile.TemporaryDirectory(prefix="bench-memory-") as scratch:
        desk, told = Desk(Path(scratch), "p-256"), [PUPILS, *(10**power for power in range(4, 9) if 10**power < documents), documents]
        for start in range(0, documents, PUPILS):
            desk.take(_records(start))
            desk.all_at_once(done := min(PUPILS, documents - start), check=True)
            while told and start + done >= told[0]:
                pages = int(Path("/proc/self/statm").read_text().split()[1])
                found[told.pop(0)] = pages * resource.getpagesize() // 2**20
            if start % (PUPILS * 40) == 0:
                typer.echo(f"memory: {start + done:,} of {documents:,} transcripts", err=True)
    return found


def measure(rounds: int) -> tuple[list[Line], dict[str, Any]]:
    """All lines that this machine can give."""
    with tempfile.TemporaryDirectory(prefix="bench-signing-") as scratch:
        ways, absent = _ways(Path(scratch))
        # What one transcript needs is a few hundred objects that die at once: the collector would only walk what lives on.
        gc.collect()
        gc.freeze()
        took: dict[str, list[float]] = {}
        sizes: dict[str, int] = {}
        for turn in range(rounds + 1):
            typer.echo(f"round {turn} of {rounds}", err=True)
            for what, (make, count) in ways.items():
                began = time.process_time()
                size = make(count)
                spent = (time.process_time() - began) / count
                if turn:  # The first round fills what is remembered.
                    took.setdefault(what, []).append(spent)
                    sizes[what] = size
        middle = {what: statistics.median(spent) for what, spent in took.items()}
        bare, plain = middle[_BASELINE], middle["plain pyHanko, signing alone, RSA-2048"]
        lines = [Line(what, 1 / spent, bare / spent, plain / spent, sizes[what]) for what, spent in middle.items()]
        return lines, {"transcripts": PUPILS, "absent": absent, "peak_megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}


Way = tuple[Callable[[int], int], int]


def _ways(folder: Path) -> tuple[dict[str, Way], dict[str, str]]:
    """Each line's work, and why a line is lacking."""
    from services.bench.keys import NO_SOFTHSM, softhsm
    from services.signing.adapters.keys import crypto_mb

    rsa, curve = Desk(folder / "rsa", "rsa-2048"), Desk(folder / "curve", "p-256")
    proven = ProofOfTime(rsa)
    digest = hashlib.sha256(b"bench").digest()

    def bare(desk: Desk, count: int) -> int:
        for _ in range(count):
            for name in desk.key_names:
                desk.keys._sign(name, [digest])
        return 0

    ways: dict[str, Way] = {
        _BASELINE: (partial(bare, rsa), 60),
        "bare P-256": (partial(bare, curve), 200),
        "plain pyHanko, signing alone, RSA-2048": (rsa.by_pyhanko, 1),
        "pyHanko with its key cached, RSA-2048": (PyHankoCached(rsa).sign, 2),
        "pyHanko, signing alone, B-LTA, RSA-2048": (proven.by_pyhanko, 1),
        "render": (lambda count: sum(len(rsa.rendered(i).tail) for i in range(count)) // count, PUPILS),
        "render and sign, RSA-2048 (OpenSSL)": (rsa.all_at_once, PUPILS),
        "the same, each checked": (partial(rsa.all_at_once, check=True), PUPILS),
        "render and sign, P-256": (curve.all_at_once, PUPILS),
        "the same with P-256, each checked": (partial(curve.all_at_once, check=True), PUPILS),
        "render, sign, proof of time, B-LTA, RSA-2048": (proven.all_at_once, PUPILS),
        "the same with B-LTA, each checked": (partial(proven.all_at_once, check=True), PUPILS),
        "three orders with pauses, RSA-2048": (rsa.in_three_orders, PUPILS),
        "check of a finished transcript, RSA-2048": (rsa.check_alone, PUPILS),
        f"class-subject sheet, {ROWS} pupils, as an order": (rsa.sheets, SHEETS),
    }
    absent: dict[str, str] = {}
    try:
        eight = Desk(folder / "rsa", "rsa-2048", crypto_mb.load())
        ways["bare RSA-2048 (crypto_mb, eight at once)"] = (eight.bare_batches, PUPILS)
        ways["render and sign, RSA-2048 (crypto_mb)"] = (eight.all_at_once, PUPILS)
        ways["the same with crypto_mb, each checked"] = (partial(eight.all_at_once, check=True), PUPILS)
    except crypto_mb.NotHere as reason:
        absent["render and sign, RSA-2048 (crypto_mb)"] = str(reason)
    library = softhsm()
    if library is None:
        absent["render and sign, RSA-2048 (PKCS#11)"] = NO_SOFTHSM
    else:
        token = Desk(folder / "rsa", "rsa-2048")
        token.keys = TokenKeys(folder, library, rsa)
        ways["bare RSA-2048 (PKCS#11, SoftHSM2)"] = (token.bare_batches, PUPILS)
        ways["render and sign, RSA-2048 (PKCS#11)"] = (token.all_at_once, PUPILS)
    return ways, absent


class Desk:
    """A class with three signers, and the mass path around their keys, without database and broker."""

    def __init__(self, folder: Path, kind: str, mass: Any = None) -> None:
        from services.signing.adapters.certificates import TrustAnchors
        from services.signing.adapters.cms_template import CmsTemplate
        from services.signing.adapters.keys.pkcs12 import Pkcs12Keys
        from services.signing.adapters.renderer import FormRenderer
        from services.signing.adapters.signatures import Skeletons
        from services.signing.adapters.verification import DocumentVerifier
        from services.signing.domain.roles import DEFAULT_ORDER
        from services.stack.signer_pki import KeyKind, Signer, SignerPki

        self.pki = SignerPki(folder)
        school, place = "Trường Mẫu", "Thành phố Mẫu"
        made = self.pki.make(
            [
                Signer(f"{kind}-teacher", "Nguyễn Thị Mẫu", school, place, "Giáo viên", "1", key_kind=KeyKind(kind)),
                Signer(f"{kind}-principal", "Trần Văn Mẫu", school, place, "Hiệu trưởng", "2", key_kind=KeyKind(kind)),
                Signer(f"{kind}-seal", school, school, place, key_kind=KeyKind(kind)),
            ]
        )
        self.key_names = [one.signer.key_name for one in made]
        self.certificates = [one.certificate for one in made]
        self.containers = [CmsTemplate(one.certificate, list(one.chain)) for one in made]
        self.keys: Any = Pkcs12Keys(self.pki.keys, self.pki.password_file, mass)
        self.renderer = FormRenderer("https://tracuu.hocba.example/t")
        self.verify = DocumentVerifier(TrustAnchors.from_folder(self.pki.anchors).chain_of)
        self.skeletons = Skeletons()
        self.at = datetime.now(UTC).replace(microsecond=0)
        self._fields = [self._field(role.value) for role in DEFAULT_ORDER]
        self._named = [hashlib.sha256(certificate).digest() for certificate in self.certificates]
        self.take(_records())
        self.sheet_contents = _sheets()
        self._sheet_at = self._order_at = self.at
        self._signings: dict[tuple[int, int, int, datetime], Any] = {}
        self._finished: list[tuple[bytes, Any]] = []

    def take(self, records: Sequence[bytes]) -> None:
        """Go on with these records; their digests are at hand, as the manifest tells them in the product."""
        self.records = records
        self._digests = [hashlib.sha256(record).digest() for record in records]

    def rendered(self, index: int) -> Any:
        """The unsigned page of a pupil."""
        from services.signing.adapters.renderer import known

        return self.renderer.render(known(self.records[index % PUPILS]))

    def bare_batches(self, count: int) -> int:
        """The key operations alone, a class at a time."""
        for name in self.key_names:
            self.keys._sign(name, [hashlib.sha256(bytes((i % 256,))).digest() for i in range(count)])
        return 0

    def all_at_once(self, count: int, check: bool = False) -> int:
        """Render and sign."""
        size = 0
        for i, body, pdf in self.signed(count):
            size += len(pdf)
            if check:
                self.verify(pdf, self._expected(body, i, self.at))
        return size // count

    def signed(self, count: int) -> Iterator[tuple[int, Any, bytes]]:
        """(number, page, finished document), in lockstep: all documents of a class for one signer, then for the next."""
        from services.signing.adapters.signatures import rendered

        for start in range(0, count, CLASS):
            bodies = [self.rendered(i) for i in range(start, min(start + CLASS, count))]
            open_ones = [rendered(body.skeleton, body.tail, body.state, body.tip) for body in bodies]
            for step, name in enumerate(self.key_names):
                waiting = [self._signing(body.skeleton, step, one.tip.size, self.at).on(one) for body, one in zip(bodies, open_ones, strict=True)]
                values = self.keys._sign(name, [one.to_be_signed for one in waiting])
                if step < SIGNATURES - 1:
                    open_ones = [one.go_on(value) for one, value in zip(waiting, values, strict=True)]
            for offset, (body, one, value) in enumerate(zip(bodies, waiting, values, strict=True)):
                yield start + offset, body, one.finished(value)

    def in_three_orders(self, count: int) -> int:
        """The real path: pages are stored, each role's order of a class reads them, signs, checks and stores them again; each class has its own time."""
        from services.signing.adapters.signatures import opened

        size = 0
        for start in range(0, count, CLASS):
            self._order_at += timedelta(seconds=1)  # So no dictionary is known from the class before.
            bodies = [self.rendered(i) for i in range(start, min(start + CLASS, count))]
            stored = [body.pdf for body in bodies]
            for step, name in enumerate(self.key_names):
                waiting = []
                for pdf in stored:
                    skeleton = self.skeletons.of(pdf)
                    document = opened(pdf, skeleton)
                    waiting.append(self._signing(skeleton, step, document.tip.size, self._order_at).on(document))
                values = self.keys._sign(name, [one.to_be_signed for one in waiting])
                stored = [one.finished(value) for one, value in zip(waiting, values, strict=True)]
                for i, pdf in enumerate(stored):
                    self.verify(pdf, self._expected(bodies[i], start + i, self._order_at, step + 1))
            size += sum(map(len, stored))
        return size // count

    def check_alone(self, count: int) -> int:
        """The check of a finished document by code that didn't make it."""
        if not self._finished:
            self._finished = [(pdf, self._expected(body, i, self.at)) for i, body, pdf in self.signed(PUPILS)]
        for pdf, expected in self._finished[:count]:
            self.verify(pdf, expected)
        return len(self._finished[0][0])

    def sheets(self, count: int) -> int:
        """Sheets with their one signature, rendered, signed and checked as orders of their own: nothing is shared but form and certificate."""
        from services.signing.adapters.renderer import known
        from services.signing.adapters.signatures import SignatureTerms, Signing, opened
        from services.signing.domain.roles import SHEET_ORDER
        from services.signing.domain.verdict import Expectation, ExpectedSignature

        (role,) = SHEET_ORDER
        field, size = self._field(role.value), 0
        for content in self.sheet_contents[:count]:
            body = self.renderer.render(known(content))
            self._sheet_at += timedelta(seconds=1)  # As each order has its own time, no dictionary is known from the one before.
            terms = SignatureTerms(role, field, SHEET_ORDER, self._stamp(role, 0, self._sheet_at), self.containers[0])
            skeleton = self.skeletons.of(body.pdf)
            document = opened(body.pdf, skeleton)
            waiting = Signing(skeleton, terms, document.tip.size).on(document)
            pdf = waiting.finished(self.keys._sign(self.key_names[0], [waiting.to_be_signed])[0])
            wanted = ExpectedSignature(role, field, hashlib.sha256(self.certificates[0]).digest(), self._sheet_at)
            self.verify(pdf, Expectation(body.digest, hashlib.sha256(content).digest(), [wanted], SHEET_ORDER, [field]))
            size += len(pdf)
        return size // count

    def by_pyhanko(self, count: int, signers: Callable[[str], Any] | None = None, timestamper: Any = None, **settings: Any) -> int:
        """Plain pyHanko: SimpleSigner and PdfSigner as its documentation has them, on the same pages; or with other signers, stamps and settings."""
        from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
        from pyhanko.sign.fields import MDPPerm, SigSeedSubFilter
        from pyhanko.sign.signers import PdfSignatureMetadata, PdfSigner

        from services.signing.domain.roles import DEFAULT_ORDER

        reserved, size = settings.pop("bytes_reserved", None), 0
        for i in range(count):
            page = self.rendered(i).pdf
            for step, name in enumerate(self.key_names):
                metadata = PdfSignatureMetadata(
                    field_name=self._field(DEFAULT_ORDER[step].value),
                    md_algorithm="sha256",
                    subfilter=SigSeedSubFilter.PADES,
                    certify=step == 0,
                    docmdp_permissions=MDPPerm.FILL_FORMS if step < SIGNATURES - 1 else MDPPerm.NO_CHANGES,
                    use_pades_lta=bool(timestamper) and step == SIGNATURES - 1,
                    **settings,
                )
                out = io.BytesIO()
                signer = PdfSigner(metadata, (signers or self.pyhanko_signer)(name), timestamper=timestamper)
                asyncio.run(signer.async_sign_pdf(IncrementalPdfFileWriter(io.BytesIO(page)), output=out, bytes_reserved=reserved))
                page = out.getvalue()
            size += len(page)
        return size // count

    def pyhanko_signer(self, name: str) -> Any:
        """pyHanko's signer from the key's file."""
        from pyhanko.sign.signers import SimpleSigner

        return SimpleSigner.load_pkcs12(str(self.pki.keys / f"{name}.p12"), passphrase=self.pki.password_file.read_bytes())  # type: ignore[no-untyped-call]  # pyHanko

    def private_key(self, name: str) -> Any:
        """The key itself."""
        from cryptography.hazmat.primitives.serialization import pkcs12

        return pkcs12.load_key_and_certificates((self.pki.keys / f"{name}.p12").read_bytes(), self.pki.password_file.read_bytes())[0]

    @staticmethod
    def _field(role: str) -> str:
        return "".join(word.capitalize() for word in role.split("_"))

    def _signing(self, skeleton: Any, step: int, size: int, at: datetime) -> Any:
        from services.signing.adapters.signatures import SignatureTerms, Signing
        from services.signing.domain.roles import DEFAULT_ORDER

        key = (id(skeleton), step, size, at)
        if key not in self._signings:
            role = DEFAULT_ORDER[step]
            terms = SignatureTerms(role, self._field(role.value), DEFAULT_ORDER, self._stamp(role, step, at), self.containers[step])
            self._signings[key] = Signing(skeleton, terms, size)
        return self._signings[key]

    def _stamp(self, role: Any, step: int, at: datetime) -> Any:
        from services.signing.adapters.appearances import StampContent
        from services.signing.adapters.certificates import facts_of

        return StampContent(role, facts_of(self.certificates[step]), at, box=_box_of(role))

    def _expected(self, body: Any, index: int, at: datetime, signatures: int = SIGNATURES) -> Any:
        from services.signing.domain.roles import DEFAULT_ORDER
        from services.signing.domain.verdict import Expectation, ExpectedSignature

        wanted = [ExpectedSignature(role, field, named, at) for role, field, named in zip(DEFAULT_ORDER, self._fields, self._named, strict=True)]
        return Expectation(body.digest, self._digests[index % PUPILS], wanted[:signatures], DEFAULT_ORDER, self._fields)


class PyHankoCached:
    """pyHanko at its best: keys and certificates loaded once, and the container's size told beforehand, which saves a rehearsal of each signature."""

    def __init__(self, desk: Desk) -> None:
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import padding
        from pyhanko.sign.signers import SimpleSigner

        class Cached(SimpleSigner):
            """SimpleSigner reads its key anew for each signature."""

            key: Any

            async def async_sign_raw(self, data: bytes, digest_algorithm: str, dry_run: bool = False) -> bytes:
                value: bytes = self.key.sign(data, padding.PKCS1v15(), hashes.SHA256())
                return value

        self._desk = desk
        self._signers: dict[str, Cached] = {}
        for name in desk.key_names:
            plain = desk.pyhanko_signer(name)
            self._signers[name] = Cached(plain.signing_cert, plain.signing_key, plain.cert_registry)
            self._signers[name].key = desk.private_key(name)

    def sign(self, count: int) -> int:
        """Sign so many pages."""
        return self._desk.by_pyhanko(count, self._signers.__getitem__, bytes_reserved=16384)


class ProofOfTime:
    """The FINISH pass behind a desk's signatures. Tokens and revocation answers are as good as fetched: made in the first round, which isn't counted."""

    def __init__(self, desk: Desk) -> None:
        from services.bench.proof_of_time import RESERVED, answers
        from services.chassis.clock import SystemClock
        from services.signing.adapters.certificates import X509Certificates
        from services.signing.adapters.http import Http
        from services.signing.adapters.long_term import TwoRevisions
        from services.signing.adapters.time_stamps import TimeStampAuthority
        from services.trust_services.authority import Authority
        from services.trust_services.time_stamps import TimeStamper

        self._desk, self._revisions = desk, TwoRevisions(RESERVED)
        self._trust = Authority.from_folder(desk.pki.authority)
        self._stamper = TimeStamper(self._trust.time_stamps, (self._trust.issuing.der,))
        self._data = answers(self._trust, desk.certificates)
        self._authority = TimeStampAuthority("", X509Certificates(desk.pki.anchors), SystemClock(), Http())
        self._tokens: dict[bytes, bytes] = {}

    def all_at_once(self, count: int, check: bool = False) -> int:
        """Render, sign, and the three passes of proof of time: each stamp's imprint, then the document."""
        from services.signing.adapters.long_term import signed
        from services.signing.adapters.long_term_check import check_finished

        size, one = 0, self._revisions
        for i, body, pdf in self._desk.signed(count):
            if check:
                self._desk.verify(pdf, self._desk._expected(body, i, self._desk.at))
            first = self._token(one.over_signatures(signed(pdf)).imprint)
            second = self._token(one.over_validation(one.over_signatures(signed(pdf)).stamped(first), self._data).imprint)
            made = one.over_validation(one.over_signatures(signed(pdf)).stamped(first), self._data).stamped(second).pdf
            size += len(made)
            if check:
                check_finished(made, pdf, self._data, (first, second), lambda token, digest: self._authority.read(token, digest).at)
        return size // count

    def _token(self, imprint: bytes) -> bytes:
        from services.bench.proof_of_time import request, token

        if imprint not in self._tokens:
            self._tokens[imprint] = token(self._stamper, request(imprint))
        return self._tokens[imprint]

    def by_pyhanko(self, count: int) -> int:
        """pyHanko's B-LTA: a time stamp and revocation answers for each signature, and a document time stamp at the end; nothing is fetched."""
        from asn1crypto import crl, tsp, x509
        from pyhanko.sign.timestamps import TimeStamper
        from pyhanko_certvalidator import ValidationContext

        from services.trust_services.revocation import Revocations
        from services.trust_services.time_stamps import Question

        answered, now = self._stamper, datetime.now(UTC).replace(microsecond=0)
        says = Revocations(self._trust, self._trust.responder)

        class AtHand(TimeStamper):
            """The stand-in's key, without a line between."""

            async def async_request_tsa_response(self, req: tsp.TimeStampReq) -> tsp.TimeStampResp:
                return tsp.TimeStampResp.load(answered.answer(Question.of(req.dump()), datetime.now(UTC)))

        # It warns at each signature that nothing can be fetched, which is what is wanted here.
        logging.getLogger("pyhanko.sign").setLevel(logging.ERROR)
        stamper = AtHand()  # type: ignore[no-untyped-call]  # pyHanko
        context = ValidationContext(
            trust_roots=[x509.Certificate.load(file.read_bytes()) for file in self._desk.pki.anchors.glob("*.cer")],
            other_certs=[x509.Certificate.load(der) for der in self._data.certificates],
            # Lists, for the bench's certificates name no responder, and pyHanko takes no other's answers.
            crls=[crl.CertificateList.load(says.listed(name, now)) for name in ("root", "issuing")],
            revocation_mode="require",
            allow_fetching=False,
        )
        return self._desk.by_pyhanko(count, timestamper=stamper, embed_validation_info=True, validation_context=context)


class TokenKeys:
    """The desk's keys in a SoftHSM2 token, one session; what the product does in a process per session is done in this one."""

    def __init__(self, folder: Path, library: Path, desk: Desk) -> None:
        from services.bench.keys import make_token
        from services.signing.adapters.keys.pkcs11_session import Token

        make_token(folder, {name: desk.private_key(name) for name in desk.key_names})
        self._token = Token(str(library), "bench", folder / "pin")

    def _sign(self, name: str, digests: list[bytes]) -> list[bytes]:
        answer = self._token.answer({"key": name, "digests": [digest.hex() for digest in digests]})
        return [bytes.fromhex(value) for value in answer["values"]]


def _box_of(role: Any) -> Any:
    """What the form says of the role's box; all forms for transcripts say the same, and all for sheets."""
    from services.signing.adapters.official_forms import form_named
    from services.signing.domain.roles import SHEET_ORDER

    return form_named("class_subject/v1" if role in SHEET_ORDER else "primary/v1").box_of(role)


def _records(first: int = 0) -> Sequence[bytes]:
    """Classes of all three levels: other names, marks and remarks for each pupil from number `first` on, by a fixed seed."""
    from services.signing.adapters.samples import canonical, levels, sample

    chance = Random(2026 + first)  # noqa: S311  # Repeatable, and nothing secret.
    made = []
    for index in range(first, first + PUPILS):
        record = sample(levels()[index // CLASS % len(levels())])
        # The sample's proofs are for the sample's marks, and these marks are others: no class-subject sheets here.
        record["rule_set"]["switches"]["signed_sheet_levels"] = []
        record["pupil"]["name"] = " ".join(chance.choice(part) for part in _NAMES)
        record["transcript"] |= {"id": str(uuid.UUID(int=index)), "public_id": "".join(chance.choices("abcdefghijklmnopqrstuvwxyz234567", k=26))}
        for subject in record["subjects"]:
            subject.pop("sheet", None)
            if subject["taken"]:
                subject["comment"] = chance.choice(_REMARKS)
            for part in ("term_1", "term_2", "year"):
                if (subject.get(part) or "").replace(".", "").isdigit():
                    subject[part] = f"{chance.randint(30, 100) / 10:.1f}"
        record["comments"]["homeroom"] = f"{record['pupil']['name']}: {chance.choice(_REMARKS)} {chance.choice(_REMARKS)} Số {index}."
        made.append(canonical(record))
    return made


def _sheets() -> Sequence[bytes]:
    """Sheets of classes, with other names and marks in each; their rows prove nothing, which signing doesn't ask."""
    from services.signing.adapters.samples import SHEET, canonical, sample

    chance = Random(2026)  # noqa: S311  # Repeatable, and nothing secret.
    made = []
    for index in range(SHEETS):
        sheet = sample(SHEET, "long")
        sheet["rows"] = sheet["rows"][:ROWS]
        sheet["sheet"] |= {"id": str(uuid.UUID(int=index)), "public_id": "".join(chance.choices("abcdefghijklmnopqrstuvwxyz234567", k=26))}
        for line in sheet["rows"]:
            name = " ".join(chance.choice(part) for part in _NAMES)
            line["row"] |= {"pupil": name, "comment": chance.choice(_REMARKS), "year": f"{chance.randint(30, 100) / 10:.1f}"}
        made.append(canonical(sheet))
    return made
