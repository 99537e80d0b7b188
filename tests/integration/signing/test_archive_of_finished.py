"""The archive's own check of documents that signing has finished with proof of time."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from asn1crypto import x509

from services.archive import app as archive
from services.archive.application.check_document import Announced
from services.archive.domain.document import TRANSCRIPT
from services.archive.domain.findings import Reason
from services.signing.adapters.certificates import TrustAnchors
from services.signing.adapters.full_validation import faults
from tests.integration.signing.test_finish import _signed, lta
from tests.integration.signing.world import World
from tests.support import forgeries

__all__ = ["lta"]


async def test_archive_accepts_finished_documents_and_tells_their_proven_time(lta: World) -> None:
    order = await _signed(lta)
    await lta.do(order)
    check = archive.document_check(lta.settings.trust_dir)
    for pdf in (await lta.issued()).values():
        verdict = check(pdf)
        assert verdict.findings == ()
        assert verdict.proven_at is not None
        claimed = [signer.claimed_at for signer in verdict.signers if signer.claimed_at is not None]
        assert max(claimed) <= verdict.proven_at < max(claimed) + timedelta(days=1)
        for forge in (forgeries.empty_update, forgeries.replaced_page):
            try:
                forged = forge(pdf)
            except (ValueError, IndexError):
                continue  # Its page stands in an object stream, where the forger doesn't look.
            assert Reason.REVISION_UNSIGNED in {finding.reason for finding in check(forged, Announced()).findings}


async def test_pyhanko_finds_finished_documents_valid_as_of_their_proven_time(lta: World) -> None:
    await lta.do(await _signed(lta))
    roots = [x509.Certificate.load(der) for der in TrustAnchors.from_folder(lta.settings.trust_dir).as_der()]
    fields = [signature.field for signature in TRANSCRIPT.signatures]
    (pdf, *_) = (await lta.issued()).values()
    assert await asyncio.to_thread(faults, pdf, fields, roots) == []
    changed = pdf[: (at := pdf.rindex(b"/Type/DocTimeStamp"))] + pdf[at:].replace(b"/DocTimeStamp", b"/DocTimestamp", 1)
    assert await asyncio.to_thread(faults, changed, fields, roots) != []
    assert [fault.code for fault in await asyncio.to_thread(faults, pdf, fields[:2], roots)] == ["signatures_differ"]
