"""The client of remote providers, against the stand-in as a process: each outcome must be told apart."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from services.chassis.errors import Malformed, OutcomeUnknown, Refused, Unavailable
from services.signing.adapters.keys.csc import CscHome, Provider, read_providers
from services.signing.adapters.keys.values import is_by
from services.signing.application.ports import Activated, Declined, NotKnown, Pending, Values
from services.signing.domain.remote import Item, RemoteRequest, RequestState
from services.signing.domain.roles import SignatureRole
from services.signing.domain.transcripts import Place
from tests.support.key_files import write_credential
from tests.support.remote_signing import StandIn, a_stand_in

NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, bytes]]:
    """A folder with an RSA and a P-256 credential, and their certificates."""
    folder = tmp_path_factory.mktemp("credentials")
    made: dict[str, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey] = {
        "rsa": rsa.generate_private_key(65537, 2048),
        "p256": ec.generate_private_key(ec.SECP256R1()),
    }
    return folder, {label: write_credential(folder, label, key) for label, key in made.items()}


def request_for(label: str, count: int = 3, request_id: str = "r-1") -> RemoteRequest:
    items = tuple(Item(f"i{n}", sha256(f"{request_id}/{n}".encode()).digest(), f"t{n}", 1) for n in range(count))
    name = f"csc:standin/{label}"
    place = Place("c", "s", "p")
    role = SignatureRole.PRINCIPAL
    return RemoteRequest(request_id, "o", "m" * 8, place, role, name, b"", RequestState.WAITING, "", NOW, NOW + timedelta(days=1), None, items)


@pytest.fixture
async def stand_in(tmp_path: Path, certificates: tuple[Path, dict[str, bytes]]) -> AsyncIterator[StandIn]:
    folder, _ = certificates
    async with a_stand_in(tmp_path, folder, folder / "password") as running:
        yield running


@pytest.fixture
async def home(stand_in: StandIn, tmp_path: Path) -> AsyncIterator[CscHome]:
    made = CscHome(read_providers(stand_in.providers_file(tmp_path, timeout_seconds=2.0, asked_by="clientData")))
    yield made
    await made.close()


async def test_provider_says_what_it_has(home: CscHome) -> None:
    client = home.clients["standin"]
    assert (await client.info())["specs"].startswith("2.")
    assert await client.credentials() == ["p256", "rsa"]
    assert (await client.credential("p256"))["key"]["len"] == 256


@pytest.mark.parametrize("label", ["rsa", "p256"])
async def test_batch_of_hashes_is_signed_in_order_by_the_right_key(home: CscHome, certificates: tuple[Path, dict[str, bytes]], label: str) -> None:
    certificate, request = certificates[1][label], request_for(label, 17)
    activation = await home.activate(request)
    assert isinstance(activation, Activated)
    signed = await home.sign(request, certificate, activation)
    assert isinstance(signed, Values)
    assert all(is_by(certificate, digest, value) for digest, value in zip(request.digests, signed.values, strict=True))
    assert activation.data not in repr(activation)


async def test_activation_data_is_for_its_hashes_and_for_once(home: CscHome, certificates: tuple[Path, dict[str, bytes]]) -> None:
    certificate, request = certificates[1]["rsa"], request_for("rsa")
    activation = await home.activate(request)
    assert isinstance(activation, Activated)
    other = replace(request, items=request_for("rsa", 3, "r-2").items)
    assert isinstance(await home.sign(other, certificate, activation), Declined)
    assert isinstance(await home.sign(request, certificate, activation), Values)
    assert isinstance(await home.sign(request, certificate, activation), Declined)


async def test_another_hash_signed_shows_in_the_value(home: CscHome, stand_in: StandIn, certificates: tuple[Path, dict[str, bytes]]) -> None:
    certificate, request = certificates[1]["rsa"], request_for("rsa")
    await stand_in.behave(other_hash=1)
    activation = await home.activate(request)
    assert isinstance(activation, Activated)
    signed = await home.sign(request, certificate, activation)
    assert isinstance(signed, Values)
    assert not any(is_by(certificate, digest, value) for digest, value in zip(request.digests, signed.values, strict=True))


@pytest.mark.parametrize("spoilt", ["busy", "unavailable"])
async def test_busy_provider_has_done_nothing(home: CscHome, stand_in: StandIn, certificates: tuple[Path, dict[str, bytes]], spoilt: str) -> None:
    request = request_for("rsa")
    activation = await home.activate(request)
    assert isinstance(activation, Activated)
    await stand_in.behave(**{spoilt: 1})
    with pytest.raises(Unavailable):
        await home.sign(request, certificates[1]["rsa"], activation)
    assert (await stand_in.seen())["signed"] == {}


async def test_executed_but_unanswered_is_unknown_and_is_found_by_our_id(home: CscHome, stand_in: StandIn, certificates: tuple[Path, dict[str, bytes]]) -> None:
    certificate, request = certificates[1]["p256"], request_for("p256")
    activation = await home.activate(request)
    assert isinstance(activation, Activated)
    await stand_in.behave(drop_after_signing=1)
    with pytest.raises(OutcomeUnknown):
        await home.sign(request, certificate, activation)
    found = await home.outcome(request)
    assert isinstance(found, Values)
    assert all(is_by(certificate, digest, value) for digest, value in zip(request.digests, found.values, strict=True))
    assert (await stand_in.seen())["signed"] == {"r-1": 3}, "the key was used once"


async def test_slow_answer_to_a_signature_is_unknown_and_to_a_question_unavailable(
    home: CscHome, stand_in: StandIn, certificates: tuple[Path, dict[str, bytes]]
) -> None:
    request = request_for("rsa")
    activation = await home.activate(request)
    assert isinstance(activation, Activated)
    await stand_in.behave(slow_seconds=3.0)
    with pytest.raises(OutcomeUnknown):
        await home.sign(request, certificates[1]["rsa"], activation)
    with pytest.raises(Unavailable):
        await home.outcome(request)


async def test_provider_that_never_saw_it_can_not_tell(home: CscHome, stand_in: StandIn) -> None:
    assert isinstance(await home.outcome(request_for("rsa")), NotKnown)
    by_reference = CscHome({"standin": home.clients["standin"].provider.model_copy(update={"asked_by": "responseID"})})
    assert isinstance(await by_reference.outcome(request_for("rsa")), NotKnown)
    await by_reference.close()


async def test_asynchronous_signature_is_fetched_by_the_providers_name(stand_in: StandIn, tmp_path: Path, certificates: tuple[Path, dict[str, bytes]]) -> None:
    home = CscHome(read_providers(stand_in.providers_file(tmp_path, mode="A")))
    request, certificate = request_for("rsa"), certificates[1]["rsa"]
    await stand_in.behave(ready_seconds=0.4)
    activation = await home.activate(request)
    assert isinstance(activation, Activated)
    sent = await home.sign(request, certificate, activation)
    assert isinstance(sent, Pending)
    assert sent.reference
    sent_request = replace(request, state=RequestState.SIGNING, reference=sent.reference)
    assert isinstance(await home.outcome(sent_request), Pending)
    deadline = time.monotonic() + 5
    while not isinstance(found := await home.outcome(sent_request), Values):
        assert time.monotonic() < deadline
    assert is_by(certificate, request.digests[0], found.values[0])
    await home.close()


async def test_signer_confirms_or_declines_on_the_phone(tmp_path: Path, certificates: tuple[Path, dict[str, bytes]]) -> None:
    folder, _ = certificates
    async with a_stand_in(tmp_path / "manual", folder, folder / "password", "--confirmation", "manual") as stand_in:
        home = CscHome(read_providers(stand_in.providers_file(tmp_path)))
        for answer, kind in (("confirm", Activated), ("decline", Declined)):
            request = request_for("rsa", request_id=answer)
            asked = await home.activate(request)
            assert isinstance(asked, Pending)
            assert asked == await home.activate(request), "asking again rings the phone once"
            waiting = replace(request, state=RequestState.CONFIRMING, reference=asked.reference)
            assert isinstance(await home.activate(waiting), Pending)
            assert await stand_in.phone(answer) == 1
            assert isinstance(await home.activate(waiting), kind)
        await home.close()


async def test_wrong_secret_is_refused_and_shows_nowhere(stand_in: StandIn, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong-secret"
    wrong.write_text("guess-work")
    home = CscHome(read_providers(stand_in.providers_file(tmp_path, client_secret_file=str(wrong))))
    with pytest.raises(Refused) as refused:
        await home.activate(request_for("rsa"))
    assert "guess-work" not in repr(refused.value) + repr(home.clients) + repr(vars(home.clients["standin"]))
    await home.close()


async def test_provider_that_is_away_is_unavailable(tmp_path: Path) -> None:
    home = CscHome({"standin": Provider(url="http://127.0.0.1:9/csc/v2")})
    with pytest.raises(Unavailable):
        await home.activate(request_for("rsa"))
    with pytest.raises(Refused, match="file of providers"):
        await home.activate(replace(request_for("rsa"), key_name="csc:nobody/rsa"))
    await home.close()


async def test_calls_are_paced_to_the_providers_limit(tmp_path: Path, certificates: tuple[Path, dict[str, bytes]]) -> None:
    folder, _ = certificates
    async with a_stand_in(tmp_path / "limited", folder, folder / "password", "--calls-per-second", "20") as stand_in:
        home = CscHome(read_providers(stand_in.providers_file(tmp_path, calls_per_second=19, burst=1)))
        started = time.monotonic()
        for number in range(12):
            assert isinstance(await home.activate(request_for("rsa", request_id=f"r-{number}")), Activated)
        assert time.monotonic() - started > 0.5
        assert "refused as too many" not in (await stand_in.seen())["calls"]
        await home.close()


@pytest.mark.parametrize(
    ("text", "said"),
    [("[a]\nurl = 'http://example.org/csc/v2'\n", "must be https"), ("[a]\nuri = 'x'\n", "url"), ("not toml", "can't be read"), ("a = 1\n", "can't be read")],
)
def test_mistakes_in_the_file_of_providers_are_named(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "providers.toml").write_text(text)
    with pytest.raises(Malformed, match=said):
        read_providers(tmp_path / "providers.toml")
