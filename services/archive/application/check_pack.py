"""Judge each document of a staged pack alone, whatever kind of document it is."""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from services.archive.application.check_document import Announced, CheckDocument
from services.archive.domain.findings import Finding, Reason
from services.archive.domain.pack import UnreadablePack, read_pack


class Packed(Protocol):
    """A document as it was announced."""

    @property
    def file_name(self) -> str: ...
    @property
    def sha256(self) -> bytes: ...
    @property
    def size(self) -> int: ...
    @property
    def serials(self) -> tuple[tuple[str, str], ...]: ...


D = TypeVar("D", bound=Packed)
G = TypeVar("G")


def judge_pack(data: bytes, documents: Sequence[D], judge: Callable[[D, bytes], G | Finding]) -> tuple[list[G], list[tuple[D, Finding]]]:
    """(what the judge makes of each good document, the others with what is wrong); a pack that can't be read is wrong for each."""
    try:
        files = read_pack(data)
    except UnreadablePack as error:
        return [], [(document, Finding(Reason.PACK_UNREADABLE, str(error))) for document in documents]
    good: list[G] = []
    bad: list[tuple[D, Finding]] = []
    for document in documents:
        found = files.get(document.file_name)
        result = judge(document, found) if found is not None else Finding(Reason.DOCUMENT_MISSING, f"the pack has no {document.file_name}")
        if isinstance(result, Finding):
            bad.append((document, result))
        else:
            good.append(result)
    return good, bad


def checked_record(check: CheckDocument, document: Packed, content_digest: bytes, data: bytes) -> bytes | Finding:
    """What is attached to a document that passes every check of its bytes, or the finding that refuses it."""
    verdict = check(data, Announced(document.sha256, document.size, content_digest, document.serials))
    return verdict.first if verdict.first is not None else verdict.record or b""
