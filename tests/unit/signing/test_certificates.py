"""Certificates that come with a document: whatever is changed in one is a refusal that says why, never another error."""

from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives import serialization

from services.signing.adapters.certificates import TrustAnchors
from services.signing.domain.certificate import UntrustedCertificate
from tests.support.signed_documents import shared_pki

NOW = datetime.now(UTC)


def der(certificate: object) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)  # type: ignore[attr-defined, no-any-return]


@pytest.mark.parametrize("which", ["leaf", "issuer"])
def test_every_changed_bit_of_a_certificate_is_refused_or_leads_to_the_same_key(which: str) -> None:
    pki = shared_pki()
    anchors = TrustAnchors((pki.root.certificate,))
    leaf, issuer = der(pki.people["principal"].certificate), der(pki.issuing.certificate)
    genuine = leaf if which == "leaf" else issuer
    accepted = 0
    for place in range(len(genuine) * 8):
        changed = bytearray(genuine)
        changed[place // 8] ^= 1 << place % 8
        try:
            anchors.chain_of(bytes(changed) if which == "leaf" else leaf, [bytes(changed) if which == "issuer" else issuer], NOW)
        except UntrustedCertificate:
            continue
        accepted += 1
    # Bits that DER has no use for, such as the padding of a BIT STRING; the whole container is compared elsewhere.
    assert accepted <= 8
