"""Certificates that come with a document: one that was changed is no certificate, or leads to no anchor."""

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from services.archive.adapters.trust_store import read_certificate, trust_of
from tests.support.signed_documents import shared_pki


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)


@pytest.mark.parametrize("which", ["leaf", "issuer"])
def test_every_changed_bit_of_a_certificate_is_unreadable_or_leads_nowhere(which: str) -> None:
    pki = shared_pki()
    leaf, issuer = der(pki.people["principal"].certificate), der(pki.issuing.certificate)
    genuine = leaf if which == "leaf" else issuer
    found = 0
    for place in range(len(genuine) * 8):
        changed = bytearray(genuine)
        changed[place // 8] ^= 1 << place % 8
        try:
            other = read_certificate(bytes(changed))
        except ValueError:
            continue
        trust = trust_of([pki.root.certificate])  # A new store each time: a path once found is remembered.
        signer, offered = (other, read_certificate(issuer)) if which == "leaf" else (read_certificate(leaf), other)
        found += trust.chain(signer, [offered]) is not None
    assert found <= 8, "more than the bits that DER has no use for were accepted"
