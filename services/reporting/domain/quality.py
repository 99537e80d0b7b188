"""What is wrong with the data on which transcripts rest, and how it is mended."""

from collections.abc import Mapping
from typing import NamedTuple


class Flaw(NamedTuple):
    """One sort of it, in the words that people read."""

    vi: str
    en: str
    cure_vi: str
    cure_en: str


FLAWS: dict[str, Flaw] = {
    "identity_contradictory": Flaw(
        "thông tin khác với CSDL dân cư",
        "contradicts the population register",
        "đối chiếu giấy khai sinh, sửa hồ sơ rồi xác thực lại",
        "compare with the birth certificate, correct the record, verify it again",
    ),
    "identity_unknown": Flaw(
        "CSDL dân cư không có số này",
        "number unknown to the population register",
        "kiểm tra số định danh với công an xã",
        "check the number with the commune's police",
    ),
    "identity_unchecked": Flaw(
        "chưa đối chiếu với CSDL dân cư", "not verified yet", "chạy xác thực danh tính của trường", "have the school's identities verified"
    ),
    "without_number": Flaw(
        "không có số định danh cá nhân", "no personal number", "bổ sung số định danh, hoặc ghi lí do chưa có", "add the number, or say why there is none"
    ),
    "without_birth_date": Flaw("thiếu ngày sinh", "birth date missing", "ghi như trên giấy khai sinh", "write it as on the birth certificate"),
    "without_gender": Flaw("thiếu giới tính", "gender missing", "ghi Nam hoặc Nữ", "write male or female"),
    "without_birth_place": Flaw("thiếu nơi sinh", "birth place missing", "ghi như trên giấy khai sinh", "write it as on the birth certificate"),
    "without_ethnicity": Flaw("thiếu dân tộc", "ethnicity missing", "ghi như trên giấy khai sinh", "write it as on the birth certificate"),
    "without_ministry_code": Flaw(
        "thiếu mã định danh Bộ GD&ĐT", "ministry code missing", "lấy mã từ cơ sở dữ liệu ngành", "take the code from the sector database"
    ),
}
"""By the measure that counts the pupils; what is graver first. Two pupils of one number, or a pupil at two schools, can't be: enrollment refuses them."""


def flaws_of(counts: Mapping[str, int]) -> list[tuple[str, int, Flaw]]:
    """(code, pupils, words) of what there is, in that order."""
    return [(code, counts[code], flaw) for code, flaw in FLAWS.items() if counts.get(code)]
