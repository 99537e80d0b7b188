"""
What each appended revision may change: put one signature into its field, and nothing that anybody could see.

Every object that a revision writes is either an allowed change of an object that was there, or new and reachable only
through such a change. A revision that frees, replaces or hides anything else is refused.
"""

from collections.abc import Iterator, Mapping

from services.archive.domain.document import Profile
from services.archive.domain.findings import Finding, Reason
from services.archive.domain.form import SignatureField
from services.archive.domain.pdf_file import PdfFile
from services.archive.domain.pdf_syntax import Dictionary, Reference, Stream, Value

_FIELD_KEYS = {"V", "AP", "M"}
_CATALOGUE_KEYS = {"Perms", "Extensions", "Metadata", "Version"}
_INFORMATION_KEYS = {"ModDate", "Producer"}
_FORM_KEYS = {"SigFlags"}


def check_changes(file: PdfFile, fields: Mapping[str, SignatureField], profile: Profile) -> Iterator[Finding]:
    """What the appended revisions changed beyond signing. Revisions behind the last signature may change nothing."""
    role_of = {revision: rule.role for revision, rule in profile.signed_revisions()}
    for revision in range(profile.body_revisions, len(file.revisions)):
        field = fields.get(role_of.get(revision, ""))
        yield from _check_revision(file, revision, field)


def _check_revision(file: PdfFile, revision: int, field: SignatureField | None) -> Iterator[Finding]:
    def changed(what: str) -> Finding:
        return Finding(Reason.CHANGED_AFTER_SIGNING, f"update {revision} {what}")

    own = file.revisions[revision]
    if own.freed - {0} - file.revisions[0].freed:
        yield changed("deletes objects")
    catalogue, root = file.root(revision)
    before_catalogue, _ = file.root(revision - 1)
    if catalogue != before_catalogue:
        yield changed("replaces the catalogue")
        return
    reachable: list[Value] = []
    created: set[int] = set()
    for number in own.objects:
        new = file.get(number, revision)
        if file.place_of(number, revision - 1) is None:
            created.add(number)
            continue
        old = file.get(number, revision - 1)
        allowed = _allowed_keys(file, revision, number, catalogue, root, field)
        if old == new:
            continue
        if allowed is None or not _differs_only_in(file, revision, old, new, allowed):
            yield changed(f"rewrites object {number}, which signing doesn't touch")
            continue
        reachable += _changed_values(old, new)
    hidden = created - _reached(file, revision, reachable, created) - _information(file, revision)
    if hidden:
        yield changed(f"adds object {min(hidden)}, which belongs to no signature")


def _information(file: PdfFile, revision: int) -> set[int]:
    info = file.revisions[revision].trailer.get("Info")
    return {info.number} if isinstance(info, Reference) else set()


def _allowed_keys(file: PdfFile, revision: int, number: int, catalogue: int, root: Dictionary, field: SignatureField | None) -> set[str] | None:
    """The keys of the object that this revision may change; None when it may not touch the object at all."""
    if field is not None and number == field.number:
        return _FIELD_KEYS
    if number == catalogue:
        return _CATALOGUE_KEYS | {"AcroForm"}
    if root.get("AcroForm") == Reference(number, 0):
        return _FORM_KEYS
    if root.get("Metadata") == Reference(number, 0):
        return {"Metadata"}
    if number in _information(file, revision):
        return _INFORMATION_KEYS
    return None


def _differs_only_in(file: PdfFile, revision: int, old: Value, new: Value, allowed: set[str]) -> bool:
    if isinstance(old, Stream) and isinstance(new, Stream):
        # XMP metadata is shown to nobody; a signing library keeps its own date in it.
        return allowed == {"Metadata"}
    if not isinstance(old, dict) or not isinstance(new, dict):
        return False
    if allowed is _FIELD_KEYS and "V" in old:
        return False
    for key in old.keys() | new.keys():
        if old.get(key) == new.get(key):
            continue
        if key not in allowed:
            return False
        if key == "AcroForm":
            before, after = old.get(key), new.get(key)
            if not isinstance(before, dict) or not isinstance(after, dict):
                return False
            if not _differs_only_in(file, revision, before, after, _FORM_KEYS):
                return False
    return True


def _changed_values(old: Value, new: Value) -> list[Value]:
    if isinstance(old, dict) and isinstance(new, dict):
        return [value for key, value in new.items() if old.get(key) != value]
    return [new]


def _reached(file: PdfFile, revision: int, values: list[Value], created: set[int]) -> set[int]:
    """The created objects that the changed values lead to, through created objects only."""
    found: set[int] = set()
    waiting = list(values)
    while waiting:
        value = waiting.pop()
        if isinstance(value, Reference):
            if value.number in created and value.number not in found:
                found.add(value.number)
                waiting.append(file.get(value.number, revision))
        elif isinstance(value, list):
            waiting += value
        elif isinstance(value, Stream):
            waiting += value.entries.values()
        elif isinstance(value, dict):
            waiting += value.values()
    return found
