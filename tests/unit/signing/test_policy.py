"""Which level a manifest's signatures have: data by province, school level and day."""

from datetime import date
from pathlib import Path

import pytest

from services.chassis.errors import Malformed
from services.signing.adapters.policies import policies_from
from services.signing.domain.policy import Policies, PolicyRule, SignatureLevel

B_B, B_LTA = SignatureLevel.B_B, SignatureLevel.B_LTA
DAY = date(2026, 5, 31)


def test_without_a_rule_it_is_b_b() -> None:
    assert Policies().level_for("2025-79", "PRIMARY", DAY) is B_B


def test_province_that_switches_level_does_so_on_its_day() -> None:
    policies = Policies((PolicyRule(B_LTA, ("2025-79",), (), date(2026, 6, 1), date(2027, 5, 31)),))
    levels = [policies.level_for("2025-79", "PRIMARY", day) for day in (DAY, date(2026, 6, 1), date(2027, 5, 31), date(2027, 6, 1))]
    assert levels == [B_B, B_LTA, B_LTA, B_B]
    assert policies.level_for("2025-01", "PRIMARY", date(2026, 6, 1)) is B_B


def test_of_several_rules_the_last_that_speaks_counts() -> None:
    policies = Policies((PolicyRule(B_LTA), PolicyRule(B_B, ("2025-79",)), PolicyRule(B_LTA, ("2025-79",), ("primary",))))
    assert policies.level_for("2025-01", "UPPER_SECONDARY", DAY) is B_LTA
    assert policies.level_for("2025-79", "UPPER_SECONDARY", DAY) is B_B
    assert policies.level_for("2025-79", "PRIMARY", DAY) is B_LTA


def test_file_gives_rules_in_its_order(tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    file.write_text(
        '[[policy]]\nsignature_level = "B-LTA"\n\n[[policy]]\nsignature_level = "B-B"\nprovinces = ["2025-79"]\n'
        'school_levels = ["primary"]\nvalid_from = 2026-01-01\nvalid_until = 2026-12-31\n'
    )
    expected = PolicyRule(B_B, ("2025-79",), ("primary",), date(2026, 1, 1), date(2026, 12, 31))
    assert policies_from(file) == Policies((PolicyRule(B_LTA), expected))
    assert policies_from(None) == Policies()


def test_xml_is_for_provinces_that_ask_for_it(tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    file.write_text('[[policy]]\nsignature_level = "B-B"\nrecord_xml = true\nprovinces = ["2025-79"]\n')
    policies = policies_from(file)
    assert [policies.asks_for_xml(province, "PRIMARY", DAY) for province in ("2025-79", "2025-01")] == [True, False]
    assert not Policies().asks_for_xml("2025-79", "PRIMARY", DAY)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[[policy]]\n", "signature_level is B-B or B-LTA"),
        ('[[policy]]\nsignature_level = "B-T"\n', "not 'B-T'"),
        ('[[policy]]\nsignature_level = "B-B"\nprovince = "79"\n', "no key 'province'"),
        ('[[policy]]\nsignature_level = "B-B"\nschool_levels = ["kindergarten"]\n', "school_levels are of"),
        ('[[policy]]\nsignature_level = "B-B"\nvalid_from = "2026-01-01"\n', "without quotes"),
        ('[[policy]]\nsignature_level = "B-B"\nrecord_xml = "true"\n', "record_xml is true or false"),
        ("[other]\n", "only"),
        ("=", "can't be read"),
    ],
)
def test_mistake_in_the_file_is_named(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "policy.toml"
    file.write_text(text)
    with pytest.raises(Malformed, match=says):
        policies_from(file)
