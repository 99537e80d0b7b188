"""What a transcript may contain: pages, their signature widgets and one attached record; nothing that acts or overlays."""

from collections.abc import Iterator, Mapping

from services.archive.domain.cross_references import Packed
from services.archive.domain.document import Profile
from services.archive.domain.findings import Finding, Reason
from services.archive.domain.form import SignatureField
from services.archive.domain.pdf_file import PdfFile
from services.archive.domain.pdf_syntax import Dictionary, MalformedPdf, Reference, Stream, Value, dictionaries_in, references_in

_NEVER_IN_CATALOGUE = ("OpenAction", "AA", "OCProperties", "Collection", "Threads", "URI")
_NEVER_IN_NAMES = ("JavaScript", "AP", "Renditions", "AlternatePresentations")
_NEVER_IN_FORM = ("XFA", "NeedAppearances", "CO")
MOST_PAGES = 64


def check_content(file: PdfFile, revision: int, fields: Mapping[str, SignatureField]) -> Iterator[Finding]:
    """Active content, overlays and optional layers. Our renderer makes none, so any is a forgery or a mistake."""
    _, root = file.root(revision)
    names = file.resolve(root.get("Names"), revision)
    form = file.resolve(root.get("AcroForm"), revision)
    for holder, never, where in (
        (root, _NEVER_IN_CATALOGUE, "catalogue"),
        (names, _NEVER_IN_NAMES, "name tree"),
        (form, _NEVER_IN_FORM, "form"),
    ):
        if isinstance(holder, dict):
            for key in never:
                if holder.get(key) not in (None, False):
                    yield Finding(Reason.ACTIVE_CONTENT, f"the {where} has /{key}")
    widgets = {field.number for field in fields.values()}
    for page_number, page in enumerate(_pages(file, root, revision), start=1):
        if "AA" in page:
            yield Finding(Reason.ACTIVE_CONTENT, f"page {page_number} has actions")
        for annotation in file.array(page.get("Annots"), revision, "a page's list of annotations"):
            if not isinstance(annotation, Reference) or annotation.number not in widgets:
                yield Finding(Reason.ACTIVE_CONTENT, f"page {page_number} has an annotation that is no signature field")
    if (number := _dangling_reference(file)) is not None:
        # A later revision could give the number to something visible without touching any signed object.
        yield Finding(Reason.ACTIVE_CONTENT, f"object {number} is referred to before it exists")
    if (number := _hidden_object(file)) is not None:
        yield Finding(Reason.ACTIVE_CONTENT, f"object {number} is hidden: nothing refers to it")
    for field in fields.values():
        if "A" in field.entries or "AA" in field.entries:
            yield Finding(Reason.ACTIVE_CONTENT, f"the field of {field.role} has actions")


def _dangling_reference(file: PdfFile) -> int | None:
    """An object number that a revision's own objects refer to although it doesn't exist then; None when all exist."""
    for index, revision in enumerate(file.revisions):
        for reference in references_in([revision.trailer, *map(file.object_at, revision.objects.values())]):
            if file.place_of(reference.number, index) is None:
                return reference.number
    return None


def _hidden_object(file: PdfFile) -> int | None:
    """An object of the body that nothing leads to: it waits for a later revision, or for a reader that looks for it."""
    body = file.revisions[0]
    # Object streams are no objects of the document, but what holds some of them.
    reached = {place.stream for place in body.objects.values() if isinstance(place, Packed)}
    waiting: list[Value] = [body.trailer]
    while waiting:
        new = {reference.number for reference in references_in(waiting)} - reached
        reached |= new
        waiting = [file.get(number, 0) for number in new]
    return min(body.objects.keys() - reached, default=None)


def attached_stream(file: PdfFile, revision: int, profile: Profile) -> Stream | None:
    """The attached record, when nothing else is attached but its alternative; None when there is another, more or none."""
    specifications = _attached(file, revision, profile)
    return _file_stream(file, specifications[0], revision) if specifications else None


def alternative_stream(file: PdfFile, revision: int, profile: Profile) -> Stream | None:
    """The record's attached alternative, or None when there is none."""
    specifications = _attached(file, revision, profile)
    if len(specifications) < 2:
        return None
    stream = _file_stream(file, specifications[1], revision)
    if stream is None:
        raise MalformedPdf(f"{profile.alternative} has no content")
    return stream


def _attached(file: PdfFile, revision: int, profile: Profile) -> list[Dictionary]:
    """The specifications of record and alternative; empty when what is attached isn't these."""
    _, root = file.root(revision)
    names = file.resolve(root.get("Names"), revision)
    tree = file.resolve(names.get("EmbeddedFiles"), revision) if isinstance(names, dict) else None
    if not isinstance(tree, dict) or "Kids" in tree:
        return []
    pairs = file.array(tree.get("Names"), revision, "the list of attached files")
    record, alternative = profile.attachment.encode("ascii"), profile.alternative.encode("ascii")
    if len(pairs) % 2 or pairs[::2] not in ([record], [record, alternative] if alternative else [record]):
        return []
    specifications = [file.dictionary(each, revision, "an attached file's specification") for each in pairs[1::2]]
    return [] if _has_other_files(file, revision, specifications) else specifications


def _has_other_files(file: PdfFile, revision: int, specifications: list[Dictionary]) -> bool:
    """Whether files hang anywhere else: on a page, among the associated files that PDF/A-3 readers take, or as variants for some system."""
    objects = (file.object_at(place) for each in file.revisions for place in each.objects.values())
    for entries in dictionaries_in(objects):
        if ("EF" in entries or "RF" in entries) and entries not in specifications:
            return True
        if any(file.resolve(item, revision) not in specifications for item in file.array(entries.get("AF"), revision, "a list of associated files")):
            return True
    return any("RF" in each or not _keys(file, each, revision) <= {"F", "UF"} for each in specifications)


def _keys(file: PdfFile, specification: Dictionary, revision: int) -> set[str]:
    streams = file.resolve(specification.get("EF"), revision)
    return set(streams) if isinstance(streams, dict) else set()


def _file_stream(file: PdfFile, specification: Dictionary, revision: int) -> Stream | None:
    streams = file.resolve(specification.get("EF"), revision)
    if not isinstance(streams, dict):
        return None
    variants: list[Value] = [streams[key] for key in ("F", "UF") if key in streams]
    # Readers differ in which of the two they take, so the two must be one.
    if not variants or any(variant != variants[0] for variant in variants):
        return None
    stream = file.resolve(variants[0], revision)
    return stream if isinstance(stream, Stream) else None


def _pages(file: PdfFile, root: Dictionary, revision: int) -> list[Dictionary]:
    pages: list[Dictionary] = []
    waiting: list[Value] = [root.get("Pages")]
    visited = 0
    while waiting:
        node = file.dictionary(waiting.pop(0), revision, "a node of the page tree")
        visited += 1
        if visited > 2 * MOST_PAGES:
            raise MalformedPdf(f"the page tree has more than {MOST_PAGES} pages or runs in a circle")
        if node.get("Type") == "Page":
            pages.append(node)
        else:
            waiting = file.array(node.get("Kids"), revision, "a node's list of pages") + waiting
    return pages
