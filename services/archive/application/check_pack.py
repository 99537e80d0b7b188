"""Judge each document of a staged pack alone, whatever kind of document it is."""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, TypeVar

from services.archive.application.check_document import Announced, Verdict
from services.archive.domain.findings import Finding, Reason
from services.archive.domain.pack import UnreadablePack, read_pack


class Referred(Protocol):
    """What a document is, as far as its content's digest goes."""

    @property
    def content_digest(self) -> bytes: ...


class Packed(Protocol):
    """A document as it was announced."""

    @property
    def ref(self) -> Referred: ...
    @property
    def file_name(self) -> str: ...
    @property
    def sha256(self) -> bytes: ...
    @property
    def size(self) -> int: ...
    @property
    def serials(self) -> tuple[tuple[str, str], ...]: ...


class Checks(Protocol):
    """What checks the documents of a pack."""

    def batch(self, documents: Iterable[tuple[bytes, Announced]]) -> list[Verdict]:
        """A verdict on each."""
        ...


D = TypeVar("D", bound=Packed)
G = TypeVar("G")


def judge_pack(
    check: Checks, data: bytes, documents: Sequence[D], judged: Callable[[D, bytes, Verdict], G | Finding], province_id: str = ""
) -> tuple[list[G], list[tuple[D, Finding]]]:
    """(what is made of each good document, the others with what is wrong); a pack that can't be read is wrong for each."""
    try:
        files = read_pack(data)
    except UnreadablePack as error:
        return [], [(document, Finding(Reason.PACK_UNREADABLE, str(error))) for document in documents]
    there = [document for document in documents if document.file_name in files]
    verdicts = iter(check.batch((files[document.file_name], _announced(document, province_id)) for document in there))
    good: list[G] = []
    bad: list[tuple[D, Finding]] = []
    for document in documents:
        if document.file_name not in files:
            bad.append((document, Finding(Reason.DOCUMENT_MISSING, f"the pack has no {document.file_name}")))
            continue
        result = judged(document, files[document.file_name], next(verdicts))
        if isinstance(result, Finding):
            bad.append((document, result))
        else:
            good.append(result)
    return good, bad


def _announced(document: Packed, province_id: str) -> Announced:
    return Announced(document.sha256, document.size, document.ref.content_digest, document.serials, province_id)
