"use strict";
// The teller's page: draws what the server says, sends one command for each intent.

const GUARD_MS = 400; // a second touch, or one that meets a button with a new meaning, is swallowed
const REFUSAL_MS = 10000; // a refusal is read by then, and perhaps no longer true
const ANSWER_WITHIN_MS = 5000;

const body = document.body;
const clock = new Clock(document.getElementById("clock"));
const primary = document.getElementById("primary");
const number = document.querySelector(".current .number");
const elapsed = document.getElementById("elapsed");
const api = `/api/counters/${body.dataset.counter}/`;
const stream = `/events/counter/${body.dataset.counter}?lang=${body.dataset.lang}`;
const refusals = JSON.parse(body.dataset.refusals);
const done = JSON.parse(body.dataset.done);
const buttons = [...document.querySelectorAll("body > header button[data-action], main button[data-action]")];

let page = JSON.parse(body.dataset.page); // what is drawn
let revision = page.revision;
let began = performance.now() - page.since_ms; // when the state began
let intent = null; // {action, body, turn, key}: kept until the server has answered it
let sending = false;
let guardedUntil = 0;
let surprised = false; // the refusal on the page is about the very change that is being drawn
const forgetting = {}; // the timers that take the messages away

function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function draw(next) {
  if (next.revision < revision) return; // an older answer that came late
  revision = next.revision;
  if (next.state !== page.state || next.number !== page.number) {
    guard();
    if (!surprised) tell("refusal", "");
  }
  page = next;
  body.dataset.state = page.state;
  began = performance.now() - page.since_ms;
  for (const element of document.querySelectorAll("[data-text]")) put(element, page[element.dataset.text]);
  number.classList.toggle("long", page.number.length > 4);
  put(document.getElementById("said"), page.said);
  drawAction(primary, page.primary);
  for (const action of [...page.others, ...page.windows]) {
    const button = buttons.find((one) => one !== primary && one.dataset.action === action.name);
    drawAction(button, action);
    if (button.matches(".other")) {
      put(button.querySelector(".note"), action.note);
      button.hidden = action.name === page.primary.name;
    } else {
      button.dataset.note = action.note;
      button.setAttribute("aria-pressed", action.on);
    }
  }
  dialogs.fill(page.desk);
  document.getElementById("message").hidden = !page.note;
  document.getElementById("parked").hidden = !page.parked;
  document.getElementById("pad").dataset.pad = page.pad;
  const facts = page.facts.map((fact) => Object.assign(document.createElement("span"), { textContent: fact }));
  document.getElementById("facts").replaceChildren(...facts);
  drawNext();
  clock.set(page.clock);
  tick();
  keepFocus();
}

function drawNext() {
  document.querySelectorAll("#next li").forEach((row, index) => {
    const line = page.next[index];
    row.hidden = !line;
    if (!line) return;
    for (const part of ["number", "service", "mark", "waited"]) put(row.querySelector(`.${part}`), line[part]);
    row.querySelector(".mark").classList.toggle("near", line.near);
    const bar = row.querySelector("progress");
    bar.classList.toggle("near", line.near);
    bar.hidden = line.share < 0;
    bar.value = Math.max(0, line.share);
  });
  document.getElementById("empty").hidden = page.next.length > 0;
}

function drawAction(button, action) {
  button.dataset.action = action.name;
  button.disabled = !action.can;
  put(button.querySelector(".label"), action.label);
  put(button.querySelector("kbd"), action.key);
}

/* The keyboard is never nowhere: where its button is gone, it is on the green one. */
function keepFocus() {
  const at = document.activeElement;
  if (!dialogs.open && (at === body || at.disabled || at.hidden)) primary.focus();
}

function tick() {
  const seconds = Math.max(0, Math.floor((performance.now() - began) / 1000));
  const two = (figure) => String(figure).padStart(2, "0");
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  put(elapsed, h ? `${h}:${two(m)}:${two(s)}` : `${two(m)}:${two(s)}`);
}

/* A line of the page, "refusal" or "done": words for a while, or "". */
function tell(line, words) {
  clearTimeout(forgetting[line]);
  if (words) forgetting[line] = setTimeout(tell, REFUSAL_MS, line, "");
  const element = document.getElementById(line);
  put(element.querySelector("span"), words);
  element.hidden = !words;
}

/* Where the teller looks: a dialog covers the page. */
function refuse(words) {
  if (dialogs.open) dialogs.refuse(words);
  else tell("refusal", words);
}

function guard() {
  guardedUntil = performance.now() + GUARD_MS;
  body.dataset.guarded = "";
  setTimeout(release, GUARD_MS + 10);
}

/* The next press counts: the time is over, and no command is under way. */
function release() {
  if (performance.now() >= guardedUntil && !sending) delete body.dataset.guarded;
}

/* A key that no other page or repeat has. (randomUUID needs https, this does not.) */
function newKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function press(action) {
  const button = buttons.find((one) => one.dataset.action === action && !one.hidden);
  if (!button || sending || performance.now() < guardedUntil) return;
  if (button.disabled) {
    refuse(button.dataset.note ?? button.querySelector(".note")?.textContent ?? "");
    return;
  }
  if (button.getAttribute("aria-pressed") === "true") return; // it is so already
  if (button.hasAttribute("data-asks")) {
    guard();
    dialogs.show(action, page);
  } else send(action, {}, page.turn);
}

async function send(action, command, turn) {
  if (sending) return;
  sending = true;
  surprised = false;
  guard();
  const text = JSON.stringify(command);
  const about = command.number ?? page.number; // the answer may come after the news of it
  if (!intent || intent.action !== action || intent.text !== text || intent.turn !== turn) {
    intent = { action, text, turn, key: newKey() };
  }
  try {
    const answer = await fetch(api + action, {
      method: "POST",
      headers: headersOf(intent),
      body: intent.text,
      signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
    });
    if (answer.status >= 500) throw new Error(`HTTP ${answer.status}`);
    intent = null; // answered: the next press is a new intent
    const said = await answer.json();
    if (answer.ok) succeed(action, about);
    else fail(said);
  } catch {
    refuse(refusals.unsent); // it may have arrived: the same key goes with the next press
  } finally {
    sending = false;
    release();
  }
}

function headersOf({ key, turn }) {
  const headers = { "Idempotency-Key": key, "Counter-Turn": String(turn), "Content-Type": "application/json" };
  const token = document.querySelector('meta[name="csrf-token"]');
  if (token) headers["X-CSRF-Token"] = token.content;
  return headers;
}

function succeed(action, about) {
  dialogs.close();
  tell("refusal", "");
  tell("done", (done[action] ?? "").replace("{number}", about));
  if (body.classList.contains("lost")) refresh(); // no event will bring the new state
}

function fail({ code, message }) {
  surprised = code === "expired";
  if (surprised) {
    dialogs.close(); // it was about a state that is over
    refresh();
  }
  refuse(refusals[code] ?? message);
}

/* Asks for the state once, beside the stream. */
function refresh() {
  const source = new EventSource(stream);
  source.addEventListener("counter", (event) => {
    source.close();
    revision = -1;
    draw(JSON.parse(event.data));
  });
  source.onerror = () => source.close();
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-action]");
  if (button && !dialogs.open) press(button.dataset.action);
});
document.addEventListener("close", keepFocus, true); // a dialog's
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const name = event.shiftKey && event.key.length > 1 ? `Shift+${event.key}` : event.key;
  const action = buttons.find((one) => one.dataset.key === name)?.dataset.action;
  const enter = event.key === "Enter";
  if (dialogs.open) {
    const held = event.repeat && (enter || event.key === " "); // a held key is one press
    if (dialogKey(event) || held || (action && event.key.length > 1)) event.preventDefault();
    return;
  }
  if (!action && !(enter && !event.target.closest("a, button:not(#primary)"))) {
    if (event.repeat && (enter || event.key === " ")) event.preventDefault();
    return;
  }
  event.preventDefault();
  if (!event.repeat) press(action ?? primary.dataset.action);
});

dialogs.send = send;
setInterval(tick, 250);
primary.focus();
follow(stream, "counter", draw, (open) => {
  if (open) revision = -1; // a server that started anew counts from its own beginning
  body.classList.toggle("lost", !open);
  put(document.getElementById("link"), open ? body.dataset.linked : body.dataset.lost);
});
