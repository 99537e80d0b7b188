"""What to do about a failure, by its code: in Vietnamese first, then in English. The reason beside it says what exactly is wrong."""

from __future__ import annotations

from typing import NamedTuple


class Cure(NamedTuple):
    """For people who can act."""

    vi: str
    en: str


_RENEW = Cure("đăng ký chứng thư số khác, phê duyệt lại, rồi ký lại", "register another certificate, approve anew, then retry")
_KEY = Cure("xem nơi lưu khoá mà lý do nêu, rồi ký lại", "look at the key's home that the reason names, then retry")
_BY_ITSELF = Cure("tự hỏi lại; chưa phải làm gì", "asked again by itself; nothing to do yet")
_RECORD = Cure("mở khoá lớp, sửa dữ liệu, niêm phong lại", "unlock the class, mend the data, seal it again")
_PAGES = Cure("từ chối danh sách rồi ký lại để in lại trang", "reject the manifest and retry, which makes the pages again")
_STOP = Cure(
    "ngừng dùng nơi lưu khoá này và hỏi chủ của nó trước khi ký lại",
    "stop using the key's home and ask its owner before anything else",
)
_RETRY = Cure("ký lại", "retry")
_OTHER = Cure("sửa nguyên nhân nêu trong lý do, rồi ký lại", "mend what the reason names, then retry")

_CURES = {
    "certificate_revoked": Cure("đăng ký chứng thư số khác, từ chối danh sách, rồi ký lại", "register another certificate, reject the manifest, then retry"),
    "certificate_unfit": _RENEW,
    "certificate_untrusted": _RENEW,
    "check_failed": _STOP,
    "wrong_signature": _STOP,
    "intent_differs": Cure("ký lại sau 24 giờ", "retry after 24 hours, which makes a new intent"),
    "intent_void": _RETRY,
    "page_lost": _PAGES,
    "not_finishable": _PAGES,
    "revocation_unknown": _BY_ITSELF,
    "time_stamp_missing": _BY_ITSELF,
    "time_stamp_wrong": Cure("liên hệ tổ chức cấp dấu thời gian, rồi ký lại", "talk to the time-stamp authority, then retry"),
    "validation_too_old": _RETRY,
    "record_unreadable": _RECORD,
    "record_differs": _RECORD,
    "record_misplaced": _RECORD,
    "sheets_missing": Cure("cho giáo viên bộ môn chốt bảng điểm môn, rồi niêm phong lại", "have grading seal class-subject sheets, then seal the class again"),
    "pin_wrong": _KEY,
    "pin_locked": _KEY,
    "key_locked": _KEY,
    "key_unknown": _KEY,
    "key_unsupported": _KEY,
    "rejected": Cure("sửa điều người ký nêu (mở khoá nếu là dữ liệu), rồi ký lại", "mend what the signer named (unlock if it is data), then retry"),
    "superseded": Cure("không phải làm gì: đã có bản mới", "nothing: a newer version is there"),
}


def code_of(reason: str) -> str:
    """The code that a reason begins with."""
    code = reason.split(":", 1)[0]
    return "rejected" if code.startswith("rejected by") else code


def cure_for(code: str, waiting: bool) -> Cure:
    """What to do; a document that waits goes on by itself, whatever it waits for."""
    return _BY_ITSELF if waiting else _CURES.get(code, _OTHER)
