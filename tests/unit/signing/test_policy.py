"""Which level a manifest's signatures have: data by province, school level and day."""

from datetime import date
from pathlib import Path

import pytest

from services.chassis.errors import Malformed
from services.signing.adapters.policies import policies_from
from services.signing.domain.documents import DocumentKind
from services.signing.domain.policy import Policies, Policy, PolicyRule, SignatureLevel
from services.signing.domain.roles import DEFAULT_ORDER, SignatureRole

B_B, B_LTA = SignatureLevel.B_B, SignatureLevel.B_LTA
DAY = date(2026, 5, 31)


def test_without_a_rule_it_is_b_b() -> None:
    assert Policies().policy_for("2025-79", "PRIMARY", DAY) == Policy()


def test_province_that_switches_level_does_so_on_its_day() -> None:
    policies = Policies((PolicyRule(B_LTA, ("2025-79",), (), date(2026, 6, 1), date(2027, 5, 31)),))
    levels = [policies.policy_for("2025-79", "PRIMARY", day).signature_level for day in (DAY, date(2026, 6, 1), date(2027, 5, 31), date(2027, 6, 1))]
    assert levels == [B_B, B_LTA, B_LTA, B_B]
    assert policies.policy_for("2025-01", "PRIMARY", date(2026, 6, 1)).signature_level is B_B


def test_of_several_rules_the_last_that_speaks_counts() -> None:
    policies = Policies((PolicyRule(B_LTA), PolicyRule(B_B, ("2025-79",)), PolicyRule(B_LTA, ("2025-79",), ("primary",))))
    assert policies.policy_for("2025-01", "UPPER_SECONDARY", DAY).signature_level is B_LTA
    assert policies.policy_for("2025-79", "UPPER_SECONDARY", DAY).signature_level is B_B
    assert policies.policy_for("2025-79", "PRIMARY", DAY).signature_level is B_LTA


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
    file.write_text('[[policy]]\nrecord_xml = true\nprovinces = ["2025-79"]\n')
    policies = policies_from(file)
    assert [policies.policy_for(province, "PRIMARY", DAY).record_xml for province in ("2025-79", "2025-01")] == [True, False]


def test_each_thing_is_said_by_the_last_rule_that_sets_it(tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    file.write_text(
        '[[policy]]\nsheets_required = true\nschool_levels = ["lower_secondary", "upper_secondary"]\n\n'
        '[[policy]]\nroles = ["homeroom_teacher", "principal"]\ndeputies = ["principal"]\nprovinces = ["2025-79"]\nschool_levels = ["primary"]\n\n'
        '[[policy]]\nsignature_level = "B-LTA"\nprovinces = ["2025-79"]\n'
    )
    policies = policies_from(file)
    assert policies.policy_for("2025-01", "UPPER_SECONDARY", DAY) == Policy(B_B, DEFAULT_ORDER, True)
    two = (SignatureRole.HOMEROOM_TEACHER, SignatureRole.PRINCIPAL)
    assert policies.policy_for("2025-79", "PRIMARY", DAY) == Policy(B_LTA, two, False, (SignatureRole.PRINCIPAL,))
    assert policies.policy_for("2025-01", "PRIMARY", DAY) == Policy()


def test_a_sheet_has_its_teacher_alone() -> None:
    policy = Policy(B_LTA, DEFAULT_ORDER, True, (SignatureRole.PRINCIPAL,))
    assert policy.of(DocumentKind.SHEET) == Policy(B_LTA, (SignatureRole.SUBJECT_TEACHER,), True, (SignatureRole.PRINCIPAL,))
    assert policy.of(DocumentKind.TRANSCRIPT) is policy


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[[policy]]\n", "rule 1: it says nothing"),
        ('[[policy]]\nsignature_level = "B-T"\n', "not 'B-T'"),
        ('[[policy]]\nsignature_level = "B-B"\nprovince = "79"\n', "no key 'province'"),
        ('[[policy]]\nsignature_level = "B-B"\nschool_levels = ["kindergarten"]\n', "school_levels are of"),
        ('[[policy]]\nsignature_level = "B-B"\nvalid_from = "2026-01-01"\n', "without quotes"),
        ('[[policy]]\nrecord_xml = "true"\n', "record_xml is true or false, not 'true'"),
        ('[[policy]]\nsheets_required = "yes"\n', "sheets_required is true or false, not 'yes'"),
        ('[[policy]]\nroles = "principal"\n', "roles is a list of subject_teacher"),
        ('[[policy]]\nroles = ["headmaster"]\n', "roles is a list of subject_teacher"),
        ("[[policy]]\nroles = []\n", "at least one"),
        ('[[policy]]\nroles = ["principal", "principal"]\n', "each role once"),
        ('[[policy]]\nroles = ["homeroom_teacher", "subject_teacher", "principal"]\n', "class-subject sheet"),
        ('[[policy]]\nroles = ["homeroom_teacher", "principal"]\ndeputies = ["school_seal"]\n', "deputies may sign as school_seal"),
        ('[[policy]]\nroles = ["school_seal", "principal"]\n', "roles lacks homeroom_teacher"),
        ("[[policy]]\nsheets_required = true\nvalid_from = 2027-01-01\nvalid_until = 2026-01-01\n", "is behind valid_until"),
        ('[[policy]]\nsignature_level = "B-B"\n\n[[policy]]\nsignature_level = "B-LTA"\n', "rules 1 and 2 .* set signature_level differently"),
        ("[other]\n", "only"),
        ("=", "can't be read"),
    ],
)
def test_mistake_in_the_file_is_named(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "policy.toml"
    file.write_text(text)
    with pytest.raises(Malformed, match=says):
        policies_from(file)
