"""Certification (DocMDP) and locks (FieldMDP): what keeps everybody from adding to a signed page (ISO 32000-1, 12.8.2)."""

from collections.abc import Iterator, Mapping

from services.archive.domain.document import Profile
from services.archive.domain.findings import Finding, Reason
from services.archive.domain.form import SignatureField
from services.archive.domain.pdf_file import PdfFile
from services.archive.domain.pdf_syntax import Dictionary, Reference

FILLING_AND_SIGNING = 2
NO_CHANGES = 1


def check_certification(file: PdfFile, fields: Mapping[str, SignatureField], profile: Profile) -> Iterator[Finding]:
    """The first signature certifies with P=2 (an only one with P=1), the last one locks all fields with P=1; no other one certifies."""
    last = len(file.revisions) - 1
    first, final = profile.signatures[0].role, profile.signatures[-1].role
    allowed = NO_CHANGES if first == final else FILLING_AND_SIGNING
    for role, field in fields.items():
        if field.signature is None:
            continue
        transforms = _transforms(file, last, field)
        certifies = transforms.get("DocMDP")
        if role == first:
            _, root = file.root(last)
            permissions = file.resolve(root.get("Perms"), last)
            names = permissions.get("DocMDP") if isinstance(permissions, dict) else None
            if certifies is None or certifies.get("P") != allowed:
                yield Finding(Reason.NOT_CERTIFIED, f"the signature of {role} doesn't certify with P={allowed}")
            elif names != field.signature or (isinstance(permissions, dict) and set(permissions) != {"DocMDP"}):
                yield Finding(Reason.NOT_CERTIFIED, f"the catalogue doesn't name {role}'s signature as the certification")
        elif certifies is not None and (role != final or certifies.get("P") != NO_CHANGES):
            yield Finding(Reason.NOT_CERTIFIED, f"the signature of {role} weakens the certification")
        if role == final:
            yield from _check_lock(file, profile.body_revisions - 1, field, transforms.get("FieldMDP"))


def _check_lock(file: PdfFile, body: int, field: SignatureField, transform: Dictionary | None) -> Iterator[Finding]:
    # The lock must already stand in the body: one that is added while signing could be left out just as well.
    unsigned = file.resolve(Reference(field.number, 0), body)
    lock = file.resolve(unsigned.get("Lock"), body) if isinstance(unsigned, dict) else None
    if not isinstance(lock, dict) or lock.get("Action") != "All" or lock.get("P") != NO_CHANGES:
        yield Finding(Reason.NOT_LOCKED, f"the field of {field.role} doesn't lock the whole document with P=1")
    elif transform is None or transform.get("Action") != "All":
        yield Finding(Reason.NOT_LOCKED, f"the signature of {field.role} doesn't carry its field's lock")


def _transforms(file: PdfFile, revision: int, field: SignatureField) -> dict[str, Dictionary]:
    """Transform method -> its parameters, as the signature's /Reference has them."""
    found: dict[str, Dictionary] = {}
    signature = file.dictionary(field.signature, revision, "a signature")
    for item in file.array(signature.get("Reference"), revision, "a signature's list of references"):
        reference = file.dictionary(item, revision, "a signature reference")
        parameters = file.dictionary(reference.get("TransformParams"), revision, "a transform's parameters")
        found[str(reference.get("TransformMethod"))] = parameters
    return found
