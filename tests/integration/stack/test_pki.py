"""The keys of a local stack fit together and are closed to others."""

from __future__ import annotations

import stat
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store

from hocba.enrollment.v1 import events_pb2
from services.chassis.envelope import Envelope
from services.chassis.errors import Denied, Malformed
from services.chassis.identity import TokenVerifier
from services.stack import pki
from services.stack.places import Places


@pytest.fixture
def keys(tmp_path: Path) -> pki.Keys:
    return pki.prepare(Places.of(tmp_path))


def test_private_keys_are_closed_to_other_users(keys: pki.Keys) -> None:
    private = [*keys.folder.glob("*.key"), *keys.folder.glob("*.envelope.json"), keys.folder / "token-issuer.json"]
    assert len(private) == len(pki.NAMES) + 1 + len(pki.READERS) + 1
    assert {stat.S_IMODE(path.stat().st_mode) for path in private} == {0o600}
    assert stat.S_IMODE(keys.folder.stat().st_mode) == 0o700


def test_leaf_names_its_service_and_chains_to_the_authority(keys: pki.Keys) -> None:
    leaf = x509.load_pem_x509_certificate(keys.leaf("grading").certificate.read_bytes())
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == ["spiffe://hocba.local/grading"]
    authority = x509.load_pem_x509_certificate(keys.ca.read_bytes())
    verifier = PolicyBuilder().store(Store([authority])).time(datetime.now(UTC))
    verifier.build_server_verifier(x509.DNSName("grading.hocba.local")).verify(leaf, [])


def test_leaves_are_renewed_and_lasting_keys_stay(keys: pki.Keys) -> None:
    lasting = [keys.ca, keys.folder / "token-issuer.json", keys.folder / "archive.envelope.json"]
    before = [path.read_bytes() for path in lasting]
    leaf = keys.leaf("signing").certificate.read_bytes()
    pki.prepare(Places.of(keys.folder.parent))
    assert [path.read_bytes() for path in lasting] == before
    assert keys.leaf("signing").certificate.read_bytes() != leaf


def test_a_torn_authority_is_replaced(keys: pki.Keys) -> None:
    keys.ca.write_bytes(keys.ca.read_bytes()[:100])
    pki.prepare(Places.of(keys.folder.parent))
    x509.load_pem_x509_certificate(keys.ca.read_bytes())


def test_services_accept_the_issuers_tokens_and_no_others(keys: pki.Keys, tmp_path: Path) -> None:
    token = keys.token("account-1", "person-1", ("principal@school:7",))
    with pytest.raises(Denied):
        TokenVerifier(keys.token_keys, "https://somebody.else").verify(token, time.time())
    actor = TokenVerifier(keys.token_keys, pki.ISSUER).verify(token, time.time())
    assert actor.person_id == "person-1"
    assert actor.has("principal", "school:7")
    other = pki.prepare(Places.of(tmp_path / "other"))
    with pytest.raises(Denied):
        TokenVerifier(other.token_keys, pki.ISSUER).verify(token, time.time())


def test_sealed_content_opens_for_its_readers_only(keys: pki.Keys) -> None:
    event = events_pb2.StaffAppointed()
    Envelope(keys.envelope_readers, None, "enrollment").seal(event, "profile", events_pb2.StaffProfile(full_name="Nguyễn Thị Mẫu"))
    assert "Nguyễn".encode() not in event.SerializeToString()
    reader = Envelope(keys.envelope_readers, keys.envelope_key("signing"), "signing")
    assert reader.open(event.profile, events_pb2.StaffProfile).full_name == "Nguyễn Thị Mẫu"
    outsider = Envelope(keys.envelope_readers, keys.envelope_key("archive"), "archive")
    with pytest.raises(Malformed):
        outsider.open(event.profile, events_pb2.StaffProfile)
