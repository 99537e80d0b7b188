"""Keys at remote signing providers that speak the API of the Cloud Signature Consortium, versions 1 and 2.

A provider signs hashes only, after the signer has confirmed; the confirmation (signature activation data, SAD) is bound to the
hashes that were named. What it answers is never believed: who takes the values checks them against the certificate.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import ssl
import time
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import aiohttp
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from services.chassis.errors import Malformed, OutcomeUnknown, Refused, Unavailable
from services.signing.adapters.certificates import read_certificate
from services.signing.application.ports import Activated, Declined, NotKnown, Pending, Values
from services.signing.domain.key_names import KeyName
from services.signing.domain.remote import RemoteRequest, TokenBucket

_SHA256 = "2.16.840.1.101.3.4.2.1"
_SHA256_RSA = "1.2.840.113549.1.1.11"
_SHA256_ECDSA = "1.2.840.10045.4.3.2"
_BUSY = (429, 503)
_PENDING = ("authorization_pending", "slow_down", "signature_pending")
_UNKNOWN = ("invalid_request", "not_found", "unknown_request")
_RENEW_BEFORE = 30.0
_LOCAL = ("127.0.0.1", "::1", "localhost")


class Provider(BaseModel):
    """One table of the file of providers, `[name]`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str = Field(description="base address, as https://host/csc/v2")
    client_id: str = Field("", description="OAuth 2 client; empty: the provider asks for none")
    client_secret_file: Path | None = None
    ca_file: Path | None = Field(None, description="authorities that the provider's TLS certificate may come from; else the machine's")
    calls_per_second: float = Field(50.0, gt=0)
    burst: int = Field(100, ge=1)
    timeout_seconds: float = Field(20.0, gt=0)
    mode: Literal["S", "A"] = Field("S", description="A: signHash answers with a name, the values are fetched or sent later")
    asked_by: Literal["responseID", "clientData"] = Field("responseID", description="clientData: a request can be asked about by our own id as well")
    notices_url: str = Field("", description="where the provider may send its notice, if it takes an address")
    notices_token_file: Path | None = Field(None, description="the bearer token that its notices must carry")

    @field_validator("url")
    @classmethod
    def _safe(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOCAL):
            raise ValueError("must be https, or http on this machine")
        return url.rstrip("/")


def read_providers(file: Path) -> dict[str, Provider]:
    """The providers of a TOML file; Malformed names what is wrong."""
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8"))
        return {name: Provider(**table) for name, table in tables.items()}
    except (OSError, tomllib.TOMLDecodeError, TypeError) as error:
        raise Malformed(f"the file of remote signing providers can't be read: {error}", code="settings") from None
    except ValidationError as error:
        said = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        raise Malformed(f"the file of remote signing providers is wrong: {said}", code="settings") from None


class _Answer(Exception):
    """An error that the provider itself gave, by its code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code)
        self.code, self.message = code, message


class CscClient:
    """One provider: authorised, paced, and with its outcomes told apart."""

    def __init__(self, name: str, provider: Provider) -> None:
        self.name, self.provider = name, provider
        self._bucket = TokenBucket(provider.calls_per_second, provider.burst)
        self._session: aiohttp.ClientSession | None = None
        self._token = ("", 0.0)
        self._specs = ""

    def __repr__(self) -> str:
        return f"CscClient({self.name!r})"

    async def close(self) -> None:
        """Close its connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def info(self) -> dict[str, Any]:
        """What the provider says of itself."""
        return (await self._post("info", {}, authorised=False))[1]

    async def credentials(self) -> list[str]:
        """Ids of the credentials that the client may use."""
        return list((await self._post("credentials/list", {}))[1].get("credentialIDs", ()))

    async def credential(self, credential: str) -> dict[str, Any]:
        """Key, certificates (base64 DER) and way of authorisation of one credential."""
        return (await self._post("credentials/info", {"credentialID": credential, "certificates": "chain"}))[1]

    async def old(self) -> bool:
        """Whether the provider speaks version 1, where some words are others."""
        if not self._specs:
            self._specs = str((await self.info()).get("specs", "2"))
        return self._specs.startswith("1.")

    async def authorize(self, credential: str, request: RemoteRequest) -> tuple[int, dict[str, Any]]:
        """Ask for activation data over exactly these hashes."""
        old = await self.old()
        body = {
            "credentialID": credential,
            "numSignatures": len(request.items),
            "hash" if old else "hashes": _texts(request.digests),
            "hashAlgo" if old else "hashAlgorithmOID": _SHA256,
            "description": f"Ký {len(request.items)} học bạ, danh sách {request.manifest_id[:8]}",
            "clientData": request.request_id,
        }
        return await self._post("credentials/authorize", body)

    async def authorized(self, handle: str) -> tuple[int, dict[str, Any]]:
        """Whether the signer has confirmed."""
        return await self._post("credentials/authorizeCheck", {"handle": handle})

    async def sign(self, credential: str, request: RemoteRequest, certificate: bytes, sad: str) -> tuple[int, dict[str, Any]]:
        """Use the key, once."""
        old = await self.old()
        elliptic = isinstance(read_certificate(certificate).public_key(), ec.EllipticCurvePublicKey)
        body: dict[str, Any] = {
            "credentialID": credential,
            "SAD": sad,
            "hash" if old else "hashes": _texts(request.digests),
            "hashAlgo" if old else "hashAlgorithmOID": _SHA256,
            "signAlgo": _SHA256_ECDSA if elliptic else _SHA256_RSA,
            "clientData": request.request_id,
        }
        if not old:
            body["operationMode"] = self.provider.mode
            if self.provider.mode == "A" and self.provider.notices_url:
                body["response_uri"] = self.provider.notices_url
        return await self._post("signatures/signHash", body, uses_key=True)

    async def poll(self, response: str, request_id: str) -> tuple[int, dict[str, Any]]:
        """What became of a request."""
        body = {"responseID": response} if response else {"clientData": request_id}
        return await self._post("signatures/signPolling", body)

    async def _post(self, method: str, body: Mapping[str, Any], *, uses_key: bool = False, authorised: bool = True) -> tuple[int, dict[str, Any]]:
        """One call. Unavailable: nothing was done. OutcomeUnknown: the key may have been used. _Answer: the provider said no."""
        for fresh in (False, True):
            headers = await self._authorization(fresh) if authorised else {}
            status, answer = await self._call(f"{self.provider.url}/{method}", {"json": dict(body), "headers": headers}, uses_key)
            if status != 401 or not headers:
                break
        if status in _BUSY:
            raise Unavailable(f"provider {self.name} is busy ({status})", code="provider_busy")
        if status >= 500:
            if uses_key:
                raise OutcomeUnknown(f"provider {self.name} failed with {status} while it may have signed", code="provider_failed")
            raise Unavailable(f"provider {self.name} failed with {status}", code="provider_failed")
        if status >= 400:
            raise _Answer(str(answer.get("error", f"http_{status}")), str(answer.get("error_description", ""))[:200])
        return status, answer

    async def _authorization(self, fresh: bool) -> dict[str, str]:
        provider = self.provider
        if not provider.client_id:
            return {}
        if fresh or self._token[1] < time.monotonic():
            try:
                secret = provider.client_secret_file.read_text().strip() if provider.client_secret_file else ""
            except OSError as error:
                raise Unavailable(f"the secret of provider {self.name} can't be read: {error.strerror}", code="provider_secret") from None
            form = {"grant_type": "client_credentials", "client_id": provider.client_id, "client_secret": secret}
            status, answer = await self._call(f"{provider.url}/oauth2/token", {"data": form}, uses_key=False)
            if status in _BUSY or status >= 500:
                raise Unavailable(f"provider {self.name} gives out no token ({status})", code="provider_busy")
            if status != 200 or not answer.get("access_token"):
                raise Refused(f"provider {self.name} refuses our client id or secret; correct the file of providers", code="provider_refuses_us")
            self._token = str(answer["access_token"]), time.monotonic() + float(answer.get("expires_in", 300)) - _RENEW_BEFORE
        return {"Authorization": f"Bearer {self._token[0]}"}

    async def _call(self, url: str, words: dict[str, Any], uses_key: bool) -> tuple[int, dict[str, Any]]:
        await asyncio.sleep(self._bucket.wait(time.monotonic()))
        try:
            # No redirects: a confirmation or a secret goes to the address in the settings and nowhere else.
            async with self._opened().post(url, allow_redirects=False, **words) as response:
                content = await response.read()
                return response.status, _object(content)
        except (aiohttp.ClientConnectorError, aiohttp.InvalidURL) as error:
            raise Unavailable(f"provider {self.name} can't be reached: {type(error).__name__}", code="provider_away") from None
        except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
            if uses_key:
                raise OutcomeUnknown(f"provider {self.name} gave no answer to a signature request: {type(error).__name__}", code="provider_silent") from None
            raise Unavailable(f"provider {self.name} gave no answer: {type(error).__name__}", code="provider_silent") from None

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            context = ssl.create_default_context(cafile=str(self.provider.ca_file) if self.provider.ca_file else None)
            connector = aiohttp.TCPConnector(ssl=context if self.provider.url.startswith("https") else False)
            timeout = aiohttp.ClientTimeout(total=self.provider.timeout_seconds)
            self._session = aiohttp.ClientSession(connector=connector, timeout=timeout)
        return self._session


class CscHome:
    """Fulfils ports.RemoteHome over all providers that the settings name."""

    def __init__(self, providers: Mapping[str, Provider]) -> None:
        self.clients = {name: CscClient(name, provider) for name, provider in providers.items()}

    async def activate(self, request: RemoteRequest) -> Activated | Pending | Declined:
        """`credentials/authorize`, and `credentials/authorizeCheck` from then on."""
        client, credential = self._client(request)
        try:
            _, answer = await (client.authorized(request.reference) if request.reference else client.authorize(credential, request))
        except _Answer as error:
            return Pending() if error.code in _PENDING else _declined(error)
        if answer.get("SAD"):
            return Activated(str(answer["SAD"]))
        return Pending(str(answer.get("handle", "")))

    async def sign(self, request: RemoteRequest, certificate: bytes, activation: Activated) -> Values | Pending | Declined:
        """`signatures/signHash`."""
        client, credential = self._client(request)
        try:
            _, answer = await client.sign(credential, request, certificate, activation.data)
        except _Answer as error:
            return _declined(error)
        return _values_or_pending(answer)

    async def outcome(self, request: RemoteRequest) -> Values | Pending | Declined | NotKnown:
        """`signatures/signPolling`; a provider that lacks it, or the request, can't tell."""
        client, _ = self._client(request)
        by_our_id = client.provider.asked_by == "clientData"
        # The reference of a request that was confirmed is the handle of the confirmation, which no one signs under.
        response = "" if by_our_id else request.reference
        if not response and not by_our_id:
            return NotKnown()
        try:
            _, answer = await client.poll(response, request.request_id)
        except _Answer as error:
            if error.code in _PENDING:
                return Pending()
            return NotKnown() if error.code in _UNKNOWN or error.code.startswith("http_") else _declined(error)
        return _values_or_pending(answer)

    async def close(self) -> None:
        """Close all connections."""
        for client in self.clients.values():
            await client.close()

    def _client(self, request: RemoteRequest) -> tuple[CscClient, str]:
        name = KeyName.read(request.key_name)
        client = self.clients.get(name.container)
        if client is None:
            raise Refused(f"there is no provider {name.container!r} in the file of providers; add it or register another key", code="provider_unknown")
        return client, name.key


def _values_or_pending(answer: dict[str, Any]) -> Values | Pending:
    if "signatures" not in answer:
        return Pending(str(answer.get("responseID", "")))
    return Values(values_of(answer))


def values_of(answer: Mapping[str, Any]) -> tuple[bytes, ...]:
    """The signature values of an answer or a notice; text that isn't base64 becomes a value that nobody signed."""
    values = answer.get("signatures")
    return tuple(map(_bytes, values)) if isinstance(values, list) else ()


def _bytes(text: Any) -> bytes:
    try:
        return base64.b64decode(str(text), validate=True)
    except (binascii.Error, ValueError):
        return b""


def _texts(digests: list[bytes]) -> list[str]:
    return [base64.b64encode(digest).decode() for digest in digests]


def _object(content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _declined(error: _Answer) -> Declined:
    known = {"access_denied": "remote_declined", "authorization_expired": "remote_expired", "expired_token": "remote_expired"}
    said = f" ({error.message})" if error.message else ""
    return Declined(known.get(error.code, "remote_refused"), f"the provider answered {error.code}{said}; when it is settled, retry the class")
