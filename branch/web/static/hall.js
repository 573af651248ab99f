"use strict";
// The lobby manager's page: draws what the server says, sends one command for each intent.

const GUARD_MS = 400; // a second touch, or one that meets a list that has just moved, is swallowed
const NOTICE_MS = 10000;
const STALE_MS = 40000; // the server speaks every 15 s
const ANSWER_WITHIN_MS = 5000;

const body = document.body;
const at = (id) => document.getElementById(id);
const clock = new Clock(at("clock"));
const words = JSON.parse(body.dataset.words);
const refusals = JSON.parse(body.dataset.refusals);
const sections = [...document.querySelectorAll("main > section")];
const fill = (key, values = {}) => words[key].replace(/\{(\w+)\}/g, (_, name) => values[name]);

let page = JSON.parse(body.dataset.page);
let heard = performance.now(); // when the page's figures were made
let linked = true;
let guardedUntil = 0;
let chosen = null; // the ticket whose dialog is open
let known = null; // ids of alerts that were there before
let timers = {};

function put(element, text) {
  if (element.textContent !== String(text)) element.textContent = text;
}

function make(tag, name, text = "") {
  return Object.assign(document.createElement(tag), { className: name, textContent: text });
}

// --- drawing ----------------------------------------------------------------------------------

/* Keeps the elements of what has not changed, so that focus and finger stay where they are. */
function keep(list, items, keyOf, build) {
  const before = new Map([...list.children].map((element) => [element.dataset.key, element]));
  const focused = list.contains(document.activeElement) ? document.activeElement : null;
  const place = focused && { key: focused.closest("[data-key]").dataset.key, act: focused.dataset.act };
  const elements = items.map((item) => {
    const key = String(keyOf(item));
    const { age_ms, waited_ms, ...rest } = item;
    const looks = JSON.stringify(rest);
    const old = before.get(key);
    const element = old && old.dataset.looks === looks ? old : build(item);
    Object.assign(element.dataset, { key, looks });
    element.since = performance.now() - (age_ms ?? waited_ms ?? 0);
    return element;
  });
  const moved = elements.length !== list.children.length || elements.some((one, index) => one !== list.children[index]);
  if (!moved) return;
  list.replaceChildren(...elements);
  if (known && list.getClientRects().length) guard(); // something else may be under the finger now
  const again = place && elements.find((one) => one.dataset.key === place.key);
  if (again) (again.querySelector(`[data-act="${place.act}"]`) ?? again.querySelector("button"))?.focus();
}

function icon(name) {
  return at(`icon-${name}`).content.cloneNode(true);
}

function button(act) {
  const element = make("button", act.primary ? "main" : "", act.label);
  element.type = "button";
  element.dataset.act = act.name;
  element.dataset.body = JSON.stringify(act.body);
  return element;
}

function buildCard(card) {
  const element = make("li", card.seen ? "seen" : "");
  element.dataset.kind = card.kind;
  const side = make("div", "side");
  side.append(icon(card.icon));
  const text = make("div", "words");
  const head = make("p", "head");
  head.append(make("b", "", card.title), make("span", "age"));
  text.append(head, make("p", "note", card.note));
  if (card.taken) text.append(make("p", "taken", card.taken));
  if (card.acts.length) {
    const acts = make("div", "acts");
    acts.append(...card.acts.map(button));
    text.append(acts);
  }
  element.append(side, text);
  return element;
}

function buildTicket(ticket) {
  const element = make("li", ticket.over ? "over" : "");
  const row = make("button", "");
  row.type = "button";
  row.dataset.ticket = ticket.number;
  const number = make("span", "number", ticket.number);
  if (ticket.segment_name) number.append(make("span", "segment", ticket.segment_name));
  row.append(number, make("span", "about", `${ticket.name} · ${ticket.state}`), make("span", "waited"));
  element.append(row);
  return element;
}

function buildCounter(counter) {
  const element = make("li", "");
  const row = make("div", "row");
  row.append(make("b", "title", counter.title));
  row.append(make("span", "about", [counter.state, counter.detail, counter.services].filter(Boolean).join(" · ")));
  if (counter.act) row.append(button(counter.act));
  element.append(row);
  return element;
}

function draw(news) {
  page = news;
  heard = performance.now();
  put(at("waiting"), page.waiting);
  put(at("longest"), page.longest);
  put(at("longest-note"), page.longest_note);
  put(at("open"), page.open_counters);
  put(at("total"), page.counters_total);
  put(at("alerts-title"), page.heading);
  put(at("needed"), page.needed || "");
  keep(at("cards"), page.cards, (card) => card.id, buildCard);
  keep(at("tickets"), page.tickets, (ticket) => ticket.number, buildTicket);
  keep(at("windows"), page.counters, (counter) => counter.counter, buildCounter);
  at("nobody").hidden = page.tickets.length > 0;
  const open = page.cards.filter((card) => !card.seen).map((card) => card.id);
  if (known && open.some((id) => !known.has(id))) navigator.vibrate?.(200);
  known = new Set([...(known ?? []), ...open]);
  clock.set(page.clock);
  tick();
}

function age(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 10) return fill("age.now");
  if (seconds < 60) return fill("age.seconds", { n: seconds });
  if (seconds < 3600) return fill("age.minutes", { n: Math.floor(seconds / 60) });
  return fill("age.hours", { n: Math.floor(seconds / 3600) });
}

function tick() {
  const now = performance.now();
  const stale = !linked || now - heard > STALE_MS;
  if (stale) put(at("stale").querySelector("span"), fill("stale", { clock: page.clock }));
  body.classList.toggle("stale", stale);
  at("stale").hidden = !stale;
  if (stale) return; // ages that go on would look like news
  for (const card of at("cards").children) put(card.querySelector(".age"), age(now - card.since));
  for (const row of at("tickets").children) {
    put(row.querySelector(".waited"), fill("hall.minutes", { n: Math.floor((now - row.since) / 60000) }));
  }
}

// --- commands ---------------------------------------------------------------------------------

function guard() {
  guardedUntil = performance.now() + GUARD_MS;
  body.dataset.guarded = "";
  setTimeout(() => {
    if (performance.now() >= guardedUntil) delete body.dataset.guarded;
  }, GUARD_MS + 10);
}

function notice(id, text) {
  clearTimeout(timers[id]);
  put(at(id).querySelector("span"), text);
  at(id).hidden = !text;
  if (text) timers[id] = setTimeout(notice, NOTICE_MS, id, "");
}

/* A key that no other page or repeat has. (randomUUID needs https, this does not.) */
function newKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/* Posts once; an unanswered intent keeps its key for the next press. Returns the answer or null. */
const intents = new Map();
async function send(name, values) {
  const intent = `${name} ${JSON.stringify(values)}`;
  if (!intents.has(intent)) intents.set(intent, newKey());
  const headers = { "Idempotency-Key": intents.get(intent), "Content-Type": "application/json" };
  const token = document.querySelector('meta[name="csrf-token"]');
  if (token) headers["X-CSRF-Token"] = token.content;
  try {
    const answer = await fetch(`/api/hall/${name}`, {
      method: "POST", headers, body: JSON.stringify(values), signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
    });
    if (answer.status >= 500) throw new Error(`HTTP ${answer.status}`);
    intents.delete(intent);
    const said = await answer.json();
    if (answer.ok) {
      notice("refusal", "");
      return said;
    }
    notice("refusal", said.code === "busy" ? words["refused.busy_counter"] : refusals[said.code] ?? said.message);
  } catch {
    notice("refusal", refusals.unsent); // it may have arrived: the same key goes with the next press
  }
  return null;
}

async function act(element) {
  if (element.ariaBusy || performance.now() < guardedUntil) return;
  guard();
  element.ariaBusy = "true";
  const name = element.dataset.act;
  const values = JSON.parse(element.dataset.body);
  if (name === "complaint-open") {
    location.href = `/hall/complaints?lang=${body.dataset.lang}#${values.complaint}`;
    return;
  }
  const answer = await send(name, values);
  element.ariaBusy = null;
  if (answer && (name === "issue" || name === "reissue")) show(answer);
}

function show(shown) {
  at("ticket").close();
  put(at("shown-number"), shown.number);
  put(at("shown-ahead"), fill("shown.ahead", { n: shown.ahead }));
  at("shown-again").hidden = !shown.reissued;
  at("shown").showModal();
}

// --- one ticket -------------------------------------------------------------------------------

function choose(number) {
  chosen = page.tickets.find((ticket) => ticket.number === number);
  if (!chosen) return;
  put(at("ticket-number"), chosen.number);
  put(at("ticket-about"), `${chosen.name} · ${chosen.state}`);
  at("ticket-tag").hidden = !chosen.waits;
  at("segments").replaceChildren(
    ...page.segments.map((segment) => {
      const element = make("button", "", segment.label);
      element.type = "button";
      element.dataset.segment = segment.value;
      element.ariaPressed = String(segment.value === (chosen.segment || "ordinary"));
      return element;
    }),
  );
  at("reissue").dataset.body = JSON.stringify({ number });
  at("ticket").showModal();
}

async function tag(number, segment, before) {
  at("ticket").close();
  if (!(await send("tag", { number, segment }))) return;
  const name = page.segments.find((one) => one.value === segment)?.label ?? segment;
  notice("toast", `${number} · ${name}`);
  at("undo").hidden = before === null;
  at("undo").onclick = () => {
    notice("toast", "");
    tag(number, before, null);
  };
}

// --- what is pressed --------------------------------------------------------------------------

function turnTo(name) {
  const section = sections.find((one) => one.dataset.section === name) ?? sections[0];
  for (const one of sections) one.hidden = one !== section;
  for (const link of document.querySelectorAll("[data-tab]")) {
    link.ariaCurrent = link.dataset.tab === section.dataset.section ? "page" : null;
  }
  scrollTo(0, 0);
}

document.addEventListener("click", (event) => {
  const pressed = event.target.closest("button");
  if (pressed?.dataset.act) act(pressed);
  else if (pressed?.dataset.ticket && performance.now() >= guardedUntil) choose(pressed.dataset.ticket);
  else if (pressed?.dataset.segment) tag(chosen.number, pressed.dataset.segment, chosen.segment || "ordinary");
});
addEventListener("hashchange", () => turnTo(location.hash.slice(1)));

turnTo(location.hash.slice(1));
draw(page);
setInterval(tick, 1000);
follow(`/events/hall?lang=${body.dataset.lang}`, "hall", draw, (open) => {
  linked = open;
  body.classList.toggle("lost", !open);
  put(at("link"), open ? body.dataset.linked : body.dataset.lost);
  tick();
});
