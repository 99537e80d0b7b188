"""B-LTA: documents get their proof of time after the last signature, and nobody hears of them before."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from asn1crypto import crl, ocsp, x509
from cryptography import x509 as crypto_x509
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.ades.report import AdESIndeterminate
from pyhanko.sign.diff_analysis import DEFAULT_DIFF_POLICY
from pyhanko.sign.validation import ades
from pyhanko.sign.validation.policy_decl import SignatureValidationSpec
from pyhanko_certvalidator.context import CertValidationPolicySpec
from pyhanko_certvalidator.ltv.types import ValidationTimingInfo
from pyhanko_certvalidator.policy_decl import CertRevTrustPolicy, RevocationCheckingPolicy
from pyhanko_certvalidator.registry import SimpleTrustManager
from pyhanko_certvalidator.revinfo.archival import CRLContainer, OCSPContainer

from hocba.signing.v1 import events_pb2 as events
from services.archive.app import document_check
from services.archive.domain.document import CLASS_SHEET
from services.signing import app
from services.signing.adapters.certificates import X509Certificates
from services.signing.adapters.policies import policies_from
from services.signing.adapters.revocation_answers import Answer
from services.signing.application.wait import WakeOrders
from services.signing.domain.patience import LONGEST_WAIT
from services.signing.domain.revocation import Revoked
from services.signing.domain.roles import DEFAULT_ORDER, SignatureRole
from tests.integration.signing.world import CLASS, PROVINCE, World, caller, request
from tests.support.judges import dss, openssl, pdfsig, pyhanko, qpdf, verapdf
from tests.support.trust import Trust

PRINCIPAL = DEFAULT_ORDER[1]
MOST_BYTES = 95_000


class Killed(Exception):
    """The process died here."""


@pytest_asyncio.fixture
async def lta(world: World, tmp_path: Path) -> AsyncIterator[World]:
    """A world whose province asks for B-LTA."""
    policy = tmp_path / "policy.toml"
    policy.write_text(f'[[policy]]\nsignature_level = "B-LTA"\nprovinces = ["{PROVINCE}"]\n')
    _with_policy(world, policy)
    yield world


def _with_policy(world: World, policy: Path | None) -> None:
    """The same worker under another policy."""
    world.worker = replace(world.worker, prepare_pages=replace(world.worker.prepare_pages, policies=policies_from(policy)))


def _restarted(world: World, **settings: Any) -> None:
    """Another process with nothing in its memory, as far as this pass is concerned."""
    world.settings = world.settings.model_copy(update=settings)
    world.worker = replace(world.worker, finish_class=app.finisher(world.settings, world.transactions, world.clock))


async def _signed(world: World) -> events.SigningOrder:
    """All roles have signed; the order that finishes the class."""
    await world.seal()
    await world.work_until("finish")
    await world.approve_all()
    await world.work_until("finish")
    (order,) = [order for order in await world.orders() if order.step == "finish"]
    return order


async def _failures(world: World) -> set[str]:
    _, failures = await world.progress()
    return {reason.split(":")[0] for _, reason in failures}


async def _states(world: World) -> set[str]:
    return {row["state"] for row in await world.rows("SELECT state FROM transcript")}


async def test_archive_is_told_only_of_finished_documents(lta: World) -> None:
    order = await _signed(lta)
    assert len(await lta.rows("SELECT FROM signature")) == 9
    assert await lta.told(events.TranscriptsSigned) == []
    assert await _states(lta) == {"prepared"}
    await lta.do(order)
    (told,) = await lta.told(events.TranscriptsSigned)
    assert [signature.role for signature in told.transcripts[0].signatures] == [1, 2, 3]
    issued = await lta.issued()
    assert {(one.transcript.transcript_id, one.size) for one in told.transcripts} == {(name, len(pdf)) for (name, _), pdf in issued.items()}
    assert all(len(pdf) <= MOST_BYTES for pdf in issued.values())
    assert await _states(lta) == {"signed"}
    assert [manifest.state.value for manifest in await lta.manifests("completed")] == ["completed"]
    await lta.do(order)
    assert len(await lta.told(events.TranscriptsSigned)) == 1


async def test_b_b_is_announced_with_the_last_signature_as_before(world: World) -> None:
    await world.seal()
    await world.work()
    await world.approve_all()
    await world.work()
    assert {order.step for order in await world.orders()} == {"prepare", "sign"}
    assert len(await world.told(events.TranscriptsSigned)) == 1


async def test_level_is_the_one_of_the_day_on_which_the_manifest_was_made(lta: World) -> None:
    await lta.seal()
    await lta.work_until("finish")
    _with_policy(lta, None)
    (manifest,) = await lta.manifests()
    assert manifest.policy.signature_level.value == "B-LTA"
    await lta.approve_all()
    await lta.work()
    assert {order.step for order in await lta.orders()} == {"prepare", "sign", "finish"}
    assert len(await lta.issued()) == 3


async def test_every_judge_accepts_finished_documents_and_those_that_tell_levels_say_lta(lta: World, tmp_path: Path) -> None:
    await lta.do(await _signed(lta))
    files = []
    for (name, _), pdf in (await lta.issued()).items():
        files.append(tmp_path / f"{name}.pdf")
        files[-1].write_bytes(pdf)
    anchors = [(lta.pki.anchors / "root.cer").read_bytes()]
    for judge in (pyhanko, pdfsig, openssl, qpdf, verapdf, dss):
        for report in await asyncio.to_thread(judge.judge, files, anchors):
            assert report.accepts, report.lines()
            levels = {signature.level for signature in report.signatures}
            assert levels == ({"B-LTA"} if judge in (pyhanko, dss) else {None} if report.signatures else set()), report.lines()
            if judge is dss:
                assert {signature.conclusion for signature in report.signatures} == {"TOTAL_PASSED"}


async def test_a_sheet_gets_its_proof_of_time_and_no_pupil_waits_for_it(lta: World, tmp_path: Path) -> None:
    await lta.seal(sheets=[("toan", 1, lta.pupils)])
    await lta.work_until("finish")
    await lta.approve_all()
    await lta.work_until("finish")
    assert len(await lta.rows("SELECT FROM signature")) == 1 + 3 * len(lta.pupils), "all signed while no authority was asked for a time"
    assert await lta.told(events.SheetsSigned) == []
    await lta.work()
    (told,) = await lta.told(events.SheetsSigned)
    assert len(await lta.told(events.TranscriptsSigned)) == 1
    sheet = (await lta.issued())[told.sheets[0].sheet.sheet_id, 1]
    verdict = document_check(lta.settings.trust_dir, CLASS_SHEET)(sheet)
    assert verdict.findings == ()
    assert verdict.proven_at is not None
    file = tmp_path / "sheet.pdf"
    file.write_bytes(sheet)
    for judge in (pyhanko, pdfsig, openssl, qpdf, verapdf, dss):
        (report,) = await asyncio.to_thread(judge.judge, [file], [(lta.pki.anchors / "root.cer").read_bytes()])
        assert report.accepts, report.lines()
        assert {signature.level for signature in report.signatures} == ({"B-LTA"} if judge in (pyhanko, dss) else {None} if report.signatures else set())
        if judge is dss:
            assert {signature.conclusion for signature in report.signatures} == {"TOTAL_PASSED"}
    progress, _ = await lta.progress()
    of_teacher = progress.of(SignatureRole.SUBJECT_TEACHER)
    assert (of_teacher.needed, of_teacher.signed) == (1, 1)


async def _proven_in_the_past(pdf: bytes, world: World, fresh: Sequence[Answer]) -> list[datetime]:
    """pyHanko's parts of EN 319 102-1: validate the chain of stamps, then each signature as one of the past; gives when it existed.

    Its own shortcut (`ades_lta_validation`) asks for a signature time stamp, in whose place PAdES allows a document time stamp.
    """
    root = x509.Certificate.load((world.pki.anchors / "root.cer").read_bytes())
    reader = PdfFileReader(io.BytesIO(pdf))
    now = world.clock.now()
    checking = CertRevTrustPolicy(RevocationCheckingPolicy.from_legacy("require"))
    plain = SignatureValidationSpec(CertValidationPolicySpec(SimpleTrustManager.build([root]), checking))
    existed: list[datetime] = []
    async with ades._operation_scoped_spec(plain) as spec:
        own = ades._dss_to_local_knowledge(reader)
        crls = [CRLContainer(crl.CertificateList.load(one.der)) for one in fresh if one.kind == "CRLs"]
        responses = [one for answer in fresh if answer.kind == "OCSPs" for one in OCSPContainer.load_multi(ocsp.OCSPResponse.load(answer.der))]
        knowledge = replace(own, known_ocsps=[*own.known_ocsps, *responses], known_crls=[*own.known_crls, *crls])
        spec = replace(spec, local_knowledge=knowledge)
        stamps = ades._build_prima_facie_poe_index_from_pdf_timestamps(reader, include_content_ts=True, diff_policy=DEFAULT_DIFF_POLICY)
        for signature in reader.embedded_signatures[:3]:
            timing = ValidationTimingInfo(now, now, point_in_time_validation=False)
            proofs = await ades._validate_prima_facie_poe(stamps, spec, timing)
            await ades.ades_past_signature_validation(
                signature.signed_data, spec, proofs, current_time_sub_indic=AdESIndeterminate.REVOKED_NO_POE, init_control_time=now
            )
            existed.append(proofs[signature.signer_info["signature"].native])
    return existed


async def test_signatures_stay_proven_when_every_signer_is_revoked_afterwards(lta: World, trust: Trust) -> None:
    await lta.do(await _signed(lta))
    finished_at = lta.clock.now()
    rows = await lta.rows("SELECT certificate, chain FROM certificate")
    lta.clock.turn(timedelta(hours=2))
    for row in rows:
        trust.pki.revoke(bytes(row["certificate"]), finished_at + timedelta(hours=1), crypto_x509.ReasonFlags.superseded)
    asking = app.revocations(lta.settings, X509Certificates(lta.pki.anchors), lta.clock)
    fresh: list[Answer] = []
    for row in rows:
        fresh += [one for one in await asking.answers(bytes(row["certificate"]), [bytes(der) for der in row["chain"]]) if isinstance(one, Answer)]
        trust.pki.reinstate(bytes(row["certificate"]))
    assert sum(isinstance(one.says, Revoked) for one in fresh) == len(rows)
    pdf = next(iter((await lta.issued()).values()))
    assert await _proven_in_the_past(pdf, lta, fresh) == [finished_at] * 3


@dataclass
class Dies:
    """Dies before or after one call of what it stands for, once."""

    inner: Any
    method: str
    after: bool
    calls_before: int = 0
    died: bool = False

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.inner, name)
        if name != self.method:
            return found

        async def dying(*given: Any) -> Any:
            if self.died or self.calls_before:
                self.calls_before -= 1
                return await found(*given)
            self.died = True
            if self.after:
                await found(*given)
            raise Killed

        return dying

    async def __call__(self, *_: Any) -> None:
        raise Killed


STEPS = [
    ("long_term", "over_signatures", False, 0),
    ("time_authority", "stamp", False, 0),
    ("time_authority", "stamp", True, 0),
    ("long_term", "over_validation", False, 0),
    ("revocations", "proofs", True, 0),
    ("time_authority", "stamp", False, 1),
    ("time_authority", "stamp", True, 1),
    ("long_term", "finished", True, 0),
    ("staging", "put", False, 0),
    ("staging", "put", True, 0),
]


@pytest.mark.parametrize("step", STEPS, ids=[f"{'after' if after else 'before'}-{part}.{method}-{n + 1}" for part, method, after, n in STEPS])
async def test_worker_killed_between_any_steps_makes_the_same_bytes_of_what_was_stored(lta: World, step: tuple[str, str, bool, int]) -> None:
    part, method, after, calls_before = step
    order = await _signed(lta)
    whole = lta.worker.finish_class
    given: dict[str, Any] = {part: Dies(getattr(whole, part), method, after, calls_before)}
    dying = replace(whole, **given)
    with pytest.raises(Killed):
        await dying(order.order_id)
    assert await lta.told(events.TranscriptsSigned) == []
    stored = await lta.rows("SELECT transcript_id, place, token FROM time_stamp ORDER BY place, transcript_id")
    lta.clock.turn(timedelta(minutes=9))
    _restarted(lta)
    await lta.do(order)
    kept = await lta.rows("SELECT transcript_id, place, token FROM time_stamp ORDER BY place, transcript_id")
    assert len(kept) == 6
    assert kept[: len(stored)] == stored, "what was stored first is what counts"
    first = await lta.issued()
    assert len(first) == 3
    for pdf in first.values():
        assert all(bytes(row["token"]).hex().upper().encode() in pdf for row in kept if str(row["transcript_id"]).encode() in pdf)


async def test_killed_after_staging_leaves_one_pack(lta: World) -> None:
    order = await _signed(lta)
    silent: Any = Dies(None, "", after=False)
    dying = replace(lta.worker.finish_class, announce_finished=silent)
    with pytest.raises(Killed):
        await dying(order.order_id)
    folder = Path(lta.settings.staging_url) / CLASS
    before = {path.name: path.read_bytes() for path in folder.glob("finished-*")}
    lta.clock.turn(timedelta(hours=1))
    _restarted(lta)
    await lta.do(order)
    assert {path.name: path.read_bytes() for path in folder.glob("finished-*")} == before
    assert len(before) == 1


async def test_two_workers_at_once_finish_one_document_once(lta: World) -> None:
    order = await _signed(lta)
    first = lta.worker.finish_class
    _restarted(lta)
    await asyncio.gather(first(order.order_id), lta.worker.finish_class(order.order_id))
    assert len(await lta.told(events.TranscriptsSigned)) == 1
    assert len(await lta.rows("SELECT FROM time_stamp")) == 6
    assert len(list((Path(lta.settings.staging_url) / CLASS).glob("finished-*"))) == 1, "both made the same bytes"


WRONG = ["wrong_nonce", "no_nonce", "wrong_imprint", "wrong_policy", "wrong_signature", "expired", "stranger", "wrong_usage", "early", "rejects", "garbage"]


@pytest.mark.parametrize("how", WRONG)
async def test_wrong_time_stamp_fails_the_batch_and_a_retry_mends_it(lta: World, how: str) -> None:
    _restarted(lta, tsa_policy="1.3.6.1.4.1.32473.1.3161")
    order = await _signed(lta)
    lta.clock.outside(tsa=how)
    await lta.do(order)
    assert await lta.told(events.TranscriptsSigned) == []
    assert await lta.rows("SELECT FROM time_stamp") == [], "a wrong token isn't even stored"
    assert await _failures(lta) == {"time_stamp_wrong"}
    lta.clock.outside()
    await lta.rpc.retry_failed(request("RetryFailed"), caller(PRINCIPAL), CLASS)
    await lta.work()
    assert len(await lta.issued()) == 3
    assert await _failures(lta) == set()


async def test_authority_that_is_down_makes_the_order_wait(lta: World) -> None:
    order = await _signed(lta)
    lta.clock.outside(tsa="down")
    await lta.do(order)
    assert await _failures(lta) == {"time_stamp_missing"}
    lta.clock.turn(timedelta(seconds=15))
    assert await WakeOrders(lta.transactions, lta.clock, 1)() == 1
    await lta.do((await lta.orders())[-1])
    assert len(await lta.issued()) == 3


async def test_revocation_data_older_than_the_stamps_makes_the_order_wait_and_the_stamps_stay(lta: World) -> None:
    order = await _signed(lta)
    await _stamp_only(lta, order)
    stamped = await lta.rows("SELECT transcript_id, token FROM time_stamp ORDER BY transcript_id")
    lta.clock.outside(ocsp="stale", crl="stale")
    await lta.do(order)
    assert await _failures(lta) == {"revocation_unknown"}
    assert await lta.rows("SELECT FROM validation_data") == []
    lta.clock.turn(timedelta(minutes=1))
    await lta.do(order)
    assert len(await lta.issued()) == 3
    assert await lta.rows("SELECT transcript_id, token FROM time_stamp WHERE place = 1 ORDER BY transcript_id") == stamped


async def _stamp_only(world: World, order: events.SigningOrder) -> None:
    dying = replace(world.worker.finish_class, revocations=Dies(world.worker.finish_class.revocations, "proofs", after=False))
    with pytest.raises(Killed):
        await dying(order.order_id)


async def test_wait_for_an_authority_ends(lta: World) -> None:
    order = await _signed(lta)
    lta.clock.outside(tsa="down")
    await lta.do(order)
    lta.clock.turn(LONGEST_WAIT)
    lta.clock.outside(tsa="down")
    await lta.do(order)
    rows = await lta.rows("SELECT DISTINCT state, split_part(reason, ':', 1) AS code FROM order_line WHERE order_id = $1", order.order_id)
    assert [(row["state"], row["code"]) for row in rows] == [("failed", "time_stamp_missing")]


async def test_signer_revoked_before_the_time_is_proven_is_never_announced(lta: World, trust: Trust) -> None:
    order = await _signed(lta)
    (row,) = await lta.rows("SELECT certificate FROM certificate WHERE role = $1", PRINCIPAL.value)
    trust.pki.revoke(bytes(row["certificate"]), lta.clock.now(), crypto_x509.ReasonFlags.key_compromise)
    lta.clock.turn(timedelta(minutes=30))
    await lta.do(order)
    trust.pki.reinstate(bytes(row["certificate"]))
    assert await lta.told(events.TranscriptsSigned) == []
    assert await _failures(lta) == {"certificate_revoked"}


async def test_signer_revoked_after_the_time_was_proven_does_no_harm(lta: World, trust: Trust) -> None:
    order = await _signed(lta)
    await _stamp_only(lta, order)
    (row,) = await lta.rows("SELECT certificate FROM certificate WHERE role = $1", PRINCIPAL.value)
    lta.clock.turn(timedelta(minutes=30))
    trust.pki.revoke(bytes(row["certificate"]), lta.clock.now(), crypto_x509.ReasonFlags.cessation_of_operation)
    _restarted(lta)
    await lta.do(order)
    trust.pki.reinstate(bytes(row["certificate"]))
    assert len(await lta.issued()) == 3


async def test_halt_before_the_end_leaves_nothing_announced_and_the_class_is_signed_anew(lta: World) -> None:
    order = await _signed(lta)
    await _stamp_only(lta, order)
    await lta.rpc.halt_class(CLASS, "00000000-0000-0000-0000-00000000000d")
    await lta.do(order)
    assert await lta.told(events.TranscriptsSigned) == []
    assert len(await lta.rows("SELECT FROM void_intent")) == 9, "what the keys did came to nothing, and the register says so"
    await lta.seal(2)
    await lta.work()
    await lta.approve_all()
    await lta.work()
    assert len(await lta.issued()) == 3


async def test_what_outside_parties_said_cannot_be_changed(lta: World) -> None:
    await lta.do(await _signed(lta))
    for table in ("time_stamp", "validation_data", "finished_document"):
        with pytest.raises(Exception, match=r"append-only|permission denied"):
            await lta.rows(f"DELETE FROM {table}")
