"""Attacks on the CMS container of a signature, which no signature covers, and on the values that keys make."""

from __future__ import annotations

from collections.abc import Callable

from asn1crypto import algos, cms, core
from asn1crypto import x509 as asn1_x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from services.archive.application.check_document import Announced
from services.archive.domain.findings import Reason
from tests.attacks.corpus import Attack, certified, streams, with_container
from tests.support.packed_documents import sign, signed
from tests.support.signed_documents import ROLES, Identity, digest, record_bytes, shared_pki

X690 = "BER where DER is asked for: ITU-T X.690, 8.1.3"
CMS = "RFC 5652, 5: nothing covers the frame"
BLEICHENBACHER = "Bleichenbacher 2006; Kühn et al. 2006 (PKCS #1 v1.5, e = 3)"
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_SHA256_INFO = bytes.fromhex("3031300d060960864801650304020105000420")


def tlv(tag: int, content: bytes, *, longer: int = 0) -> bytes:
    """DER, or with `longer` octets more of length than it needs."""
    size = len(content)
    if size < 0x80 and not longer:
        return bytes((tag, size)) + content
    octets = size.to_bytes(max(1, (size.bit_length() + 7) // 8) + longer)
    return bytes((tag, 0x80 | len(octets))) + octets + content


def head(der: bytes) -> int:
    """How many bytes tag and length take."""
    return 2 if der[1] < 0x80 else 2 + (der[1] & 0x7F)


def longer_length(der: bytes) -> bytes:
    return tlv(0x30, der[head(der) :], longer=1)


def indefinite_length(der: bytes) -> bytes:
    return b"\x30\x80" + der[head(der) :] + b"\x00\x00"


def inner_longer_length(der: bytes) -> bytes:
    """The SignedData's length."""
    info = cms.ContentInfo.load(der)
    inner = info["content"].dump()
    bare = inner if inner[0] == 0x30 else inner[head(inner) :]
    return tlv(0x30, info["content_type"].dump() + tlv(0xA0, tlv(0x30, bare[head(bare) :], longer=1)))


def longer_length_of_the_attributes(der: bytes) -> bytes:
    """The signed attributes' own length, which is written anew before it is hashed."""
    attributes = cms.ContentInfo.load(der)["content"]["signer_infos"][0]["signed_attrs"].dump()
    return _replaced(der, attributes, tlv(0xA0, attributes[head(attributes) :], longer=1))


def _replaced(der: bytes, old: bytes, new: bytes) -> bytes:
    """The container with one part replaced and all lengths around it set right."""
    assert der.count(old) == 1
    return _mended(der, der.index(old), old, new)


def _mended(der: bytes, at: int, old: bytes, new: bytes) -> bytes:
    if at == 0 and len(der) == len(old):
        return new
    begin = head(der)
    content, place = der[begin:], begin
    parts = []
    while content:
        size = head(content) + int.from_bytes(content[2 : head(content)], "big") if content[1] >= 0x80 else 2 + content[1]
        part = content[:size]
        parts.append(_mended(part, at - place, old, new) if place <= at < place + size else part)
        content, place = content[size:], place + size
    return tlv(der[0], b"".join(parts))


def with_unsigned_attribute(der: bytes) -> bytes:
    """Room for anything, such as another signature over the document."""
    whole = cms.ContentInfo.load(der)
    signer = whole["content"]["signer_infos"][0]
    signer["unsigned_attrs"] = cms.CMSAttributes([cms.CMSAttribute({"type": "1.2.3.4", "values": [core.OctetString(b"hidden")]})])
    return bytes(whole.dump(force=True))


def second_signer(der: bytes) -> bytes:
    whole = cms.ContentInfo.load(der)
    signer = whole["content"]["signer_infos"][0]
    whole["content"]["signer_infos"] = [signer, signer.copy()]
    return bytes(whole.dump(force=True))


def with_revocation_list(der: bytes) -> bytes:
    """The place for revocation lists holds something."""
    whole = cms.ContentInfo.load(der)
    certificates = whole["content"]["certificates"].dump()
    return _replaced(der, certificates, certificates + tlv(0xA1, b"\x30\x03\x02\x01\x01"))


def with_another_certificate(der: bytes) -> bytes:
    """One that has nothing to do with the signature, under the same issuer and serial number as the signer's."""
    stranger = certified(shared_pki().root, like=shared_pki().people[ROLES[-1]])
    return _with_certificates(der, lambda known: [*known, _asn1(stranger)])


def exchanged_certificate(der: bytes) -> bytes:
    """The signer's certificate makes place for one with the same names and serial number."""
    stranger = certified(shared_pki().root, like=shared_pki().people[ROLES[-1]])
    return _with_certificates(der, lambda known: [_asn1(stranger), *known[1:]])


def certificates_turned_round(der: bytes) -> bytes:
    """Not in the order of a SET OF (X.690, 11.6)."""
    old = cms.ContentInfo.load(der)["content"]["certificates"]
    return _replaced(der, old.dump(), tlv(0xA0, b"".join(choice.chosen.dump() for choice in reversed(list(old)))))


def certificate_twice(der: bytes) -> bytes:
    return _with_certificates(der, lambda known: [*known, known[-1]])


def issuer_with_another_signature(der: bytes) -> bytes:
    """The issuer's certificate with the other value that ECDSA allows."""

    def change(known: list[asn1_x509.Certificate]) -> list[asn1_x509.Certificate]:
        certificate = known[-1].copy()
        certificate["signature_value"] = core.OctetBitString(_mirrored(certificate["signature_value"].native))
        return [*known[:-1], asn1_x509.Certificate.load(certificate.dump(force=True))]

    return _with_certificates(der, change)


def _asn1(identity: Identity) -> asn1_x509.Certificate:
    from cryptography.hazmat.primitives.serialization import Encoding

    return asn1_x509.Certificate.load(identity.certificate.public_bytes(Encoding.DER))


def _with_certificates(der: bytes, change: Callable[[list[asn1_x509.Certificate]], list[asn1_x509.Certificate]]) -> bytes:
    old = cms.ContentInfo.load(der)["content"]["certificates"]
    known = sorted((choice.chosen for choice in old), key=lambda one: bool(one.ca))
    return _replaced(der, old.dump(), tlv(0xA0, b"".join(sorted(one.dump() for one in change(known)))))


def value_changed(change: Callable[[bytes], bytes], der: bytes) -> bytes:
    """The container with another signature value."""
    value = cms.ContentInfo.load(der)["content"]["signer_infos"][0]["signature"]
    return _replaced(der, value.dump(), tlv(0x04, change(value.native)))


def _mirrored(value: bytes) -> bytes:
    first, second = decode_dss_signature(value)
    return encode_dss_signature(first, _ORDER - second)


def loose_integers(value: bytes) -> bytes:
    """r with a needless zero before it."""
    first = value[2 : 4 + value[3]]
    return tlv(0x30, tlv(0x02, b"\x00" + first[2:]) + value[2 + len(first) :])


def zeros(value: bytes) -> bytes:
    """r = s = 0 (CVE-2022-21449, psychic signatures)."""
    return encode_dss_signature(0, 0)


def algorithm_changed(name: str, der: bytes) -> bytes:
    old = cms.ContentInfo.load(der)["content"]["signer_infos"][0]
    last = der.rindex(old["signature_algorithm"].dump(), 0, der.rindex(old["signature"].dump()))
    part = old["signature_algorithm"].dump()
    return _mended(der, last, part, algos.SignedDigestAlgorithm({"algorithm": name}).dump())


# --- RSA ---


def _rsa_document(key: rsa.RSAPrivateKey, forge: Callable[[bytes, rsa.RSAPrivateKey], bytes], algorithm: bytes | None = None) -> bytes:
    """A transcript whose seal is such a key's, with a value that is made from what should have been signed."""
    identity = certified(shared_pki().issuing, key=key)
    base = signed(shared_pki(), record_bytes())
    before = base.data[: [at for at in range(len(base.data)) if base.data.startswith(b"%%EOF\n", at)][2] + 6]
    section_at = int(before.split()[-2])
    document = sign(type(base)(before, section_at, base.size - 3), ROLES[-1], identity, [shared_pki().issuing.certificate])

    def change(der: bytes) -> bytes:
        info = cms.ContentInfo.load(der)["content"]["signer_infos"][0]
        made = value_changed(lambda _: forge(info["signed_attrs"].untag().dump(), key), der)
        if algorithm is None:
            return made
        part = info["signature_algorithm"].dump()
        return _mended(made, made.rindex(part), part, algorithm)

    return with_container(document.data, change)


def _key(exponent: int = 65537) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(3 if exponent == 3 else 65537, 2048)


def _root_of_cube(number: int) -> int:
    low, high = 0, 1 << 700
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if middle**3 < number else (low, middle)
    return low


def cube_root(signed_attributes: bytes, key: rsa.RSAPrivateKey) -> bytes:
    """Without the private key: a number whose cube begins as a padded digest does, with garbage behind it."""
    begin = b"\x00\x01" + b"\xff" * 8 + b"\x00" + _SHA256_INFO + digest(signed_attributes)
    root = _root_of_cube(int.from_bytes(begin.ljust(256, b"\x00"), "big"))
    assert (root**3).to_bytes(256).startswith(begin)
    return root.to_bytes(256, "big")


def _raw(message: bytes, key: rsa.RSAPrivateKey) -> bytes:
    numbers = key.private_numbers()
    return pow(int.from_bytes(message, "big"), numbers.d, numbers.public_numbers.n).to_bytes(256, "big")


def garbage_behind(signed_attributes: bytes, key: rsa.RSAPrivateKey) -> bytes:
    begin = b"\x00\x01" + b"\xff" * 8 + b"\x00" + _SHA256_INFO + digest(signed_attributes)
    return _raw(begin.ljust(256, b"\x41"), key)


def short_padding(signed_attributes: bytes, key: rsa.RSAPrivateKey) -> bytes:
    """Parameters of the digest's algorithm filled with garbage (Kühn et al. 2006)."""
    filler = 256 - 3 - 8 - 2 - 2 - 11 - 2 - 34 - 8
    algorithm = tlv(0x30, _SHA256_INFO[4:15] + tlv(0x04, b"\x41" * filler))
    info = tlv(0x30, algorithm + tlv(0x04, digest(signed_attributes)))
    message = b"\x00\x01" + info.rjust(253, b"\xff")
    return _raw(message[: 2 + 253 - len(info)] + b"\x00" + info, key)[:256]


def of_another_digest(signed_attributes: bytes, key: rsa.RSAPrivateKey) -> bytes:
    return key.sign(signed_attributes, padding.PKCS1v15(), hashes.SHA1())


def above_the_modulus(signed_attributes: bytes, key: rsa.RSAPrivateKey) -> bytes:
    value = int.from_bytes(key.sign(signed_attributes, padding.PKCS1v15(), hashes.SHA256()), "big")
    return (value + key.public_key().public_numbers().n).to_bytes(257, "big")


def leading_zero(signed_attributes: bytes, key: rsa.RSAPrivateKey) -> bytes:
    return b"\x00" + key.sign(signed_attributes, padding.PKCS1v15(), hashes.SHA256())


def _pss(length: int) -> bytes:
    parameters = algos.RSASSAPSSParams(
        {
            "hash_algorithm": {"algorithm": "sha256"},
            "mask_gen_algorithm": {"algorithm": "mgf1", "parameters": {"algorithm": "sha256"}},
            "salt_length": length,
        }
    )
    return bytes(algos.SignedDigestAlgorithm({"algorithm": "rsassa_pss", "parameters": parameters}).dump())


def pss(signed_attributes: bytes, key: rsa.RSAPrivateKey) -> bytes:
    return key.sign(signed_attributes, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())


def on_value(name: str, source: str, change: Callable[[bytes], bytes], announced: bool = False) -> Attack:
    attack = Attack(name, source, Reason.SHA256_DIFFERS if announced else Reason.SIGNATURE_INVALID, lambda: with_container(streams(), change))
    return Attack(attack.name, attack.source, attack.reason, attack.make, _as_issued) if announced else attack


def _as_issued(data: bytes) -> Announced:
    genuine = streams()
    return Announced(digest(genuine), len(genuine), digest(record_bytes()))


ATTACKS: list[Attack] = [
    *(
        on_value(f"container: {name}", source, change)
        for name, source, change in (
            ("needless octet of length", X690, longer_length),
            ("indefinite length", X690, indefinite_length),
            ("needless octet in the signed data", X690, inner_longer_length),
            ("needless octet in the signed attributes", X690, longer_length_of_the_attributes),
            ("something behind it", CMS, lambda der: der + b"\x00\x00\x41"),
            ("unsigned attribute", CMS, with_unsigned_attribute),
            ("second signer", CMS, second_signer),
            ("revocation list", CMS, with_revocation_list),
            ("signer's certificate exchanged", CMS, exchanged_certificate),
            ("certificate twice", CMS, certificate_twice),
            ("certificates in another order", X690, certificates_turned_round),
            ("value of zeros", "CVE-2022-21449", lambda der: value_changed(zeros, der)),
            ("loose integers", X690, lambda der: value_changed(loose_integers, der)),
            ("another algorithm", CMS, lambda der: algorithm_changed("sha512_ecdsa", der)),
            ("another kind of key", CMS, lambda der: algorithm_changed("sha256_rsa", der)),
        )
    ),
    Attack("container: another certificate", CMS, Reason.SIGNER_UNTRUSTED, lambda: with_container(streams(), with_another_certificate)),
    *(
        Attack(f"RSA: {name}", source, Reason.SIGNATURE_INVALID, lambda forge=forge, exponent=exponent, told=told: _rsa_document(_key(exponent), forge, told))  # type: ignore[misc]
        for name, source, forge, exponent, told in (
            ("cube root of a padded digest", BLEICHENBACHER, cube_root, 3, None),
            ("garbage behind the digest", BLEICHENBACHER, garbage_behind, 65537, None),
            ("garbage in the digest's parameters", BLEICHENBACHER, short_padding, 65537, None),
            ("digest by SHA-1", "SHAttered, 2017", of_another_digest, 65537, None),
            ("value above the modulus", "RFC 8017, 8.2.2", above_the_modulus, 65537, None),
            ("value with a zero before it", "RFC 8017, 8.2.2", leading_zero, 65537, None),
            ("PSS under the name of PKCS #1", "RFC 4055", pss, 65537, None),
            ("PSS with another length of salt than it says", "RFC 4055, 3.1", pss, 65537, _pss(20)),
        )
    ),
]
TWINS = [
    on_value("value mirrored", "ECDSA: (r, -s) is as good as (r, s)", lambda der: value_changed(_mirrored, der), announced=True),
    on_value("container: issuer's certificate with its value mirrored", "ECDSA: (r, -s) is as good as (r, s)", issuer_with_another_signature, announced=True),
]
