"use strict";
// The teller's page: draws what the server says, sends one command for each intent.

const KEYS = { F2: "recall", F4: "miss", F9: "call-next" };
const GUARD_MS = 400; // a second touch, or one that meets a button with a new meaning, is swallowed
const REFUSAL_MS = 10000; // a refusal is read by then, and perhaps no longer true
const ANSWER_WITHIN_MS = 5000;

const body = document.body;
const clock = new Clock(document.getElementById("clock"));
const primary = document.getElementById("primary");
const refusal = document.getElementById("refusal");
const number = document.querySelector(".current .number");
const elapsed = document.getElementById("elapsed");
const api = `/api/counters/${body.dataset.counter}/`;
const refusals = JSON.parse(body.dataset.refusals);

let revision = Number(body.dataset.revision);
let began = performance.now() - Number(body.dataset.since); // when the state began
let intent = null; // {action, key}: kept until the server has answered it
let sending = false;
let guardedUntil = 0;
let forgetting = 0; // the timer that takes a refusal away

function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function draw(page) {
  if (page.revision < revision) return; // an older answer that came late
  revision = page.revision;
  if (page.state !== body.dataset.state || page.number !== number.textContent) {
    guard();
    refuse("");
    intent = sending ? intent : null;
    body.dataset.state = page.state;
    body.dataset.since = page.since_ms;
  }
  began = performance.now() - page.since_ms;
  for (const element of document.querySelectorAll("[data-text]")) put(element, page[element.dataset.text]);
  number.classList.toggle("long", page.number.length > 4);
  put(document.getElementById("said"), page.said);
  drawAction(primary, page.primary);
  for (const action of page.others) {
    const button = document.querySelector(`.other[data-action="${action.name}"]`);
    drawAction(button, action);
    put(button.querySelector(".note"), action.note);
    button.hidden = action.name === page.primary.name;
  }
  if (document.activeElement === body && !primary.disabled) primary.focus();
  document.getElementById("pad").dataset.pad = page.pad;
  const facts = page.facts.map((fact) => Object.assign(document.createElement("span"), { textContent: fact }));
  document.getElementById("facts").replaceChildren(...facts);
  document.querySelectorAll("#next li").forEach((row, index) => {
    const line = page.next[index];
    row.hidden = !line;
    if (!line) return;
    for (const part of ["number", "service", "waited"]) put(row.querySelector(`.${part}`), line[part]);
  });
  document.getElementById("empty").hidden = page.next.length > 0;
  clock.set(page.clock);
  tick();
}

function drawAction(button, action) {
  button.dataset.action = action.name;
  button.disabled = !action.can;
  put(button.querySelector(".label"), action.label);
  put(button.querySelector("kbd"), action.key);
  button.querySelector("kbd").hidden = !action.key;
}

function tick() {
  const seconds = Math.max(0, Math.floor((performance.now() - began) / 1000));
  const two = (figure) => String(figure).padStart(2, "0");
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  put(elapsed, h ? `${h}:${two(m)}:${two(s)}` : `${two(m)}:${two(s)}`);
}

function refuse(words) {
  clearTimeout(forgetting);
  if (words) forgetting = setTimeout(refuse, REFUSAL_MS, "");
  put(refusal.querySelector("span"), words);
  refusal.hidden = !words;
}

function guard() {
  guardedUntil = performance.now() + GUARD_MS;
  body.dataset.guarded = "";
  setTimeout(() => {
    if (performance.now() >= guardedUntil) delete body.dataset.guarded;
  }, GUARD_MS + 10);
}

/* A key that no other page or repeat has. (randomUUID needs https, this does not.) */
function newKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function act(action) {
  if (!action || sending || performance.now() < guardedUntil) return;
  const button = [primary, ...document.querySelectorAll(".other")].find((one) => one.dataset.action === action);
  if (button.disabled) {
    refuse(button.querySelector(".note").textContent);
    return;
  }
  guard();
  if (!intent || intent.action !== action) intent = { action, key: newKey() };
  sending = true;
  try {
    const answer = await fetch(api + action, {
      method: "POST",
      headers: { "Idempotency-Key": intent.key, "Content-Type": "application/json" },
      body: "{}",
      signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
    });
    if (answer.status >= 500) throw new Error(`HTTP ${answer.status}`);
    intent = null; // answered: the next press is a new intent
    if (answer.ok) {
      refuse("");
      if (body.classList.contains("lost")) location.reload(); // no event will bring the new state
    } else {
      const problem = await answer.json();
      refuse(refusals[problem.code] ?? problem.message);
    }
  } catch {
    refuse(refusals.unsent); // it may have arrived: the same key goes with the next press
  } finally {
    sending = false;
  }
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-action]");
  if (button) act(button.dataset.action);
});
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const action = KEYS[event.key];
  const enter = event.key === "Enter";
  const elsewhere = event.target.closest("a, .other");
  if (!action && !(enter && !elsewhere)) {
    if (event.repeat && (enter || event.key === " ")) event.preventDefault(); // a held key is one press
    return;
  }
  event.preventDefault();
  if (!event.repeat) act(action ?? primary.dataset.action);
});

setInterval(tick, 250);
primary.focus();
follow(`/events/counter/${body.dataset.counter}?lang=${body.dataset.lang}`, "counter", draw, (open) => {
  if (open) revision = -1; // a server that started anew counts from its own beginning
  body.classList.toggle("lost", !open);
  put(document.getElementById("link"), open ? body.dataset.linked : body.dataset.lost);
});
