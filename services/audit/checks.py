"""The invariants, each a function from the stores to what speaks against it.

    I1  nothing lost: what was sealed, or ordered as a copy or an extract, is known to signing, what was signed to the end is archived or openly rejected
    I2  one signed document per version, and it is the one that the intent and the archive name
    I5  the keys did nothing else: every intent is announced, void with a reason, or still open
    I6  no mark changed after its seal without an unlock that two persons carried; the audit trail's chain holds
    I7  every admitted version is exactly one leaf of the archive's log, and the leaf names its document
    I8  a correction supersedes exactly the version before it, in the log too; each transcript has one head
    I9  reporting counts what the archive holds, by class, school and province
    I11 the log only grows: each signed checkpoint is the root of the leaves below it
    AL  each line of the access log follows from the one before, and is what the transparency log was told of it; retention
        has told as many as are erased
    I10 replaying every topic changes nothing: `hocba audit fingerprint` before and after

Call them when nothing is under way; what is, is told as a note and not as a problem.
"""

from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from services.archive.domain import access_line
from services.archive.domain.checkpoint import Checkpoint
from services.archive.domain.merkle import Frontier, leaf_hash
from services.archive.domain.signed_note import NoteError, read_note
from services.archive.domain.statement import FORM_OF_THE_REGISTER, Kind, Statement, document_of
from services.audit.stores import Stores
from services.chassis.errors import Refused
from services.locking.domain import audit as trail


@dataclass(frozen=True)
class Finding:
    """The verdict on one invariant."""

    invariant: str
    title: str
    checked: int
    problems: list[str]
    notes: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.invariant} {self.title}: {self.checked} checked, {'; '.join(self.problems) or 'holds'}"


Key = tuple[str, int]
WANTED = ("grading.sealed_versions", "archive.ordered_copies")
"""What is to be signed and issued: versions that grading has sealed, certified copies and extracts that the archive has numbered."""
ISSUED = ("archive.transcripts", "archive.sheets", "archive.copies")


async def nothing_lost(stores: Stores) -> Finding:
    """I1."""
    sealed = {(row["id"], row["version"]): row["class_id"] for name in WANTED for row in await stores.rows(name)}
    signing = {(row["id"], row["version"]): row for row in await stores.rows("signing.transcripts")}
    archived: set[Key] = {(row["id"], row["version"]) for name in ISSUED for row in await stores.rows(name)}
    rejected: set[Key] = {(row["id"], row["version"]) for row in await stores.rows("archive.rejected")}
    parked = await stores.parked_keys()
    missing = [(key, sealed[key], "signing", "sealed {} v{} is unknown to signing") for key in sorted(sealed.keys() - signing.keys())]
    signed = {key: row["class_id"] for key, row in signing.items() if row["state"] == "signed"}
    missing += [(key, signed[key], "archive", "signed {} v{} is neither archived nor rejected") for key in sorted(signed.keys() - archived - rejected)]
    problems: list[str] = []
    accounted: list[str] = []
    for key, class_id, reader, what in missing:
        # A record of this class that this reader has put aside is the open account of what seems lost, and nothing else is.
        (accounted if class_id in parked.get(reader, set()) else problems).append(what.format(*key))
    problems += [f"archived {key[0]} v{key[1]} was never sealed" for key in sorted(archived - sealed.keys())]
    problems += [
        f"archived {row['id']} v{row['version']} stands on sheet {row['sheet_id']} v{row['sheet_version']}, which is not archived"
        for row in await stores.rows("signing.sheet_needs")
        if (row["id"], row["version"]) in archived and (row["sheet_id"], row["sheet_version"]) not in archived
    ]
    states = Counter(row["state"] for key, row in signing.items() if key not in archived)
    notes = [f"{count} documents are {state} and not archived" for state, count in sorted(states.items())]
    notes += [f"{service} has parked records of {len(keys)} keys" for service, keys in parked.items() if keys]
    return Finding("I1", "nothing lost", len(sealed), problems, notes + accounted)


async def one_document_per_version(stores: Stores) -> Finding:
    """I2."""
    digests: dict[Key, set[str]] = defaultdict(set)
    for name in ("signing.completions", *ISSUED):
        for row in await stores.rows(name):
            digests[row["id"], row["version"]].add(row["sha256"])
    contents: dict[Key, set[str]] = defaultdict(set)
    for name in (*WANTED, "signing.transcripts", *ISSUED):
        for row in await stores.rows(name):
            contents[row["id"], row["version"]].add(row["digest"])
    problems = [f"{key[0]} v{key[1]} has {len(found)} signed forms" for key, found in digests.items() if len(found) > 1]
    problems += [f"{key[0]} v{key[1]} has {len(found)} contents" for key, found in contents.items() if len(found) > 1]
    return Finding("I2", "one signed document per version", len(digests), problems)


async def keys_did_nothing_else(stores: Stores) -> Finding:
    """I5: each line of the key journals is a recorded intent's digest, and every announced signature has its line."""
    rows = await stores.rows("signing.intents")
    fates = Counter(row["fate"] for row in rows)
    intended = {row["intent_id"]: row["to_be_signed"] for row in rows}
    try:
        uses = stores.key_uses()
    except Refused as broken:
        return Finding("I5", "the keys did nothing else", len(rows), [f"key journal {broken.message}"])
    problems = []
    for intent, digest in uses:
        if intent not in intended:
            problems.append(f"a key was used for intent {intent}, which nobody recorded")
        elif digest != intended[intent]:
            problems.append(f"a key signed another digest than intent {intent} names")
    used = {intent for intent, _ in uses}
    problems += [
        f"signature of intent {row['intent_id']} was announced and no journal knows of it"
        for row in rows
        if row["fate"] == "announced" and row["intent_id"] not in used
    ]
    repeats = len(uses) - len(used)
    notes = [f"{fates[fate]} intents are {fate}" for fate in ("void", "open") if fates[fate]] + (
        [f"{repeats} uses repeat an earlier one, alike"] if repeats else []
    )
    return Finding("I5", "the keys did nothing else", len(uses), problems, notes)


async def no_change_without_unlock(stores: Stores) -> Finding:
    """I6."""
    unlocks = {row["unlock_id"]: row for row in await stores.rows("locking.unlocks")}
    changes = await stores.rows("grading.changes_after_seal")
    problems = []
    for change in changes:
        unlock = unlocks.get(change["unlock_id"])
        if unlock is None:
            problems.append(f"{change['changes']} marks changed after the seal under unlock {change['unlock_id'] or '(none)'}, which locking does not know")
        elif unlock["approver_person"] in (None, unlock["requester_person"]) or unlock["approver_account"] == unlock["requester_account"]:
            problems.append(f"unlock {change['unlock_id']} was not carried by two persons")
        elif unlock["until"] is None or change["last_at"] > unlock["until"] or change["first_at"] < unlock["requested_at"]:
            problems.append(f"marks changed outside of the time of unlock {change['unlock_id']}")
    problems += [f"unlock {row['unlock_id']} is {row['state']} and was never sealed again" for row in await stores.rows("locking.openings_without_reseal")]
    lines = [trail.Line(row["stream"], row["number"], row["body"], bytes(row["hash"])) for row in await stores.rows("locking.audit_lines")]
    heads = [trail.Head(row["stream"], row["number"], bytes(row["hash"])) for row in await stores.rows("locking.audit_heads")]
    problems += [f"audit trail {fault.stream} line {fault.number}: {fault.what}" for fault in trail.faults(lines, heads)]
    return Finding("I6", "no change after the seal without two persons", len(changes) + len(lines), problems)


async def each_version_is_one_leaf(stores: Stores) -> Finding:
    """I7, the log's part."""
    leaves = await stores.rows("archive.leaves")
    documents = [row for name in ISSUED for row in await stores.rows(name)]
    logged = Counter((row["id"], row["version"]) for row in leaves if row["id"])
    problems = [f"archived {row['id']} v{row['version']} is no leaf of the log" for row in documents if (row["id"], row["version"]) not in logged]
    problems += [f"{key[0]} v{key[1]} is {count} leaves of the log" for key, count in logged.items() if count > 1]
    problems += [
        f"leaf {row['log_index']} names another document than {row['id']} v{row['version']}"
        for row in leaves
        if row["id"] and document_of(bytes(row["statement"])) != row["sha256"]
    ]
    admissions = {str(kind).encode() for kind in (Kind.ISSUE, Kind.SUPERSEDE, Kind.SHEET, Kind.COPY, Kind.EXTRACT)}
    problems += [
        f"leaf {row['log_index']} tells of an admission that the index doesn't hold"
        for row in leaves
        if not row["id"] and bytes(row["statement"]).split(b"\n")[1:2] and bytes(row["statement"]).split(b"\n")[1] in admissions
    ]
    return Finding("I7", "each admitted version is one leaf of the log", len(leaves), problems)


async def log_only_grows(stores: Stores) -> Finding:
    """I11: the root is computed anew below each checkpoint; that all of them fit the same leaves makes each continue those before."""
    leaves = [row for row in await stores.rows("archive.leaves") if row["log_index"] is not None]
    waiting = len(await stores.rows("archive.leaves")) - len(leaves)
    checkpoints = {row["size"]: row for row in await stores.rows("archive.checkpoints")}
    [head] = await stores.rows("archive.log_head")
    problems = [f"leaf {place} is missing from the log" for place, row in enumerate(leaves) if row["log_index"] != place][:1]
    if head["sequenced"] != len(leaves):
        problems.append(f"{len(leaves)} leaves have a place, the log's head says {head['sequenced']}")
    if head["signed"] != max(checkpoints, default=0) or head["published"] not in {0, *checkpoints}:
        problems.append(f"the log's head names {head['signed']} signed and {head['published']} published leaves; there is no such checkpoint")
    tree = Frontier()
    for row in leaves:
        tree.append(leaf_hash(bytes(row["statement"])))
        if (checkpoint := checkpoints.pop(tree.size, None)) is not None and not _tells(checkpoint, tree):
            problems.append(f"checkpoint {tree.size} isn't the root of the leaves below it")
    problems += [f"checkpoint {size} is larger than the log" for size in checkpoints]
    notes = [f"{count} leaves {what}" for count, what in ((waiting, "wait for their place"), (head["sequenced"] - head["published"], "aren't final")) if count]
    return Finding("I11", "the log only grows", len(leaves), problems, notes)


def _tells(checkpoint: Any, tree: Frontier) -> bool:
    try:
        told = Checkpoint.read(read_note(bytes(checkpoint["note"])).text)
    except NoteError:
        return False
    return (told.size, told.root, bytes(checkpoint["root"])) == (tree.size, tree.root, tree.root)


async def readings_are_on_record(stores: Stores) -> Finding:
    """AL."""
    anchors: dict[tuple[str, int], bytes] = {}
    problems = []
    for row in await stores.rows("archive.access_anchors"):
        try:
            told = Statement.read(bytes(row["statement"]))
        except ValueError:
            problems.append(f"what the log was told of access log {row['stream']} line {row['number']} is no statement")
            continue
        if (told.kind, told.public_id, told.version, told.sha256) != (Kind.AUDIT_HEAD, f"access-{row['stream']}", row["number"], bytes(row["hash"])):
            problems.append(f"the log was told otherwise of access log {row['stream']} line {row['number']} than its table of such heads says")
        # What the log says counts: it is what witnesses have seen.
        anchors[told.public_id.removeprefix("access-"), told.version] = told.sha256
    rows = await stores.rows("archive.access_lines")
    lines = [access_line.AccessLine(**(dict(row) | {"digest": bytes(row["digest"]), "hash": bytes(row["hash"])})) for row in rows]
    problems += [*access_line.faults(lines, anchors), *access_line.untold(lines)]
    erased = sum(line.body is None for line in lines)
    return Finding("AL", "the access log holds", len(lines), problems, [f"{erased} lines are erased by retention"] if erased else [])


async def corrections_supersede(stores: Stores) -> Finding:
    """I8."""
    versions: dict[str, list[tuple[int, int]]] = defaultdict(list)
    voids = {(row["id"], row["version"]) for row in await stores.rows("archive.void_versions")}
    digests: dict[Key, str] = {}
    for row in await stores.rows("archive.transcripts"):
        versions[row["id"]].append((row["version"], row["supersedes"]))
        digests[row["id"], row["version"]] = row["sha256"]
    logged = {(row["id"], row["version"]): bytes(row["statement"]) for row in await stores.rows("archive.leaves")}
    problems = []
    for transcript, found in versions.items():
        before = 0
        for version, supersedes in sorted(found):
            if supersedes != before:
                problems.append(f"{transcript} v{version} supersedes v{supersedes}, not v{before}")
            elif (statement := logged.get((transcript, version))) is not None and not _names(statement, digests.get((transcript, before))):
                problems.append(f"the log doesn't say that {transcript} v{version} takes the place of v{before}")
            problems += [
                f"{transcript} v{gap} is neither archived nor in the void register" for gap in range(before + 1, version) if (transcript, gap) not in voids
            ]
            before = version
        heads = {version for version, _ in found} - {supersedes for _, supersedes in found}
        if len(heads) != 1:
            problems.append(f"{transcript} has {len(heads)} heads")
    return Finding("I8", "a correction supersedes the version before it", len(versions), problems)


def _names(statement: bytes, previous: str | None) -> bool:
    """Whether a statement names this document as the one that went before; those of the former register name none."""
    try:
        told = Statement.read(statement)
    except ValueError:
        return statement.startswith(FORM_OF_THE_REGISTER.encode())
    return (told.previous.hex() if told.previous else None) == previous


async def reporting_counts_the_archive(stores: Stores) -> Finding:
    """I9."""
    heads = {row["id"]: row for row in await stores.rows("archive.transcripts")}
    archived = Counter(row["class_id"] for row in heads.values() if not row["revoked"])
    reported = {row["class_id"]: row["archived"] for row in await stores.rows("reporting.archived_by_class")}
    problems = [
        f"class {class_id}: reporting counts {reported.get(class_id, 0)} archived, the archive holds {archived.get(class_id, 0)}"
        for class_id in sorted(archived.keys() | reported.keys())
        if reported.get(class_id, 0) != archived.get(class_id, 0)
    ]
    for row in await stores.rows("reporting.sums"):
        if row["parts"] != row["whole"]:
            problems.append(f"{row['what']}: parts sum to {row['parts']}, the whole says {row['whole']}")
    return Finding("I9", "reporting counts what the archive holds", len(archived), problems)


CHECKS: tuple[Callable[[Stores], Awaitable[Finding]], ...] = (
    nothing_lost,
    one_document_per_version,
    keys_did_nothing_else,
    no_change_without_unlock,
    each_version_is_one_leaf,
    corrections_supersede,
    reporting_counts_the_archive,
    log_only_grows,
    readings_are_on_record,
)


async def run_all(stores: Stores) -> list[Finding]:
    """Every invariant's verdict."""
    return [await check(stores) for check in CHECKS]
