"""The document's form: it holds the signature fields of the profile and nothing else."""

from collections.abc import Iterator
from dataclasses import dataclass

from services.archive.domain.document import Profile
from services.archive.domain.findings import Finding, Reason
from services.archive.domain.pdf_file import PdfFile
from services.archive.domain.pdf_syntax import Dictionary, Reference, Value


@dataclass(frozen=True, slots=True)
class SignatureField:
    """A signature field (merged with its widget) as of some revision."""

    role: str
    name: str
    number: int
    entries: Dictionary
    signature: Reference | None
    """The signature's dictionary, once the field is signed."""


def signature_fields(file: PdfFile, revision: int, profile: Profile) -> dict[str, SignatureField]:
    """The profile's fields that the form has as of `revision`, by role."""
    role_of = {rule.field: rule.role for rule in profile.signatures}
    found: dict[str, SignatureField] = {}
    for reference, entries in _fields(file, revision):
        name = _text(entries.get("T"))
        role = role_of.get(name or "")
        if role is None or role in found or reference is None or entries.get("FT") != "Sig" or "Kids" in entries:
            continue
        value = entries.get("V")
        found[role] = SignatureField(role, name or "", reference.number, entries, value if isinstance(value, Reference) else None)
    return found


def unexpected_fields(file: PdfFile, revision: int, profile: Profile) -> Iterator[Finding]:
    """Fields beside those of the profile, or of another kind: each could paint something over the page."""
    expected = {rule.field for rule in profile.signatures}
    seen: set[str] = set()
    for reference, entries in _fields(file, revision):
        name = _text(entries.get("T"))
        if name is None or name not in expected:
            yield Finding(Reason.FIELD_UNEXPECTED, "the form has a field that is none of the transcript's signatures")
        elif name in seen:
            yield Finding(Reason.FIELD_UNEXPECTED, f"the form has the field {name} twice")
        elif reference is None or entries.get("FT") != "Sig" or "Kids" in entries:
            yield Finding(Reason.FIELD_UNEXPECTED, f"the field {name} is not a plain signature field")
        elif "V" in entries and not isinstance(entries["V"], Reference):
            yield Finding(Reason.FIELD_UNEXPECTED, f"the signature in field {name} is not an object of its own")
        seen.add(name or "")


def _fields(file: PdfFile, revision: int) -> Iterator[tuple[Reference | None, Dictionary]]:
    _, root = file.root(revision)
    form = file.resolve(root.get("AcroForm"), revision)
    if form is None:
        return
    form = file.dictionary(form, revision, "the form")
    for item in file.array(form.get("Fields"), revision, "the form's list of fields"):
        entries = file.dictionary(item, revision, "a form field")
        yield (item if isinstance(item, Reference) else None), entries


def _text(value: Value) -> str | None:
    if not isinstance(value, bytes):
        return None
    if value.startswith(b"\xfe\xff"):
        return value[2:].decode("utf-16-be", "replace")
    return value.decode("latin-1")
