"""
Every way in which locking says no, each with a stable code and a sentence for the person who asked.

The code is part of the contract (clients branch on it); the sentence is Vietnamese because teachers and principals
read it, and says what stands in the way and what to do instead.
"""

from __future__ import annotations

import enum


class Refusal(enum.Enum):
    """A named no. The value is (code, sentence)."""

    # Windows.
    WINDOW_EXISTS = (
        "window_exists",
        "Phạm vi này đã có khung thời gian nhập điểm: hãy sửa khung đó, đừng mở khung mới.",
    )
    WINDOW_IS_CLOSED = ("window_is_closed", "Khung thời gian đã đóng và không mở lại được: hãy gửi yêu cầu mở khóa.")
    WINDOW_WITHDRAWN = ("window_withdrawn", "Khung thời gian đã bị rút trước khi mở: hãy mở khung mới.")
    CLOSING_IN_THE_PAST = (
        "closing_in_the_past",
        "Giờ đóng phải ở sau thời điểm hiện tại; muốn đóng ngay hãy dùng lệnh đóng.",
    )
    OUTSIDE_FRAME = ("outside_frame", "Thời gian nằm ngoài khung của cấp trên: hãy chọn thời gian trong khung đó.")
    SCOPE_IS_SEALED = ("scope_is_sealed", "Mọi lớp trong phạm vi đã khóa sổ: hãy gửi yêu cầu mở khóa.")
    # Locks.
    CLASS_IS_LOCKED = (
        "class_is_locked",
        "Lớp đã khóa sổ và không có học sinh nào mới đủ điều kiện: không cần khóa lại.",
    )
    UNLOCK_IS_OPEN = ("unlock_is_open", "Lớp đang mở khóa để sửa: hãy hoàn tất hoặc rút lại lần mở khóa đó trước.")
    LOCK_UNDER_WAY = ("lock_under_way", "Lệnh khóa sổ của lớp đang được thực hiện: hãy chờ kết quả.")
    NOT_LOCKED = ("not_locked", "Sổ điểm của lớp trong kỳ này chưa khóa nên không cần mở khóa: hãy sửa trực tiếp.")
    # Unlock: the wrong moment.
    ALREADY_CONFIRMED = ("already_confirmed", "Yêu cầu đã được hiệu trưởng xác nhận: không cần xác nhận lần nữa.")
    NOT_CONFIRMED = ("not_confirmed", "Hiệu trưởng chưa xác nhận yêu cầu: hãy chờ xác nhận trước.")
    NOT_REPORTED = ("not_reported", "Yêu cầu chưa được báo cáo Sở: hãy báo cáo trước.")
    ALREADY_REPORTED = ("already_reported", "Yêu cầu đã được báo cáo Sở: không cần báo cáo lần nữa.")
    ALREADY_ACKNOWLEDGED = ("already_acknowledged", "Sở đã ghi nhận báo cáo: không cần ghi nhận lần nữa.")
    ALREADY_OBJECTED = ("already_objected", "Sở đã phản đối yêu cầu: không cần phản đối lần nữa.")
    GRANT_UNDER_WAY = ("grant_under_way", "Hệ thống đang mở khóa: hãy chờ vài giây rồi thử lại.")
    NOT_GRANTED = ("not_granted", "Yêu cầu chưa được mở khóa: chưa có gì để kết thúc.")
    ALREADY_OPEN = ("already_open", "Phạm vi đã được mở khóa: muốn dừng hãy rút lại lần mở khóa.")
    ALREADY_OVER = ("already_over", "Lần mở khóa đã kết thúc và đang chờ khóa sổ lại.")
    RESEAL_UNDER_WAY = ("reseal_under_way", "Lớp đang được khóa sổ lại: hãy chờ kết quả.")
    IS_RESEALED = ("is_resealed", "Lớp đã khóa sổ lại, yêu cầu đã xong: hãy gửi yêu cầu mới nếu còn sai.")
    IS_REFUSED = ("is_refused", "Yêu cầu đã bị từ chối: hãy gửi yêu cầu mới kèm căn cứ đầy đủ hơn.")
    IS_CANCELLED = ("is_cancelled", "Người gửi đã hủy yêu cầu: hãy gửi yêu cầu mới nếu vẫn cần.")
    IS_LAPSED = ("is_lapsed", "Yêu cầu đã quá hạn xử lý: hãy gửi yêu cầu mới.")
    # Unlock: the wrong person.
    REQUESTER_CANNOT_CONFIRM = (
        "requester_cannot_confirm",
        "Người gửi yêu cầu không được tự xác nhận: cần một người khác.",
    )
    SAME_PERSON_OTHER_ACCOUNT = (
        "same_person_other_account",
        "Tài khoản này là của chính người đã tham gia yêu cầu: cần một người khác.",
    )
    ROLE_MAY_NOT_CONFIRM = ("role_may_not_confirm", "Vai trò này không được xác nhận theo chính sách của tỉnh.")
    OFFICER_SERVES_AT_SCHOOL = (
        "officer_serves_at_school",
        "Cán bộ đang công tác tại chính trường này: cần một cán bộ khác của Sở.",
    )
    NOT_THE_REQUESTER = ("not_the_requester", "Chỉ người gửi yêu cầu được làm việc này.")
    NOT_YOUR_SHEET = (
        "not_your_sheet",
        "Chỉ giáo viên dạy môn này hoặc giáo viên chủ nhiệm của lớp được yêu cầu mở khóa.",
    )
    ROLE_MISSING = ("role_missing", "Vai trò của bạn không cho phép việc này trong phạm vi này.")
    # Unlock: the policy or the clock.
    CONFIRM_DEADLINE_PASSED = ("confirm_deadline_passed", "Đã quá hạn xác nhận: người gửi cần gửi yêu cầu mới.")
    AWAITS_ACKNOWLEDGEMENT = (
        "awaits_acknowledgement",
        "Chính sách của tỉnh yêu cầu chờ Sở ghi nhận trước khi mở khóa.",
    )
    OBJECTION_STANDS = ("objection_stands", "Sở đã phản đối và chính sách của tỉnh không cho mở khóa khi còn phản đối.")
    OBJECTION_TOO_LATE = (
        "objection_too_late",
        "Phạm vi đã mở khóa và chính sách của tỉnh không cho phản đối sau khi mở.",
    )
    TIME_IS_OVER = ("time_is_over", "Đã hết thời gian mở khóa: sổ đang được khóa lại.")
    NOT_YET = ("not_yet", "Chưa đến hạn.")
    ANOTHER_UNLOCK_IS_OPEN = (
        "another_unlock_is_open",
        "Lớp đang mở khóa cho một yêu cầu khác: yêu cầu này sẽ mở sau khi lớp khóa lại.",
    )
    SCOPE_TOO_WIDE = (
        "scope_too_wide",
        "Phạm vi mở khóa rộng hơn chính sách của tỉnh cho phép: hãy thu hẹp số học sinh.",
    )

    @property
    def code(self) -> str:
        return self.value[0]

    @property
    def sentence(self) -> str:
        return self.value[1]


class Refused(Exception):
    """The state of things forbids it; repeating the call will not help."""

    def __init__(self, refusal: Refusal, detail: str = "") -> None:
        super().__init__(f"{refusal.sentence} ({detail})" if detail else refusal.sentence)
        self.refusal = refusal


class Denied(Exception):
    """This person may not do this, whatever the state of things."""

    def __init__(self, refusal: Refusal, detail: str = "") -> None:
        super().__init__(f"{refusal.sentence} ({detail})" if detail else refusal.sentence)
        self.refusal = refusal


class Unknown(Exception):
    """There is no such thing, or not for this caller."""


class Invalid(Exception):
    """What was given cannot be right: names the field and the cure."""

    def __init__(self, field: str, cure: str) -> None:
        super().__init__(f"{field}: {cure}")
        self.field = field


class Superseded(Exception):
    """Somebody wrote first; read again and decide anew."""
