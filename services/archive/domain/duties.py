"""What the archive owes and by when: each duty's standing against its limit, in one form for people, metrics and alerts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class Duty(StrEnum):
    """What can be late. Codes are never renamed: alerts name them."""

    EVIDENCE = "evidence"
    """Every document gets a time stamp; admission stops when one has waited too long."""
    RENEWAL = "renewal"
    """Evidence is renewed before a certificate or an algorithm that it rests on ends."""
    LOG = "log"
    """Every statement comes below a final checkpoint."""
    WITNESS = "witness"
    """Each witness cosigns."""
    PARKED = "parked"
    """What couldn't be applied is looked after."""
    REFUSED = "refused"
    """What wasn't admitted is mended."""
    LOG_CHECK = "log_check"
    """The log is rebuilt and compared regularly."""
    DOCUMENT_CHECK = "document_check"
    """So is every stored document."""


class State(StrEnum):
    """How a duty stands, from good to bad; `unknown` is worse than a warning, since nobody knows."""

    KEPT = "kept"
    SOON = "soon"
    UNKNOWN = "unknown"
    OVERDUE = "overdue"

    @property
    def rank(self) -> int:
        """0 is good, 3 is overdue: what the metric says."""
        return tuple(State).index(self)


@dataclass(frozen=True, slots=True)
class Standing:
    """One duty as it stands at a moment."""

    duty: Duty
    state: State
    left: timedelta | None
    """Until it is overdue; negative afterwards. Where nothing waits, all the time that there would be; None: no end is known."""
    of: str = ""
    """Which witness, where there are several."""
    count: int = 0
    """How many records wait, or faults were found, where these are counted."""
    since: datetime | None = None
    """Since when the oldest waits, or when the last check ended, or for evidence to be renewed: when it ends."""
    detail: str = ""


def waiting(duty: Duty, since: datetime | None, limit: timedelta, now: datetime, *, of: str = "", count: int = 0, detail: str = "") -> Standing:
    """What has waited since a moment may wait for `limit`; half of it is kept for people to act in. None: nothing waits."""
    gone = timedelta() if since is None else now - since
    state = State.OVERDUE if gone > limit else State.SOON if gone > limit / 2 else State.KEPT
    return Standing(duty, state, limit - gone, of, count, since, detail)


def ending(duty: Duty, end: datetime | None, limit: timedelta, now: datetime) -> Standing:
    """What ends at a moment is to be renewed `limit` before it at the latest; people hear of it as long again before that. None: no end is known."""
    left = None if end is None else end - limit - now
    state = State.KEPT if left is None or left >= limit else State.OVERDUE if left < timedelta() else State.SOON
    return Standing(duty, state, left, since=end)


def worst(standings: Sequence[Standing]) -> State:
    """The worst of them."""
    return max((one.state for one in standings), key=lambda state: state.rank, default=State.KEPT)


DUTY_WORDS: dict[Duty, tuple[str, str]] = {
    Duty.EVIDENCE: ("Tài liệu chờ dấu thời gian", "documents wait for a time stamp"),
    Duty.RENEWAL: ("Bằng chứng cần gia hạn", "evidence is to be renewed"),
    Duty.LOG: ("Mục nhật ký chờ điểm chốt chung quyết", "statements wait for a final checkpoint"),
    Duty.WITNESS: ("Nhân chứng chưa xác nhận", "a witness hasn't cosigned"),
    Duty.PARKED: ("Bản ghi để riêng", "parked records"),
    Duty.REFUSED: ("Tài liệu bị từ chối chưa xử lý", "refused documents without a successor"),
    Duty.LOG_CHECK: ("Lần kiểm tra nhật ký gần nhất", "since the last check of the log"),
    Duty.DOCUMENT_CHECK: ("Lần kiểm tra mọi tài liệu gần nhất", "since the last check of all documents"),
}
