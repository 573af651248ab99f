"use strict";
// A ticket's page: asks every 15 s where it stands, sends what is pressed once.

const EVERY_MS = 15000;
const ANSWER_WITHIN_MS = 5000;
const body = document.body;
const at = (id) => document.getElementById(id);
const texts = JSON.parse(body.dataset.texts);
const say = (key, values = {}) => texts[key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
const address = `/api/t/${body.dataset.key}`;
let busy = false;

function put(id, text) {
  if (at(id).textContent !== text) at(id).textContent = text;
}

function draw(state) {
  put("number", state.number);
  put("service", body.dataset.lang === "zh" ? state.service_zh : state.service_en);
  put("state", say(`state.${state.state}`, { n: state.counter }));
  put("ahead", state.ahead === null ? "" : say("page.ahead", { n: state.ahead }));
  const wait = state.wait_min;
  const left = wait === null ? {} : { a: wait[0], b: wait[1] };
  put("wait", wait === null || state.late ? "" : say("page.wait", left));
  at("late").hidden = !state.late;
  if (state.late) {
    const [a, b] = state.said_min ?? [0, 0];
    const key = state.late === "slip" && b === 0 ? "late.slip.none" : `late.${state.late}`;
    put("late-said", say(key, { m: state.waited_min, limit: state.promised_min, a, b }));
    at("late-later").hidden = state.late !== "promise";
    put("late-now", wait === null ? say("page.wait.unknown") : say("page.wait.now", left));
  }
  at("order").hidden = state.state !== "waiting";
  at("rate").hidden = !state.may_rate;
  at("why").hidden = !state.may_say_why;
}

async function ask(path = "", values = null) {
  const how = { credentials: "omit", signal: AbortSignal.timeout(ANSWER_WITHIN_MS) };
  if (values) {
    how.method = "POST";
    how.headers = { "Content-Type": "application/json" };
    how.body = JSON.stringify(values);
  }
  const answer = await fetch(address + path, how);
  if (answer.ok) draw(await answer.json());
  return answer.ok;
}

async function look() {
  try {
    at("lost").hidden = await ask();
  } catch {
    at("lost").hidden = false;
  }
}

async function send(path, values) {
  if (busy) return;
  busy = true;
  try {
    put("said", say((await ask(path, values)) ? "page.thanks" : "page.refused"));
  } catch {
    put("said", say("page.refused"));
  }
  busy = false;
}

if (body.dataset.key) {
  draw(JSON.parse(body.dataset.state));
  setInterval(look, EVERY_MS);
  document.addEventListener("click", (event) => {
    const pressed = event.target.closest("button");
    if (pressed?.dataset.score) send("/rating", { score_1to5: Number(pressed.dataset.score) });
    else if (pressed?.dataset.reason) send("/reason", { reason: pressed.dataset.reason });
  });
}
