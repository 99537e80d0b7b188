"""Attacks by who holds a key: a signer, or somebody with a certificate of his own, or who prepares the page before it is signed."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from services.archive.domain.findings import Reason
from tests.attacks.corpus import Attack, certified, streams
from tests.attacks.without_keys import BREAKING, ISO, SHADOW
from tests.support.forgeries import Update
from tests.support.packed_documents import (
    CATALOG,
    CONTENT,
    EMPTY,
    FIELD_OF,
    FILE,
    FORM,
    LAST_PAGE,
    METADATA,
    RECORD,
    Section,
    Signed,
    catalog,
    sign,
    signed,
    stream,
    transcript,
    widget,
)
from tests.support.signed_documents import (
    ATTACHMENT,
    ROLES,
    SIGNED_AT,
    Identity,
    make_pki,
    record_bytes,
    shared_pki,
    unsigned_body,
)
from tests.unit.archive import test_packed_documents as packed
from tests.unit.archive import test_proof_of_time as time_proof

TEACHER, PRINCIPAL, SEAL = ROLES
RFC5280 = "RFC 5280, 6.1"
PDFA = "ISO 19005-3, 6.8: /AF beside /EmbeddedFiles"
Change = Callable[[Section], None]
Edit = Callable[[bytes], bytes]


def by(name: str, source: str, reason: Reason, **changes: Change) -> Attack:
    """A transcript whose revisions were changed before they were signed; every byte is covered, every signature valid."""
    return Attack(name, source, reason, lambda: transcript(shared_pki(), record_bytes(), **changes))


def by_catalogue(name: str, source: str, reason: Reason, prepare: Callable[[Section], Edit]) -> Attack:
    """One whose catalogue is written in another way from the body on."""

    def make() -> bytes:
        edits: list[Edit] = []

        def body(section: Section) -> None:
            edits.append(prepare(section))
            certifying(section)

        def certifying(section: Section) -> None:
            section.objects[CATALOG] = edits[0](section.objects[CATALOG])

        return transcript(shared_pki(), record_bytes(), body=body, homeroom_teacher=certifying)

    return Attack(name, source, reason, make)


def more(section: Section, text: bytes) -> int:
    """One more object; its number."""
    number = section.size
    section.objects[number], section.size = text, number + 1
    return number


# --- what is prepared in the body, before anybody signs ---


def shadow_hidden(section: Section) -> None:
    """An overlay hides the true mark until an update takes it away."""
    note = more(section, b"<</Type/Annot/Subtype/Stamp/Rect[50 700 200 750]/F 4>>")
    section.packed[LAST_PAGE] = section.packed[LAST_PAGE].replace(b"/Annots[", b"/Annots[%d 0 R " % note)


def shadow_replaced(section: Section) -> None:
    """A text field whose value is shown instead of its appearance as soon as a reader makes appearances anew."""
    field = more(section, b"<</Type/Annot/Subtype/Widget/FT/Tx/T(Diem)/V(10)/F 4/Rect[50 700 200 750]/AP<</N %d 0 R>>>>" % EMPTY)
    section.packed[FORM] = section.packed[FORM].replace(b"/Fields[", b"/NeedAppearances true/Fields[%d 0 R " % field)


def shadow_hidden_and_replaced(section: Section) -> None:
    """A second page that nothing shows waits for an update that leads to it."""
    more(section, b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents %d 0 R>>" % CONTENT)


def not_there_yet(section: Section) -> None:
    """The page refers to content that a later revision will bring."""
    section.packed[LAST_PAGE] = section.packed[LAST_PAGE].replace(b"/Contents 13 0 R", b"/Contents[13 0 R 90 0 R]")


def layers(section: Section) -> Edit:
    """Optional content: one reader shows it, another one or the printer doesn't."""
    return lambda text: text.replace(b"/AF[", b"/OCProperties<</OCGs[]/D<<>>>>/AF[")


def associated_file(section: Section) -> Edit:
    """/AF names another file than the list of attached ones: readers for PDF/A-3 take that one."""
    data = more(section, stream(b"{}", b"/Type/EmbeddedFile"))
    other = more(section, b"<</Type/Filespec/F(%b)/UF(%b)/EF<</F %d 0 R>>>>" % (ATTACHMENT.encode(), ATTACHMENT.encode(), data))
    return lambda text: text.replace(b"/AF[5 0 R]", b"/AF[%d 0 R]" % other)


def file_of_a_page(section: Section) -> None:
    """A page has a file of its own."""
    data = more(section, stream(b"{}", b"/Type/EmbeddedFile"))
    other = more(section, b"<</Type/Filespec/F(%b)/EF<</F %d 0 R>>>>" % (ATTACHMENT.encode(), data))
    section.packed[LAST_PAGE] = section.packed[LAST_PAGE][:-2] + b"/AF[%d 0 R]>>" % other


def file_for_another_system(section: Section) -> None:
    """The same file has another content for readers on another system (ISO 32000-1, table 45: /Unix)."""
    data = more(section, stream(b"{}", b"/Type/EmbeddedFile"))
    section.packed[FILE] = section.packed[FILE].replace(b"/UF 15 0 R", b"/UF 15 0 R/Unix %d 0 R" % data)


def related_file(section: Section) -> None:
    """A related file beside it (table 44: /RF)."""
    data = more(section, stream(b"{}", b"/Type/EmbeddedFile"))
    section.packed[FILE] = section.packed[FILE][:-2] + b"/RF<</F[(%b) %d 0 R]>>>>" % (ATTACHMENT.encode(), data)


def two_files(section: Section) -> Edit:
    """Two files of one name: readers differ in which of them they take."""
    data = more(section, stream(b"{}", b"/Type/EmbeddedFile"))
    other = more(section, b"<</Type/Filespec/F(%b)/EF<</F %d 0 R>>>>" % (ATTACHMENT.encode(), data))
    names = b"/Names[(%b)5 0 R" % ATTACHMENT.encode()
    return lambda text: text.replace(names, names + b"(%b)%d 0 R" % (ATTACHMENT.encode(), other))


def name_for_unicode(section: Section) -> None:
    """/F and /UF lead to two contents."""
    data = more(section, stream(b"{}", b"/Type/EmbeddedFile"))
    section.packed[FILE] = section.packed[FILE].replace(b"/UF 15 0 R", b"/UF %d 0 R" % data)


def annotation_that_acts(section: Section) -> None:
    section.packed[LAST_PAGE] = section.packed[LAST_PAGE][:-2] + b"/AA<</O<</S/JavaScript/JS(x)>>>>>>"


def field_that_acts(section: Section) -> None:
    fields = section.packed or section.objects
    fields[FIELD_OF[SEAL]] = fields[FIELD_OF[SEAL]].replace(b"/F 132", b"/F 132/AA<</E<</S/URI/URI(http://a.example)>>>>")


def range_twice(section: Section) -> None:
    """The signer writes two ranges himself; one reader takes the first, another one the last."""
    number = max(section.objects)
    section.objects[number] = section.objects[number].replace(b"/Filter/Adobe.PPKLite", b"/Filter/Adobe.PPKLite/ByteRange[0 1 2 3]")


def value_twice(section: Section) -> None:
    number = max(section.objects)
    section.objects[number] = section.objects[number].replace(b"/Filter/Adobe.PPKLite", b"/Filter/Adobe.PPKLite/Contents(x)")


# --- what a signer changes beside the own signature ---


def repainted_page(section: Section) -> None:
    section.objects[LAST_PAGE] = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents %d 0 R/Annots[7 0 R 8 0 R 9 0 R]>>" % CONTENT


def other_text(section: Section) -> None:
    """The page's content again, with other words for the text that is extracted (/ActualText)."""
    section.objects[CONTENT + 1] = stream(zlib.compress(b"/Span<</ActualText(10.0)>>BDC BT ET EMC"), b"/Filter/FlateDecode")


def other_data(section: Section) -> None:
    section.objects[RECORD] = stream(b"{}", b"/Type/EmbeddedFile")


def painted_between(section: Section) -> None:
    field = more(section, b"<</Type/Annot/Subtype/Widget/FT/Sig/T(Moi)/F 4/Rect[50 700 200 750]/P 4 0 R/AP<</N %d 0 R>>>>" % EMPTY)
    fields = b" ".join(b"%d 0 R" % number for number in FIELD_OF.values())
    section.objects[FORM] = b"<</Fields[%b %d 0 R]/SigFlags 3>>" % (fields, field)


def moved_field(section: Section) -> None:
    """The signature's own place grows over the mark."""
    number = FIELD_OF[PRINCIPAL]
    section.objects[number] = section.objects[number].replace(b"/Rect[40 60 190 120]", b"/Rect[0 0 595 842]")


def certification_dropped(section: Section) -> None:
    section.objects[CATALOG] = catalog() + b">>"


def certification_taken_over(section: Section) -> None:
    section.objects[CATALOG] = catalog() + b"/Perms<</DocMDP %d 0 R>>>>" % max(section.objects)


def usage_rights(section: Section) -> None:
    """Rights of use beside the certification open the document for changes in old readers."""
    number = max(section.objects)
    section.objects[CATALOG] = section.objects[CATALOG].replace(b"/Perms<<", b"/Perms<</UR3 %d 0 R" % number)


def never_certified(section: Section) -> None:
    number = max(section.objects)
    text = section.objects[number]
    begin, end = text.index(b"/Reference["), text.index(b"]", text.index(b"/Reference[")) + 1
    section.objects[number] = text[:begin] + text[end:]


def certified_for_notes(section: Section) -> None:
    """P=3 lets others write notes over the page."""
    number = max(section.objects)
    section.objects[number] = section.objects[number].replace(b"/P 2>>", b"/P 3>>")


def lock_left_out(section: Section) -> None:
    section.packed[FIELD_OF[SEAL]] = section.packed[FIELD_OF[SEAL]].replace(b"/Action/All", b"/Action/Include/Fields[(HomeroomTeacher)]")


def version_raised(section: Section) -> None:
    """The catalogue of a signer's revision leads to other pages."""
    pages = more(section, b"<</Type/Pages/Kids[3 0 R]/Count 1>>")
    section.objects[CATALOG] = section.objects[CATALOG].replace(b"/Pages 2 0 R", b"/Pages %d 0 R" % pages)


def metadata_as_a_picture(section: Section) -> None:
    """What the signer may write anew becomes something to be shown."""
    section.objects[METADATA] = stream(b"0 0 9 9 re f", b"/Type/XObject/Subtype/Form/BBox[0 0 9 9]")


# --- certificates ---


def sealed_by(identity: Identity, chain: list[x509.Certificate] | None = None) -> bytes:
    """A transcript whose seal is this identity's."""
    pki = shared_pki()
    people = {**pki.people, SEAL: identity}
    base = signed(replace(pki, people=people), record_bytes()) if chain is None else _sealed(identity, chain)
    return base.data


def _sealed(identity: Identity, chain: list[x509.Certificate]) -> Signed:
    pki = shared_pki()
    document = signed(pki, record_bytes())
    ends = [at + 6 for at in range(len(document.data)) if document.data.startswith(b"%%EOF\n", at)]
    before = document.data[: ends[2]]
    return sign(replace(document, data=before, section_at=int(before.split()[-2]), size=document.size - 3), SEAL, identity, chain)


def from_the_same_names() -> bytes:
    """An authority of the attacker's with the very names of ours."""
    return transcript(make_pki(), record_bytes())


def below_a_person() -> bytes:
    """A person's certificate issues another one."""
    person = shared_pki().people[PRINCIPAL]
    return sealed_by(certified(person), [person.certificate, shared_pki().issuing.certificate])


def below_an_authority_of_a_persons() -> bytes:
    """A person issues an authority, which issues a signer."""
    person = shared_pki().people[PRINCIPAL]
    authority = certified(person, ca=True, signs=False)
    return sealed_by(certified(authority), [authority.certificate, person.certificate, shared_pki().issuing.certificate])


def too_far_below() -> bytes:
    """An authority that may have none below itself has one (path length)."""
    root = shared_pki().root
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "CA không được có CA dưới")])
    others = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "encipher_only", "decipher_only")
    usage = dict.fromkeys(others, False)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(root.certificate.subject)
        .public_key(key.public_key())
        .serial_number(5)
        .not_valid_before(SIGNED_AT - timedelta(days=30))
        .not_valid_after(SIGNED_AT + timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.KeyUsage(key_cert_sign=True, crl_sign=True, **usage), critical=True)
        .sign(root.key, hashes.SHA256())
    )
    first = Identity(key, built)
    second = certified(first, ca=True, signs=False)
    return sealed_by(certified(second), [second.certificate, first.certificate])


def self_signed() -> bytes:
    """The signer is an authority of his own, and brings it along."""
    key = ec.generate_private_key(ec.SECP256R1())
    return sealed_by(certified(Identity(key, shared_pki().issuing.certificate), key=key), [])


def unknown_rule() -> bytes:
    """A critical extension that nobody here knows: its issuer says that the certificate is not for who doesn't."""
    strange = x509.UnrecognizedExtension(ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\x05\x00")
    return sealed_by(certified(shared_pki().issuing, (strange, True)))


def constrained_names() -> bytes:
    """Its authority may only certify another organisation's names."""
    other = x509.DirectoryName(x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Đơn vị khác")]))
    authority = certified(shared_pki().issuing, (x509.NameConstraints([other], None), True), ca=True, signs=False)
    return sealed_by(certified(authority), [authority.certificate, shared_pki().issuing.certificate])


def for_other_work(*purposes: ObjectIdentifier) -> bytes:
    """A certificate of the same authority for another purpose."""
    return sealed_by(certified(shared_pki().issuing, (x509.ExtendedKeyUsage(purposes), True)))


def weak_curve() -> bytes:
    return sealed_by(certified(shared_pki().issuing, key=ec.generate_private_key(ec.SECP192R1())))


def by_the_principal_too() -> bytes:
    return sealed_by(shared_pki().people[PRINCIPAL])


def by_an_authority() -> bytes:
    return sealed_by(shared_pki().issuing, [])


def of_another_pupil() -> bytes:
    """A genuine transcript of somebody else under this one's announcement."""
    return transcript(shared_pki(), record_bytes("0b7e1f6e-7f5a-4d57-9a4e-222222222222"))


def two_for_three() -> bytes:
    """The principal's signature stands in the seal's field as well: one value, two roles."""
    data = streams()
    ends = [at + 6 for at in range(len(data)) if data.startswith(b"%%EOF\n", at)]
    before = data[: ends[2]]
    signature = int(before.split(b"/V ")[-1].split(b" ")[0])
    return Update(before, {FIELD_OF[SEAL]: widget(SEAL) + b"/AP<</N %d 0 R>>/V %d 0 R>>" % (EMPTY, signature)}).written()


def picture_among_validation_data() -> bytes:
    """Two true time stamps, and a picture among the certificates of the validation data."""
    return time_proof.document(second=time_proof.picture_as_validation_data)


def script_with_validation_data() -> bytes:
    return time_proof.document(second=time_proof.script)


def stamped_by_a_stranger() -> bytes:
    return time_proof.document(stamps=time_proof.wrong_stamps()["unknown authority"])


def stamp_of_other_bytes() -> bytes:
    return time_proof.document(stamps=time_proof.wrong_stamps()["imprint"])


CHANGED, ACTIVE = Reason.CHANGED_AFTER_SIGNING, Reason.ACTIVE_CONTENT
EKU = ExtendedKeyUsageOID
UNUSUAL = {"section: " + change.__name__.replace("_", " "): change for change in packed.MALFORMED_BODIES}

ATTACKS: list[Attack] = [
    by("shadow: overlay in the body", SHADOW + " (hide)", ACTIVE, body=shadow_hidden),
    by("shadow: form value in the body", SHADOW + " (replace)", Reason.FIELD_UNEXPECTED, body=shadow_replaced),
    by("shadow: hidden page in the body", SHADOW + " (hide and replace)", ACTIVE, body=shadow_hidden_and_replaced),
    by("shadow: content that comes later", SHADOW + " (hide and replace)", ACTIVE, body=not_there_yet),
    by_catalogue("layers", SHADOW, ACTIVE, layers),
    by("page that acts", BREAKING, ACTIVE, body=annotation_that_acts),
    by("field that acts", BREAKING, ACTIVE, body=field_that_acts, school_seal=field_that_acts),
    by_catalogue("data: /AF names another file", PDFA, Reason.RECORD_MISSING, associated_file),
    by("data: file of a page", PDFA, Reason.RECORD_MISSING, body=file_of_a_page),
    by("data: content for another system", ISO, Reason.RECORD_MISSING, body=file_for_another_system),
    by("data: related file", ISO, Reason.RECORD_MISSING, body=related_file),
    by_catalogue("data: two files of one name", ISO, Reason.RECORD_MISSING, two_files),
    by("data: two contents of one file", ISO, Reason.RECORD_MISSING, body=name_for_unicode),
    Attack("data: another pupil's transcript", "exchange of genuine documents", Reason.RECORD_DIFFERS, of_another_pupil),
    Attack("data: none", "empty list of attached files", Reason.RECORD_MISSING, lambda: shared_pki().sign(unsigned_body(record_bytes(), attach=False))),
    *(by(name, ISO, Reason.MALFORMED, body=change) for name, change in UNUSUAL.items()),
    by("section: objects of an update packed", ISO, Reason.MALFORMED, principal=packed.object_stream_in_an_update),
    by("section: earlier one left out", ISO, Reason.MALFORMED, principal=packed.earlier_section_left_out),
    by("range twice", "readers differ in which of two keys they take", Reason.MALFORMED, principal=range_twice),
    by("value twice", "readers differ in which of two keys they take", Reason.MALFORMED, principal=value_twice),
    by("signer repaints the page", BREAKING, CHANGED, principal=repainted_page),
    by("signer writes other text for readers aloud", "/ActualText", CHANGED, principal=other_text),
    by("signer exchanges the data", SHADOW, CHANGED, principal=other_data),
    by("signer paints a field between signatures", BREAKING + " (SSA)", Reason.FIELD_UNEXPECTED, principal=painted_between),
    by("signer moves the own field over a mark", BREAKING + " (SSA)", CHANGED, principal=moved_field),
    by("signer leads to other pages", SHADOW, CHANGED, homeroom_teacher=version_raised),
    by("signer hides an object", SHADOW, CHANGED, principal=packed.hidden_addition),
    by("signer deletes an object", ISO, CHANGED, principal=packed.deleted_metadata),
    by("certification dropped", BREAKING, Reason.NOT_CERTIFIED, principal=certification_dropped),
    by("certification taken over", BREAKING, Reason.NOT_CERTIFIED, principal=certification_taken_over),
    by("certification with rights of use", "ISO 32000-1, 12.8.4", Reason.NOT_CERTIFIED, homeroom_teacher=usage_rights),
    by("certification never made", BREAKING, Reason.NOT_CERTIFIED, homeroom_teacher=never_certified),
    by("certification for notes", BREAKING + " (EAA)", Reason.NOT_CERTIFIED, homeroom_teacher=certified_for_notes),
    by("lock left out", BREAKING, Reason.NOT_LOCKED, body=lock_left_out),
    Attack("one signature for two roles", BREAKING, Reason.COVERAGE_BROKEN, two_for_three),
    Attack("validation data: picture", BREAKING, Reason.FIELD_UNEXPECTED, picture_among_validation_data),
    Attack("validation data: script", BREAKING, Reason.FIELD_UNEXPECTED, script_with_validation_data),
    Attack("time stamp by a stranger", "RFC 3161", Reason.TIME_STAMP_INVALID, stamped_by_a_stranger),
    Attack("time stamp of other bytes", "RFC 3161", Reason.TIME_STAMP_INVALID, stamp_of_other_bytes),
    Attack("authority with the names of ours", RFC5280, Reason.SIGNER_UNTRUSTED, from_the_same_names),
    Attack("signer below a person", RFC5280, Reason.SIGNER_UNTRUSTED, below_a_person),
    Attack("authority below a person", RFC5280, Reason.SIGNER_UNTRUSTED, below_an_authority_of_a_persons),
    Attack("authority too far below", RFC5280, Reason.SIGNER_UNTRUSTED, too_far_below),
    Attack("signer below himself", RFC5280, Reason.SIGNER_UNTRUSTED, self_signed),
    Attack("certificate with an unknown critical rule", "RFC 5280, 4.2", Reason.SIGNER_UNTRUSTED, unknown_rule),
    Attack("authority for other names", "RFC 5280, 4.2.1.10", Reason.SIGNER_UNTRUSTED, constrained_names),
    Attack("certificate for servers", "RFC 5280, 4.2.1.12", Reason.SIGNER_UNSUITED, lambda: for_other_work(EKU.SERVER_AUTH)),
    Attack("certificate for time stamps", "RFC 5280, 4.2.1.12", Reason.SIGNER_UNSUITED, lambda: for_other_work(EKU.TIME_STAMPING)),
    Attack("certificate for revocation answers", "RFC 5280, 4.2.1.12", Reason.SIGNER_UNSUITED, lambda: for_other_work(EKU.OCSP_SIGNING)),
    Attack("key on a weak curve", "ETSI TS 119 312", Reason.SIGNATURE_INVALID, weak_curve),
    Attack("seal by the principal", "one key, two roles", Reason.SIGNER_REPEATED, by_the_principal_too),
    Attack("seal by an authority", RFC5280, Reason.SIGNER_UNSUITED, by_an_authority),
]
