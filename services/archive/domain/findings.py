"""What a check of a document can find wrong: stable codes for machines, and the same in words for people."""

from dataclasses import dataclass
from enum import StrEnum


class Check(StrEnum):
    """The checks of a document, in the order in which they are made and told."""

    DIGEST = "digest"
    STRUCTURE = "structure"
    SIGNATURES = "signatures"
    COVERAGE = "coverage"
    CERTIFICATION = "certification"
    CHANGES = "changes"
    CONTENT = "content"
    SIGNERS = "signers"
    RECORD = "record"
    SHEETS = "sheets"


class Reason(StrEnum):
    """Why a document is refused. The codes are part of the contract: they are never renamed."""

    SHA256_DIFFERS = "sha256_differs"
    SIZE_DIFFERS = "size_differs"
    TRUNCATED = "truncated"
    TRAILING_BYTES = "trailing_bytes"
    MALFORMED = "malformed"
    FIELD_UNEXPECTED = "field_unexpected"
    SIGNATURE_MISSING = "signature_missing"
    SIGNATURE_ORDER = "signature_order"
    REVISION_UNSIGNED = "revision_unsigned"
    COVERAGE_BROKEN = "coverage_broken"
    NOT_CERTIFIED = "not_certified"
    NOT_LOCKED = "not_locked"
    CHANGED_AFTER_SIGNING = "changed_after_signing"
    ACTIVE_CONTENT = "active_content"
    SIGNED_BYTES_DIFFER = "signed_bytes_differ"
    SIGNATURE_INVALID = "signature_invalid"
    SIGNER_UNTRUSTED = "signer_untrusted"
    SIGNER_UNSUITED = "signer_unsuited"
    CERTIFICATE_NOT_IN_FORCE = "certificate_not_in_force"
    CERTIFICATE_REVOKED = "certificate_revoked"
    EXISTENCE_UNPROVEN = "existence_unproven"
    SIGNER_REPEATED = "signer_repeated"
    TIME_STAMP_INVALID = "time_stamp_invalid"
    RECORD_MISSING = "record_missing"
    RECORD_DIFFERS = "record_differs"
    ROW_UNPROVEN = "row_unproven"
    ROWS_DIFFER = "rows_differ"
    SHEET_DIFFERS = "sheet_differs"
    WAITING_FOR_SHEET = "waiting_for_sheet"
    DOCUMENT_MISSING = "document_missing"
    PACK_UNREADABLE = "pack_unreadable"
    VERSION_NOT_ABOVE = "version_not_above"
    VERSION_CONTRADICTS = "version_contradicts"
    IDENTITY_CONTRADICTS = "identity_contradicts"


CHECK_OF_REASON: dict[Reason, Check] = {
    Reason.SHA256_DIFFERS: Check.DIGEST,
    Reason.SIZE_DIFFERS: Check.DIGEST,
    Reason.TRUNCATED: Check.STRUCTURE,
    Reason.TRAILING_BYTES: Check.STRUCTURE,
    Reason.MALFORMED: Check.STRUCTURE,
    Reason.FIELD_UNEXPECTED: Check.SIGNATURES,
    Reason.SIGNATURE_MISSING: Check.SIGNATURES,
    Reason.SIGNATURE_ORDER: Check.SIGNATURES,
    Reason.REVISION_UNSIGNED: Check.COVERAGE,
    Reason.COVERAGE_BROKEN: Check.COVERAGE,
    Reason.NOT_CERTIFIED: Check.CERTIFICATION,
    Reason.NOT_LOCKED: Check.CERTIFICATION,
    Reason.CHANGED_AFTER_SIGNING: Check.CHANGES,
    Reason.ACTIVE_CONTENT: Check.CONTENT,
    Reason.SIGNED_BYTES_DIFFER: Check.SIGNERS,
    Reason.SIGNATURE_INVALID: Check.SIGNERS,
    Reason.SIGNER_UNTRUSTED: Check.SIGNERS,
    Reason.SIGNER_UNSUITED: Check.SIGNERS,
    Reason.CERTIFICATE_NOT_IN_FORCE: Check.SIGNERS,
    Reason.CERTIFICATE_REVOKED: Check.SIGNERS,
    Reason.EXISTENCE_UNPROVEN: Check.SIGNERS,
    Reason.SIGNER_REPEATED: Check.SIGNERS,
    Reason.TIME_STAMP_INVALID: Check.SIGNERS,
    Reason.RECORD_MISSING: Check.RECORD,
    Reason.RECORD_DIFFERS: Check.RECORD,
    Reason.ROW_UNPROVEN: Check.SHEETS,
    Reason.ROWS_DIFFER: Check.SHEETS,
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: its code, and where and how in English words without personal data."""

    reason: Reason
    detail: str

    @property
    def check(self) -> Check | None:
        """The check that found it; None for what admission alone asks (versions, packs)."""
        return CHECK_OF_REASON.get(self.reason)


CHECK_WORDS: dict[Check, tuple[str, str]] = {
    Check.DIGEST: ("Mã băm SHA-256 của tệp đúng như đã công bố", "The file's SHA-256 is the announced one"),
    Check.STRUCTURE: ("Cấu trúc tệp PDF nguyên vẹn", "The PDF file is complete and well formed"),
    Check.SIGNATURES: (
        "Đủ đúng các chữ ký của biểu mẫu: học bạ do giáo viên chủ nhiệm, hiệu trưởng và con dấu của trường, bảng điểm môn do giáo viên môn học",
        "Exactly the form's signatures: a transcript's by homeroom teacher, principal and school seal, a class-subject sheet's by its teacher",
    ),
    Check.COVERAGE: ("Chữ ký bao phủ toàn bộ nội dung tệp", "The signatures cover the whole file"),
    Check.CERTIFICATION: (
        "Văn bản được chứng nhận và khóa chống sửa đổi",
        "The document is certified and locked against changes",
    ),
    Check.CHANGES: ("Không có thay đổi nào ngoài việc ký", "Nothing but signing has changed the document"),
    Check.CONTENT: (
        "Không có nội dung hoạt động hoặc lớp phủ trên trang",
        "No active content and no overlays on the pages",
    ),
    Check.SIGNERS: (
        "Các chữ ký số hợp lệ, chứng thư số được tin cậy",
        "The digital signatures are valid and their certificates trusted",
    ),
    Check.RECORD: ("Dữ liệu học bạ kèm theo đúng như đã khóa sổ", "The embedded record is the one that was sealed"),
    Check.SHEETS: (
        "Kết quả từng môn khớp với bảng điểm môn do giáo viên ký (đường băm Merkle)",
        "Each subject's row is proven to stand in the sheet that its teacher signed (Merkle path)",
    ),
}

REASON_WORDS: dict[Reason, tuple[str, str]] = {
    Reason.SHA256_DIFFERS: ("mã băm của tệp khác với mã băm đã công bố", "the file's digest differs from the announced one"),
    Reason.SIZE_DIFFERS: ("kích thước tệp khác với kích thước đã công bố", "the file's size differs from the announced one"),
    Reason.TRUNCATED: ("tệp bị cắt cụt", "the file is cut off"),
    Reason.TRAILING_BYTES: ("có dữ liệu lạ sau phần cuối của tệp", "there are bytes behind the end of the document"),
    Reason.MALFORMED: ("tệp không phải là PDF do hệ thống học bạ số tạo ra", "the file is not a PDF that hocba writes"),
    Reason.FIELD_UNEXPECTED: ("có trường chữ ký hoặc biểu mẫu lạ", "there is a form field that does not belong here"),
    Reason.SIGNATURE_MISSING: ("thiếu chữ ký", "a signature is missing"),
    Reason.SIGNATURE_ORDER: ("các chữ ký không theo đúng thứ tự", "the signatures are not in the right order"),
    Reason.REVISION_UNSIGNED: ("có phần được thêm vào sau khi ký", "something was added after the last signature"),
    Reason.COVERAGE_BROKEN: ("chữ ký không bao phủ toàn bộ tệp", "a signature does not cover the whole file"),
    Reason.NOT_CERTIFIED: ("chữ ký đầu tiên không chứng nhận văn bản", "the first signature does not certify the document"),
    Reason.NOT_LOCKED: ("chữ ký cuối cùng không khóa văn bản", "the last signature does not lock the document"),
    Reason.CHANGED_AFTER_SIGNING: ("nội dung đã bị thay đổi sau khi ký", "the content was changed after signing"),
    Reason.ACTIVE_CONTENT: ("có nội dung hoạt động hoặc lớp phủ trên trang", "there is active content or an overlay"),
    Reason.SIGNED_BYTES_DIFFER: ("nội dung tệp khác với nội dung đã được ký", "the bytes differ from those that were signed"),
    Reason.SIGNATURE_INVALID: ("chữ ký số không hợp lệ", "the digital signature is not valid"),
    Reason.SIGNER_UNTRUSTED: ("chứng thư số của người ký không được tin cậy", "the signer's certificate is not trusted"),
    Reason.SIGNER_UNSUITED: ("chứng thư số không được phép dùng để ký", "the certificate may not be used for signing"),
    Reason.CERTIFICATE_NOT_IN_FORCE: (
        "chứng thư số không có hiệu lực vào thời điểm ký",
        "the certificate was not in force when it signed",
    ),
    Reason.CERTIFICATE_REVOKED: (
        "chứng thư số đã bị thu hồi trước thời điểm ký",
        "the certificate had been revoked before it signed",
    ),
    Reason.EXISTENCE_UNPROVEN: (
        "không có gì chứng minh chữ ký đã có khi chứng thư số còn hiệu lực",
        "nothing proves that the signature existed while its certificate was in force",
    ),
    Reason.SIGNER_REPEATED: ("một chứng thư số ký cho nhiều vai trò", "one certificate signs in more than one role"),
    Reason.TIME_STAMP_INVALID: ("dấu thời gian không hợp lệ", "a time stamp is not valid"),
    Reason.RECORD_MISSING: ("thiếu dữ liệu học bạ kèm theo", "the embedded record is missing"),
    Reason.RECORD_DIFFERS: ("dữ liệu kèm theo khác với dữ liệu đã khóa sổ", "the embedded record differs from the sealed one"),
    Reason.ROW_UNPROVEN: (
        "kết quả một môn không khớp với bảng điểm môn đã nêu",
        "a subject's row does not stand in the sheet that it names",
    ),
    Reason.ROWS_DIFFER: ("các dòng của bảng điểm môn không khớp với gốc cây băm", "the sheet's rows do not hash to the root that it names"),
    Reason.SHEET_DIFFERS: ("bảng điểm môn đã lưu trữ có gốc cây băm khác", "the archived sheet has another root than the row's proof"),
    Reason.WAITING_FOR_SHEET: ("đang chờ bảng điểm môn được lưu trữ", "waiting for a class-subject sheet to be archived"),
    Reason.DOCUMENT_MISSING: ("gói không chứa tài liệu này", "the pack does not hold this document"),
    Reason.PACK_UNREADABLE: ("không đọc được gói tài liệu", "the pack can't be read"),
    Reason.VERSION_NOT_ABOVE: (
        "phiên bản không cao hơn phiên bản đã lưu trữ",
        "the version is not above the last admitted one",
    ),
    Reason.VERSION_CONTRADICTS: (
        "phiên bản này đã được lưu trữ với nội dung khác",
        "this version was admitted before with other content",
    ),
    Reason.IDENTITY_CONTRADICTS: (
        "mã học bạ đã thuộc về học sinh hoặc năm học khác",
        "the transcript id belongs to another pupil or school year",
    ),
}
