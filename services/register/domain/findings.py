"""The codes with which the register refuses or rejects, what each check asks, and the cure. Codes are never renamed."""

CHECKS: dict[str, tuple[str, str]] = {
    "malformed": ("dữ liệu đúng lược đồ đã công bố", "the published schema is kept"),
    "department_differs": ("gói gửi đúng tài khoản của Sở", "the batch is the account's own"),
    "certificate_not_approved": ("chứng thư số của Sở đã được duyệt", "the department's certificate is approved"),
    "certificate_revoked": ("chứng thư số chưa bị thu hồi", "the certificate is not revoked"),
    "certificate_not_in_force": ("chứng thư số còn hiệu lực", "the certificate is in force"),
    "certificate_untrusted": ("chứng thư số do tổ chức được công nhận cấp", "a recognised authority has issued the certificate"),
    "signature_invalid": ("chữ ký của Sở trên đúng gói này", "the department has signed these very bytes"),
    "checkpoint_not_final": ("điểm chốt nhật ký đã chung quyết", "the log's checkpoint is final"),
    "log_forked": ("nhật ký chỉ có một nhánh", "the log is one line"),
    "counts_differ": ("số bản ghi từng trường khớp", "the counts by school are right"),
    "statement_unreadable": ("mục nhật ký đúng khuôn dạng", "the statement has its form"),
    "operation_differs": ("thao tác khớp với mục nhật ký", "the operation is the statement's"),
    "proof_broken": ("bằng chứng dẫn tới điểm chốt", "the proof leads to the checkpoint"),
    "pupil_unnamed": ("có số định danh hoặc mã học sinh", "the pupil is named"),
    "duplicate": ("không có bản ghi trùng", "nothing stands twice"),
    "version_not_above": ("phiên bản cao hơn bản đã có", "the version is above the one held"),
    "document_held": ("học bạ chưa nộp dưới phiên bản khác", "the document is not held as another version"),
    "document_unknown": ("học bạ bị thu hồi đã có trong kho", "the withdrawn document is held"),
}
"""code: what is asked, in Vietnamese and English."""

CURES: dict[str, tuple[str, str]] = {
    "malformed": ("Sửa theo submission.schema.json.", "Mend it by submission.schema.json."),
    "department_differs": ("Gửi bằng tài khoản của chính Sở đó.", "Send it with that department's own account."),
    "certificate_not_approved": ("Đề nghị Bộ duyệt chứng thư số trước khi gửi.", "Have the ministry approve the certificate first."),
    "certificate_revoked": ("Xin cấp và duyệt chứng thư số mới, ký lại gói.", "Get a new certificate approved and sign again."),
    "certificate_not_in_force": ("Gia hạn chứng thư số, ký lại gói.", "Renew the certificate and sign again."),
    "certificate_untrusted": (
        "Gửi kèm chứng thư trung gian; dùng tổ chức được công nhận.",
        "Include the intermediates in the CMS; use a recognised authority.",
    ),
    "signature_invalid": (
        "Ký CMS tách rời (RFC 5652) trên nguyên văn các byte của gói, rồi không sửa gói nữa.",
        "Sign a detached CMS (RFC 5652) over the manifest's bytes as they are sent, and change nothing afterwards.",
    ),
    "checkpoint_not_final": (
        "Dùng điểm chốt do khoá nhật ký đã đăng ký ký, đủ nhân chứng theo chính sách.",
        "Use a checkpoint signed by the registered log key, with the witnesses that the policy asks for.",
    ),
    "log_forked": ("Dừng gửi và báo Bộ: nhật ký có hai gốc cho cùng kích thước.", "Stop and tell the ministry: the log has two roots for one size."),
    "counts_differ": (
        "Đếm lại `schools` theo mã trường trong các mục nhật ký; kiểm tra gói có bị cắt không.",
        "Count `schools` by the statements; see if records are lost.",
    ),
    "statement_unreadable": ("Viết đủ chín dòng ASCII, mỗi dòng kết thúc bằng LF.", "Write the nine ASCII lines, each ended by LF."),
    "operation_differs": ("issue → NEW, supersede → UPDATE, revoke → CANCEL.", "issue → NEW, supersede → UPDATE, revoke → CANCEL."),
    "proof_broken": (
        "Tính lại đường dẫn Merkle (RFC 6962) cho đúng điểm chốt trong gói.",
        "Make the Merkle path (RFC 6962) anew, for the checkpoint in the manifest.",
    ),
    "pupil_unnamed": ("Điền personal_number, hoặc ministry_code nếu chưa có số định danh.", "Give personal_number, or ministry_code where there is none."),
    "duplicate": ("Bỏ bản ghi trùng.", "Leave the second one out."),
    "version_not_above": ("Gửi phiên bản mới hơn, hoặc thôi.", "Send a later version, or nothing."),
    "document_held": ("Mỗi phiên bản là một tệp riêng; kiểm tra mã học bạ.", "Each version is a document of its own; look at the transcript's id."),
    "document_unknown": ("Nộp học bạ trước, thu hồi sau.", "Submit the transcript before its withdrawal."),
}
"""code: how to mend it, in Vietnamese and English."""


def cure(code: str) -> str:
    """The cure in English, as errors over the wire tell it; empty for an unknown code."""
    return CURES.get(code, ("", ""))[1]


DOCUMENT_CURES: dict[str, tuple[str, str]] = {
    "digest": ("Công bố mã băm của chính tệp này.", "Announce the digest of this very file."),
    "structure": (
        "Ghi PDF không mã hoá, kết thúc ngay sau %%EOF, không ghi chồng hay bỏ sót đối tượng.",
        "Write a plain PDF that ends at its %%EOF, every byte an object.",
    ),
    "signatures": (
        "Đủ ba trường chữ ký HomeroomTeacher, Principal, SchoolSeal, ký theo thứ tự đó.",
        "Have the fields HomeroomTeacher, Principal, SchoolSeal, and no others, signed in this order.",
    ),
    "coverage": (
        "Mỗi chữ ký phủ toàn bộ tệp ở thời điểm ký; không thêm gì sau chữ ký cuối.",
        "Let each signature cover the whole file, and add nothing after the last.",
    ),
    "certification": (
        "Chữ ký đầu chứng nhận (DocMDP P=2), chữ ký cuối khoá tất cả.",
        "Certify with the first signature (DocMDP P=2), lock everything with the last.",
    ),
    "changes": ("Mỗi lần ký chỉ thêm chữ ký của mình (incremental update).", "Let each revision add its own signature and nothing else."),
    "content": (
        "Bỏ script, lớp, liên kết hành động; vẽ sẵn khung chữ ký trên trang.",
        "Leave out scripts, layers and actions; draw everything in the first revision.",
    ),
    "signers": (
        "Dùng chứng thư còn hiệu lực của tổ chức được công nhận, mỗi vai một chứng thư.",
        "Sign with certificates in force from a recognised authority, one a role.",
    ),
    "record": ("Đính kèm hoc-ba.json (hocba.record/1) làm tệp duy nhất.", "Attach hoc-ba.json (hocba.record/1), and no other file."),
    "sheets": ("Kèm đường băm Merkle của từng môn tới bảng điểm môn đã ký.", "Carry each subject's Merkle path to its signed sheet."),
}
"""The archive's checks of a document (`services/archive/domain/findings.py`): how another product passes each, in Vietnamese and English."""
