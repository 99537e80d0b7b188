"""Time-stamp tokens (RFC 3161) judged by pyHanko and certvalidator: offline, by the trust directory, as of any moment."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from asn1crypto import algos, cms, keys, tsp, x509
from cryptography.hazmat.primitives.serialization import Encoding
from pyhanko.sign.general import CMSExtractionError, CMSStructuralError
from pyhanko.sign.validation.errors import SignatureValidationError
from pyhanko.sign.validation.generic_cms import validate_tst_signed_data
from pyhanko.sign.validation.status import TimestampSignatureStatus
from pyhanko_certvalidator.context import ValidationContext
from pyhanko_certvalidator.errors import PathError, ValidationError
from pyhanko_certvalidator.policy_decl import AlgorithmUsageConstraint, AlgorithmUsagePolicy

from services.archive.adapters.evidence_records import digest_name
from services.archive.adapters.trust_store import TrustStore, read_certificate
from services.archive.domain.algorithms import AlgorithmPolicy
from services.archive.domain.evidence import Stamp

# What they log of a token that isn't good is in the answer.
logging.getLogger("pyhanko.sign.validation.generic_cms").setLevel(logging.CRITICAL)

_UNREADABLE = (ValueError, TypeError, KeyError, IndexError, AttributeError)


@dataclass
class TrustedTokens:
    """Fulfils the domain's Tokens. `trust` and `policy` are asked anew for each question. Calls block: not for an event loop."""

    trust: Callable[[], TrustStore]
    policy: Callable[[], AlgorithmPolicy]
    _read: dict[bytes, "_Token"] = field(default_factory=dict, repr=False)

    def read(self, token: bytes) -> Stamp:
        """What it says; ValueError when it is no token in DER, or not by one signer."""
        known = self._read.get(token)
        if known is None:
            if len(self._read) >= 1000:
                self._read.clear()
            known = self._read[token] = _parsed(token)
        return known.stamp

    def good_until(self, token: bytes) -> datetime:
        """When the first certificate of its authority's path ends; of the authority itself where no path is known."""
        self.read(token)
        known = self._read[token]
        path = self.trust().chain(read_certificate(known.certificate.dump()), [read_certificate(der) for der in known.others])
        ends: datetime = known.certificate.not_valid_after
        return ends if path is None else path.in_force[1]

    def weak_at(self, token: bytes, algorithm: str) -> datetime | None:
        """When the first of the algorithms it rests on is no longer good: its own digest and key, and the hash tree's `algorithm`; None: no end is known."""
        self.read(token)
        policy, known = self.policy(), self._read[token]
        key = known.certificate.public_key
        ends = (policy.digest_until(algorithm), policy.digest_until(known.digest), policy.key_until(key.algorithm, key.bit_size))
        return min((end for end in ends if end is not None), default=None)

    def policy_id(self, token: bytes) -> str:
        """OID of the policy under which it was made."""
        self.read(token)
        return self._read[token].policy

    def nonce(self, token: bytes) -> int | None:
        """The nonce of the question that it answers."""
        self.read(token)
        return self._read[token].nonce

    def problem(self, token: bytes, at: datetime) -> str:
        """Why it isn't good at a moment; nobody is asked, what lies in the trust directory is all that is known."""
        self.read(token)
        return asyncio.run(self._problem(self._read[token], at))

    async def _problem(self, token: "_Token", at: datetime) -> str:
        trust = self.trust()
        try:
            path = trust.chain(read_certificate(token.certificate.dump()), [read_certificate(der) for der in token.others])
        except _UNREADABLE as error:
            return f"one of its certificates can't be read: {error}"
        if path is None:
            return "no trusted root stands behind its authority"
        # Only the root that our own path has: of two with one name certvalidator may take the wrong one, and break off over another kind of key.
        context = ValidationContext(
            trust_roots=[_asn1(path.certificates[-1])],
            other_certs=[_asn1(one) for one in trust.intermediates],
            moment=at,
            best_signature_time=at,
            allow_fetching=False,
            revocation_mode="soft-fail",
            algorithm_usage_policy=_Usage(self.policy()),
        )
        data = cms.ContentInfo.load(token.der)["content"]
        try:
            status = TimestampSignatureStatus(**await validate_tst_signed_data(data, context, lambda _: token.stamp.imprint))
        except (SignatureValidationError, CMSExtractionError, CMSStructuralError, ValidationError, PathError, *_UNREADABLE) as error:
            return f"{type(error).__name__}: {error}"
        if not status.intact or not status.valid:
            return "its signature doesn't fit what it says"
        if not status.trusted:
            return _why(status)
        # Asked of our own store: certvalidator looks into lists only where a certificate says that there are some.
        return f"its authority was revoked at {path.revoked_at.isoformat()}" if path.revoked_at is not None and path.revoked_at <= at else ""


def _why(status: Any) -> str:
    horizon = f" since {status.error_time_horizon.isoformat()}" if status.error_time_horizon else ""
    certificate = status.signing_cert
    if status.trust_problem_indic is None:
        return "no trusted root stands behind its authority"
    ends = f"; the authority's certificate is valid from {certificate.not_valid_before.isoformat()} to {certificate.not_valid_after.isoformat()}"
    return f"{status.trust_problem_indic}{horizon}{ends}"


@dataclass(frozen=True, slots=True)
class _Token:
    der: bytes
    stamp: Stamp
    certificate: Any
    others: tuple[bytes, ...]
    """Certificates (DER) that it brings besides."""
    policy: str
    nonce: int | None
    digest: str
    """That its authority has signed."""


def _parsed(token: bytes) -> _Token:
    """A token with its unsigned frame checked: nothing else would notice a change of it."""
    try:
        info = cms.ContentInfo.load(token, strict=True)
        if info["content_type"].native != "signed_data":
            raise ValueError("it is not signed")
        data = info["content"]
        (signer,) = data["signer_infos"]
        content = data["encap_content_info"]
        if content["content_type"].native != "tst_info" or data["version"].native != "v3":
            raise ValueError("it is not a signed time stamp")
        # RFC 5652 section 5.3: the version follows from how the signer is named.
        if signer["version"].native != ("v1" if isinstance(signer["sid"].chosen, cms.IssuerAndSerialNumber) else "v3"):
            raise ValueError("its signer is of another version than its name")
        if [digest_name(one) for one in data["digest_algorithms"]] != [digest_name(signer["digest_algorithm"])]:
            raise ValueError("its frame names other digests than its signer")
        told = tsp.TSTInfo.load(bytes(content["content"]), strict=True)
        imprint = told["message_imprint"]
        at = told["gen_time"].native
        certificate = _authority(data, signer)
        stamp = Stamp(digest_name(imprint["hash_algorithm"]), imprint["hashed_message"].native, at)
        others = tuple(choice.chosen.dump() for choice in data["certificates"] if choice.chosen.dump() != certificate.dump())
        found = _Token(token, stamp, certificate, others, told["policy"].native, told["nonce"].native, digest_name(signer["digest_algorithm"]))
    except _UNREADABLE as error:
        raise ValueError(f"its time stamp can't be read: {error}") from error
    if told["version"].native != "v1" or at.tzinfo is None:
        raise ValueError("its time stamp is of another version or names no time")
    return found


def _authority(data: Any, signer: Any) -> Any:
    """The certificate that signed, which must be for time stamps alone and say so critically (RFC 3161 section 2.3)."""
    identity = signer["sid"].chosen
    for choice in data["certificates"]:
        one = choice.chosen
        if isinstance(identity, cms.IssuerAndSerialNumber):
            named = (one.issuer.dump(), one.serial_number) == (identity["issuer"].dump(), identity["serial_number"].native)
        else:
            named = one.key_identifier == identity.native
        if named:
            usage = one.extended_key_usage_value
            if usage is None or usage.native != ["time_stamping"] or "extended_key_usage" not in one.critical_extensions:
                raise ValueError("its authority's certificate is not for time stamps alone")
            return one
    raise ValueError("it doesn't bring its authority's certificate")


def _asn1(certificate: Any) -> Any:
    return x509.Certificate.load(certificate.public_bytes(Encoding.DER))


class _Usage(AlgorithmUsagePolicy):
    """Our table of dates in the form that certvalidator asks."""

    def __init__(self, policy: AlgorithmPolicy) -> None:
        self._policy = policy

    def digest_algorithm_allowed(self, algo: algos.DigestAlgorithm, moment: datetime | None) -> Any:
        assert moment is not None, "every question here is about a moment"
        return self._digest(algo["algorithm"].native, moment)

    def signature_algorithm_allowed(self, algo: algos.SignedDigestAlgorithm, moment: datetime | None, public_key: keys.PublicKeyInfo | None) -> Any:
        assert moment is not None, "every question here is about a moment"
        assert public_key is not None, "a path has keys"
        if not self._policy.key_good(public_key.algorithm, public_key.bit_size, moment):
            why = f"{public_key.algorithm} keys of {public_key.bit_size} bits are not good at {moment.isoformat()}"
            return AlgorithmUsageConstraint(allowed=False, failure_reason=why)
        try:
            name = algo.hash_algo
        except ValueError:
            # The digest stands elsewhere (rsassa_pkcs1v15) and is asked about by itself, or belongs to the key (Ed25519).
            return AlgorithmUsageConstraint(allowed=True)
        return self._digest(name, moment)

    def _digest(self, name: str, moment: datetime) -> Any:
        good = self._policy.digest_good(name, moment)
        return AlgorithmUsageConstraint(allowed=good, failure_reason=None if good else f"{name} is not good at {moment.isoformat()}")
