"""Judge refused documents anew, after an operator has mended what was at fault (a missing trust anchor, a lost pack)."""

from dataclasses import dataclass

from services.archive.application.admit_sheets import AdmitSheets
from services.archive.application.admit_transcripts import Admission, AdmitTranscripts
from services.archive.application.evidence_window import EvidenceWindow
from services.archive.application.ports import Admissions
from services.archive.domain.transcript import SignedClass
from services.chassis.errors import NotFound


@dataclass(frozen=True, slots=True)
class RetryRejected:
    """Runs admission again for every refused document that nothing has replaced since."""

    admissions: Admissions
    admit: AdmitTranscripts
    admit_sheets: AdmitSheets
    window: EvidenceWindow

    async def __call__(self) -> tuple[Admission, int]:
        """(what became of them in sum, how many classes' packs are no longer in staging)."""
        total, lost = Admission(0, 0, 0), 0
        for signed in await self.admissions.refused_classes():
            await self.window.check()
            try:
                one = await (self.admit(signed, again=True) if isinstance(signed, SignedClass) else self.admit_sheets(signed, again=True))
            except NotFound:
                lost += 1
                continue
            total = Admission(total.admitted + one.admitted, total.already + one.already, total.rejected + one.rejected)
        return total, lost
