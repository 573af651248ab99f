"use strict";
// The complaints: opens the one that the address names, sends one command for each intent.

const ANSWER_WITHIN_MS = 5000;
const refusals = JSON.parse(document.body.dataset.refusals);
const refusal = document.getElementById("refusal");
const keys = new Map();
let busy = false;

/* A key that no other page or repeat has. (randomUUID needs https, this does not.) */
function keyOf(intent) {
  if (!keys.has(intent)) {
    const bytes = [...crypto.getRandomValues(new Uint8Array(16))];
    keys.set(intent, bytes.map((byte) => byte.toString(16).padStart(2, "0")).join(""));
  }
  return keys.get(intent); // an unanswered intent keeps its key for the next press
}

function refuse(text) {
  refusal.querySelector("span").textContent = text;
  refusal.hidden = false;
  refusal.scrollIntoView({ block: "nearest" });
}

async function send(name, values) {
  const body = JSON.stringify(values);
  const headers = { "Idempotency-Key": keyOf(`${name} ${body}`), "Content-Type": "application/json" };
  const token = document.querySelector('meta[name="csrf-token"]');
  if (token) headers["X-CSRF-Token"] = token.content;
  try {
    const answer = await fetch(`/api/hall/${name}`, {
      method: "POST", headers, body, signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
    });
    if (answer.status >= 500) throw new Error(`HTTP ${answer.status}`);
    if (answer.ok) return true;
    const said = await answer.json();
    refuse(refusals[said.code] ?? said.message);
  } catch {
    refuse(refusals.unsent);
  }
  return false;
}

function open() {
  const named = document.getElementById(location.hash.slice(1));
  const details = named?.querySelector("details");
  if (details) details.open = true;
  named?.scrollIntoView({ block: "nearest" });
}

document.addEventListener("click", async (event) => {
  const pressed = event.target.closest("button[data-act]");
  if (!pressed || busy) return;
  busy = true;
  pressed.ariaBusy = "true";
  const { act, of, outcome } = pressed.dataset;
  const done = await send(act, outcome ? { complaint: of, outcome } : { complaint: of });
  pressed.ariaBusy = null;
  busy = false;
  if (done) {
    history.replaceState(null, "", `#${of}`);
    location.reload();
  }
});
addEventListener("hashchange", open);
open();
