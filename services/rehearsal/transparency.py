"""The archive's log, as somebody sees it who trusts nobody: its checkpoint is final, and each document is proven to stand below it."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from hocba.archive.v1 import archive_pb2
from services.archive.adapters.note_keys import verifier_of
from services.archive.domain.log_proof import LogProof, check_checkpoint, check_proof
from services.archive.domain.signed_note import NoteError, read_note
from services.archive.domain.statement import Statement
from services.archive.domain.witness_policy import WitnessPolicy, read_policy
from services.chassis.errors import Refused
from services.rehearsal.doors import Doors
from services.rehearsal.progress import Step

FINAL_SECONDS = 60.0
_ANYBODY = "00000000-0000-5000-8000-000000000000"


@dataclass(frozen=True)
class Onlooker:
    """Holds the public keys of log and witnesses, and asks what anybody may ask."""

    doors: Doors
    policy: WitnessPolicy

    @classmethod
    def with_policy(cls, doors: Doors, file: Path) -> "Onlooker":
        """With the keys of a policy file."""
        return cls(doors, read_policy(file.read_text(encoding="utf-8")))

    async def covered(self, step: Step) -> tuple[int, int]:
        """Wait until nothing waits for the log; (leaves below the final checkpoint, witnesses who have cosigned it)."""
        deadline = asyncio.get_running_loop().time() + FINAL_SECONDS
        who = self.doors.as_(_ANYBODY, "public@nation")
        while True:
            told = await self.doors.archive.GetCheckpoint(archive_pb2.GetCheckpointRequest(), metadata=who)
            step.at(told.size)
            if told.checkpoint and not told.waiting:
                checkpoint, witnesses = check_checkpoint(read_note(told.checkpoint), self.policy, verifier_of)
                return checkpoint.size, len(witnesses)
            if asyncio.get_running_loop().time() > deadline:
                raise Refused(f"{told.waiting} leaves of the log aren't final after {FINAL_SECONDS:.0f} s: see `make logs ARGS=archive`")
            await asyncio.sleep(0.2)

    async def proof(self, public_id: str, sha256: bytes, file: Path) -> list[str]:
        """Fetch a document's proof into `file`, and what speaks against it, asked offline."""
        who = self.doors.as_(_ANYBODY, "public@nation")
        answer = await self.doors.archive.GetProof(archive_pb2.GetProofRequest(public_id=public_id), metadata=who, timeout=60)
        await asyncio.to_thread(file.write_bytes, answer.proof)
        try:
            leaf = check_proof(LogProof.read(answer.proof), self.policy, verifier_of)
            told = Statement.read(leaf.statement)
        except (NoteError, ValueError) as error:
            return [f"the log's proof doesn't hold: {error}"]
        return [] if (told.sha256, told.public_id) == (sha256, public_id) else ["the log's proof is of another document"]
