"""The department submits its province to the national register, and another asks for a pupil: the ministry's side and the province's."""

import asyncio
import json
import os
import secrets
import sys
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from services.archive.adapters.note_keys import read_signer
from services.archive.adapters.register_client import HTTPRegister
from services.chassis.errors import Refused
from services.register.app import register_of
from services.register.application.ports import Account
from services.stack import log_keys
from services.stack.deployment import Deployment
from services.stack.places import CHECKOUT, write_atomically
from services.stack.signer_pki import Signer, SignerPki

_NAME = "Sở Giáo dục và Đào tạo"


@dataclass(frozen=True)
class Registered:
    """What the register has answered."""

    applied: int
    rejected: int
    receipts: str
    """Folder with the signed receipts."""


async def open_account(deployment: Deployment, pki: SignerPki, province: str) -> HTTPRegister:
    """As the ministry's operator: open the department's account and approve its certificate; gives the department's way in."""
    signer = Signer(f"doet-{province}", _NAME, _NAME, "Việt Nam")
    made = (await asyncio.to_thread(pki.make, [signer]))[0]
    digest = x509.load_der_x509_certificate(made.certificate).fingerprint(hashes.SHA256())
    token, now = secrets.token_urlsafe(32), datetime.now(UTC)
    policy = log_keys.policy_file(deployment.log_keys).read_text(encoding="utf-8")
    async with register_of(deployment.databases[log_keys.REGISTER]) as register:
        await register.open_account(Account(province, _NAME, policy, may_find=True), token, now)
        await register.approve(province, digest, now)
    write_atomically(deployment.register_keys / f"{province}.token", token + "\n", mode=0o600)
    key = read_signer(log_keys.key_file(deployment.register_keys, log_keys.REGISTER)).public
    return HTTPRegister(f"https://{deployment.addresses[log_keys.REGISTER]}", token, deployment.keys.ca, key)


async def submit(deployment: Deployment, province: str) -> Registered:
    """As the department: `hocba register submit`, and the receipts into a folder. May be repeated."""
    await _hocba(deployment, "register", "submit", province, "--json")
    folder = deployment.state / "receipts"
    # From the receipts, since a run that was cut off and begun again tells its last part only.
    told = json.loads(await _hocba(deployment, "register", "receipts", province, "--out", str(folder)))
    return Registered(sum(one["applied"] for one in told), sum(one["rejected"] for one in told), str(folder))


async def _hocba(deployment: Deployment, *words: str) -> bytes:
    environment = {**os.environ, "HOCBA_STATE": str(deployment.state)}
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services", *words, env=environment, cwd=CHECKOUT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    answer, errors = await child.communicate()
    if child.returncode != 0:
        raise Refused(f"hocba {' '.join(words)} ended with {child.returncode}: {(answer + errors).decode(errors='replace').strip()[-1000:]}")
    return answer
