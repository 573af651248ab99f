"use strict";
// The display above a counter: its number, or why there is none; "stale" without news from the server.

const GONE_MS = 5000; // a stream that comes back sooner is no news
const SWAPS_MS = 3 * 700;

const body = document.body;
const number = document.getElementById("number");
const clock = new Clock(document.getElementById("clock"));
const staleMs = Number(body.dataset.staleMs);

let heardAt = performance.now();
let goneAt = null; // since when there is no stream
let swapping = 0;

function receive(page) {
  heardAt = performance.now();
  goneAt = null;
  clock.set(page.clock);
  if (number.textContent !== page.number) number.textContent = page.number;
  number.classList.toggle("long", page.number.length > 4);
  body.dataset.state = page.state;
  if (page.call && page.call !== number.dataset.call) swap();
  if (!page.call) number.classList.remove("new");
  number.dataset.call = page.call;
  checkStale();
}

/* Three swaps of plate and ink, then it stands still: fewer than 3 flashes a second. */
function swap() {
  clearTimeout(swapping);
  number.classList.remove("new");
  void number.offsetWidth; // lets the same animation begin again
  number.classList.add("new");
  swapping = setTimeout(() => number.classList.remove("new"), SWAPS_MS + 100);
}

function checkStale() {
  const now = performance.now();
  const stale = now - heardAt > staleMs || (goneAt !== null && now - goneAt > Math.min(GONE_MS, staleMs));
  if (stale !== body.classList.contains("stale")) body.classList.toggle("stale", stale);
}

follow(`/events/window/${body.dataset.counter}`, "window", receive, (open) => {
  goneAt = open ? null : goneAt ?? performance.now();
});
setInterval(checkStale, 250);
