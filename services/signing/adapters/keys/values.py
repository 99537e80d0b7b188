"""Whether a signature value is by the key of a certificate: asked of every value that comes from outside before it is kept."""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

from services.signing.adapters.certificates import read_certificate

_HASHED = utils.Prehashed(hashes.SHA256())


def is_by(certificate: bytes, digest: bytes, value: bytes) -> bool:
    """RSA PKCS#1 v1.5 or ECDSA in DER, over a SHA-256 digest, by the certificate's key."""
    key = read_certificate(certificate).public_key()
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(value, digest, padding.PKCS1v15(), _HASHED)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(value, digest, ec.ECDSA(_HASHED))
        else:
            return False
    except (InvalidSignature, ValueError):
        return False
    return True
