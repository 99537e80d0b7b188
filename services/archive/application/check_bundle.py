"""Judge a bundle: each of its proofs, in the order in which a verifier trusts nobody."""

from collections.abc import Callable
from dataclasses import dataclass

from services.archive.application.check_document import Verdict
from services.archive.application.check_standing import CheckStanding, LogVerdict
from services.archive.domain.bundle import Bundle
from services.archive.domain.evidence import Proof


@dataclass(frozen=True, slots=True)
class BundleVerdict:
    """What each proof says."""

    log: LogVerdict
    document: Verdict
    evidence: Proof

    @property
    def accepted(self) -> bool:
        """Whether all hold."""
        return self.log.good and self.document.accepted and self.evidence.whole


@dataclass(frozen=True, slots=True)
class CheckBundle:
    """The log, whether it still stands, the document itself, since when it is proven to exist. No network, no database."""

    standing: CheckStanding
    document: Callable[[bytes], Verdict]
    evidence: Callable[[bytes, bytes], Proof]
    """(record, document)."""

    def __call__(self, bundle: Bundle) -> BundleVerdict:
        """The verdict; never raises for what the parts hold."""
        verdict = self.document(bundle.document)
        log = self.standing(bundle.proof, bundle.status, verdict.sha256)
        return BundleVerdict(log, verdict, self.evidence(bundle.evidence, bundle.document))
