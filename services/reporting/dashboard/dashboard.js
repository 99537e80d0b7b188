// Keeps a page that is watched up to date: it is asked for again, and sent only when a number has moved.

import { draw } from "./curve.js";

const EVERY = 5000;
let tag = null;

async function look() {
  if (document.hidden) return;
  let answer;
  try {
    answer = await fetch(location.href, { headers: tag ? { "If-None-Match": tag } : {}, cache: "no-store", redirect: "manual" });
  } catch {
    return; // The line is down for a moment; the next look will tell.
  }
  if (answer.type === "opaqueredirect") return location.reload(); // Signed out meanwhile.
  if (answer.status !== 200) return;
  const first = tag === null;
  tag = answer.headers.get("ETag");
  if (first) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const held = document.activeElement && document.activeElement.closest("a[href]");
  const scrolled = [...document.querySelectorAll(".scroll")].map((one) => one.scrollLeft);
  document.getElementById("main").replaceChildren(...page.getElementById("main").childNodes);
  document.title = page.title;
  draw();
  document.querySelectorAll(".scroll").forEach((one, place) => { one.scrollLeft = scrolled[place] ?? 0; });
  // Whoever goes by keyboard stays where they were.
  if (held) document.querySelector(`a[href="${CSS.escape(held.getAttribute("href"))}"]`)?.focus({ preventScroll: true });
}

draw();
look();
setInterval(look, EVERY);
