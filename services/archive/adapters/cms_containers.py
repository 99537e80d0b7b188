"""
Reads CMS containers (RFC 5652, CAdES profile of ETSI EN 319 142-1): what was signed, by which certificate, with which value.

A signer's containers differ in two places only, the message digest and the value. What stands around them is kept from a container
that was read in full; another one that is the same but for those two is read by comparing bytes.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from asn1crypto import cms, core, tsp
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID

from services.archive.adapters.trust_store import read_certificate
from services.archive.domain.evidence import der_sequence
from services.archive.domain.findings import Reason

MOST_CONTAINERS = 8192
"""Some 3 kB each: one for every signer of a few thousand schools."""
_DIGEST_ATTRIBUTE = bytes.fromhex("06092a864886f70d0109043122" + "0420")
"""Type and value's head of the attribute messageDigest with 32 bytes to follow."""
_DIGEST_BYTES = 32
UNREADABLE = (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, RecursionError, UnsupportedAlgorithm)
"""What the libraries raise for bytes that aren't what they should be; kinds that asn1crypto doesn't implement have no attributes."""
_MACHINES_WORK = {
    ExtendedKeyUsageOID.SERVER_AUTH,
    ExtendedKeyUsageOID.CODE_SIGNING,
    ExtendedKeyUsageOID.TIME_STAMPING,
    ExtendedKeyUsageOID.OCSP_SIGNING,
}
_SHA256 = {"algorithm": "sha256", "parameters": None}
_MASK = {"algorithm": "mgf1", "parameters": _SHA256}
_PSS = {
    "algorithm": "rsassa_pss",
    "parameters": {"hash_algorithm": _SHA256, "mask_gen_algorithm": _MASK, "salt_length": 32, "trailer_field": "trailer_field_bc"},
}
_PLAIN_ALGORITHMS = ("rsassa_pkcs1v15", "sha256_rsa", "sha256_ecdsa")


class Refused(Exception):
    """Why one signature is not accepted."""

    def __init__(self, reason: Reason, why: str) -> None:
        super().__init__(why)
        self.reason = reason


@dataclass(frozen=True)
class Signatory:
    """A signer's certificate and what follows from it alone."""

    certificate: x509.Certificate

    @cached_property
    def key(self) -> PublicKeyTypes:
        """The key that the certificate is for."""
        return self.certificate.public_key()

    @cached_property
    def unsuited(self) -> str:
        """Why the key may not sign documents; empty when it may."""
        try:
            usage = self.certificate.extensions.get_extension_for_class(x509.KeyUsage).value
        except x509.ExtensionNotFound:
            return "its certificate doesn't say what its key is for"
        except ValueError:
            return "its certificate's extensions can't be read"
        return "" if usage.digital_signature or usage.content_commitment else "its certificate is not for signing"

    @cached_property
    def for_other_work(self) -> bool:
        """Whether the certificate says what its key is for, and all of that is machines' work (RFC 5280 section 4.2.1.12)."""
        try:
            usage = self.certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
        except x509.ExtensionNotFound:
            return False
        return set(usage.value) <= _MACHINES_WORK

    @cached_property
    def stamps_time(self) -> bool:
        """Whether the key is for time stamps and for nothing else, and says so critically (RFC 3161 section 2.3)."""
        try:
            usage = self.certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
        except (x509.ExtensionNotFound, ValueError):
            return False
        return usage.critical and list(usage.value) == [ExtendedKeyUsageOID.TIME_STAMPING]

    @cached_property
    def names(self) -> tuple[str, str, str]:
        """Subject, issuer and serial number, as they are shown."""
        common = self.certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
        subject = str(common[0].value) if common else self.certificate.subject.rfc4514_string()
        return subject, self.certificate.issuer.rfc4514_string(), f"{self.certificate.serial_number:x}"


@dataclass(frozen=True)
class Container:
    """What a signature's CMS structure holds, once its form is accepted."""

    signed_attributes: bytes
    """DER, as it was signed (SET OF)."""
    message_digest: bytes
    signatory: Signatory
    others: tuple[x509.Certificate, ...]
    algorithm: str
    value: bytes
    learned: bool = field(default=False, compare=False)
    """Whether it was read by a form that is remembered."""


@dataclass(frozen=True, slots=True)
class _Known:
    """A container's bytes around its digest and its value, and what they say."""

    head: bytes
    middle: bytes
    value_bytes: int
    signed_before: bytes
    signed_after: bytes
    container: Container

    def read(self, contents: bytes) -> Container | None:
        """What `contents` holds; None when it differs in more than the two places."""
        digest_at = len(self.head)
        middle_at = digest_at + _DIGEST_BYTES
        value_at = middle_at + len(self.middle)
        behind = value_at + self.value_bytes
        if not (contents.startswith(self.head) and contents.startswith(self.middle, middle_at)) or len(contents) < behind or contents[behind:].strip(b"\x00"):
            return None
        digest = contents[digest_at:middle_at]
        signed = b"%b%b%b" % (self.signed_before, digest, self.signed_after)
        known = self.container
        return Container(signed, digest, known.signatory, known.others, known.algorithm, contents[value_at:behind], learned=True)


@dataclass
class Containers:
    """Reads containers, and remembers the forms of those that were found good; bounded, and nothing but a saving of time."""

    most: int = MOST_CONTAINERS
    _known: dict[bytes, _Known] = field(default_factory=dict, repr=False)

    def read(self, contents: bytes) -> Container:
        """What a container (DER, padded with zeros) holds; raises Refused."""
        known = self._known.get(_head(contents))
        return (known and known.read(contents)) or parsed(contents)

    def learn(self, contents: bytes, container: Container) -> None:
        """Keep the form of a container whose signature is valid, if others can be read by it."""
        if container.learned:
            return
        head = _head(contents)
        known = _form(contents, head, container)
        if known is None or not _proven(known):
            return
        if len(self._known) >= self.most:
            self._known.pop(next(iter(self._known)), None)
        self._known[head] = known


def _head(contents: bytes) -> bytes:
    # Where the digest is looked for decides only which form is tried; whether it fits is decided by comparing all bytes.
    return contents[: contents.rfind(_DIGEST_ATTRIBUTE) + len(_DIGEST_ATTRIBUTE)]


def _form(contents: bytes, head: bytes, container: Container) -> _Known | None:
    der = contents[: len(cms.ContentInfo.load(contents).dump())]
    rest = der[len(head) + _DIGEST_BYTES :]
    signed_before, digest, signed_after = container.signed_attributes.partition(container.message_digest)
    if not rest.endswith(container.value) or not digest or len(digest) != _DIGEST_BYTES:
        return None
    return _Known(head, rest[: len(rest) - len(container.value)], len(container.value), signed_before, signed_after, container)


def _proven(known: _Known) -> bool:
    """Whether another digest and another value in the two places are read as such, and all else as before."""
    digest, value = hashlib.sha256(known.head).digest(), bytes(255 - byte for byte in known.container.value)
    probe = b"".join((known.head, digest, known.middle, value))
    try:
        return known.read(probe) == parsed(probe)
    except Refused:
        return False


def parsed(contents: bytes) -> Container:
    """What a container holds, read in full."""
    return _parsed(contents, "data")[0]


def parsed_token(contents: bytes) -> tuple[Container, bytes]:
    """What a time-stamp token (RFC 3161) holds, and the DER of its TSTInfo, which is what it signs."""
    container, content = _parsed(contents, "tst_info")
    if container.message_digest != hashlib.sha256(content).digest():
        raise Refused(Reason.SIGNATURE_INVALID, "it signs something else than it says")
    return container, content


def _parsed(contents: bytes, kind: str) -> tuple[Container, bytes]:
    try:
        info = cms.ContentInfo.load(contents)
        if contents[len(info.dump()) :].strip(b"\x00"):
            raise Refused(Reason.SIGNATURE_INVALID, "something stands behind its value")
        if info["content_type"].native != "signed_data":
            raise Refused(Reason.SIGNATURE_INVALID, "it is not a CMS signature")
        data = info["content"]
        signers = data["signer_infos"]
        content = data["encap_content_info"]
        if len(signers) != 1 or content["content_type"].native != kind or (content["content"].native is None) != (kind == "data"):
            raise Refused(Reason.SIGNATURE_INVALID, "it is not one detached signature" if kind == "data" else "it is not one time stamp")
        # RFC 5652 section 5.1: the version follows from what is signed.
        if data["version"].native != ("v1" if kind == "data" else "v3") or [algorithm.native for algorithm in data["digest_algorithms"]] != [_SHA256]:
            raise Refused(Reason.SIGNATURE_INVALID, "its frame isn't that of one signature with SHA-256")
        certificates = [entry.chosen.dump() for entry in data["certificates"]]
        container = _of_signer(signers[0], certificates, kind)
        if kind == "data":
            _check_frame(contents, info, certificates)
            return container, b""
        return container, content["content"].contents
    except UNREADABLE as error:
        raise Refused(Reason.SIGNATURE_INVALID, f"it can't be read ({type(error).__name__})") from error


def _check_frame(contents: bytes, info: cms.ContentInfo, certificates: Sequence[bytes]) -> None:
    """Nothing covers a container's frame, so it must be written in the one way that DER has for one signature with its certificates and nothing else.

    Time-stamp tokens come from elsewhere and may bring more; what is wanted of those is checked part by part.
    """
    data = info["content"]
    signer = data["signer_infos"][0]
    if not all(map(_ends_canonically, certificates)) or len(set(certificates)) != len(certificates):
        raise Refused(Reason.SIGNATURE_INVALID, "it brings a certificate twice, or one that isn't written in DER")
    attributes = signer["signed_attrs"].untag()
    written = cms.ContentInfo(
        {
            "content_type": "signed_data",
            "content": {
                "version": "v1",
                "digest_algorithms": [_plain(data["digest_algorithms"][0])],
                "encap_content_info": {"content_type": "data"},
                "certificates": [asn1_x509.Certificate.load(certificate) for certificate in certificates],
                "signer_infos": [
                    {
                        "version": "v1",
                        "sid": {"issuer_and_serial_number": _plain(signer["sid"].chosen)},
                        "digest_algorithm": _plain(signer["digest_algorithm"]),
                        "signed_attrs": cms.CMSAttributes.load(attributes.dump()),
                        "signature_algorithm": _plain(signer["signature_algorithm"]),
                        "signature": signer["signature"].native,
                    }
                ],
            },
        }
    ).dump()
    if contents[: len(written)] != written or contents[len(written) :].strip(b"\x00"):
        raise Refused(Reason.SIGNATURE_INVALID, "its frame holds more than one signature and its certificates, or isn't written in DER")


def _plain(part: Any) -> Any:
    """The same, encoded anew as DER."""
    return type(part).load(part.copy().dump(force=True))


def _ends_canonically(certificate: bytes) -> bool:
    """Whether what a certificate's own signature doesn't cover, algorithm and value at its end, has the only form that DER allows."""
    issued = asn1_x509.Certificate.load(certificate)
    algorithm = issued["tbs_certificate"]["signature"].dump()
    content = issued["tbs_certificate"].dump() + algorithm + core.OctetBitString(issued.signature).dump()
    return certificate == der_sequence((content,))


def _of_signer(info: cms.SignerInfo, certificates: Sequence[bytes], kind: str) -> Container:
    if info["version"].native != "v1" or info["digest_algorithm"].native != _SHA256:
        raise Refused(Reason.SIGNATURE_INVALID, "it doesn't use SHA-256")
    attributes: dict[str, cms.CMSAttribute] = {}
    for attribute in info["signed_attrs"]:
        name = attribute["type"].native
        if name in attributes or len(attribute["values"]) != 1:
            raise Refused(Reason.SIGNATURE_INVALID, "a signed attribute stands twice")
        attributes[name] = attribute["values"][0]
    if not {"content_type", "message_digest", "signing_certificate_v2"} <= attributes.keys():
        raise Refused(Reason.SIGNATURE_INVALID, "a signed attribute that PAdES asks for is missing")
    if attributes["content_type"].native != kind:
        raise Refused(Reason.SIGNATURE_INVALID, "its signed content type is wrong")
    # The signer's certificate is the one that the *signed* attribute names, not the one that the unsigned part offers.
    # asn1crypto knows this attribute only once its module tsp is imported, so the type is asked for by name.
    if not isinstance(attributes["signing_certificate_v2"], tsp.SigningCertificateV2):
        raise Refused(Reason.SIGNATURE_INVALID, "it doesn't name its certificate")
    named = attributes["signing_certificate_v2"]["certs"][0]
    if named["hash_algorithm"]["algorithm"].native != "sha256":
        raise Refused(Reason.SIGNATURE_INVALID, "it names its certificate by a digest other than SHA-256")
    matching = [der for der in certificates if hashlib.sha256(der).digest() == named["cert_hash"].native]
    if not matching:
        raise Refused(Reason.SIGNATURE_INVALID, "the certificate that it names is not there")
    # The unsigned part may say nothing else: other readers go by it, and nothing but this would notice a change of it.
    whose, said = asn1_x509.Certificate.load(matching[0]), info["sid"].chosen
    if not isinstance(said, cms.IssuerAndSerialNumber) or (said["issuer"].dump(), said["serial_number"].native) != (whose.issuer.dump(), whose.serial_number):
        raise Refused(Reason.SIGNATURE_INVALID, "its unsigned part names another certificate than its signed one")
    algorithm = info["signature_algorithm"]
    if algorithm.native != _PSS and algorithm.native not in [{"algorithm": name, "parameters": None} for name in _PLAIN_ALGORITHMS]:
        raise Refused(Reason.SIGNATURE_INVALID, "its algorithm is not accepted")
    return Container(
        signed_attributes=info["signed_attrs"].untag().dump(),
        message_digest=attributes["message_digest"].native,
        signatory=Signatory(read_certificate(matching[0])),
        others=tuple(read_certificate(der) for der in certificates if der != matching[0]),
        algorithm=info["signature_algorithm"].signature_algo,
        value=info["signature"].native,
    )
