"""Publish the newest signed checkpoint once enough witnesses have cosigned it."""

import asyncio
import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from services.archive.application.log_ports import LogState, SignedCheckpoint, TileStore, WitnessAnswer, WitnessClient
from services.archive.application.log_tiles import LogTiles
from services.archive.domain.checkpoint import read_size
from services.archive.domain.signed_note import KeyText, NoteError, NoteVerifier, read_note, read_signature
from services.archive.domain.tiles import CHECKPOINT, WIDTH, changed
from services.archive.domain.witness_policy import Witness, WitnessPolicy
from services.chassis.clock import Clock

OK, CONFLICT = 200, 409
REST = timedelta(seconds=10)
"""How long a witness that didn't answer is left in peace, if the others are enough."""


@dataclass(frozen=True, slots=True)
class Publication:
    """What became of a round: the size that stands in front of everybody, and why a newer one doesn't."""

    published: int
    trouble: tuple[str, ...] = ()
    """What each witness that isn't with us has against it, in words for an operator."""


@dataclass(frozen=True)
class PublishLog:
    """4. WITNESS: ask each witness, with the proof from what it saw last. 5. PUBLISH: the note with all cosignatures, in one step.

    Without a quorum the checkpoint stays signed and unpublished; the log goes on growing, and the next round asks for a newer one.
    """

    state: LogState
    store: TileStore
    policy: WitnessPolicy
    verifier_of: Callable[[KeyText], NoteVerifier]
    witnesses: WitnessClient
    clock: Clock
    _seen: dict[str, int] = field(default_factory=dict)
    _resting: dict[str, tuple[datetime, str]] = field(default_factory=dict)
    """Until when a witness is left in peace, and why."""

    async def __call__(self) -> Publication:
        """Bring the newest checkpoint before everybody, if it isn't there and the quorum is reached."""
        head = await self.state.head()
        checkpoint = await self.state.checkpoint(head.signed)
        if checkpoint is None or head.signed == head.published:
            return Publication(head.published, self._trouble)
        lines = dict(await self.state.cosignatures(checkpoint.size))
        if not self.policy.satisfied(lines.keys()):
            lines |= await self._witnessed(checkpoint, lines)
        if not self.policy.satisfied(lines.keys()):
            return Publication(head.published, self._trouble or ("no witness of the policy has an address to be asked at",))
        async with self.state.publishing(checkpoint.size) as ours:
            if ours:
                await self.store.replace(CHECKPOINT, final_note(checkpoint, lines))
        for tile in changed(head.published, checkpoint.size):
            if tile.width == WIDTH:
                await self.store.drop_partial(tile.name)
                if tile.level == 0:
                    await self.store.drop_partial(tile.entries_name)
        return Publication(checkpoint.size, self._trouble)

    @property
    def _trouble(self) -> tuple[str, ...]:
        return tuple(f"{name}: {why}" for name, (_, why) in sorted(self._resting.items()))

    async def _witnessed(self, checkpoint: SignedCheckpoint, lines: Mapping[str, str]) -> dict[str, str]:
        now = self.clock.now()
        lacking = [witness for witness in self.policy.witnesses if witness.url and witness.name not in lines]
        awake = [witness for witness in lacking if witness.name not in self._resting or self._resting[witness.name][0] <= now]
        if not self.policy.satisfied({*lines, *(witness.name for witness in awake)}):
            awake = lacking
        answers = await asyncio.gather(*(self._cosigned(checkpoint, witness) for witness in awake))
        given: dict[str, str] = {}
        for witness, (line, why) in zip(awake, answers, strict=True):
            if line:
                given[witness.name] = line
                self._resting.pop(witness.name, None)
            else:
                self._resting[witness.name] = (now + REST, why)
        if given:
            await self.state.add_cosignatures(checkpoint.size, given, now)
        return given

    async def _cosigned(self, checkpoint: SignedCheckpoint, witness: Witness) -> tuple[str, str]:
        """(its signature line, or empty and why there is none)."""
        answer = await self._ask(checkpoint, witness, self._seen.get(witness.name, 0))
        if answer is not None and answer.status == CONFLICT:
            # It tells which size it has seen last; that is where the proof must begin.
            try:
                seen = read_size(answer.body.removesuffix("\n"))
            except NoteError:
                return "", "answers 409 without a size"
            if seen > checkpoint.size:
                return "", f"has seen {seen} leaves, the log has {checkpoint.size}: was an old backup restored?"
            answer = await self._ask(checkpoint, witness, seen)
        if answer is None:
            return "", "no answer"
        if answer.status != OK:
            return "", f"answers {answer.status} {answer.body[:100].strip()}"
        try:
            return self._line(checkpoint, witness, answer), ""
        except NoteError as error:
            return "", f"its cosignature doesn't hold: {error}"

    async def _ask(self, checkpoint: SignedCheckpoint, witness: Witness, old: int) -> WitnessAnswer | None:
        path = await LogTiles(self.store).consistency(old, checkpoint.size)
        return await self.witnesses.add_checkpoint(witness.url, add_checkpoint_body(old, path, checkpoint.note))

    def _line(self, checkpoint: SignedCheckpoint, witness: Witness, answer: WitnessAnswer) -> str:
        key = self.verifier_of(witness.key)
        for line in answer.body.splitlines():
            signature = read_signature(line)
            if (signature.name, signature.key_id) == (key.name, key.key_id) and key.verifies(read_note(checkpoint.note).text, signature.signature):
                self._seen[witness.name] = checkpoint.size
                return signature.line
        raise NoteError("no line of the key that the policy names")


def add_checkpoint_body(old: int, path: Sequence[bytes], note: bytes) -> bytes:
    """What `POST /add-checkpoint` takes (C2SP tlog-witness)."""
    lines = [f"old {old}", *(base64.b64encode(node).decode() for node in path), ""]
    return "".join(f"{line}\n" for line in lines).encode() + note


def final_note(checkpoint: SignedCheckpoint, lines: Mapping[str, str]) -> bytes:
    """The log's note with the cosignatures behind its own signature, witnesses by name."""
    return checkpoint.note + "".join(line for _, line in sorted(lines.items())).encode()
