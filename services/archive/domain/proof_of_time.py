"""
What may stand behind the last signature: the two revisions that make a document prove its own time (PAdES B-LTA).

The first one time-stamps everything so far, the second one adds validation data (DSS) and time-stamps that too. They are accepted in exactly
this form, object by object and key by key; a document with anything else there is examined as one that was changed after signing.
"""

from dataclasses import dataclass, replace

from services.archive.domain.coverage import coverage
from services.archive.domain.document import FiledSignature, Profile
from services.archive.domain.form import SignatureField
from services.archive.domain.pdf_file import PdfFile, decoded
from services.archive.domain.pdf_syntax import Dictionary, MalformedPdf, Name, Reference, Stream, Value, references_in

_FIELD_KEYS = {"Type", "Subtype", "FT", "T", "F", "Rect", "P"}
_STAMP_KEYS = {"Type", "Filter", "SubFilter", "ByteRange", "Contents"}
_LISTS = ("Certs", "OCSPs", "CRLs")
_NO_SIZE = [0, 0, 0, 0]


@dataclass(frozen=True, slots=True)
class ProofOfTime:
    """What the two revisions hold for the check of the signatures."""

    stamps: tuple[FiledSignature, FiledSignature]
    certificates: tuple[bytes, ...]
    """DER, as the validation data has them."""


def signed_part(file: PdfFile, profile: Profile) -> PdfFile:
    """The file as its last signature left it."""
    return replace(file, revisions=file.revisions[: profile.body_revisions + len(profile.signatures)])


def proof_of_time(file: PdfFile, profile: Profile) -> ProofOfTime | None:
    """The document time stamps and their certificates, when the revisions behind the last signature are exactly those two; None for all else."""
    signed = profile.body_revisions + len(profile.signatures)
    if len(file.revisions) != signed + len(profile.time_stamps) or len(profile.time_stamps) != 2:
        return None
    try:
        return _read(file, signed, profile)
    except MalformedPdf:
        return None


def _read(file: PdfFile, first: int, profile: Profile) -> ProofOfTime | None:
    second = first + 1
    catalogue, root = file.root(first - 1)
    form = root.get("AcroForm")
    if not isinstance(form, Reference) or any(file.root(index)[0] != catalogue or file.revisions[index].freed for index in (first, second)):
        return None
    old, new = file.dictionary(form, first - 1, "the form"), file.dictionary(form, first, "the form")
    fields = _added_fields(old, new)
    if fields is None or not all(_is_field(file, field, first, name) for field, name in zip(fields, profile.time_stamps, strict=True)):
        return None
    early, late = fields
    early_entries, late_entries = file.dictionary(early, first, "a field"), file.dictionary(late, first, "a field")
    stamps = early_entries.get("V"), file.dictionary(late, second, "a field").get("V")
    if "V" in late_entries or file.dictionary(late, second, "a field") != late_entries | {"V": stamps[1]}:
        return None
    data = _validation_data(file, second, root, catalogue)
    filed = [_stamp(file, index, reference, name) for index, reference, name in zip((first, second), stamps, profile.time_stamps, strict=True)]
    if data is None or filed[0] is None or filed[1] is None:
        return None
    written = [
        {form, early, late, stamps[0]},
        {Reference(catalogue, 0), late, stamps[1], *data},
    ]
    # Exactly these, and all but what is written again are new: a stamp can't be an object that means something else.
    for index, expected, again in ((first, written[0], {form.number}), (second, written[1], {catalogue, late.number})):
        own = set(file.revisions[index].objects)
        if own != {each.number for each in expected if isinstance(each, Reference)} or {n for n in own if file.place_of(n, index - 1) is not None} != again:
            return None
    return ProofOfTime((filed[0], filed[1]), _certificates(file, second))


def _added_fields(old: Dictionary, new: Dictionary) -> tuple[Reference, Reference] | None:
    before, after = old.get("Fields"), new.get("Fields")
    if not isinstance(before, list) or not isinstance(after, list) or new != old | {"Fields": after} or after[: len(before)] != before:
        return None
    match after[len(before) :]:
        case [Reference() as early, Reference() as late]:
            return early, late
    return None


def _is_field(file: PdfFile, field: Reference, revision: int, name: str) -> bool:
    """A field for a time stamp that no page shows."""
    entries = file.dictionary(field, revision, "a field")
    page = file.resolve(entries.get("P"), revision)
    return (
        entries.keys() - {"TU", "V"} == _FIELD_KEYS
        and (entries["Type"], entries["Subtype"], entries["FT"]) == ("Annot", "Widget", "Sig")
        and entries["T"] == name.encode("ascii")
        and entries["Rect"] == _NO_SIZE
        and isinstance(entries["F"], int)
        and isinstance(entries.get("TU", b""), bytes)
        and isinstance(page, dict)
        and page.get("Type") == "Page"
    )


def _stamp(file: PdfFile, revision: int, reference: Value, name: str) -> FiledSignature | None:
    """The time stamp, when its range is the whole file so far."""
    if not isinstance(reference, Reference):
        return None
    entries = file.dictionary(reference, revision, "a time stamp")
    if entries.keys() != _STAMP_KEYS or (entries["Type"], entries["SubFilter"]) != ("DocTimeStamp", "ETSI.RFC3161") or not isinstance(entries["Filter"], Name):
        return None
    found = coverage(file, revision, SignatureField(name, name, reference.number, entries, reference))
    return found if isinstance(found, FiledSignature) else None


def _certificates(file: PdfFile, revision: int) -> tuple[bytes, ...]:
    store = file.dictionary(file.root(revision)[1].get("DSS"), revision, "the validation data")
    streams = [file.resolve(item, revision) for item in file.array(store.get("Certs"), revision, "a list of validation data")]
    return tuple(decoded(stream) for stream in streams if isinstance(stream, Stream))


def _validation_data(file: PdfFile, revision: int, old: Dictionary, catalogue: int) -> set[Reference] | None:
    """All objects of the validation data, when the catalogue has it, and nothing else, in addition."""
    _, new = file.root(revision)
    store = new.get("DSS")
    extensions = {key: new[key] for key in ("Extensions",) if key in new}
    if not isinstance(store, Reference) or "DSS" in old or new != old | {"DSS": store} | extensions or references_in(list(extensions.values())):
        return None
    entries = file.dictionary(store, revision, "the validation data")
    if not entries.keys() <= {"Type", *_LISTS} or entries.get("Type", "DSS") != "DSS":
        return None
    found: set[Reference] = {store}
    for key in _LISTS:
        for item in file.array(entries.get(key), revision, "a list of validation data"):
            stream = file.resolve(item, revision)
            if not isinstance(item, Reference) or item in found or not isinstance(stream, Stream) or not stream.entries.keys() <= {"Filter", "Length"}:
                return None
            decoded(stream)
            found.add(item)
    return found if catalogue != store.number else None
