"""Keys of a local stack's transparency log and its witnesses, made at run time, and the policy that names them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from services.archive.adapters.note_keys import new_key, read_signer
from services.archive.domain.signed_note import COSIGNATURE_ED25519, COSIGNATURE_ML_DSA_44, ED25519
from services.stack.places import write_atomically

ORIGIN = "hocba.local/archive"
LOG = "log"
WITNESSES = ("witness-1", "witness-2", "witness-3")
QUORUM = 2
REGISTER = "register"
REGISTER_NAME = "register.hocba.local"


def prepare(folder: Path, addresses: Mapping[str, str], anchors: Path) -> None:
    """Make what is missing in `folder`: `log.key`, a key per witness, and `policy` with the witnesses' host:port of today.

    The policy also goes to the directory of trust anchors, so that a verifier needs nothing but that.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    # The last of them signs as it will be asked for when elliptic curves no longer hold.
    kinds = {name: COSIGNATURE_ML_DSA_44 if name == WITNESSES[-1] else COSIGNATURE_ED25519 for name in WITNESSES}
    for name, (key_name, kind) in {LOG: (ORIGIN, ED25519), **{name: (f"{name}.hocba.local", kind) for name, kind in kinds.items()}}.items():
        if not key_file(folder, name).exists():
            write_atomically(key_file(folder, name), new_key(key_name, kind) + "\n", mode=0o600)
    public = {name: read_signer(key_file(folder, name)).public.text for name in (LOG, *WITNESSES)}
    lines = [f"log {public[LOG]}", *(f"witness {name} {public[name]} http://{addresses[name]}" for name in WITNESSES)]
    lines += [f"group enough {QUORUM} {' '.join(WITNESSES)}", "quorum enough"]
    for file in (policy_file(folder), anchors / "log.policy"):
        write_atomically(file, "\n".join(lines) + "\n")


def prepare_register(folder: Path) -> None:
    """Make the key that signs the national register's receipts, if it is missing."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not key_file(folder, REGISTER).exists():
        write_atomically(key_file(folder, REGISTER), new_key(REGISTER_NAME, ED25519) + "\n", mode=0o600)


def key_file(folder: Path, name: str) -> Path:
    """The private key of `log`, of a witness or of the register."""
    return folder / f"{name}.key"


def policy_file(folder: Path) -> Path:
    """The policy: whose word makes a checkpoint final."""
    return folder / "policy"
