"""
Evidence records (RFC 4998): hash trees under time stamps, renewed before what they rest on grows weak.

    group(values)        values in ascending order, joined and hashed; a single value is itself        (section 4.2)
    first time stamp     over the root of a tree whose leaves are groups of document hashes
    time-stamp renewal   wanted = H(previous token), in the same chain                                 (section 5.2)
    hash-tree renewal    wanted = H'(H'(document) || H'(all previous chains)), in a new chain           (section 5.2)

The concatenation of the last line is in that order and not sorted, as every implementation does it and the RFC's text says.
This is not the register's chain nor a log's tree: nothing here separates leaves from nodes, so the two are never mixed.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from services.archive.domain.algorithms import AlgorithmPolicy

MOST_LEAVES = 10_000
"""Of a tree: one time stamp vouches for at most so many documents."""

Lists = tuple[tuple[bytes, ...], ...]
"""A reduced hash tree: the leaf's group first, then what joins it on each level up to the root."""


class Reason(StrEnum):
    """What is wrong with a record. Codes are never renamed."""

    UNREADABLE = "evidence_unreadable"
    DOCUMENT_NOT_COVERED = "document_not_covered"
    RENEWAL_NOT_COVERED = "renewal_not_covered"
    TREE_BROKEN = "tree_broken"
    ALGORITHM_MIXED = "algorithm_mixed"
    TIME_ORDER = "time_order"
    TOKEN_INVALID = "token_invalid"  # noqa: S105  # A code, no password.
    AUTHORITY_ENDED = "authority_ended"
    ALGORITHM_RETIRED = "algorithm_retired"


REASON_WORDS: dict[Reason, tuple[str, str]] = {
    Reason.UNREADABLE: ("không đọc được hồ sơ bằng chứng", "the evidence record can't be read"),
    Reason.DOCUMENT_NOT_COVERED: ("bằng chứng không thuộc về tài liệu này", "the evidence isn't about this document"),
    Reason.RENEWAL_NOT_COVERED: ("lần gia hạn không bao trùm các bằng chứng trước", "a renewal doesn't cover what came before it"),
    Reason.TREE_BROKEN: ("cây băm không dẫn tới dấu thời gian", "the hash tree doesn't lead to its time stamp"),
    Reason.ALGORITHM_MIXED: ("thuật toán băm không thống nhất", "its digest algorithms contradict each other"),
    Reason.TIME_ORDER: ("các dấu thời gian không theo thứ tự", "its time stamps aren't in the order of their times"),
    Reason.TOKEN_INVALID: ("dấu thời gian không hợp lệ", "a time stamp is not valid"),
    Reason.AUTHORITY_ENDED: (
        "không được gia hạn khi tổ chức cấp dấu thời gian còn hiệu lực",
        "it was not renewed while its time stamp's authority was still good",
    ),
    Reason.ALGORITHM_RETIRED: ("không được gia hạn khi thuật toán băm còn an toàn", "it was not renewed while its digest algorithm was still good"),
}

LAPSES = frozenset({Reason.AUTHORITY_ENDED, Reason.ALGORITHM_RETIRED})
"""What comes of renewing late or never: what was proven before is lost, what came after may still stand."""


@dataclass(frozen=True, slots=True)
class ArchiveTimeStamp:
    """One time stamp over a hash tree, of which one leaf's way to the root is kept."""

    algorithm: str
    """Name of the digest algorithm; empty when only the token says it."""
    lists: Lists
    """Empty: the token is over the wanted hash itself."""
    token: bytes
    """RFC 3161 TimeStampToken (a CMS ContentInfo), DER."""
    encoded: bytes
    """All of this as DER: what a hash-tree renewal hashes."""


Chain = tuple[ArchiveTimeStamp, ...]


@dataclass(frozen=True, slots=True)
class EvidenceRecord:
    """Chains in the order of time; within a chain one digest algorithm. `algorithms` are those that the record says it uses."""

    algorithms: tuple[str, ...]
    chains: tuple[Chain, ...]


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a token says: the digest that it is over, and when it was made."""

    algorithm: str
    imprint: bytes
    at: datetime


class Tokens(Protocol):
    """Knows time-stamp tokens and whom to trust with them."""

    def read(self, token: bytes) -> Stamp:
        """What a token says, unverified; ValueError when it is none."""
        ...

    def problem(self, token: bytes, at: datetime) -> str:
        """Why its signature, its authority's path or their algorithms are not good at a moment; empty when all of them are."""
        ...


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with which time stamp (chain and place in it, from 1; 0: the record as a whole)."""

    reason: Reason
    chain: int
    stamp: int
    detail: str


@dataclass(frozen=True, slots=True)
class Proof:
    """What a record proves. It is whole when there are no findings."""

    since: datetime | None
    """The earliest moment at which the documents are proven to have existed; None: nothing is proven."""
    findings: tuple[Finding, ...] = ()
    stamps: tuple[datetime, ...] = ()
    """The times of all time stamps, as far as they could be read."""

    @property
    def whole(self) -> bool:
        """Whether nothing is wrong with it."""
        return not self.findings


def digest(algorithm: str, *parts: bytes) -> bytes:
    """The hash of joined bytes; ValueError for an algorithm that isn't known here."""
    return hashlib.new(algorithm, b"".join(parts)).digest()


def group(algorithm: str, values: Iterable[bytes]) -> bytes:
    """The hash that stands for a group of hashes."""
    ordered = sorted(values)
    return ordered[0] if len(ordered) == 1 else digest(algorithm, *ordered)


class HashTree:
    """A tree over 1 to MOST_LEAVES leaves, each the group of some document hashes; pairs level by level, an odd one goes up as it is."""

    def __init__(self, algorithm: str, groups: Sequence[Sequence[bytes]]) -> None:
        if not 1 <= len(groups) <= MOST_LEAVES or not all(groups):
            raise ValueError(f"a tree has 1 to {MOST_LEAVES} groups, each with a hash, not {len(groups)}")
        self._groups = groups
        self._levels = [[group(algorithm, values) for values in groups]]
        while len(self._levels[-1]) > 1:
            below = self._levels[-1]
            self._levels.append([group(algorithm, below[at : at + 2]) for at in range(0, len(below), 2)])

    @property
    def root(self) -> bytes:
        """What the time stamp is over."""
        return self._levels[-1][0]

    def reduced(self, leaf: int) -> Lists:
        """The way of one leaf to the root; empty for the single leaf of a tree whose root is its one hash."""
        if len(self._levels) == 1 and len(self._groups[0]) == 1:
            return ()
        lists = [tuple(sorted(self._groups[leaf]))]
        for level in self._levels[:-1]:
            if leaf ^ 1 < len(level):
                lists.append((level[leaf ^ 1],))
            leaf //= 2
        return tuple(lists)


def der_sequence(parts: Iterable[bytes]) -> bytes:
    """DER of a SEQUENCE of encoded parts (X.690 sections 8.1.3 and 8.9)."""
    content = b"".join(parts)
    size = len(content)
    if size < 0x80:
        return bytes((0x30, size)) + content
    octets = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes((0x30, 0x80 | len(octets))) + octets + content


def chains_encoded(chains: Sequence[Chain]) -> bytes:
    """DER of the ArchiveTimeStampSequence of these chains."""
    return der_sequence(der_sequence(stamp.encoded for stamp in chain) for chain in chains)


def renewed_leaf(algorithm: str, document_hash: bytes, chains: Sequence[Chain]) -> bytes:
    """What a hash-tree renewal wants: the document's hash by the new algorithm joined with that of all earlier chains."""
    return digest(algorithm, document_hash, digest(algorithm, chains_encoded(chains)))


def verify(record: EvidenceRecord, documents: Sequence[bytes], tokens: Tokens, policy: AlgorithmPolicy, now: datetime) -> Proof:
    """What a record proves about one document, or about a group of them that was archived together (RFC 4998 sections 4.3, 5.3)."""
    stamps: list[Stamp] = []
    findings: list[Finding] = []
    for number, chain in enumerate(record.chains, 1):
        for place, archived in enumerate(chain, 1):
            try:
                stamp = tokens.read(archived.token)
                wrong = _stamp_findings(record, number, place, stamp, documents)
            except ValueError as error:
                return Proof(None, (Finding(Reason.UNREADABLE, number, place, str(error)),), tuple(stamp.at for stamp in stamps))
            if stamps and stamp.at < stamps[-1].at:
                wrong.append(Finding(Reason.TIME_ORDER, number, place, f"{stamp.at.isoformat()} comes behind {stamps[-1].at.isoformat()}"))
            findings += wrong
            stamps.append(stamp)
    times = tuple(stamp.at for stamp in stamps)
    if not stamps:
        findings.append(Finding(Reason.UNREADABLE, 0, 0, "it holds no time stamp"))
    if findings:
        # What doesn't fit together proves nothing, and whom to trust needn't be asked.
        return Proof(None, tuple(findings), times)
    return _over_time(record, stamps, tokens, policy, now)


def _stamp_findings(record: EvidenceRecord, number: int, place: int, stamp: Stamp, documents: Sequence[bytes]) -> list[Finding]:
    """What is wrong with one time stamp but for time and trust."""
    chain = record.chains[number - 1]
    archived = chain[place - 1]
    algorithm = archived.algorithm or stamp.algorithm
    expected = chain[0].algorithm or algorithm
    if algorithm != stamp.algorithm or algorithm != expected or algorithm not in record.algorithms:
        return [Finding(Reason.ALGORITHM_MIXED, number, place, f"{algorithm}, its token {stamp.algorithm}, its chain {expected}")]
    if place > 1:
        wanted, reason = [digest(algorithm, chain[place - 2].token)], Reason.RENEWAL_NOT_COVERED
    elif number > 1:
        before = record.chains[: number - 1]
        wanted = [renewed_leaf(algorithm, digest(algorithm, document), before) for document in documents]
        # It may be either the document or the earlier chains that differ; the first time stamp tells which.
        reason = Reason.RENEWAL_NOT_COVERED
    else:
        wanted, reason = [digest(algorithm, document) for document in documents], Reason.DOCUMENT_NOT_COVERED
    lists = archived.lists or (tuple(wanted),)
    # Of a group of documents nobody may be left out and nobody added; beside a single one its neighbours may stand.
    if not set(wanted) <= set(lists[0]) or (len(wanted) > 1 and set(wanted) != set(lists[0])):
        return [Finding(reason, number, place, "the wanted hash isn't in the first list")]
    found = group(algorithm, lists[0])
    for values in lists[1:]:
        found = group(algorithm, (*values, found))
    # The hash itself is under the time stamp where there is no tree.
    if found != stamp.imprint:
        return [Finding(Reason.TREE_BROKEN if archived.lists else reason, number, place, "its root isn't what the time stamp is over")]
    return []


def _over_time(record: EvidenceRecord, stamps: Sequence[Stamp], tokens: Tokens, policy: AlgorithmPolicy, now: datetime) -> Proof:
    """How far back the proof reaches: each link must have been good until the next one was there, the last until now."""
    places = [(number, place) for number, chain in enumerate(record.chains, 1) for place in range(1, len(chain) + 1)]
    findings: list[Finding] = []
    since: datetime | None = None
    reaches = True
    for index in range(len(stamps) - 1, -1, -1):
        (number, place), stamp = places[index], stamps[index]
        last = index == len(stamps) - 1
        until = now if last else stamps[index + 1].at
        # A chain rests on its digest algorithm until the next chain begins.
        ends_chain = last or places[index + 1][0] != number
        found = _link_findings(number, place, record.chains[number - 1][place - 1], stamp, until, ends_chain, tokens, policy)
        findings += found
        reaches = reaches and not found
        if reaches:
            since = stamp.at
    return Proof(since, tuple(reversed(findings)), tuple(stamp.at for stamp in stamps))


def _link_findings(
    number: int, place: int, archived: ArchiveTimeStamp, stamp: Stamp, until: datetime, ends_chain: bool, tokens: Tokens, policy: AlgorithmPolicy
) -> list[Finding]:
    findings: list[Finding] = []
    if stamp.at > until:
        return [Finding(Reason.TOKEN_INVALID, number, place, f"it is of {stamp.at.isoformat()}, in the future")]
    at_birth = tokens.problem(archived.token, stamp.at)
    if at_birth:
        findings.append(Finding(Reason.TOKEN_INVALID, number, place, at_birth))
    elif later := tokens.problem(archived.token, until):
        findings.append(Finding(Reason.AUTHORITY_ENDED, number, place, f"at {until.isoformat()}: {later}"))
    if ends_chain and not policy.digest_good(stamp.algorithm, until):
        findings.append(Finding(Reason.ALGORITHM_RETIRED, number, place, f"{stamp.algorithm} is not good at {until.isoformat()}"))
    return findings
