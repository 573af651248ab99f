"use strict";
// The sign-in page: sends name and password once, goes where the server says.

const ANSWER_WITHIN_MS = 15000;

const form = document.getElementById("form");
const password = document.getElementById("password");
const refusal = document.getElementById("refusal");
const go = document.getElementById("go");
const messages = JSON.parse(document.body.dataset.messages);

function refuse(words) {
  refusal.querySelector("span").textContent = words;
  refusal.hidden = !words;
}

document.getElementById("show").addEventListener("change", (event) => {
  password.type = event.target.checked ? "text" : "password";
});

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (go.disabled) return;
  go.disabled = true;
  refuse("");
  try {
    const answer = await fetch("/api/sign-in", {
      method: "POST",
      headers: {
        "Content-Type": "application/json",
        "X-CSRF-Token": document.querySelector('meta[name="csrf-token"]').content,
      },
      body: JSON.stringify({ name: form.username.value, password: password.value, next: document.body.dataset.next }),
      signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
    });
    const said = await answer.json();
    if (answer.ok) {
      location.replace(said.next);
      return;
    }
    const wait = answer.headers.get("Retry-After");
    refuse((messages[said.code] ?? said.message).replace("{s}", wait));
    password.select();
    password.focus();
  } catch {
    refuse(messages.unsent);
  }
  go.disabled = false;
});
