"""The commands about keys, as a person runs them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.key_files import PASSWORD


def hocba(*words: str, **variables: str) -> Any:
    """What a command prints as JSON."""
    done = subprocess.run([sys.executable, "-m", "services", *words], capture_output=True, text=True, env={**os.environ, **variables}, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_bench_measures_every_home_next_to_the_bare_operation() -> None:
    said = hocba("bench", "keys", "--json", "--batch", "8", "--rounds", "1")
    measured = {(line["home"], line["algorithm"]) for line in said["homes"]}
    assert {("pkcs12, OpenSSL", "rsa-2048"), ("pkcs12, OpenSSL", "p-256"), ("pkcs11, 1 session", "rsa-2048"), ("csc, stand-in", "p-256")} <= measured
    assert set(said["absent"]) <= {"pkcs12, crypto_mb"}
    assert all(line["ratio"] > 0 for line in said["homes"])


def test_keys_tells_the_homes_of_a_worker_and_no_secret(tmp_path: Path) -> None:
    (tmp_path / "password").write_bytes(PASSWORD)
    (tmp_path / "secret").write_text("secret-of-this-test")
    providers = tmp_path / "providers.toml"
    providers.write_text(f'[away]\nurl = "http://127.0.0.1:9/csc/v2"\nclient_id = "x"\nclient_secret_file = "{tmp_path / "secret"}"\n')
    nowhere = str(tmp_path / "nowhere")
    files = {f"HOCBA_SIGNING_{name}": nowhere for name in ("TLS_CA_FILE", "TLS_CERTIFICATE_FILE", "TLS_KEY_FILE", "TOKEN_KEYS_FILE", "ENVELOPE_READERS_FILE")}
    others = {"DATABASE_URL": "postgresql://a@b/c", "KAFKA_BOOTSTRAP": "b:1", "STAGING_URL": nowhere, "TRUST_DIR": nowhere, "KEYS_DIR": str(tmp_path)}
    others["REMOTE_PROVIDERS_FILE"] = str(providers)
    said = hocba("signing", "keys", "--json", **files, **{f"HOCBA_SIGNING_{name}": value for name, value in others.items()})
    assert said["pkcs12"]["keys"] == 0
    assert said["mass"]["at_once"] in (1, 8)
    assert said["csc"]["away"] == {"url": "http://127.0.0.1:9/csc/v2", "answers": False, "reason": "provider_away"}
    assert "secret-of-this-test" not in json.dumps(said)
