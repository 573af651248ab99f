"use strict";
// An event stream that comes back by itself, and a clock that runs on without it.

const RECONNECT_MS = 1000; // after an answer that is no stream: the browser itself gives up then
const MINUTE_MS = 60000;

/* Calls onData(page) for each event and onLink(true|false) as the stream opens and breaks. */
function follow(address, name, onData, onLink) {
  const source = new EventSource(address);
  source.onopen = () => onLink(true);
  source.onerror = () => {
    onLink(false);
    if (source.readyState === EventSource.CLOSED) {
      document.dispatchEvent(new Event("stream-refused"));
      setTimeout(() => follow(address, name, onData, onLink), RECONNECT_MS);
    }
  };
  source.addEventListener(name, (event) => {
    const page = JSON.parse(event.data);
    if (page.build !== document.body.dataset.build) {
      location.reload(); // the program was updated: so is its page
      return;
    }
    onData(page);
  });
}

/* The server's clock, HH:MM. It counts from when a minute was first heard of: it is never ahead. */
class Clock {
  constructor(element) {
    this.element = element;
    this.text = element.textContent;
    this.base = this.text;
    this.since = performance.now();
    setInterval(() => this.tick(), 500);
  }

  set(text) {
    this.text = text;
    if (text !== this.element.textContent || text !== this.base) {
      this.base = text;
      this.since = performance.now();
      this.tick();
    }
  }

  tick() {
    const passed = Math.floor((performance.now() - this.since) / MINUTE_MS);
    const [hours, minutes] = this.base.split(":").map(Number);
    const now = hours * 60 + minutes + passed;
    const two = (figure) => String(figure).padStart(2, "0");
    const text = `${two(Math.floor(now / 60) % 24)}:${two(now % 60)}`;
    if (this.element.textContent !== text) this.element.textContent = text;
  }
}
