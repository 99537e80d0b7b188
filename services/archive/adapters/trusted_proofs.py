"""The offline checks of proofs, by one directory of trust anchors: certificates, `algorithms.toml`, and a `NAME.policy` for each log."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from services.archive.adapters.evidence_records import decode
from services.archive.adapters.evidence_tokens import TrustedTokens
from services.archive.adapters.trust_store import TrustUnreadable
from services.archive.domain.evidence import Finding, Proof, Reason, verify
from services.archive.domain.signed_note import NoteError
from services.archive.domain.witness_policy import WitnessPolicy, read_policy


def read_policies(trust_dir: Path) -> Sequence[WitnessPolicy]:
    """The policies of the logs that are trusted; TrustUnreadable names a file that is none."""
    found = []
    for file in sorted(trust_dir.glob("*.policy")):
        try:
            found.append(read_policy(file.read_text(encoding="utf-8")))
        except (OSError, UnicodeDecodeError, NoteError) as error:
            raise TrustUnreadable(f"{file} is no policy of a log: {error}; mend or remove it") from error
    return found


def evidence_proof(record: bytes, document: bytes, tokens: TrustedTokens, now: datetime) -> Proof:
    """What an evidence record proves of a document now. Never raises for what the bytes hold."""
    try:
        return verify(decode(record), [document], tokens, tokens.policy(), now)
    except ValueError as error:
        return Proof(None, (Finding(Reason.UNREADABLE, 0, 0, str(error)),))
