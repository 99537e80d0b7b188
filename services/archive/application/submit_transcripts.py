"""Submit a province's archived versions to the national register, batch by batch, until none waits."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from services.archive.application.log_tiles import LogTiles
from services.archive.application.ports import Vault
from services.archive.application.submission_ports import Acknowledged, DepartmentKey, NationalRegister, OpenBatch, PupilNumbers, Submissions, Submittable
from services.archive.domain.submission import MOST_RECORDS, Outcome, Record, Result, write_manifest
from services.chassis.clock import Clock
from services.chassis.errors import Refused

Told = Callable[[int, int], None]
"""Called with (versions done, versions in all)."""


@dataclass(frozen=True, slots=True)
class Submitted:
    """What a run has come to."""

    batches: int
    applied: int
    ignored: int
    rejected: int


@dataclass(frozen=True, slots=True)
class SubmitTranscripts:
    """A run that is cut off anywhere goes on with the same batch: its manifest has the same bytes, and the register answers with the same receipt."""

    submissions: Submissions
    vault: Vault
    tiles: LogTiles
    numbers: PupilNumbers
    key: DepartmentKey
    register: NationalRegister
    clock: Clock
    fetch: str
    """URL at which those who may see a document ask for it."""
    most: int = MOST_RECORDS

    async def __call__(self, province_id: str, told: Told) -> Submitted:
        """Every version below the newest final checkpoint that has no receipt yet. Refused when the register refuses a batch; it stays open."""
        batches, count = 0, Counter[Result]()
        total, done = await self.submissions.waiting(province_id), 0
        while batch := await self.submissions.open(province_id, self.most, self.clock.now()):
            records = await self.submissions.records(batch)
            total = max(total, done + len(records))

            def one(number: int, before: int = done, of: int = total) -> None:
                told(before + number, of)

            results, answer = await self._sent(batch, records, one)
            await self.submissions.acknowledge(batch, results, answer)
            done += len(records)
            count.update(outcome.result for _, outcome in results)
            batches += 1
        return Submitted(batches, count[Result.APPLIED], count[Result.IGNORED], count[Result.REJECTED])

    async def _sent(
        self, batch: OpenBatch, records: Sequence[Submittable], told: Callable[[int], None]
    ) -> tuple[list[tuple[Submittable, Outcome]], Acknowledged]:
        made: dict[int, Record] = {}
        damaged: dict[int, Outcome] = {}
        for number, one in enumerate(records, 1):
            try:
                made[one.leaf_id] = await self._record(batch, one)
            except Refused as error:
                # The archive can't read it: it stays behind, and the rest of the batch goes without it.
                damaged[one.leaf_id] = Outcome(Result.REJECTED, error.code, error.message)
            told(number)
        manifest = write_manifest(batch.province_id, batch.made_at, batch.checkpoint, list(made.values()))
        answer = await self.register.submit(manifest, await self.key.sign(manifest))
        if len(answer.outcomes) != len(made):
            raise Refused(f"the register has answered {len(answer.outcomes)} records of {len(made)}", code="receipt_invalid")
        outcomes = damaged | dict(zip(made, answer.outcomes, strict=True))
        return [(one, outcomes[one.leaf_id]) for one in records], answer

    async def _record(self, batch: OpenBatch, one: Submittable) -> Record:
        numbers = self.numbers.of(await self.vault.read(one.place))
        return Record(
            operation=one.operation,
            transcript_id=one.ref.transcript_id,
            revision=one.leaf_id,
            school_year=one.school_year,
            level=one.level,
            personal_number=numbers["personal_number"],
            ministry_code=numbers["ministry_code"],
            fetch=self.fetch,
            statement=one.statement,
            index=one.index,
            path=tuple(await self.tiles.inclusion(one.index, batch.size)),
        )
