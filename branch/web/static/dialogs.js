"use strict";
// The teller's dialogs: what a command needs besides its name. A dialog keeps the counter's turn from
// when it was opened: what was meant for one customer never reaches the next one.

const TEXT_KEYS = "input[type=text], select";

const dialogs = {
  open: null, // the <dialog> on the screen
  turn: 0, // of the counter, when it was opened
  desk: null, // the newest lists
  send: null, // (command, body, turn) => promise; set by the page

  show(name, page) {
    const dialog = document.getElementById(`ask-${name}`);
    if (!dialog || this.open) return;
    this.open = dialog;
    this.turn = page.turn;
    dialog.querySelector("form").reset();
    this.refuse("");
    const title = dialog.querySelector("[data-title]");
    if (title) title.textContent = title.dataset.title.replace("{number}", page.number);
    const input = dialog.querySelector("[role=combobox]");
    if (input) input.dataset.typed = "";
    this.fill(page.desk);
    // One ticket that can only be meant is offered; calling out of turn is always somebody's choice.
    const list = dialog.querySelector(".pick")?.dataset.list;
    const first = dialog.querySelector("[role=option]");
    if (first && (list === "parked" || list === "missed")) choose(input, first);
    dialog.showModal();
    stops(dialog)[0].focus();
    dialog.scrollTop = 0;
    if (input) input.select();
  },

  close() {
    const dialog = this.open;
    if (!dialog) return;
    this.open = null;
    dialog.close();
  },

  /* New lists, for the open dialog too: what was chosen stays. */
  fill(desk) {
    this.desk = desk;
    const pick = this.open?.querySelector(".pick");
    if (pick) offer(pick, desk);
    if (this.open?.dataset.command === "transfer") offerCounters(this.open, desk);
  },

  refuse(words) {
    const line = this.open?.querySelector("[role=alert]");
    if (!line) return;
    line.querySelector("span").textContent = words;
    line.hidden = !words;
  },
};

function offers(list, desk) {
  if (list === "callable") return [...desk.waiting.filter((one) => one.here), ...desk.parked.filter((one) => one.here)];
  return desk[list];
}

/* The tickets of the list that begin with what was typed. */
function offer(pick, desk) {
  const input = pick.querySelector("input");
  const list = pick.querySelector("ul");
  const typed = (input.dataset.typed ?? "").trim().toUpperCase();
  const found = offers(pick.dataset.list, desk).filter((one) => one.number.startsWith(typed));
  const rows = found.map((one, index) => {
    const row = document.createElement("li");
    row.id = `${list.id}-${index}`;
    row.role = "option";
    row.dataset.number = one.number;
    const number = Object.assign(document.createElement("b"), { textContent: one.number });
    row.append(number, " ", Object.assign(document.createElement("span"), { textContent: one.detail }));
    return row;
  });
  list.replaceChildren(...rows);
  list.hidden = !rows.length;
  pick.querySelector(".nothing").hidden = rows.length > 0;
  mark(input);
}

/* The option that is in the field is the active one. */
function mark(input) {
  const list = document.getElementById(input.getAttribute("aria-controls"));
  const number = input.value.trim().toUpperCase();
  input.removeAttribute("aria-activedescendant");
  for (const row of list.children) {
    const active = row.dataset.number === number;
    row.setAttribute("aria-selected", active);
    if (!active) continue;
    input.setAttribute("aria-activedescendant", row.id);
    row.scrollIntoView({ block: "nearest" });
  }
}

function choose(input, row) {
  input.value = row.dataset.number;
  mark(input);
}

function step(input, by) {
  const list = document.getElementById(input.getAttribute("aria-controls"));
  const rows = [...list.children];
  if (!rows.length) return;
  const at = rows.findIndex((row) => row.getAttribute("aria-selected") === "true");
  choose(input, rows[at < 0 ? (by > 0 ? 0 : rows.length - 1) : (at + by + rows.length) % rows.length]);
}

/* Only counters that serve the chosen service. */
function offerCounters(dialog, desk) {
  const select = dialog.querySelector("[name=counter]");
  const service = dialog.querySelector("[name=service]:checked")?.value ?? "";
  const before = select.value;
  const fits = desk.counters.filter((one) => !service || one.services.includes(service));
  select.replaceChildren(select.options[0], ...fits.map((one) => new Option(one.label, one.counter)));
  select.value = fits.some((one) => String(one.counter) === before) ? before : "0";
}

/* What Tab goes through, in order: of each group of radio buttons one. */
function stops(dialog) {
  return [...dialog.querySelectorAll("input, select, button")].filter((one) => {
    if (one.disabled || one.type !== "radio") return !one.disabled;
    const group = [...dialog.querySelectorAll(`[name=${one.name}]`)];
    return one === (group.find((radio) => radio.checked) ?? group[0]);
  });
}

/* The command's fields; null (and the reason is said) while something is missing. */
function answerOf(dialog) {
  for (const group of dialog.querySelectorAll("[data-missing]")) {
    const input = group.matches("input") ? group : group.querySelector("input:checked");
    if (input?.value.trim()) continue;
    dialogs.refuse(group.dataset.missing);
    (group.matches("input") ? group : group.querySelector("input")).focus();
    return null;
  }
  const body = {};
  for (const [name, value] of new FormData(dialog.querySelector("form"))) {
    if (name === "counter" || name === "minutes") body[name] = Number(value);
    else if (name === "back") body[name] = true;
    else if (name === "number") body[name] = value.trim().toUpperCase();
    else if (value.trim()) body[name] = value.trim();
  }
  return body;
}

document.addEventListener("submit", async (event) => {
  event.preventDefault();
  const dialog = event.target.closest("dialog");
  if (dialog !== dialogs.open) return;
  if (!dialog.dataset.command) {
    dialogs.close();
    return;
  }
  const body = answerOf(dialog);
  if (body) await dialogs.send(dialog.dataset.command, body, dialogs.turn);
});
document.addEventListener("cancel", (event) => {
  event.preventDefault();
  dialogs.close();
}, true);
document.addEventListener("click", (event) => {
  const dialog = dialogs.open;
  if (!dialog) return;
  const cancel = event.target.closest("[data-cancel]");
  if (event.detail > 0 && "guarded" in document.body.dataset && !cancel) {
    event.preventDefault(); // the second half of a double click presses nothing that has just appeared
    return;
  }
  if (cancel) dialogs.close();
  const row = event.target.closest("[role=option]");
  if (!row) return;
  const input = dialog.querySelector("[role=combobox]");
  choose(input, row);
  input.focus();
}, true);
document.addEventListener("input", (event) => {
  if (!event.target.matches("[role=combobox]")) return;
  event.target.dataset.typed = event.target.value;
  offer(event.target.closest(".pick"), dialogs.desk);
});
document.addEventListener("change", (event) => {
  if (event.target.name === "service" && dialogs.open) dialogs.fill(dialogs.desk);
});
/* Keys of an open dialog. True: it was for the dialog, and is dealt with. */
function dialogKey(event) {
  const dialog = dialogs.open;
  if (event.key === "Tab") {
    const all = stops(dialog);
    const at = all.indexOf(document.activeElement);
    all[(at + (event.shiftKey ? all.length - 1 : 1)) % all.length].focus();
    return true;
  }
  if (event.key === "Enter" && !event.repeat && event.target.matches("input, select")) {
    dialog.querySelector("form").requestSubmit();
    return true;
  }
  if (event.target.matches("[role=combobox]") && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
    step(event.target, event.key === "ArrowDown" ? 1 : -1);
    return true;
  }
  if (event.key.length !== 1 || event.target.matches(TEXT_KEYS)) return false;
  const hot = [...dialog.querySelectorAll("[data-hot]")].find((one) => one.dataset.hot === event.key.toUpperCase());
  if (!hot) return false;
  hot.checked = true;
  hot.focus();
  hot.dispatchEvent(new Event("change", { bubbles: true }));
  return true;
}
