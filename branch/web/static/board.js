"use strict";
// The call board. A call stays on the plate for 8 s at least; the calls after it wait for the plate, but no
// call is withheld: until then it stands at the top of the list. If more than 3 wait, the newest is shown.

const HOLD_MS = 8000;
const LONGEST_QUEUE = 3;
const GONE_MS = 5000; // a stream that comes back sooner is no news for the lobby
const SWAPS_MS = 3 * 700;
const PROMISES_MS = 10000; // more promises than there is room for take turns

const body = document.body;
const plate = document.getElementById("plate");
const rows = [...document.querySelectorAll("#recent li")];
const promises = [...document.querySelectorAll("footer [data-promise]")];
const promiseRows = promises.filter((line) => !line.hidden).length;
const clock = new Clock(document.getElementById("clock"));
const staleMs = Number(body.dataset.staleMs);

let calls = null; // as the server last listed them, newest first
let shown = { id: plate.dataset.id, number: document.getElementById("number").textContent };
let shownAt = -HOLD_MS;
let queue = []; // calls that wait for the plate, oldest first
let turn = 0; // the timer of the next one
let heardAt = performance.now();
let goneAt = null; // since when there is no stream

function receive(page) {
  const letters = page.services.map((service) => service.letter).join();
  const promised = page.promises.map((promise) => promise.letter).join();
  const drawn = [...document.querySelectorAll("#services li")].map((line) => line.dataset.letter).join();
  if (letters !== drawn || promised !== promises.map((line) => line.dataset.promise).join()) {
    location.reload();
    return;
  }
  heardAt = performance.now();
  goneAt = null;
  clock.set(page.clock);
  for (const service of page.services) {
    const line = document.querySelector(`#services li[data-letter="${service.letter}"]`);
    line.querySelector("[data-waiting]").textContent = service.waiting;
    line.querySelector("[data-wait]").textContent = service.wait[body.dataset.lang];
  }
  page.promises.forEach((promise, index) => {
    promises[index].querySelector("[data-longest]").textContent = promise.longest[body.dataset.lang];
    promises[index].querySelector("[data-kept]").textContent = promise.kept[body.dataset.lang];
  });
  queue.push(...newCalls(page.calls).reverse());
  if (queue.length > LONGEST_QUEUE) {
    queue = queue.slice(-1);
    shownAt = -HOLD_MS;
  }
  calls = page.calls;
  checkStale();
  advance();
}

/* The calls above the newest one that this page knows of. */
function newCalls(listed) {
  const known = new Set((calls || []).map((call) => call.id));
  known.add(shown.id);
  const first = listed.findIndex((call) => known.has(call.id));
  if (first >= 0) return listed.slice(0, first);
  return listed.slice(0, 1); // after a long gap only the newest is news
}

function advance() {
  clearTimeout(turn);
  if (queue.length) {
    const rest = shownAt + HOLD_MS - performance.now();
    if (rest <= 0 || queue[0].number === shown.number) {
      shown = queue.shift();
      shownAt = performance.now();
      drawPlate();
    }
    if (queue.length) turn = setTimeout(advance, Math.max(0, shownAt + HOLD_MS - performance.now()));
  }
  drawRows();
}

function drawPlate() {
  const number = document.getElementById("number");
  number.textContent = shown.number;
  number.classList.toggle("long", shown.number.length > 4);
  document.getElementById("counter").textContent = shown.counter;
  plate.dataset.id = shown.id;
  plate.hidden = false;
  document.getElementById("none").hidden = true;
  plate.classList.remove("new");
  void plate.offsetWidth; // lets the same animation begin again
  plate.classList.add("new");
  setTimeout(() => plate.classList.remove("new"), SWAPS_MS + 100);
}

function drawRows() {
  if (!calls) return;
  const stale = body.classList.contains("stale");
  const listed = calls.filter((call) => stale || call.number !== shown.number);
  rows.forEach((row, index) => {
    const call = listed[index];
    row.hidden = !call;
    if (!call) return;
    row.querySelector(".number").textContent = call.number;
    row.querySelector(".digits").textContent = call.counter;
    row.querySelector("time").textContent = call.clock;
  });
}

let firstPromise = 0;

function turnPromises() {
  firstPromise = firstPromise + promiseRows < promises.length ? firstPromise + promiseRows : 0;
  promises.forEach((line, index) => {
    line.hidden = index < firstPromise || index >= firstPromise + promiseRows;
  });
}

function checkStale() {
  const now = performance.now();
  const stale = now - heardAt > staleMs || (goneAt !== null && now - goneAt > Math.min(GONE_MS, staleMs));
  if (stale === body.classList.contains("stale")) return;
  for (const element of document.querySelectorAll("[data-stopped]")) element.textContent = clock.text;
  body.classList.toggle("stale", stale);
  drawRows();
}

follow("/events/board", "board", receive, (open) => {
  goneAt = open ? null : goneAt ?? performance.now();
});
setInterval(checkStale, 250);
if (promises.length > promiseRows) setInterval(turnPromises, PROMISES_MS);
