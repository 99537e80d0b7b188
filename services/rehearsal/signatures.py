"""Third act: subject teachers approve their sheets, then homeroom teachers, principals and clerks the transcripts; workers sign; the archive admits."""

import asyncio
from collections.abc import Mapping

from hocba.common.v1 import common_pb2
from hocba.reporting.v1 import reporting_pb2
from hocba.signing.v1 import signing_pb2
from services.chassis.errors import Refused
from services.rehearsal.doors import Doors, Metadata, all_of, new_id, settled
from services.rehearsal.gradebook import as_principal
from services.rehearsal.plan import PROVINCE, SCHOOL_YEAR, Plan, School, SchoolClass
from services.rehearsal.progress import Step
from services.stack.signer_pki import Signer, SignerCertificate, SignerPki

HOMEROOM = common_pb2.SIGNATURE_ROLE_HOMEROOM_TEACHER
PRINCIPAL = common_pb2.SIGNATURE_ROLE_PRINCIPAL
SEAL = common_pb2.SIGNATURE_ROLE_SCHOOL_SEAL
SUBJECT = common_pb2.SIGNATURE_ROLE_SUBJECT_TEACHER
SIGN_SECONDS = 600.0


def certificates(plan: Plan) -> int:
    """How many registrations `certify` makes."""
    return sum(len(school.classes) + 2 + len(school.sheet_teachers()) for school in plan.schools)


async def certify(doors: Doors, plan: Plan, pki: SignerPki, step: Step) -> None:
    """A certificate for every signer and every school's seal, registered by the school's office."""
    for school in plan.schools:
        office = doors.as_(school.registrar.person_id, f"registrar@school:{school.school_id}")
        people = [(HOMEROOM, school_class.homeroom) for school_class in school.classes] + [(PRINCIPAL, school.principal)]
        people += [(SUBJECT, teacher) for teacher in school.sheet_teachers()]
        signers = [
            (role, Signer(f"{member.staff_id}", member.full_name, school.name, "Đà Nẵng", title=member.title, staff_id=member.staff_id))
            for role, member in people
        ]
        signers.append((SEAL, Signer(f"seal-{school.school_id}", school.name, school.name, "Đà Nẵng")))
        made = await asyncio.to_thread(pki.make, [signer for _, signer in signers])
        await all_of(_register(doors, office, school, role, made_for) for (role, _), made_for in zip(signers, made, strict=True))
        step.advance(len(made))


async def _register(doors: Doors, office: Metadata, school: School, role: "common_pb2.SignatureRole.ValueType", made: SignerCertificate) -> None:
    request = signing_pb2.RegisterCertificateRequest(
        request_id=new_id(),
        school_id=school.school_id,
        staff_id=made.signer.staff_id,
        role=role,
        certificate=made.certificate,
        chain=made.chain,
        key_name=made.signer.key_name,
    )
    await settled(lambda: doors.signing.RegisterCertificate(request, metadata=office))


def _approver(doors: Doors, school: School, school_class: SchoolClass, role: "common_pb2.SignatureRole.ValueType") -> Metadata:
    scope = f"school:{school.school_id}"
    if role == HOMEROOM:
        return doors.as_(school_class.homeroom.person_id, f"homeroom_teacher@{scope}")
    if role == PRINCIPAL:
        return as_principal(doors, school)
    return doors.as_(school.clerk.person_id, f"clerk@{scope}")


async def approve(doors: Doors, plan: Plan, sealed: Mapping[str, int], step: Step) -> tuple[int, int]:
    """Each role looks at each class's manifests, opens one document of each, and approves exactly that list.

    `sealed` says by class id how many transcripts await their signatures: a class may have several manifests,
    since pupils who were sealed later get one of their own. Gives how many transcripts and sheets were approved.
    """
    classes = [(school, c) for school, c in plan.classes() if sealed.get(c.class_id)]
    approved = await all_of((_approve_class(doors, school, c, sealed[c.class_id], step) for school, c in classes), at_once=4)
    return sum(transcripts for transcripts, _ in approved), sum(sheets for _, sheets in approved)


async def _approve_class(doors: Doors, school: School, school_class: SchoolClass, wanted: int, step: Step) -> tuple[int, int]:
    teacher = _approver(doors, school, school_class, HOMEROOM)
    listing = signing_pb2.ListManifestsRequest(school_id=school.school_id, class_id=school_class.class_id)

    async def ready() -> list[signing_pb2.ManifestSummary]:
        answer = await doors.signing.ListManifests(listing, metadata=teacher)
        open_ones = [m for m in answer.manifests if m.state == "ready" and not m.approved]
        if not open_ones:
            raise Refused(f"no manifest of {school_class.name} awaits approval yet: {[m.state for m in answer.manifests]}")
        return open_ones

    done = sheets = 0
    while done < wanted:
        # The sheets that transcripts name become ready together with them, so whoever sees the ones sees the others.
        for summary in await settled(ready, within=SIGN_SECONDS):
            roles = (SUBJECT,) if summary.sheets else (HOMEROOM, PRINCIPAL, SEAL)
            for role in roles:
                who = _responsible(doors, school, summary) if role == SUBJECT else _approver(doors, school, school_class, role)
                await _approve_as(doors, who, summary.manifest_id, role)
                step.advance()
            done += summary.transcripts
            sheets += summary.sheets
    return done, sheets


def _responsible(doors: Doors, school: School, summary: signing_pb2.ManifestSummary) -> Metadata:
    """The subject's teacher, who sees this sheet because it is his or hers."""
    teacher = next(teacher for teacher in school.teachers if teacher.staff_id == summary.responsible_staff_id)
    return doors.as_(teacher.person_id, f"subject_teacher@school:{school.school_id}")


async def _approve_as(doors: Doors, who: Metadata, manifest_id: str, role: "common_pb2.SignatureRole.ValueType") -> None:
    manifest = await doors.signing.GetManifest(signing_pb2.GetManifestRequest(manifest_id=manifest_id), metadata=who)
    shown = manifest.entries[0]
    document = shown.sheet.sheet_id if role == SUBJECT else shown.transcript.transcript_id
    opening = signing_pb2.GetPreviewRequest(manifest_id=manifest_id, transcript_id=document)
    preview = await doors.signing.GetPreview(opening, metadata=who, timeout=60)
    if preview.body_digest != shown.body_digest:
        raise Refused("the preview is not what the manifest names")
    request = signing_pb2.ApproveManifestRequest(request_id=new_id(), manifest_id=manifest_id, role=role, merkle_root=manifest.summary.merkle_root)
    await doors.signing.ApproveManifest(request, metadata=who)


async def archived(doors: Doors, officer: Metadata, wanted: int, step: Step) -> reporting_pb2.Coverage:
    """Wait until reporting counts this many archived transcripts; fails early when one is rejected."""
    deadline = asyncio.get_running_loop().time() + SIGN_SECONDS
    request = reporting_pb2.GetCoverageRequest(school_year=SCHOOL_YEAR, province_id=PROVINCE, by_school=True)
    while True:
        coverage = await settled(lambda: doors.reporting.GetCoverage(request, metadata=officer))
        step.at(coverage.total.archived)
        if coverage.total.archived >= wanted or coverage.total.rejected:
            return coverage.total
        if asyncio.get_running_loop().time() > deadline:
            raise Refused(f"{coverage.total.archived} of {wanted} archived after {SIGN_SECONDS:.0f} s")
        await asyncio.sleep(0.3)
