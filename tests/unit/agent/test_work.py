"""The agent's round: what breaks is met again, and the token is asked once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from services.agent.work import AT_ONCE, Agent, KeptValues, Open, Round, Use
from services.chassis.errors import OutcomeUnknown, Refused, ServiceError, Unavailable
from services.signing.application.ports import Noted

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def open_request(count: int = 25) -> Open:
    uses = tuple(Use(f"i{n}", bytes([n]) * 32, b"c") for n in range(count))
    return Open("r1", "o1", "m1", b"\x01" * 32, "Trường Mẫu", "class-1", 2025, 8, "school_seal", NOW, uses)


@dataclass
class Parts:
    """Everything around the agent, with the order of what happened."""

    seen: list[str] = field(default_factory=list)
    requests: list[Open] = field(default_factory=lambda: [open_request()])
    list_error: ServiceError | None = None
    submit_error: ServiceError | None = None
    key_error: ServiceError | None = None
    wanted: bool = True
    right: bool = True
    delivered_values: dict[str, bytes] = field(default_factory=dict)

    async def list_open(self) -> list[Open]:
        if self.list_error:
            raise self.list_error
        return self.requests

    async def submit(self, signing_request_id: str, values: dict[str, bytes]) -> str:
        if self.submit_error:
            raise self.submit_error
        self.seen.append("submit")
        self.delivered_values = values
        return "done"

    async def sign(self, key_name: str, digests: Sequence[bytes]) -> list[bytes]:
        if self.key_error:
            raise self.key_error
        self.seen.append(f"sign {len(digests)}")
        return [b"v" + digest for digest in digests]

    async def note(self, key_name: str, order_id: str, uses: Sequence[Noted]) -> None:
        self.seen.append(f"note {len(uses)}")

    def found(self, requests: Sequence[Open]) -> bool:
        self.seen.append("found")
        return self.wanted

    def signed(self, request: Open, count: int) -> None:
        self.seen.append(f"signed {count}")

    def delivered(self, request: Open, state: str) -> None:
        self.seen.append("delivered")

    def ended(self) -> None:
        self.seen.append("ended")

    def agent(self, folder: Path) -> Agent:
        return Agent(self, self, "pkcs11:t/k", b"certificate", self, KeptValues(folder), lambda c, d, v: self.right and v == b"v" + d, self)


def _left_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def test_shown_then_written_down_then_signed_then_delivered(tmp_path: Path) -> None:
    parts = Parts()
    assert await parts.agent(tmp_path).round() == Round(delivered=1, signatures=25)
    one = [f"note {AT_ONCE}", f"sign {AT_ONCE}", f"signed {AT_ONCE}"]
    assert parts.seen == ["found", *one, *one, "note 5", "sign 5", "signed 5", "submit", "delivered", "ended"]
    assert set(parts.delivered_values) == {f"i{n}" for n in range(25)}
    assert _left_in(tmp_path) == []


async def test_line_lost_after_signing_needs_no_token_again(tmp_path: Path) -> None:
    for lost in (Unavailable("no line", code="unavailable"), OutcomeUnknown("no answer", code="deadline")):
        parts = Parts(submit_error=lost)
        first = await parts.agent(tmp_path).round()
        assert (first.delivered, first.open, first.mend) == (0, 1, False)
        parts.submit_error, parts.seen, parts.key_error = None, [], Unavailable("token away")
        assert await parts.agent(tmp_path).round() == Round(delivered=1)
        assert parts.seen == ["found", "submit", "delivered", "ended"]


async def test_token_lost_in_the_middle_is_trouble_that_passes(tmp_path: Path) -> None:
    parts = Parts(key_error=Unavailable("token away", code="keys_away"))
    first = await parts.agent(tmp_path).round()
    assert (first.code, first.mend, first.open) == ("keys_away", False, 1)
    assert "submit" not in parts.seen
    parts.key_error = None
    assert (await parts.agent(tmp_path).round()).delivered == 1


async def test_wrong_pin_and_wrong_key_must_be_mended(tmp_path: Path) -> None:
    refused = await Parts(key_error=Refused("wrong PIN", code="pin_wrong")).agent(tmp_path).round()
    assert (refused.code, refused.mend) == ("pin_wrong", True)
    wrong = Parts(right=False)
    assert (await wrong.agent(tmp_path).round()).code == "wrong_key"
    assert "submit" not in wrong.seen


async def test_person_who_says_no_signs_nothing(tmp_path: Path) -> None:
    parts = Parts(wanted=False)
    assert (await parts.agent(tmp_path).round()).code == "not_wanted"
    assert parts.seen == ["found", "ended"]


async def test_kept_values_that_are_torn_are_made_again(tmp_path: Path) -> None:
    (tmp_path / "r1.json").write_text('{"i0": "00')
    parts = Parts()
    assert (await parts.agent(tmp_path).round()).signatures == 25


async def test_service_that_is_down_is_trouble_that_passes(tmp_path: Path) -> None:
    assert (await Parts(list_error=Unavailable("down", code="unavailable")).agent(tmp_path).round()) == Round(code="unavailable", trouble="down")
