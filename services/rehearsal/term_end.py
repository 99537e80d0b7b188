"""The whole play: one school year's end from roster to archived, verified transcripts and totals that reconcile."""

import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from hocba.enrollment.v1 import enrollment_pb2
from hocba.reporting.v1 import reporting_pb2
from services.chassis.errors import Refused
from services.rehearsal import gradebook, marks, plan, proofs, register, roster, signatures, validation
from services.rehearsal.doors import Doors, all_of, new_id, open_doors, settled
from services.rehearsal.gradebook import Correction
from services.rehearsal.plan import PROVINCE, SCHOOL_YEAR, Plan
from services.rehearsal.progress import Stage
from services.rehearsal.transparency import Onlooker
from services.stack import log_keys
from services.stack.deployment import Deployment
from services.stack.signer_pki import SignerPki

OFFICER = "5f0c1d1e-0000-5000-8000-000000000001"


@dataclass
class Outcome:
    """What a rehearsal did, for the summary and for tests."""

    schools: int = 0
    classes: int = 0
    staff: int = 0
    pupils: int = 0
    mark_cells: int = 0
    completions: int = 0
    classes_locked: int = 0
    sealed: int = 0
    waiting: dict[str, int] = field(default_factory=dict)
    corrections: list[dict[str, Any]] = field(default_factory=list)
    transcripts_approved: int = 0
    sheets_signed: int = 0
    sheets_validated: int = 0
    archived: int = 0
    superseded: int = 0
    validated: int = 0
    validators: list[str] = field(default_factory=list)
    bytes_per_transcript: int = 0
    log_leaves: int = 0
    log_witnesses: int = 0
    registered: int = 0
    register_versions_found: int = 0
    receipts: str = ""
    differences: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    total_seconds: float = 0.0
    documents: str = ""
    anchors: str = ""
    policy: str = ""
    page: str = ""
    """Address of one issued transcript's public page; it answers while the stack is up."""
    bundle: str = ""
    """A transcript with everything that proves it, in one file."""

    @property
    def reconciled(self) -> bool:
        """Whether everything that was sealed is archived, log and national register have every document, and every difference is zero."""
        whole = self.archived == self.sealed == self.validated - self.superseded and self.sheets_signed == self.sheets_validated
        # Each file's own proof was checked when it was validated; time stamps of evidence are leaves too.
        whole = whole and self.log_leaves >= self.validated + self.sheets_validated
        whole = whole and self.registered == self.validated
        return whole and not any(self.differences.values())

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "reconciled": self.reconciled}


async def play(deployment: Deployment, pupils: int, seed: int, stage: Stage, documents: Path) -> Outcome:
    """Play a term end against a running stack and leave every archived PDF in `documents`."""
    leaf = deployment.keys.leaf("edge")
    doors = open_doors(deployment.addresses, ca=deployment.keys.ca, certificate=leaf.certificate, key=leaf.key, issuer=deployment)
    began = time.monotonic()
    try:
        onlooker = Onlooker.with_policy(doors, log_keys.policy_file(deployment.log_keys))
        cast, signers = plan.make(pupils, seed), SignerPki(deployment.signers)
        outcome = await _acts(doors, cast, signers, onlooker, stage, documents)
        await _register(deployment, signers, cast, stage, outcome)
    finally:
        await doors.close()
    outcome.seconds = {title: round(seconds, 1) for title, seconds in stage.seconds.items()}
    outcome.total_seconds = round(time.monotonic() - began, 1)
    outcome.documents, outcome.anchors = str(documents), str(deployment.signers / "anchors")
    outcome.policy = str(log_keys.policy_file(deployment.log_keys))
    outcome.page = f"{deployment.page}{outcome.page}"
    return outcome


async def _acts(doors: Doors, cast: Plan, pki: SignerPki, onlooker: Onlooker, stage: Stage, documents: Path) -> Outcome:
    officer = doors.as_(OFFICER, f"doet_officer@province:{PROVINCE}")
    outcome = Outcome(schools=len(cast.schools), classes=len(list(cast.classes())), pupils=cast.pupils)
    outcome.staff = sum(len(school.staff()) for school in cast.schools)
    with stage.act("Trường, giáo viên, lớp (schools, staff, classes)", outcome.schools + outcome.staff + outcome.classes) as step:
        await all_of(roster.register(doors, officer, school, step) for school in cast.schools)
    with stage.act("Học sinh (pupils: one workbook, two by hand)", outcome.pupils) as step:
        await all_of(roster.enrol(doors, school, step) for school in cast.schools)
    with stage.act("Đối chiếu dân cư (identities against the population database)", outcome.classes) as step:
        await _verify_identities(doors, cast, step)
    with stage.act("Chứng thư số của người ký (signers' certificates)", signatures.certificates(cast)) as step:
        await signatures.certify(doors, cast, pki, step)
    windows = await settled(lambda: gradebook.open_windows(doors, officer))
    with stage.act("Nhập điểm và nhận xét cả năm (a year of marks)", marks.total_cells(cast)) as step:
        outcome.mark_cells = await gradebook.enter_marks(doors, cast, step)
    with stage.act("Hội đồng xét hoàn thành cấp học (councils decide)", len(gradebook.decided_by_council(cast))) as step:
        outcome.completions = await gradebook.decide_completion(doors, cast, step)
    with stage.act("Đóng sổ, khoá lớp (windows close, classes are sealed)", outcome.classes) as step:
        await gradebook.close_windows(doors, officer, windows)
        locks = await gradebook.locks(doors, officer, cast, step)
    outcome.classes_locked = len(locks)
    outcome.sealed = sum(lock.sealed for lock in locks.values())
    for lock in locks.values():
        for waiting in lock.waiting_reasons:
            outcome.waiting[waiting.reason] = outcome.waiting.get(waiting.reason, 0) + waiting.pupils
    await _correct(doors, officer, cast, stage, outcome, school=2, when="before signing")
    await _sign(doors, officer, cast, stage, outcome, {class_id: lock.sealed for class_id, lock in locks.items()})
    await _correct(doors, officer, cast, stage, outcome, school=1, when="after issue")
    corrected = cast.schools[1].classes[0]
    with stage.act("Ký lại và lưu trữ phiên bản 2 (version 2 supersedes)", outcome.sealed) as step:
        _, sheets = await signatures.approve(doors, cast, {corrected.class_id: 1}, _silent(step))
        await signatures.archived(doors, officer, outcome.sealed, step)
    outcome.sheets_signed += sheets
    with stage.act("Nhật ký minh bạch (the log is final over all of them)", outcome.sealed + len(outcome.corrections) - 1 + outcome.sheets_signed) as step:
        outcome.log_leaves, outcome.log_witnesses = await onlooker.covered(step)
    total = sum(len(school_class.pupils) for _, school_class in cast.classes()) + len(outcome.corrections) + outcome.sheets_signed
    with stage.act("Thẩm định mọi tệp đã lưu (every archived file validated)", total) as step:
        report = await validation.validate_all(doors, officer, cast, pki.anchors, documents, onlooker, step)
    outcome.validated, outcome.superseded, outcome.sheets_validated = report.valid, report.superseded, report.sheets
    outcome.validators, outcome.bytes_per_transcript = report.validators, report.mean_bytes
    outcome.page = f"/t/{report.latest}"
    if report.problems:
        raise Refused("archived files that do not stand:\n  " + "\n  ".join(report.problems[:20]))
    with stage.act("Gói bằng chứng (one file that proves a transcript, checked offline)"):
        outcome.bundle = str(await proofs.prove_one(doors, officer, corrected.class_id, pki.anchors, documents))
    with stage.act("Đối soát (totals reconcile to zero)"):
        await _reconcile(doors, officer, outcome)
    return outcome


async def _register(deployment: Deployment, pki: SignerPki, cast: Plan, stage: Stage, outcome: Outcome) -> None:
    with stage.act("Nộp kho học bạ số quốc gia (submitted, receipts signed)", outcome.validated) as step:
        client = await settled(lambda: register.open_account(deployment, pki, PROVINCE))
        answered = await settled(lambda: register.submit(deployment, PROVINCE))
        step.at(answered.applied)
        if answered.rejected:
            raise Refused(f"the national register rejected {answered.rejected} records: see `hocba register receipts {PROVINCE}`")
        corrected = next(pupil for pupil in cast.schools[1].classes[0].pupils if not pupil.fate)
        found = await settled(lambda: client.find(corrected.personal_number))
    outcome.registered, outcome.receipts, outcome.register_versions_found = answered.applied, answered.receipts, len(found)
    if [one["status"] for one in found] != ["superseded", "valid"]:
        raise Refused(f"the national register tells {[one['status'] for one in found]} of a pupil who has a transcript and its correction")


async def _verify_identities(doors: Doors, cast: Plan, step: Any) -> None:
    async def one(school: plan.School, school_class: plan.SchoolClass) -> None:
        request = enrollment_pb2.VerifyIdentitiesRequest(request_id=new_id(), school_id=school.school_id, class_id=school_class.class_id)
        await doors.enrollment.VerifyIdentities(request, metadata=roster.as_registrar(doors, school), timeout=60)
        step.advance()

    await all_of(one(school, school_class) for school, school_class in cast.classes())


async def _correct(doors: Doors, officer: Any, cast: Plan, stage: Stage, outcome: Outcome, *, school: int, when: str) -> None:
    place = cast.schools[school]
    school_class = place.classes[0]
    pupil = next(p for p in school_class.pupils if not p.fate)
    value = "9.8" if pupil.ability < 0.9 else "6.2"
    wrong = Correction(place, school_class, "toan", pupil, "ck", value)
    with stage.act(f"Sửa một điểm có lý do, hai người duyệt ({when})", 5) as step:
        version = await gradebook.correct(doors, officer, wrong, step)
    outcome.corrections.append({"class": school_class.name, "school": place.name, "class_version": version, "when": when})


async def _sign(doors: Doors, officer: Any, cast: Plan, stage: Stage, outcome: Outcome, sealed: dict[str, int]) -> None:
    sheets = sum(school.sheets() for school in cast.schools) + len(outcome.corrections)
    with stage.act("Ba vai duyệt sau giáo viên bộ môn (teachers, then three roles)", 3 * outcome.classes + sheets) as step:
        outcome.transcripts_approved, outcome.sheets_signed = await signatures.approve(doors, cast, sealed, step)
    with stage.act("Ký và lưu trữ (sheets, three signatures each, then the archive)", outcome.sealed) as step:
        coverage = await signatures.archived(doors, officer, outcome.sealed, step)
    if coverage.rejected:
        raise Refused(f"the archive rejected {coverage.rejected} transcripts: see `hocba archive rejected`")
    outcome.archived = coverage.archived


class _Silent:
    """The bar of this act counts transcripts, so the approvals before them do not move it."""

    done = 0

    def advance(self, by: int = 1) -> None:
        """Nothing."""


def _silent(_: Any) -> Any:
    return _Silent()


async def _reconcile(doors: Doors, officer: Any, outcome: Outcome) -> None:
    request = reporting_pb2.ReconcileRequest(school_year=SCHOOL_YEAR, province_id=PROVINCE)
    answer = await doors.reporting.Reconcile(request, metadata=officer)
    outcome.differences = {difference.check: difference.left - difference.right for difference in answer.differences}
    if any(outcome.differences.values()):
        raise Refused(f"totals do not reconcile: {outcome.differences}")
