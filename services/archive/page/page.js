// The browser's part of the public page: a PDF is hashed here and compared with what the log says; it never leaves the machine.

import { ProofError, STEPS, checkProof, digestOf, readPolicy, readProof, readStatement } from "./log_proof.js";

const LARGEST_FILE = 64 << 20;
const LARGEST_STREAM = 4 << 20;
const PUBLIC_ID = /"public_id":"([A-Za-z0-9]{1,64})"/;

const section = document.querySelector("#check");
const texts = JSON.parse(section.dataset.texts);
const drop = section.querySelector(".drop");
const input = section.querySelector("#file");
const result = section.querySelector("#result");

/** What can't be answered, by the text that says why; `more` are its parameters. */
class NoAnswer extends Error {
  constructor(code, more = {}) {
    super(code);
    this.more = more;
  }
}

/** Show what came of a file: a verdict (a code of the texts), its tone, and the steps that led to it. */
function show(tone, code, { steps = [], digest = "", reason = "", link = null, ...more } = {}) {
  const box = element("div", "", `verdict ${tone}`);
  box.append(element("h3", texts[code]));
  if (texts[`${code}_text`]) box.append(element("p", filled(texts[`${code}_text`], more)));
  if (reason) box.append(element("p", filled(texts.reason, { reason }), "hint"));
  if (link) box.append(link);
  if (steps.length) {
    const list = element("ol");
    for (const { state, text, detail } of steps) {
      const item = element("li", "", state);
      const line = element("span", text);
      line.prepend(element("span", `${texts[state]}: `, "unseen"));
      item.append(line);
      if (detail) item.append(element("span", detail, "hint"));
      list.append(item);
    }
    box.append(list);
  }
  if (digest) {
    const line = element("p", `${texts.file_digest}: `, "hint");
    line.append(element("code", digest));
    box.append(line);
  }
  result.replaceChildren(box);
}

let busy = false; // One file at a time, so that no verdict is taken for that of another file.

/** Check one file and show the verdict. */
async function check(file) {
  if (busy) return;
  busy = true;
  result.replaceChildren(element("p", texts.busy));
  try {
    await judge(file);
  } catch (error) {
    // Whatever went wrong, no verdict is no good verdict.
    show("", error instanceof NoAnswer ? error.message : "unreachable", error.more);
    if (!(error instanceof NoAnswer)) throw error;
  } finally {
    busy = false;
  }
}

async function judge(file) {
  if (!globalThis.crypto?.subtle) throw new NoAnswer("insecure");
  if (file.size > LARGEST_FILE) throw new NoAnswer("too_large");
  const data = new Uint8Array(await file.arrayBuffer());
  if (new TextDecoder("latin1").decode(data.subarray(0, 5)) !== "%PDF-") throw new NoAnswer("not_pdf");
  const digest = await digestOf(data);
  const own = await publicIdIn(data);
  const id = section.dataset.id || own || document.querySelector("#id")?.value.replace(/[\s-]/g, "").toLowerCase();
  if (!id) throw new NoAnswer("which");
  const policyText = await (await answered(fetch(section.dataset.policy), "unreachable")).text();
  const status = await (await answered(fetch(`/t/${encodeURIComponent(id)}/status`, { cache: "no-store" }), "unknown")).json();
  const proof = new Uint8Array(await (await answered(fetch(`/t/${encodeURIComponent(id)}/proof`, { cache: "no-store" }), "pending")).arrayBuffer());
  const policy = await readPolicy(policyText);
  const { steps, leaf, failure } = await proven(proof, policy);
  const outcome = { steps, digest, reason: failure?.message };
  if (failure?.step === "unsupported") return show("", "unsupported", outcome);
  if (failure) return show("bad", "unproven", outcome);
  const at = new Date(status.as_of).toLocaleString(section.dataset.lang === "en" ? "en-GB" : "vi-VN", { timeZone: "Asia/Ho_Chi_Minh" });
  const [tone, verdict, last] = {
    valid: ["good", "genuine", texts.step_valid],
    superseded: ["warn", "superseded", texts.step_superseded],
    revoked: ["bad", "revoked", texts.step_revoked],
  }[status.status];
  steps.unshift(step(leaf.sha256 === digest, texts.step_digest), step(leaf.publicId === id, texts.step_id));
  steps.push(step(verdict === "genuine", filled(last, { at })));
  if (leaf.publicId !== id) return show("bad", "unproven", outcome);
  if (leaf.sha256 !== digest && own && own !== id) return show("bad", "another", { ...outcome, link: linkTo(own) });
  if (leaf.sha256 !== digest) return show("bad", "changed", outcome);
  return show(tone, verdict, outcome);
}

/** The steps of the proof's check, the statement when all of them passed, else the failure. */
async function proven(data, policy) {
  const words = { log: policy.log.name };
  const plain = { proof: texts.step_proof, log: filled(texts.step_log, words), witnesses: texts.step_witnesses, path: texts.step_path_plain };
  try {
    const leaf = readStatement(readProof(data).statement);
    const found = await checkProof(data, policy);
    const names = (text, list) => (list.length ? [filled(text, { names: list.join(", ") })] : []);
    const detail = [...names(texts.witnesses_good, found.witnesses), ...names(texts.witnesses_unchecked, found.unchecked)].join("; ");
    const path = filled(texts.step_path, { index: found.index, size: found.size });
    return { leaf, steps: [step(true, plain.proof), step(true, plain.log), { ...step(true, plain.witnesses), detail }, step(true, path)] };
  } catch (failure) {
    if (!(failure instanceof ProofError)) throw failure;
    const at = STEPS.indexOf(failure.step);
    const state = (place) => (at < 0 || place > at ? "skipped" : place < at ? "passed" : "failed");
    return { failure, steps: STEPS.map((name, place) => ({ state: state(place), text: plain[name] })) };
  }
}

/** The response of the own server, or why there is none; `absent` is what it means when there is no such thing. */
async function answered(asking, absent) {
  let response;
  try {
    response = await asking;
  } catch {
    throw new NoAnswer("unreachable");
  }
  if (response.status === 404) throw new NoAnswer(absent);
  if (response.status === 429) throw new NoAnswer("limited", { seconds: response.headers.get("Retry-After") });
  if (!response.ok) throw new NoAnswer("unreachable");
  return response;
}

/**
 * The lookup code in a PDF's attached record, or null. Only a hint which entry of the log to ask for: what it is worth, the digest says.
 */
async function publicIdIn(data) {
  const text = new TextDecoder("latin1").decode(data);
  for (const { index, 0: begin } of text.matchAll(/stream\r?\n/g)) {
    const start = index + begin.length;
    const end = text.indexOf("endstream", start);
    if (text.startsWith("end", index - 3) || end < 0 || end - start > LARGEST_STREAM) continue;
    const body = data.subarray(start, end - (text.startsWith("\r\n", end - 2) ? 2 : 1));
    const found = PUBLIC_ID.exec(body[0] === 0x78 ? await inflated(body) : text.slice(start, end));
    if (found) return found[1];
  }
  return null;
}

/** The text that a zlib stream begins with, as far as it can be read. */
async function inflated(data) {
  const reader = new Blob([data]).stream().pipeThrough(new DecompressionStream("deflate")).getReader();
  const decoder = new TextDecoder();
  let text = "";
  try {
    for (let part = await reader.read(); !part.done && text.length < LARGEST_STREAM; part = await reader.read()) {
      text += decoder.decode(part.value, { stream: true });
    }
  } catch {
    // A stream of another kind; what came before the fault is looked at.
  }
  reader.cancel().catch(() => {});
  return text;
}

function linkTo(id) {
  const link = element("a", texts.another_link);
  link.href = `/t/${encodeURIComponent(id)}?lang=${section.dataset.lang}`;
  return link;
}

function element(tag, text = "", kind = "") {
  const made = document.createElement(tag);
  made.textContent = text;
  if (kind) made.className = kind;
  return made;
}

const step = (good, text) => ({ state: good ? "passed" : "failed", text });
const filled = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => String(values[name]));

drop.hidden = false;
input.addEventListener("change", () => {
  if (input.files.length) check(input.files[0]);
  input.value = ""; // The same file may be chosen again.
});
// Anywhere on the page: a file dropped beside the field would otherwise replace the page.
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  drop.classList.add("over");
});
document.addEventListener("dragleave", () => drop.classList.remove("over"));
document.addEventListener("drop", (event) => {
  event.preventDefault();
  drop.classList.remove("over");
  if (event.dataTransfer.files.length) check(event.dataTransfer.files[0]);
});
