"""Judge a bundle: each of its proofs, in the order in which a verifier trusts nobody."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from services.archive.application.check_document import Announced, Verdict
from services.archive.application.check_standing import CheckStanding, LogVerdict
from services.archive.domain.bundle import Bundle
from services.archive.domain.evidence import Proof
from services.archive.domain.statement import Statement


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
    document: Callable[[bytes, Announced], Verdict]
    evidence: Callable[[bytes, bytes], Proof]
    """(record, document)."""
    now: datetime

    def __call__(self, bundle: Bundle) -> BundleVerdict:
        """The verdict; never raises for what the parts hold."""
        log = self.standing(bundle.proof, bundle.status, hashlib.sha256(bundle.document).digest())
        evidence = self.evidence(bundle.evidence, bundle.document)
        return BundleVerdict(log, self.document(bundle.document, _announced(log)).over_time(evidence.since, self.now), evidence)


def _announced(log: LogVerdict) -> Announced:
    """What the log says of the document, so that the embedded record is held against what grading sealed."""
    try:
        if log.leaf is not None and log.problem is None:
            told = Statement.read(log.leaf.statement)
            return Announced(sha256=told.sha256, content_digest=told.content_digest)
    except ValueError:
        pass  # In the register's form: nothing more than its digest, which was compared.
    return Announced()
