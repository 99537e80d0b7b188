"""Wrapping keys in a hardware module (PKCS#11): a secret AES key per id, which never leaves it; it wraps and unwraps inside.

The session is a process (`wrapping_session`) that is started anew when it ended or its module was away.
"""

import json
import select
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from services.archive.adapters.wrapping_keys import changed, lost, no_key, split_key_id
from services.chassis.errors import Conflict, Unavailable

_PROGRAM = "services.archive.adapters.wrapping_session"
_PIN_FAILURES = ("PinIncorrect", "PinInvalid", "PinLenRange", "PinLocked", "PinExpired")


@dataclass
class Pkcs11WrappingKeys:
    """Fulfils the port WrappingKeys."""

    library: Path
    token: str
    pin_file: Path
    answer_seconds: float = 60.0
    _process: "subprocess.Popen[bytes] | None" = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def current(self, province_id: str) -> str:
        """The key with the highest number."""
        labels: list[str] = self._ask(do="labels")["labels"]
        numbers = [int(label.rpartition("/")[2]) for label in labels if label and label.rpartition("/")[0] == province_id]
        if not numbers:
            raise no_key(province_id)
        return f"{province_id}/{max(numbers)}"

    def wrap(self, key_id: str, data_key: bytes, context: bytes) -> bytes:
        """Nonce (12 bytes), ciphertext, tag."""
        answer = self._ask(do="wrap", key=key_id, data=data_key.hex(), context=context.hex())
        return bytes.fromhex(_value(key_id, answer))

    def unwrap(self, key_id: str, wrapped: bytes, context: bytes) -> bytes:
        """The data key."""
        answer = self._ask(do="unwrap", key=key_id, data=wrapped.hex(), context=context.hex())
        return bytes.fromhex(_value(key_id, answer))

    def put(self, key_id: str, key: bytes) -> None:
        """Bring a key in; from then on it can't be read out, so a second one by its id is always refused."""
        split_key_id(key_id)
        if key_id in self._ask(do="labels")["labels"]:
            raise Conflict(f"there is a wrapping key {key_id} in the token already; it is left as it is", code="wrapping_key_exists")
        self._ask(do="put", key=key_id, data=key.hex())

    def _ask(self, **question: str) -> dict[str, Any]:
        """The answer; asked once more in a new session when the first one had ended."""
        with self._lock:
            answer = self._answer(question)
            if "failed" in answer and answer["failed"] not in _PIN_FAILURES:  # A wrong PIN is never tried twice: modules count.
                answer = self._answer(question)
        if "failed" in answer:
            raise Unavailable(f"the token {self.token} can't be used ({answer['failed']})", code="token_failed")
        return answer

    def _answer(self, question: dict[str, str]) -> dict[str, Any]:
        if self._process is None:
            words = [sys.executable, "-m", _PROGRAM, str(self.library), self.token, str(self.pin_file)]
            self._process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        answer: dict[str, Any] = {"failed": "no answer"}
        with suppress(OSError, ValueError):
            stdin.write(json.dumps(question).encode() + b"\n")
            stdin.flush()
            if select.select([stdout], [], [], self.answer_seconds)[0]:
                answer = json.loads(stdout.readline())
        if "failed" in answer:
            self.close()
        return answer

    def close(self) -> None:
        """End the session; the next question opens another one."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            # Reads what is left and closes the pipes.
            process.communicate()


def _value(key_id: str, answer: dict[str, Any]) -> str:
    if "missing" in answer:
        raise lost(key_id)
    if answer["value"] is None:
        raise changed(key_id)
    value: str = answer["value"]
    return value
