"""Asks a time-stamp authority (RFC 3161) and believes no token that isn't an answer to just that question.

asn1crypto does the encoding; what is decided here is whether a token is over our imprint, with our nonce, under the agreed
policy, of this moment, and signed by a certificate that its authority has made for stamping time.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import aiohttp
from asn1crypto import algos, cms, core, tsp
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from services.chassis.clock import Clock
from services.chassis.errors import Refused, Unavailable
from services.signing.adapters.certificates import X509Certificates, read_certificate
from services.signing.adapters.http import Http
from services.signing.adapters.revocation_answers import SKEW
from services.signing.application.ports import Stamp
from services.signing.domain.certificate import UntrustedCertificate

_MOST_BYTES = 65_536
_AT_ONCE = 8
_DIGESTS: dict[str, hashes.HashAlgorithm] = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}
_GRANTED = ("granted", "granted_with_mods")


class WrongToken(Refused):
    """The authority's answer isn't a time stamp for what was asked; it must never reach a document."""

    def __init__(self, why: str) -> None:
        super().__init__(why, code="time_stamp_wrong")


@dataclass
class TimeStampAuthority:
    """Fulfils ports.TimeAuthority over HTTP. `policy` is the OID that was agreed with the authority; empty: any.

    `chain_folder` holds the certificates between the authority and its anchor, since tokens needn't bring them.
    """

    url: str
    certificates: X509Certificates
    clock: Clock
    http: Http
    policy: str = ""
    chain_folder: Path | None = None

    @cached_property
    def _chain(self) -> tuple[bytes, ...]:
        if self.chain_folder is None:
            return ()
        return tuple(
            x509.load_der_x509_certificate(file.read_bytes()).public_bytes(serialization.Encoding.DER) for file in sorted(self.chain_folder.glob("*.cer"))
        )

    async def stamp(self, digests: Sequence[bytes]) -> list[bytes]:
        """A checked token over each SHA-256 digest. Unavailable when the authority is, WrongToken for an answer that isn't one."""
        if not digests:
            return []
        if not self.url:
            raise Unavailable("no time-stamp authority is named: set HOCBA_SIGNING_TSA_URL", code="no_tsa")
        turns = asyncio.Semaphore(_AT_ONCE)

        async def one(session: aiohttp.ClientSession, digest: bytes) -> bytes:
            async with turns:
                return await self._stamped(session, digest)

        async with self.http.session() as session:
            try:
                async with asyncio.TaskGroup() as group:
                    asked = [group.create_task(one(session, digest)) for digest in digests]
            except ExceptionGroup as failed:
                # A wrong answer says more than a missing one.
                wrong = [error for error in failed.exceptions if isinstance(error, WrongToken)]
                raise (wrong or failed.exceptions)[0] from None
        return [task.result() for task in asked]

    async def _stamped(self, session: aiohttp.ClientSession, digest: bytes) -> bytes:
        nonce = int.from_bytes(os.urandom(8)) | 1 << 63
        question: dict[str, Any] = {
            "version": 1,
            "message_imprint": {"hash_algorithm": {"algorithm": "sha256"}, "hashed_message": digest},
            "nonce": nonce,
            "cert_req": True,
        }
        if self.policy:
            question["req_policy"] = self.policy
        answer = await self.http.post(session, self.url, tsp.TimeStampReq(question).dump(), "application/timestamp-query", _MOST_BYTES)
        token = _token_in(answer)
        read = self.read(token, digest, nonce)
        now = self.clock.now()
        if not now - SKEW <= read.at <= now + SKEW:
            raise WrongToken(f"the time stamp is of {read.at.isoformat()}, but it is {now.isoformat()}: the authority's clock or ours is wrong")
        return token

    def read(self, token: bytes, digest: bytes, nonce: int | None = None) -> Stamp:
        """The facts of a token over a digest, checked but for revocation; WrongToken when something isn't right with it."""
        try:
            return self._read(token, digest, nonce)
        except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
            raise WrongToken(f"the time stamp can't be read: {type(error).__name__} {error}") from None

    def _read(self, token: bytes, digest: bytes, nonce: int | None) -> Stamp:
        content = cms.ContentInfo.load(token, strict=True)["content"]
        encapsulated, (signer,) = content["encap_content_info"], content["signer_infos"]
        if encapsulated["content_type"].native != "tst_info":
            raise WrongToken("the answer is signed, but it isn't a time stamp")
        stated = bytes(encapsulated["content"])
        # Taken before anything inside is read: asn1crypto encodes anew what has been looked at.
        signed = b"\x31" + signer["signed_attrs"].dump()[1:]
        info = tsp.TSTInfo.load(stated, strict=True)
        imprint = info["message_imprint"]
        if imprint["hash_algorithm"]["algorithm"].native != "sha256" or imprint["hashed_message"].native != digest:
            raise WrongToken("the time stamp is over something else than was asked for (imprint)")
        if nonce is not None and info["nonce"].native != nonce:
            raise WrongToken("the time stamp answers another question (nonce)")
        if self.policy and info["policy"].native != self.policy:
            raise WrongToken(f"the time stamp is under policy {info['policy'].native}, not {self.policy}")
        certificates = [choice.chosen.dump() for choice in content["certificates"]]
        attributes = {one["type"].native: one["values"] for one in signer["signed_attrs"]}
        if attributes["content_type"][0].native != "tst_info":
            raise WrongToken("the signed attributes aren't those of a time stamp")
        named = attributes["signing_certificate_v2"][0]["certs"][0]
        algorithm: str = named["hash_algorithm"]["algorithm"].native
        certificate = next((der for der in certificates if hashlib.new(algorithm, der).digest() == named["cert_hash"].native), None)
        if certificate is None:
            raise WrongToken("the time stamp doesn't bring the certificate that it names")
        _check_signature(signer, signed, attributes["message_digest"][0].native, stated, certificate)
        at: datetime = info["gen_time"].native
        return Stamp(at, certificate, self._chain_checked(certificate, (*certificates, *self._chain), at))

    def _chain_checked(self, certificate: bytes, certificates: Sequence[bytes], at: datetime) -> tuple[bytes, ...]:
        try:
            parsed = read_certificate(certificate)
            chain = tuple(self.certificates.chain_of(certificate, certificates, at))
        except UntrustedCertificate as error:
            raise WrongToken(f"the time stamp's certificate isn't trusted: {error}") from None
        try:
            purpose = parsed.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
        except x509.ExtensionNotFound:
            raise WrongToken("the time stamp's certificate has no purpose of stamping time") from None
        # RFC 3161 section 2.3: this purpose, only this one, and critical.
        if not purpose.critical or list(purpose.value) != [ExtendedKeyUsageOID.TIME_STAMPING]:
            raise WrongToken("the time stamp's certificate isn't for stamping time alone")
        return chain


def _token_in(answer: bytes) -> bytes:
    """The token of a response; WrongToken with the authority's own words when it granted none."""
    try:
        # asn1crypto asks for a token even where the status says that there is none, so the sequence is read by hand.
        parts = core.SequenceOf.load(answer, strict=True, spec=core.Any) if answer[:1] == b"\x30" else []
        status = tsp.PKIStatusInfo.load(parts[0].dump(), strict=True)
        if status["status"].native not in _GRANTED:
            words = "; ".join(status["status_string"].native or ()) or str(status["fail_info"].native)
            raise WrongToken(f"the authority refuses: {words}")
        return bytes(parts[1].dump())
    except (ValueError, TypeError, IndexError) as error:
        raise WrongToken(f"the answer isn't a time-stamp response: {error}") from None


def _check_signature(signer: Any, signed: bytes, message_digest: bytes, stated: bytes, certificate: bytes) -> None:
    digest_name: str = signer["digest_algorithm"]["algorithm"].native
    method: algos.SignedDigestAlgorithm = signer["signature_algorithm"]
    if digest_name not in _DIGESTS or hashlib.new(digest_name, stated).digest() != message_digest:
        raise WrongToken("the time stamp's signature is over something else than it states")
    key, value = read_certificate(certificate).public_key(), signer["signature"].native
    used = _DIGESTS.get(method.hash_algo if method["algorithm"].native not in ("rsassa_pkcs1v15",) else digest_name)
    if used is None:
        raise WrongToken(f"the time stamp is signed by {method['algorithm'].native}, which isn't known here")
    try:
        if isinstance(key, rsa.RSAPublicKey) and method.signature_algo == "rsassa_pkcs1v15":
            key.verify(value, signed, padding.PKCS1v15(), used)
        elif isinstance(key, ec.EllipticCurvePublicKey) and method.signature_algo == "ecdsa":
            key.verify(value, signed, ec.ECDSA(used))
        else:
            raise WrongToken(f"the time stamp is signed by {method['algorithm'].native}, which isn't known here")
    except InvalidSignature:
        raise WrongToken("the time stamp's signature is wrong") from None
