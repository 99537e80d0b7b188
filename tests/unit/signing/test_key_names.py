"""Names of keys: which home, and where in it."""

import pytest

from services.signing.domain.key_names import Answers, Home, KeyName, UnreadableKeyName


@pytest.mark.parametrize(
    ("text", "home", "container", "key"),
    [
        ("homeroom-12", Home.PKCS12, "", "homeroom-12"),
        ("pkcs12:homeroom-12", Home.PKCS12, "", "homeroom-12"),
        ("pkcs11:so-giao-duc/seal", Home.PKCS11, "so-giao-duc", "seal"),
        ("csc:smartca/credential/with/slashes", Home.CSC, "smartca", "credential/with/slashes"),
        ("agent:79000123", Home.AGENT, "", "79000123"),
    ],
)
def test_name_says_where_its_key_lives(text: str, home: Home, container: str, key: str) -> None:
    assert KeyName.read(text) == KeyName(home, container, key)


@pytest.mark.parametrize("text", ["", "vault:key", "pkcs11:label-alone", "pkcs11:/label", "pkcs11:token/", "csc:", "agent:", "pkcs12:"])
def test_name_that_leads_nowhere_is_refused(text: str) -> None:
    with pytest.raises(UnreadableKeyName, match="must look like"):
        KeyName.read(text)


def test_only_files_answer_the_same_each_time() -> None:
    answers = {home: KeyName(home, "x", "y").answers for home in Home}
    assert answers == {Home.PKCS12: Answers.REPEATABLY, Home.PKCS11: Answers.AFRESH, Home.CSC: Answers.LATER, Home.AGENT: Answers.LATER}
