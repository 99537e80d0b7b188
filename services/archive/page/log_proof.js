// Checks a proof of the transparency log (C2SP tlog-proof@v1) with nothing but WebCrypto: the same rules as domain/log_proof.py,
// signed_note.py, checkpoint.py, witness_policy.py and merkle.py, against which the tests hold this file.
//
// Numbers of the log are BigInt, since they may pass 2^53. Every failure is a ProofError that names the step that failed.

const ED25519 = 0x01;
const COSIGNATURE_ED25519 = 0x04;
const COSIGNATURE_ML_DSA_44 = 0x06;
const KEY_BYTES = { [ED25519]: 32, [COSIGNATURE_ED25519]: 32, [COSIGNATURE_ML_DSA_44]: 1312 };
const HASH_BYTES = 32;
const LONGEST_PATH = 63;
const LONGEST_NOTE = 1 << 20;
const MOST_SIGNATURES = 64;
const SIZE = /^(0|[1-9][0-9]{0,18})$/;
const WHITE_SPACE = /[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/u;

/** The steps of a check, in their order. */
export const STEPS = ["proof", "log", "witnesses", "path"];

/** The proof doesn't hold; `step` is the first of STEPS that failed, or "unsupported" where this browser can't check signatures. */
export class ProofError extends Error {
  constructor(step, message) {
    super(message);
    this.step = step;
  }
}

/** What a proof file (Uint8Array) says: {statement, index, path, checkpoint}, all bytes but the index. ProofError when it is none. */
export function readProof(data) {
  const end = data.findIndex((byte, at) => byte === 10 && data[at + 1] === 10);
  const [form, extra = "", index = "", ...path] = end < 0 ? [] : ascii(data.subarray(0, end)).split("\n");
  if (form !== "c2sp.org/tlog-proof@v1" || !extra.startsWith("extra ") || !index.startsWith("index ") || path.length > LONGEST_PATH) {
    throw new ProofError("proof", "the proof is none that hocba gives out");
  }
  return { statement: decoded(extra.slice(6)), index: readSize(index.slice(6)), path: path.map(readHash), checkpoint: data.subarray(end + 2) };
}

/** The statement in a leaf: {kind, publicId, version, sha256, at}, the digest in hexadecimal and the time as a Date. */
export function readStatement(leaf) {
  const [form, kind, publicId, version, sha256, , , , at, ...rest] = ascii(leaf).split("\n");
  if (!/^hocba\/(leaf|register)\/1$/.test(form) || !/^[0-9a-f]{64}$/.test(sha256) || !/^[0-9]+$/.test(at) || rest.join("\n") !== "") {
    throw new ProofError("proof", "the leaf is no statement of an archive");
  }
  return { kind, publicId, version, sha256, at: new Date(Number(at) * 1000) };
}

/** The policy (C2SP tlog-policy) in a text: {log, witnesses, groups, quorum}. ProofError names the line that is wrong. */
export async function readPolicy(text) {
  const policy = { log: null, witnesses: [], groups: [], quorum: null };
  const known = new Set();
  for (const [at, line] of text.split("\n").entries()) {
    const [word, name, ...rest] = line.split(/\s+/).filter(Boolean);
    const wrong = (why) => new ProofError("proof", `line ${at + 1} of the policy: ${why}`);
    if (word === undefined || word.startsWith("#")) continue;
    if (word === "log" && name && !policy.log) {
      policy.log = await readKey(name);
    } else if (word === "witness" && rest.length >= 1 && rest.length <= 2 && !known.has(name) && name !== "none") {
      policy.witnesses.push({ name, key: await readKey(rest[0]) });
      known.add(name);
    } else if (word === "group" && rest.length >= 2 && !known.has(name) && name !== "none") {
      const [count, ...members] = rest;
      const needed = { any: 1, all: members.length }[count] ?? (/^[0-9]+$/.test(count) ? Number(count) : 0);
      if (new Set(members).size !== members.length || !members.every((one) => known.has(one))) throw wrong("members stand once, and before the group");
      if (needed < 1 || needed > members.length) throw wrong(`${count} of ${members.length} can't be asked for`);
      policy.groups.push({ name, needed, members });
      known.add(name);
    } else if (word === "quorum" && rest.length === 0 && policy.quorum === null && (name === "none" || known.has(name))) {
      policy.quorum = name;
    } else {
      throw wrong("no line of a policy");
    }
  }
  if (!policy.log || policy.quorum === null) throw new ProofError("proof", "a policy has one line `log` and one line `quorum`");
  return policy;
}

/** Whether these witnesses, a Set of their names in the policy, are enough. */
export function satisfied(policy, cosigners) {
  const held = new Set(policy.witnesses.map((one) => one.name).filter((name) => cosigners.has(name)));
  for (const group of policy.groups) {
    if (group.members.filter((one) => held.has(one)).length >= group.needed) held.add(group.name);
  }
  return policy.quorum === "none" || held.has(policy.quorum);
}

/**
 * What a proof file (Uint8Array) shows under a policy: {statement, index, size, root, witnesses, unchecked}, the last two names of witnesses: those whose
 * cosignatures hold, and those whose kind of key (ML-DSA) no browser can check and who therefore count for nothing here.
 */
export async function checkProof(data, policy) {
  const proof = readProof(data);
  const note = readNote(proof.checkpoint);
  const found = await verified(note, [policy.log, ...policy.witnesses.map((one) => one.key)]);
  const has = (key, signatures) => signatures.some((one) => sameKey(one, key));
  if (!has(policy.log, found.good)) throw new ProofError("log", `the log ${policy.log.name} has not signed this checkpoint`);
  const checkpoint = readCheckpoint(note.text);
  if (checkpoint.origin !== policy.log.name) throw new ProofError("log", `the checkpoint is one of ${checkpoint.origin}, not of ${policy.log.name}`);
  const names = (signatures) => policy.witnesses.filter((one) => has(one.key, signatures)).map((one) => one.name);
  const witnesses = names(found.good);
  const unchecked = names(found.unchecked);
  if (!satisfied(policy, new Set(witnesses))) {
    const message = `the checkpoint isn't final: cosigned by ${witnesses.join(", ") || "nobody"}, the quorum is ${policy.quorum}`;
    // With those that can't be checked here it may well be: that is no failure of the proof.
    if (satisfied(policy, new Set([...witnesses, ...unchecked]))) throw new ProofError("unsupported", `${message}; not checked: ${unchecked.join(", ")}`);
    throw new ProofError("witnesses", message);
  }
  const root = await inclusionRoot(await hash(0, proof.statement), proof.index, checkpoint.size, proof.path);
  if (root === null || !same(root, checkpoint.root)) {
    throw new ProofError("path", `the path doesn't lead from statement ${proof.index} to the root of the checkpoint`);
  }
  return { statement: proof.statement, index: proof.index, size: checkpoint.size, root: checkpoint.root, witnesses, unchecked };
}

/** The root that a path leads to from a leaf's hash; null when no tree of this size has such a path (RFC 9162 section 2.1.3.2). */
export async function inclusionRoot(leaf, index, size, path) {
  if (index < 0n || index >= size) return null;
  let [node, last, root] = [index, size - 1n, leaf];
  for (const neighbour of path) {
    if (last === 0n) return null;
    if (node & 1n || node === last) {
      root = await hash(1, neighbour, root);
      while (!(node & 1n) && node) [node, last] = [node >> 1n, last >> 1n];
    } else {
      root = await hash(1, root, neighbour);
    }
    [node, last] = [node >> 1n, last >> 1n];
  }
  return last === 0n ? root : null;
}

/** The SHA-256 of a document in hexadecimal. */
export async function digestOf(data) {
  return hexadecimal(new Uint8Array(await crypto.subtle.digest("SHA-256", data)));
}

/** The signed note (C2SP signed-note) in these bytes: {text, signatures}. */
function readNote(data) {
  if (data.length > LONGEST_NOTE) throw new ProofError("proof", `a note of ${data.length} bytes`);
  const note = utf8(data);
  if (/[\x00-\x09\x0b-\x1f]/.test(note)) throw new ProofError("proof", "a note has no control characters");
  // The text may hold blank lines; the last one ends it.
  const blank = note.lastIndexOf("\n\n");
  if (blank < 0 || !note.endsWith("\n") || blank + 2 === note.length) throw new ProofError("proof", "a note has a text, a blank line and signatures");
  const lines = note.slice(blank + 2, -1).split("\n");
  if (lines.length > MOST_SIGNATURES) throw new ProofError("proof", `a note with ${lines.length} signatures`);
  return { text: note.slice(0, blank + 1), signatures: lines.map(readSignature) };
}

function readSignature(line) {
  const space = line.indexOf(" ", 2);
  const name = line.slice(2, space);
  const data = space < 0 ? new Uint8Array() : decoded(line.slice(space + 1));
  if (!line.startsWith("— ") || !isName(name) || data.length < 5) throw new ProofError("proof", "a signature line is — <name> <base64>");
  return { name, keyId: hexadecimal(data.subarray(0, 4)), signature: data.subarray(4) };
}

function readCheckpoint(text) {
  const lines = text.split("\n");
  if (lines.length < 4 || lines.at(-1) !== "" || !isName(lines[0]) || !SIZE.test(lines[1]) || lines.slice(3, -1).includes("")) {
    throw new ProofError("log", "a checkpoint is origin, size and root, a line each");
  }
  return { origin: lines[0], size: readSize(lines[1]), root: readHash(lines[2]) };
}

/** A public key as it is written down, `<name>+<key id, hex>+base64(<type> || <key>)`; its id must follow from the rest. */
async function readKey(text) {
  const [name, keyId, ...rest] = text.split("+");
  const data = decoded(rest.join("+"));
  const key = { name, keyId, kind: data[0], key: data.subarray(1) };
  const id = await crypto.subtle.digest("SHA-256", joined(bytes(`${name}\n`), data));
  if (!isName(name) || hexadecimal(new Uint8Array(id, 0, 4)) !== keyId) throw new ProofError("proof", `the key of ${name} doesn't have the id that it names`);
  if (KEY_BYTES[key.kind] !== key.key.length) throw new ProofError("proof", `the key of ${name} is of a type that is not known here`);
  return key;
}

/** The note's signatures by these keys, one a key: {good, unchecked}. A known key whose signature is wrong makes the note worthless. */
async function verified(note, keys) {
  const [good, unchecked] = [[], []];
  for (const signature of note.signatures) {
    const key = keys.find((one) => sameKey(one, signature));
    if (!key || [...good, ...unchecked].some((one) => sameKey(one, signature))) continue;
    if (key.kind === COSIGNATURE_ML_DSA_44) {
      unchecked.push(signature);
    } else if (await verifies(key, note.text, signature.signature)) {
      good.push(signature);
    } else {
      throw new ProofError(key === keys[0] ? "log" : "witnesses", `the signature of ${signature.name} does not verify`);
    }
  }
  return { good, unchecked };
}

async function verifies(key, text, signature) {
  let [message, value] = [bytes(text), signature];
  if (key.kind === COSIGNATURE_ED25519) {
    if (signature.length < 8) return false;
    const at = new DataView(signature.buffer, signature.byteOffset, 8).getBigUint64(0);
    [message, value] = [bytes(`cosignature/v1\ntime ${at}\n${text}`), signature.subarray(8)];
  }
  let usable;
  try {
    usable = await crypto.subtle.importKey("raw", key.key, "Ed25519", false, ["verify"]);
  } catch (error) {
    if (error.name === "NotSupportedError") throw new ProofError("unsupported", "this browser can't check Ed25519 signatures");
    return false;
  }
  return crypto.subtle.verify("Ed25519", usable, value, message);
}

async function hash(prefix, ...parts) {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", joined(Uint8Array.of(prefix), ...parts)));
}

function readSize(text) {
  if (!SIZE.test(text)) throw new ProofError("proof", "a size is a decimal number without leading zeros");
  return BigInt(text);
}

function readHash(line) {
  const found = decoded(line);
  if (found.length !== HASH_BYTES) throw new ProofError("proof", "a hash is 32 bytes in base64");
  return found;
}

/** What standard base64 says; ProofError when it isn't the one way to write it. */
function decoded(text) {
  try {
    const found = atob(text);
    if (btoa(found) === text) return Uint8Array.from(found, (letter) => letter.charCodeAt(0));
  } catch {
    // Said below.
  }
  throw new ProofError("proof", "not base64");
}

function ascii(data) {
  if (data.some((byte) => byte > 127)) throw new ProofError("proof", "not ASCII");
  return utf8(data);
}

function utf8(data) {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(data);
  } catch {
    throw new ProofError("proof", "not UTF-8");
  }
}

const bytes = (text) => new TextEncoder().encode(text);
const hexadecimal = (data) => Array.from(data, (byte) => byte.toString(16).padStart(2, "0")).join("");
const isName = (name) => name !== "" && !name.includes("+") && !WHITE_SPACE.test(name);
const sameKey = (one, other) => one.name === other.name && one.keyId === other.keyId;
const same = (one, other) => one.length === other.length && one.every((byte, at) => byte === other[at]);

function joined(...parts) {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
