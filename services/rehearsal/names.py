"""Names of nobody: drawn from lists of common Vietnamese name parts by a seeded generator."""

from random import Random

FAMILY = ("Nguyễn", "Trần", "Lê", "Phạm", "Hoàng", "Huỳnh", "Phan", "Vũ", "Võ", "Đặng", "Bùi", "Đỗ", "Hồ", "Ngô", "Dương", "Lý", "Đinh", "Trịnh", "Mai", "Tô")
MIDDLE_FEMALE = ("Thị", "Ngọc", "Thị Thu", "Thanh", "Khánh", "Bảo", "Minh", "Quỳnh", "Thùy", "Phương", "Thị Mỹ", "Tường")
MIDDLE_MALE = ("Văn", "Đức", "Minh", "Quang", "Hữu", "Gia", "Quốc", "Thành", "Anh", "Tuấn", "Công", "Đình")
GIVEN_FEMALE = (
    "An",
    "Ánh",
    "Chi",
    "Diệp",
    "Dung",
    "Giang",
    "Hà",
    "Hằng",
    "Hiền",
    "Hương",
    "Lan",
    "Linh",
    "Ly",
    "Mai",
    "My",
    "Ngân",
    "Nhi",
    "Oanh",
    "Phượng",
    "Thảo",
    "Trang",
    "Uyên",
    "Vân",
    "Yến",
)
GIVEN_MALE = (
    "Bách",
    "Bình",
    "Cường",
    "Dũng",
    "Duy",
    "Đạt",
    "Hải",
    "Hiếu",
    "Hoàng",
    "Huy",
    "Khang",
    "Khoa",
    "Kiên",
    "Lâm",
    "Long",
    "Nam",
    "Nghĩa",
    "Phong",
    "Phúc",
    "Quân",
    "Sơn",
    "Thắng",
    "Trung",
    "Vinh",
)
ETHNICITIES = ("Kinh",) * 18 + ("Tày", "Hoa", "Cơ Tu", "Chăm")
SCHOOLS = ("Hoa Phượng", "Sông Hàn", "Bình Minh", "Hương Sen", "Biển Xanh", "Núi Thành", "Ánh Dương", "Đồng Xanh")
STREETS = ("Hoa Sữa", "Bạch Đằng", "Cây Gạo", "Bờ Sông", "Hàng Dừa", "Trường Sa")


def person(draw: Random, *, female: bool) -> str:
    """A full name in Vietnamese order: family, middle, given."""
    middle, given = (MIDDLE_FEMALE, GIVEN_FEMALE) if female else (MIDDLE_MALE, GIVEN_MALE)
    return f"{draw.choice(FAMILY)} {draw.choice(middle)} {draw.choice(given)}"
