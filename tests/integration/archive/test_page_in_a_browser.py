"""The public page in headless Chromium: a PDF is checked there, and never leaves it."""

import base64
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from axe_playwright_python.base import AXE_SCRIPT
from playwright.async_api import Browser, Page, Request, Route, ViewportSize

from services.archive.adapters.note_keys import NoteSigner, verifier_of
from services.archive.domain.checkpoint import Checkpoint
from services.archive.domain.log_proof import LogProof, check_proof
from services.archive.domain.merkle import inclusion_ranges, leaf_hash, node_hash, range_hash, root_of
from services.archive.domain.signed_note import COSIGNATURE_ED25519, COSIGNATURE_ML_DSA_44, NoteError, NoteSignature, SignedNote, read_note
from services.archive.domain.witness_policy import WitnessPolicy, read_policy
from services.stack.postgresql import Server
from tests.integration.archive.log_world import make_signer
from tests.integration.archive.page_world import FIRST, LATE, OTHER, SECOND, UNKNOWN, PageWorld, page_world
from tests.support.browser import browser  # noqa: F401 - a fixture
from tests.support.postgres import DatabaseFactory

PATHS = ("/", f"/t/{SECOND}", f"/t/{FIRST}", f"/t/{UNKNOWN}", "/nothing")
WATCH = "window.broken = []; document.addEventListener('securitypolicyviolation', (event) => window.broken.push(event.violatedDirective));"


@dataclass
class Visitor:
    """Somebody with a browser, and all that it did."""

    page: Page
    url: str
    requests: list[Request] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    async def verdict(self, path: str, pdf: bytes) -> tuple[str, str]:
        """(tone, text) of the verdict on a chosen file."""
        await self.page.goto(self.url + path)
        return await self.judged(pdf)

    async def judged(self, pdf: bytes) -> tuple[str, str]:
        """The same for a page that is open."""
        await self.page.set_input_files("#file", {"name": "hoc-ba.pdf", "mimeType": "application/pdf", "buffer": pdf})
        box = self.page.locator(".verdict")
        await box.wait_for(timeout=15_000)
        return (await box.get_attribute("class") or "").removeprefix("verdict").strip(), await box.inner_text()

    async def steps(self) -> list[str]:
        """What became of each step, in their order."""
        return await self.page.eval_on_selector_all(".verdict li", "items => items.map((item) => item.className)")  # type: ignore[no-any-return]


@pytest_asyncio.fixture(scope="module")
async def world(postgres: Server, database_template: DatabaseFactory, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[PageWorld]:
    name = f"{database_template('archive').name}_browser"
    async with page_world(postgres.copy("archive", database_template("archive").name, name), tmp_path_factory.mktemp("page")) as made:
        yield made
    postgres.drop(name)


Visits = Callable[..., Any]


@pytest.fixture
def visit(browser: Browser, world: PageWorld) -> Visits:  # noqa: F811 - the fixture
    """A visitor whose every request and complaint is looked at when he leaves: his own host alone, and no body ever."""

    @asynccontextmanager
    async def visiting(*, width: int = 1000, locale: str = "vi-VN", **options: Any) -> AsyncIterator[Visitor]:
        context = await browser.new_context(viewport=ViewportSize(width=width, height=740), locale=locale, **options)
        page = await context.new_page()
        visitor = Visitor(page, world.url)
        page.on("request", lambda request: visitor.requests.append(request))
        page.on("pageerror", lambda error: visitor.problems.append(str(error)))
        page.on("console", lambda message: visitor.problems.append(message.text) if "Content Security Policy" in message.text else None)
        await page.add_init_script(WATCH)
        yield visitor
        if options.get("java_script_enabled", True):
            visitor.problems += await page.evaluate("window.broken")
        await context.close()
        assert visitor.problems == []
        assert {request.url[: len(world.url) + 1] for request in visitor.requests} <= {f"{world.url}/"}
        assert {request.method for request in visitor.requests} <= {"GET"}
        assert [request.post_data_buffer for request in visitor.requests if request.post_data_buffer] == []
        assert all(len(request.url) < 200 for request in visitor.requests), "nor does a file hide in an address"

    return visiting


async def test_right_pdf_is_genuine_in_both_languages(visit: Visits, world: PageWorld) -> None:
    for locale, said, status in (("vi-VN", "đúng là bản đã phát hành", "Hợp lệ"), ("en-GB", "is the one that was issued", "Valid")):
        async with visit(locale=locale) as visitor:
            tone, text = await visitor.verdict(f"/t/{SECOND}", world.documents[SECOND])
            assert (tone, said in text, status in await visitor.page.inner_text("h1")) == ("good", True, True)
            assert await visitor.steps() == ["passed"] * 7
            assert "W0, W1" in text
            assert "W2 (ML-DSA)" in text
            await visitor.page.click("header a >> nth=1")
            assert status not in await visitor.page.inner_text("h1"), "the switch leads to the other language"


async def test_any_other_bytes_are_not_what_was_issued(visit: Visits, world: PageWorld) -> None:
    data = world.documents[SECOND]
    middle = bytearray(data)
    middle[len(data) // 2] ^= 1
    async with visit() as visitor:
        for changed in (bytes(middle), data + b"\n", data[:-1]):
            tone, text = await visitor.verdict(f"/t/{SECOND}", changed)
            assert (tone, "không phải là bản đã phát hành" in text, (await visitor.steps())[0]) == ("bad", True, "failed")
        tone, text = await visitor.judged(data)
        assert tone == "good", "and the right one on the same page still is"


async def test_another_pupils_file_and_another_version_are_told_apart(visit: Visits, world: PageWorld) -> None:
    async with visit() as visitor:
        for file in (OTHER, FIRST):
            tone, text = await visitor.verdict(f"/t/{SECOND}", world.documents[file])
            assert (tone, "học bạ khác" in text) == ("bad", True)
            assert await visitor.page.get_attribute(".verdict a", "href") == f"/t/{file}?lang=vi"
        tone, text = await visitor.verdict(f"/t/{FIRST}", world.documents[FIRST])
        assert (tone, "đã có bản mới hơn" in text, await visitor.steps()) == ("warn", True, ["passed"] * 6 + ["failed"])


async def test_revoked_file_is_genuine_and_no_longer_valid(visit: Visits, world: PageWorld) -> None:
    async def revoke(route: Route) -> None:
        response = await route.fetch()
        await route.fulfill(response=response, json={**await response.json(), "status": "revoked"})

    async with visit() as visitor:
        await visitor.page.route("**/status", revoke)
        tone, text = await visitor.verdict(f"/t/{SECOND}", world.documents[SECOND])
        assert (tone, "đã bị thu hồi" in text, await visitor.steps()) == ("bad", True, ["passed"] * 6 + ["failed"])


async def test_first_page_finds_the_code_in_the_file_or_asks_for_it(visit: Visits, world: PageWorld) -> None:
    async with visit() as visitor:
        assert (await visitor.verdict("/", world.documents[OTHER]))[0] == "good"
        tone, text = await visitor.verdict("/", b"%PDF-1.7\nnothing")
        assert (tone, "Không đọc được mã" in text) == ("", True)
        await visitor.page.fill("#id", f" {SECOND[:10]} {SECOND[10:].upper()} ")
        assert (await visitor.judged(b"%PDF-1.7\nnothing"))[0] == "bad"
        await visitor.page.click("form button")
        assert "Hợp lệ" in await visitor.page.inner_text("h1")


async def test_what_cannot_be_answered_is_no_verdict(visit: Visits, world: PageWorld) -> None:
    async with visit() as visitor:
        for path, pdf, said in (
            (f"/t/{LATE}", world.documents[LATE], "Chưa có bằng chứng"),
            (f"/t/{SECOND}", b"GIF89a", "không phải là tệp PDF"),
            ("/", f'%PDF-1.7\nstream\n{{"public_id":"{UNKNOWN}"}}\nendstream'.encode(), "Không tìm thấy mã"),
        ):
            tone, text = await visitor.verdict(path, pdf)
            assert (tone, said in text) == ("", True), text
        await visitor.page.goto(f"{world.url}/t/{SECOND}")
        await visitor.page.context.set_offline(True)
        tone, text = await visitor.judged(world.documents[SECOND])
        assert (tone, "Không hỏi được máy chủ" in text) == ("", True)


async def test_file_is_dropped_as_well_as_chosen(visit: Visits, world: PageWorld) -> None:
    drop = """(encoded) => {
        const data = Uint8Array.from(atob(encoded), (letter) => letter.charCodeAt(0));
        const carried = new DataTransfer();
        carried.items.add(new File([data], "hoc-ba.pdf", { type: "application/pdf" }));
        document.querySelector("h1").dispatchEvent(new DragEvent("drop", { dataTransfer: carried, bubbles: true, cancelable: true }));
    }"""
    async with visit() as visitor:
        await visitor.page.goto(f"{world.url}/t/{SECOND}")
        await visitor.page.evaluate(drop, base64.b64encode(world.documents[SECOND]).decode())
        assert "đúng là bản đã phát hành" in await visitor.page.inner_text(".verdict")


async def test_keyboard_reaches_everything(visit: Visits, world: PageWorld) -> None:
    async with visit() as visitor:
        await visitor.page.goto(f"{world.url}/t/{SECOND}")
        for _ in range(3):
            await visitor.page.keyboard.press("Tab")
        assert await visitor.page.evaluate("document.activeElement.id") == "file"
        async with visitor.page.expect_file_chooser() as chooser:
            await visitor.page.keyboard.press("Space")
        await (await chooser.value).set_files({"name": "a.pdf", "mimeType": "application/pdf", "buffer": world.documents[SECOND]})
        await visitor.page.wait_for_selector(".verdict.good")
        await visitor.page.keyboard.press("Tab")
        await visitor.page.keyboard.press("Enter")
        assert await visitor.page.evaluate("document.querySelector('details').open")


async def test_status_needs_no_javascript(visit: Visits, world: PageWorld) -> None:
    async with visit(java_script_enabled=False) as visitor:
        await visitor.page.goto(f"{world.url}/t/{FIRST}")
        assert "Đã có bản mới hơn" in await visitor.page.inner_text("h1")
        assert "cần JavaScript" in await visitor.page.inner_text("#check")
        assert await visitor.page.is_hidden(".drop")
        await visitor.page.click("a.button")
        assert "Hợp lệ" in await visitor.page.inner_text("h1")


async def test_small_phone_shows_all_without_scrolling_sideways(visit: Visits, world: PageWorld) -> None:
    async with visit(width=360) as visitor:
        for path in PATHS:
            for language in ("vi", "en"):
                await visitor.page.goto(f"{world.url}{path}?lang={language}")
                if path.startswith("/t/") and path != f"/t/{UNKNOWN}":
                    await visitor.judged(world.documents[OTHER])
                    await visitor.page.click("summary")
                widths = await visitor.page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
                assert widths == [360, 360], (path, language)


@pytest.mark.parametrize("colours", ["light", "dark"])
async def test_no_barriers_that_a_machine_can_find(visit: Visits, world: PageWorld, colours: str) -> None:
    async with visit(width=360, color_scheme=colours) as visitor:
        for path in PATHS:
            await visitor.page.goto(world.url + path)
            if path.startswith("/t/") and path != f"/t/{UNKNOWN}":
                await visitor.judged(world.documents[SECOND])
                await visitor.page.click("summary")
            await visitor.page.evaluate(AXE_SCRIPT)
            found = await visitor.page.evaluate("axe.run().then((told) => told.violations.map((one) => [one.id, one.nodes.map((node) => node.html)]))")
            assert found == [], path


# --- A server that lies about the log ---

Forge = Callable[[LogProof, PageWorld, Path], LogProof]


def tampered_path(proof: LogProof, world: PageWorld, folder: Path) -> LogProof:
    return replace(proof, path=(bytes(32), *proof.path[1:]))


def another_statement(proof: LogProof, world: PageWorld, folder: Path) -> LogProof:
    return replace(proof, statement=proof.statement.replace(b"hocba/leaf/1\nsupersede", b"hocba/leaf/1\nissue"))


def forked_by_the_log(proof: LogProof, world: PageWorld, folder: Path) -> LogProof:
    """The log's own key signs another tree, in which the statement is alone; no witness has seen it."""
    text = Checkpoint(world.log.policy.log.name, 1, leaf_hash(proof.statement)).text
    return LogProof(proof.statement, 0, (), SignedNote(text, (world.log.signer.sign(text),)).encoded())


def forked_by_another(proof: LogProof, world: PageWorld, folder: Path) -> LogProof:
    """The same under the log's name, signed by a key that isn't the log's."""
    text = Checkpoint(world.log.policy.log.name, 1, leaf_hash(proof.statement)).text
    return LogProof(proof.statement, 0, (), SignedNote(text, (make_signer(folder / "other.key", world.log.policy.log.name).sign(text),)).encoded())


def fork_with_old_cosignatures(proof: LogProof, world: PageWorld, folder: Path) -> LogProof:
    """A fork below the witnesses' true lines, which sign another text."""
    forged = read_note(forked_by_the_log(proof, world, folder).checkpoint)
    lines = read_note(proof.checkpoint).signatures[1:]
    return LogProof(proof.statement, 0, (), SignedNote(forged.text, (*forged.signatures, *lines)).encoded())


def without(*names: str) -> Forge:
    def forge(proof: LogProof, world: PageWorld, folder: Path) -> LogProof:
        note = read_note(proof.checkpoint)
        return replace(proof, checkpoint=SignedNote(note.text, tuple(one for one in note.signatures if one.name not in names)).encoded())

    return forge


PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"


@pytest.mark.parametrize(
    ("forge", "tone", "steps"),
    [
        (tampered_path, "bad", [PASSED, PASSED, PASSED, FAILED]),
        (another_statement, "bad", [PASSED, PASSED, PASSED, FAILED]),
        (forked_by_the_log, "bad", [PASSED, PASSED, FAILED, SKIPPED]),
        (forked_by_another, "bad", [PASSED, FAILED, SKIPPED, SKIPPED]),
        (fork_with_old_cosignatures, "bad", [PASSED, PASSED, FAILED, SKIPPED]),
        (without("witness-0.example", "witness-1.example"), "bad", [PASSED, PASSED, FAILED, SKIPPED]),
        (without("witness-0.example", "witness-2.example"), "bad", [PASSED, PASSED, FAILED, SKIPPED]),
        (without("hocba.example/test"), "bad", [PASSED, FAILED, SKIPPED, SKIPPED]),
        # Enough of them with the one whose kind of key can't be checked here: nothing is known, which is no good verdict and no bad one.
        (without("witness-0.example"), "", [SKIPPED] * 4),
    ],
    ids=["path", "statement", "fork", "other-key", "old-cosignatures", "one-witness", "one-witness-ed25519", "no-log", "unchecked"],
)
async def test_proof_that_does_not_hold_is_refused_for_its_reason(
    visit: Visits, world: PageWorld, tmp_path: Path, forge: Forge, tone: str, steps: list[str]
) -> None:
    async def lie(route: Route) -> None:
        response = await route.fetch()
        forged = forge(LogProof.read(await response.body()), world, tmp_path)
        await route.fulfill(response=response, body=forged.encoded())

    async with visit() as visitor:
        await visitor.page.route("**/proof", lie)
        assert ((await visitor.verdict(f"/t/{SECOND}", world.documents[SECOND]))[0], await visitor.steps()) == (tone, steps)


async def test_true_proof_of_another_document_proves_nothing_here(visit: Visits, world: PageWorld) -> None:
    async def swap(route: Route) -> None:
        await route.fulfill(response=await route.fetch(url=route.request.url.replace(SECOND, OTHER)))

    async with visit() as visitor:
        await visitor.page.route("**/proof", swap)
        for file in (OTHER, SECOND):
            assert (await visitor.verdict(f"/t/{SECOND}", world.documents[file]))[0] == "bad"


# --- The module against the one in Python ---


def vectors(folder: Path) -> tuple[str, list[bytes]]:
    """(a policy, proofs that hold, proofs that don't, and bytes that are none)."""
    chance = random.Random(6962)
    log = make_signer(folder / "log.key", "log.example")
    kinds = (COSIGNATURE_ED25519, COSIGNATURE_ED25519, COSIGNATURE_ED25519, COSIGNATURE_ML_DSA_44)
    witnesses = [make_signer(folder / f"w{number}.key", f"w{number}.example", kind) for number, kind in enumerate(kinds)]
    lines = [f"log {log.public.text}", *(f"witness w{number} {one.public.text}" for number, one in enumerate(witnesses))]
    policy = "\n".join([*lines, "# two of three, or the other", "group two 2 w0 w1 w3", "group either any two w2", "quorum either", ""])
    sizes = [*range(1, 18), 31, 32, 33, 63, 64, 65, 127, 128, 129, 255, 256, 257, 511, 513, 1000]
    made: list[bytes] = []
    for size in sizes:
        leaves = [b"%d of %d" % (number, size) for number in range(size)]
        hashes = [leaf_hash(leaf) for leaf in leaves]

        def node(level: int, index: int, hashes: list[bytes] = hashes) -> bytes:
            return root_of(hashes[index << level : (index + 1) << level])

        for index in {0, size - 1, size // 2, chance.randrange(size)}:
            path = tuple(range_hash(node, one) for one in inclusion_ranges(index, size))
            checkpoint = Checkpoint("log.example", size, root_of(hashes))
            signers = chance.sample(witnesses, chance.choice([1, 2, 3, 3, 4]))
            signatures = [log.sign(checkpoint.text), *(one.cosign(checkpoint, chance.choice([0, 1, 1_800_000_000, (1 << 63) + 5])) for one in signers)]
            proof = LogProof(leaves[index], index, path, SignedNote(checkpoint.text, tuple(signatures)).encoded())
            made += [proof.encoded(), changed(proof, chance).encoded(), garbled(proof.encoded(), chance)]
    # Of a tree that no machine holds: sizes beyond 2^53.
    made += [deep(log, witnesses, size, index).encoded() for size, index in (((1 << 62) + 7, 5), ((1 << 53) + 1, 1 << 53), (10**18 - 1, 10**18 - 2))]
    return policy, made


def deep(log: NoteSigner, witnesses: list[NoteSigner], size: int, index: int) -> LogProof:
    """A path of made-up neighbours and the root that it leads to."""
    path = [bytes([number]) * 32 for number in range(len(inclusion_ranges(index, size)))]
    root, leaf = leaf_hash(b"deep"), index
    for neighbour, (start, _) in zip(path, inclusion_ranges(index, size), strict=True):
        root = node_hash(neighbour, root) if start <= leaf and start < index else node_hash(root, neighbour)
    checkpoint = Checkpoint("log.example", size, root)
    note = SignedNote(checkpoint.text, (log.sign(checkpoint.text), *(one.cosign(checkpoint, 1) for one in witnesses)))
    return LogProof(b"deep", index, tuple(path), note.encoded())


def changed(proof: LogProof, chance: random.Random) -> LogProof:
    """Something else in its place that can still be read."""
    note = read_note(proof.checkpoint)
    match chance.randrange(6):
        case 0:
            return replace(proof, index=proof.index + 1)
        case 1:
            return replace(proof, path=(*proof.path, bytes(32)))
        case 2:
            return replace(proof, path=proof.path[1:])
        case 3:
            return replace(proof, statement=proof.statement + b" ")
        case 4:
            worst = note.signatures[chance.randrange(len(note.signatures))]
            forged = NoteSignature(worst.name, worst.key_id, worst.signature[:-1] + bytes([worst.signature[-1] ^ 1]))
            return replace(proof, checkpoint=SignedNote(note.text, tuple(forged if one is worst else one for one in note.signatures)).encoded())
        case _:
            stranger = NoteSignature("stranger.example", b"abcd", b"whatever")
            return replace(proof, checkpoint=SignedNote(note.text, (stranger, *note.signatures, *note.signatures)).encoded())


def garbled(data: bytes, chance: random.Random) -> bytes:
    """One byte changed, lost or doubled."""
    at = chance.randrange(len(data))
    return data[:at] + chance.choice([bytes([data[at] ^ (1 << chance.randrange(8))]), b"", data[at : at + 1] * 2]) + data[at + 1 :]


def told(data: bytes, policy: WitnessPolicy) -> bool:
    """What the Python check says, of what a browser can check: without the lines of the witness whose key is ML-DSA."""
    try:
        proof = LogProof.read(data)
        note = read_note(proof.checkpoint)
        checkable = tuple(one for one in note.signatures if one.name != "w3.example")
        check_proof(replace(proof, checkpoint=SignedNote(note.text, checkable).encoded()), policy, verifier_of)
    except NoteError:
        return False
    return True


async def test_browser_judges_proofs_as_python_does(browser: Browser, world: PageWorld, tmp_path: Path) -> None:  # noqa: F811 - the fixture
    policy, proofs = vectors(tmp_path)
    context = await browser.new_context()
    page = await context.new_page()
    await page.goto(world.url)
    module = world.page()._assets["log_proof.js"].address
    found = await page.evaluate(
        """async ([module, policyText, proofs]) => {
            const { checkProof, readPolicy, ProofError } = await import(module);
            const policy = await readPolicy(policyText);
            const judge = (data) => checkProof(data, policy).then(() => true, (error) => (error instanceof ProofError ? error.step : String(error)));
            return Promise.all(proofs.map((text) => judge(Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)))));
        }""",
        [module, policy, [base64.b64encode(data).decode() for data in proofs]],
    )
    await context.close()
    expected = [told(data, read_policy(policy)) for data in proofs]
    assert [proof for proof, ours, theirs in zip(proofs, expected, found, strict=True) if ours is not (theirs is True)] == []
    assert set(found) == {True, "proof", "log", "witnesses", "path", "unsupported"}, "whatever is wrong is named, each way occurs, and nothing else escapes"
    assert len(proofs) > 300
    assert 60 < sum(expected) < 250
