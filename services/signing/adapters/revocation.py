"""Asks authorities over HTTP whether certificates are revoked: OCSP first, then the revocation list."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import pairwise

import aiohttp
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import ocsp

from services.chassis.clock import Clock
from services.chassis.errors import Unavailable
from services.signing.adapters.certificates import X509Certificates
from services.signing.adapters.http import Http
from services.signing.adapters.revocation_answers import NOT_ITS_OWN, Answer, Kind, crl_places, ocsp_places, read_crl, read_ocsp, worst
from services.signing.domain.certificate import UntrustedCertificate
from services.signing.domain.revocation import Revocation, Revoked, Unknown
from services.signing.domain.validation import ValidationData

_MOST_KEPT = 10_000
_OCSP_BYTES, _CRL_BYTES = 65_536, 64 * 1024 * 1024


@dataclass
class HttpRevocations:
    """Fulfils ports.Revocations. An answer serves every batch of its signer for `kept`; `longest` bounds how old it may be at all."""

    certificates: X509Certificates
    clock: Clock
    http: Http = field(default_factory=Http)
    kept: timedelta = timedelta(minutes=10)
    longest: timedelta = timedelta(hours=24)
    _known: dict[bytes, tuple[datetime, Answer]] = field(default_factory=dict)

    async def status(self, certificate: bytes, chain: Sequence[bytes]) -> Revocation:
        """Of the certificate and everything between it and its anchor."""
        answers = await self.answers(certificate, chain)
        return worst(one if isinstance(one, Unknown) else one.says for one in answers)

    async def proofs(self, certificates: Sequence[tuple[bytes, Sequence[bytes]]], not_before: datetime) -> ValidationData | Revoked | Unknown:
        """Answers that are no older than `not_before` about every certificate, and the certificates between them and their anchors."""
        chains: set[bytes] = set()
        proven: set[Answer] = set()
        for certificate, chain in certificates:
            for answer in await self.answers(certificate, chain, not_before):
                if isinstance(answer, Unknown):
                    return answer
                # Revoked later than it was proven to have signed: that is what the proof of time is for.
                if isinstance(answer.says, Revoked) and answer.says.since <= not_before:
                    return answer.says
                proven.add(answer)
            chains.update(self.certificates.chain_of(certificate, chain, self.clock.now()))
        ocsps, crls = ({one.der for one in proven if one.kind is kind} for kind in Kind)
        return ValidationData(*(tuple(sorted(ders)) for ders in (chains, ocsps, crls)))

    async def answers(self, certificate: bytes, chain: Sequence[bytes], not_before: datetime | None = None) -> list[Answer | Unknown]:
        """An answer for each certificate of the path but the anchor; with `not_before` none that is older."""
        now = self.clock.now()
        try:
            path = self.certificates.anchors.path_of(certificate, chain, now)
        except UntrustedCertificate as error:
            return [Unknown(str(error))]
        async with self.http.session() as session:
            return [await self._answer(session, one, issuer, now, not_before) for one, issuer in pairwise(path)]

    async def _answer(
        self, session: aiohttp.ClientSession, certificate: x509.Certificate, issuer: x509.Certificate, now: datetime, not_before: datetime | None
    ) -> Answer | Unknown:
        name = sha256(certificate.public_bytes(serialization.Encoding.DER)).digest()
        got_at, known = self._known.get(name, (now, None))
        if known is not None and now - got_at < self.kept and (not_before is None or known.this_update >= not_before):
            return known
        found = await self._asked(session, certificate, issuer, now, not_before)
        if isinstance(found, Answer):
            if len(self._known) >= _MOST_KEPT:
                self._known.clear()
            self._known[name] = (now, found)
        return found

    async def _asked(
        self, session: aiohttp.ClientSession, certificate: x509.Certificate, issuer: x509.Certificate, now: datetime, not_before: datetime | None
    ) -> Answer | Unknown:
        whys: list[str] = []
        for kind, url in [("ocsp", url) for url in ocsp_places(certificate)] + [("crl", url) for url in crl_places(certificate)]:
            try:
                asked = self._ocsp if kind == "ocsp" else self._crl
                found = await asked(session, url, certificate, issuer, now)
            except Unavailable as error:
                found = Unknown(error.message)
            if isinstance(found, Answer) and not_before is not None and found.this_update < not_before:
                found = Unknown(f"{url} has no answer yet that is newer than {not_before.isoformat()}")
            if isinstance(found, Answer) or found is NOT_ITS_OWN:
                return found
            whys.append(found.why)
        return Unknown("; ".join(whys) or f"certificate {certificate.serial_number:x} names no place where its revocation could be asked for")

    async def _ocsp(self, session: aiohttp.ClientSession, url: str, certificate: x509.Certificate, issuer: x509.Certificate, now: datetime) -> Answer | Unknown:
        nonce = os.urandom(16)
        # SHA-1 only names the issuer here; it is what every responder understands (RFC 5019 section 2.1.1).
        question = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, hashes.SHA1()).add_extension(x509.OCSPNonce(nonce), critical=False)  # noqa: S303
        body = question.build().public_bytes(serialization.Encoding.DER)
        der = await self.http.post(session, url, body, "application/ocsp-request", _OCSP_BYTES)
        return read_ocsp(der, certificate, issuer, nonce, now, self.longest)

    async def _crl(self, session: aiohttp.ClientSession, url: str, certificate: x509.Certificate, issuer: x509.Certificate, now: datetime) -> Answer | Unknown:
        return read_crl(await self.http.get(session, url, _CRL_BYTES), certificate, issuer, now, self.longest)
