"""What the archive's own files say: objects hashed anew (I7), the log's files and signatures (I11), and a verifier without any network (I15)."""

import asyncio
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from services.archive.application.check_log import CheckLog, Progress
from services.archive.application.get_proof import GetProof
from services.archive.application.log_ports import KeptPack
from services.archive.application.ports import Location, Vault
from services.archive.domain.document import RoleOrder
from services.archive.domain.statement import Statement
from services.audit.checks import Finding
from services.audit.stores import QUERIES
from services.chassis.database import SYSTEM, Database

OFFLINE_DOCUMENTS = 5
"""How many documents the verifier without network is given: each is a process of its own, some two seconds."""
_OBJECT_FAULTS = frozenset({"object_differs", "object_missing", "archive_damaged", "data_key_lost"})
_ALONE = """
import sys
def refuse(event, arguments):
    if event.startswith("socket.") and event not in ("socket.__new__", "socket.gethostname"):
        raise PermissionError(f"{event}: a verifier needs no network")
sys.addaudithook(refuse)
from services.__main__ import main
main()
"""
"""The `hocba` command, in a process that can't reach anybody (PEP 578)."""


def drawn(share: float, seed: str) -> Callable[[bytes], bool]:
    """Whether a digest is in the sample; anybody can draw the same lots again."""
    return lambda digest: int.from_bytes(hashlib.sha256(digest + seed.encode()).digest()[:4], "big") < share * 2**32


async def files_hold(check: CheckLog, share: float, seed: str, progress: Progress) -> tuple[Finding, Finding]:
    """I7 and I11 by the files: the objects of the sample, and all of the log."""
    in_sample, objects = drawn(share, seed), 0

    def wanted(pack: KeptPack) -> bool:
        nonlocal objects
        objects += in_sample(pack.digest)
        return in_sample(pack.digest)

    found = await check(progress, wanted=wanted)
    told = {
        name: [f"{fault.code} {fault.where} {fault.detail}".rstrip() for fault in found.faults if (fault.code in _OBJECT_FAULTS) is (name == "I7")]
        for name in ("I7", "I11")
    }
    return (
        Finding("I7", "stored objects are what was admitted", found.documents, told["I7"], [f"{objects} objects hashed anew"]),
        Finding("I11", "the log's files and checkpoints are what was signed", found.leaves, told["I11"], [f"{found.checkpoints} checkpoints"]),
    )


@dataclass(frozen=True, slots=True)
class Outsider:
    """What somebody outside has who checks a document: public keys, and the orders of signatures that policy knows."""

    trust: Path
    log_policy: Path
    role_orders: tuple[RoleOrder, ...]

    def judge(self, data: bytes, proof: bytes) -> Mapping[str, Any]:
        """What the outsider says of a document and its proof, as files."""
        with tempfile.TemporaryDirectory() as folder:
            pdf, file = Path(folder, "document.pdf"), Path(folder, "document.proof")
            pdf.write_bytes(data)
            file.write_bytes(proof)
            return self.verify(pdf, file)

    def verify(self, pdf: Path, proof: Path) -> Mapping[str, Any]:
        """The report of `hocba verify` in a process that can't reach the network; the first order of signatures under which it accepts counts."""
        report: Mapping[str, Any] = {}
        for order in self.role_orders:
            options = ["--trust", str(self.trust), "--proof", str(proof), "--log-policy", str(self.log_policy), "--roles", ",".join(order.roles), "--json"]
            # Where the system allows it, in a network namespace of its own as well.
            alone = ["unshare", "--net"] if os.geteuid() == 0 and shutil.which("unshare") else []
            command = [*alone, sys.executable, "-c", _ALONE, "verify", str(pdf), *options]
            environment = {name: value for name, value in os.environ.items() if not name.startswith("HOCBA_")}
            told = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
            try:
                report = json.loads(told.stdout)
            except ValueError:
                return {"accepted": False, "problem": told.stderr.strip()[-300:] or "no report"}
            if report["accepted"]:
                break
        return report


async def outsiders_agree(database: Database, vault: Vault, proofs: GetProof, outsider: Outsider, seed: str) -> Finding:
    """I15: on a sample, a verifier with PDF, proof and public keys alone says what the service says."""
    async with database.transaction(SYSTEM) as connection:
        rows = await connection.fetch(QUERIES["archive.provable"], seed, OFFLINE_DOCUMENTS)
    problems, checked = [], 0
    for row in islice(rows, OFFLINE_DOCUMENTS):
        public_id = Statement.read(row["statement"]).public_id
        proof = await proofs(public_id)
        if proof is None:
            continue
        place = Location(row["object_name"], row["pack_offset"], row["size"], row["sha256"], row["owner_id"], row["province_id"], bool(row["cipher"]))
        data = await vault.read(place)
        report = await asyncio.to_thread(outsider.judge, data, proof.encoded())
        checked += 1
        log = report.get("log")
        if not report["accepted"] or not isinstance(log, dict) or log.get("index") != row["log_index"]:
            said = report.get("problem") or [check for check in report.get("checks", []) if check["state"] == "failed"] or log
            problems.append(f"the service vouches for leaf {row['log_index']}, a verifier without network doesn't: {json.dumps(said, ensure_ascii=False)}")
    notes = [] if checked else ["no document is below a final checkpoint yet"]
    return Finding("I15", "a verifier without network agrees", checked, problems, notes)
