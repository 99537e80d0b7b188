"""Documents with proof of time (B-LTA) cross the boundary too: what signing finishes, the archive admits, and not a bit less."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

from hocba.signing.v1 import events_pb2 as signing_pb2
from services.archive import app, contracts
from services.archive.adapters.admissions import PostgresAdmissions
from services.archive.adapters.object_stores import open_staging
from services.archive.application.admit_transcripts import Admission, AdmitTranscripts
from services.archive.application.check_document import Announced
from services.chassis.clock import SystemClock
from services.chassis.database import Database
from services.signing.domain.policy import Policies, PolicyRule, SignatureLevel
from tests.integration.signing.world import a_world
from tests.support.places import scratch_places
from tests.support.postgres import DatabaseFactory
from tests.support.trust import trust_in
from tests.support.vaults import a_vault


async def test_finished_class_is_admitted_and_what_is_cut_off_or_put_behind_is_refused(make_database: DatabaseFactory, tmp_path: Path) -> None:
    with scratch_places("archive-finished") as places, trust_in(places) as trust:
        await trust.start()
        async with a_world(make_database("signing"), tmp_path, trust) as world:
            everywhere = Policies((PolicyRule(SignatureLevel.B_LTA),))
            world.worker = replace(world.worker, prepare_pages=replace(world.worker.prepare_pages, policies=everywhere))
            await world.seal()
            await world.work()
            await world.approve_all()
            await world.work()
            (event,) = await world.told(signing_pb2.TranscriptsSigned)
            (pdf, *_) = (await world.issued()).values()
        check = app.document_check(trust.pki.anchors)
        database = Database(make_database("archive").url, name="archive-test", pool=4)
        await database.open()
        try:
            stores = open_staging(str(tmp_path / "staging")), a_vault(tmp_path, database)
            admit = AdmitTranscripts(*stores, PostgresAdmissions(database), check, SystemClock())
            assert await admit(contracts.signed_class(event)) == Admission(3, 0, 0)
        finally:
            await database.close()

        def findings(document: bytes) -> tuple[object, ...]:
            return tuple(check(document, Announced(hashlib.sha256(document).digest(), len(document))).findings)

        assert findings(pdf) == ()
        ends = [at + len(b"%%EOF\n") for at in range(len(pdf)) if pdf.startswith(b"%%EOF\n", at)]
        assert findings(pdf[: ends[-2]]), "the second stamp is cut off"
        changed = bytearray(pdf)
        changed[ends[-2] + 40] ^= 1
        assert findings(bytes(changed))
        assert findings(pdf + pdf[ends[-2] :]), "the last revision once more"
