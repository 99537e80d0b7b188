"""Pictures of signatures and seals, from registration to the finished document: an approval keeps the picture that its signer had."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pikepdf
import pytest

from services.archive.app import document_check
from services.chassis.errors import Malformed
from services.signing.adapters.signature_images import stencil_of
from services.signing.application import register_certificate
from services.signing.application.ports import Staging
from services.signing.domain.people import Caller
from services.signing.domain.roles import DEFAULT_ORDER, SignatureRole
from services.stack.signer_pki import Signer
from tests.integration.signing.world import NAMES, SCHOOL, STAFF, World, request
from tests.support.signature_pictures import RED, png_of

HOMEROOM, PRINCIPAL, SEAL = DEFAULT_ORDER
FIELDS = {HOMEROOM: "HomeroomTeacher", PRINCIPAL: "Principal", SEAL: "SchoolSeal"}


async def pictured(world: World, role: SignatureRole, png: bytes) -> bytes:
    """Register the role's certificate again, with a picture; the picture's digest."""
    seal = role is SEAL
    name = "Trường Mẫu" if seal else NAMES[role]
    (made,) = world.pki.make([Signer(f"{role}-{SCHOOL}", name, "Trường Mẫu", "Thành phố Mẫu", "", "" if seal else STAFF[role])])
    office = Caller("office", "person-office", (("registrar", f"school:{SCHOOL}"),))
    staff = None if seal else STAFF[role]
    command = register_certificate.Command(
        request("RegisterCertificate"), office, SCHOOL, role, staff, made.certificate, made.chain, made.signer.key_name, image=png
    )
    answer = await world.rpc.register_certificate(command)
    assert await world.rpc.register_certificate(command) == answer
    return bytes.fromhex(answer["image"])


def drawn_in(pdf: bytes) -> dict[str, bytes]:
    """The dots that each signed field draws, by field."""
    with pikepdf.open(io.BytesIO(pdf)) as document:
        fields = {str(field.T): field.AP.N for field in document.Root.AcroForm.Fields}
        return {name: form.Resources.XObject.P.read_raw_bytes() for name, form in fields.items() if "/XObject" in form.get("/Resources", {})}


async def test_pictures_are_on_the_page_as_they_were_when_approved(world: World) -> None:
    hand, seal = png_of(PRINCIPAL), png_of(SEAL)
    first = await pictured(world, PRINCIPAL, hand)
    assert first == stencil_of(hand, PRINCIPAL).digest
    stamped = await pictured(world, SEAL, seal)
    await world.seal()
    await world.work()
    await world.approve_all()
    # Another picture, registered after the approval and before anything is signed, is for later approvals.
    assert await pictured(world, PRINCIPAL, png_of(PRINCIPAL, side=400)) != first
    await world.work()
    issued = await world.issued()
    assert len(issued) == len(world.pupils)
    check = document_check(world.settings.trust_dir)
    for pdf in issued.values():
        assert drawn_in(pdf) == {"Principal": stencil_of(hand, PRINCIPAL).dots, "SchoolSeal": stencil_of(seal, SEAL).dots}
        assert check(pdf).findings == ()
    named = {row["role"]: bytes(row["image_digest"]) for row in await world.rows("SELECT DISTINCT role, image_digest FROM intent")}
    assert named == {HOMEROOM: b"", PRINCIPAL: first, SEAL: stamped}
    # Each picture was kept once, whichever certificates name it.
    assert len(await world.rows("SELECT * FROM signature_image")) == 3


async def test_the_same_order_makes_the_same_bytes_again(world: World) -> None:
    await pictured(world, HOMEROOM, png_of(HOMEROOM))
    await world.seal()
    await world.work()
    (manifest,) = await world.manifests()
    await world.approve(manifest, HOMEROOM)
    (order,) = [order for order in await world.orders() if order.order_id not in world.done]
    signing = world.worker.sign_class
    packs: list[bytes] = []

    class Crash(Exception):
        pass

    async def staged(class_id: str, step: str, documents: object) -> None:
        packs.append(sha256(repr(documents).encode()).digest())
        raise Crash

    for png in (png_of(HOMEROOM, side=400), png_of(HOMEROOM, side=500)):
        dying = replace(signing, staging=_Dying(signing.staging, staged))
        with pytest.raises(Crash):
            await dying(order.order_id)
        await pictured(world, HOMEROOM, png)
    assert len(packs) == 2
    assert packs[0] == packs[1]


class _Dying:
    """Staging that reads, and dies where it would write."""

    def __init__(self, inner: Staging, put: Callable[..., Any]) -> None:
        self.read, self.put = inner.read, put


async def test_a_picture_of_the_wrong_colour_is_refused_with_its_cure(world: World) -> None:
    with pytest.raises(Malformed, match="sign in blue ink") as refused:
        await pictured(world, PRINCIPAL, png_of(PRINCIPAL, RED))
    assert refused.value.code == "image"
    assert await world.rows("SELECT * FROM signature_image") == []
