"""
A bundle: everything that proves one transcript, in one file (ASiC-E with an evidence record, ETSI EN 319 162-1 section 4.4).

    mimetype                                     application/vnd.etsi.asic-e+zip
    hoc-ba.pdf                                   the transcript, byte for byte as it was admitted
    DOC-TRUOC-README.txt                         what this is and how it is checked, for people
    META-INF/ASiCEvidenceRecordManifest.xml      that the record is over the PDF
    META-INF/evidencerecord.ers                  the evidence record (RFC 4998, DER)
    META-INF/hocba.tlog-proof                    statement, path, witnessed checkpoint (C2SP tlog-proof)
    META-INF/hocba.status-proof                  whether something was said of it later

A bundle follows from its four parts alone, and one that isn't written so is none: nothing can hide in it.
"""

import base64
import hashlib
from dataclasses import dataclass

from services.archive.domain.pack import UnreadablePack, read_pack, stored_zip

MIMETYPE = "application/vnd.etsi.asic-e+zip"
DOCUMENT = "hoc-ba.pdf"
LARGEST_BUNDLE = 16 * 1024 * 1024
_RECORD, _PROOF, _STATUS = "META-INF/evidencerecord.ers", "META-INF/hocba.tlog-proof", "META-INF/hocba.status-proof"
_README = """HỌC BẠ SỐ VÀ BẰNG CHỨNG CỦA NÓ

hoc-ba.pdf là học bạ đã ký; mở được bằng mọi trình đọc PDF. Các tệp trong META-INF chứng minh rằng học bạ này đã được
phát hành, được ghi trong nhật ký minh bạch có nhân chứng đồng ký, chưa bị thay thế hay thu hồi tại thời điểm ghi trong
bằng chứng, và đã tồn tại từ thời điểm của dấu thời gian. Đừng giải nén rồi nén lại: hãy gửi nguyên tệp này.

Kiểm chứng ngoại tuyến:    hocba verify <tệp này> --trust <thư mục chứng thư gốc>
Trạng thái hôm nay:        quét mã QR trên học bạ.


A DIGITAL SCHOOL TRANSCRIPT AND ITS PROOF

hoc-ba.pdf is the signed transcript; any PDF reader opens it. The files in META-INF prove that it was issued, that it
stands in a transparency log cosigned by witnesses, that it was neither superseded nor revoked at the time that the proof
names, and that it has existed since its time stamp. Don't unpack and pack it again: hand on this file as it is.

Check it offline:          hocba verify <this file> --trust <directory of trust anchors>
Its status today:          scan the QR code on the transcript.
"""
_MANIFEST = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<ASiCManifest xmlns="http://uri.etsi.org/02918/v1.2.1#" xmlns:ds="http://www.w3.org/2000/09/xmldsig#">'
    '<SigReference URI="META-INF/evidencerecord.ers"/>'
    '<DataObjectReference URI="hoc-ba.pdf" MimeType="application/pdf">'
    '<ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/><ds:DigestValue>{digest}</ds:DigestValue>'
    "</DataObjectReference></ASiCManifest>\n"
)


class UnreadableBundle(ValueError):
    """It is no bundle as hocba writes them."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle's four parts."""

    document: bytes
    evidence: bytes
    proof: bytes
    status: bytes

    def encoded(self) -> bytes:
        """The file: the same parts always give the same bytes."""
        digest = base64.b64encode(hashlib.sha256(self.document).digest()).decode()
        return stored_zip(
            (
                ("mimetype", MIMETYPE.encode()),
                (DOCUMENT, self.document),
                ("DOC-TRUOC-README.txt", _README.encode()),
                ("META-INF/ASiCEvidenceRecordManifest.xml", _MANIFEST.format(digest=digest).encode()),
                (_RECORD, self.evidence),
                (_PROOF, self.proof),
                (_STATUS, self.status),
            )
        )

    @classmethod
    def read(cls, data: bytes) -> "Bundle":
        """The parts of a bundle; UnreadableBundle for anything that isn't written as `encoded` writes it."""
        entries = read_container(data, LARGEST_BUNDLE)
        try:
            found = cls(entries[DOCUMENT], entries[_RECORD], entries[_PROOF], entries[_STATUS])
        except KeyError as error:
            raise UnreadableBundle(f"the bundle lacks {error.args[0]}") from error
        require_same(found.encoded(), data, entries)
        return found


def is_bundle(data: bytes) -> bool:
    """Whether a file claims to be a bundle, by its first entry (EN 319 162-1 annex A)."""
    return data[30:].startswith(b"mimetype" + MIMETYPE.encode())


def read_container(data: bytes, largest: int) -> dict[str, bytes]:
    """The entries of a ZIP as hocba writes them; UnreadableBundle says why there are none."""
    if len(data) > largest:
        raise UnreadableBundle(f"the file has {len(data)} bytes; {largest} are allowed")
    try:
        return read_pack(data)
    except UnreadablePack as error:
        raise UnreadableBundle(str(error)) from error


def require_same(expected: bytes, data: bytes, entries: dict[str, bytes]) -> None:
    """UnreadableBundle, with what is wrong, unless the file is what its parts give."""
    if expected == data:
        return
    due = read_pack(expected)
    if strange := sorted(set(entries) - set(due)):
        raise UnreadableBundle(f"{strange[0]!r} doesn't belong there")
    if other := [name for name in due if entries.get(name) != due[name]]:
        raise UnreadableBundle(f"{other[0]} is missing or was changed")
    raise UnreadableBundle("it was packed again: order, times or other parts of the container aren't as they were given out")
