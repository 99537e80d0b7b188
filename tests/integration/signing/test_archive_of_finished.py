"""The archive's own check of documents that signing has finished with proof of time."""

from __future__ import annotations

from datetime import timedelta

from services.archive import app as archive
from services.archive.application.check_document import Announced
from services.archive.domain.findings import Reason
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
