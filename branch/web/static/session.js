"use strict";
// On every page behind the sign-in: the page's token goes with whatever changes something, and a
// session that is over leads to the sign-in page and back.

const SAFE = new Set(["GET", "HEAD"]);
const plainFetch = window.fetch.bind(window);

function signInAgain() {
  const here = location.pathname + location.search;
  const lang = document.documentElement.lang === "en" ? "&lang=en" : "";
  location.assign(`/sign-in?next=${encodeURIComponent(here)}${lang}`);
}

/* fetch, for this server only: the token must not leave for another one. */
window.fetch = async (address, options = {}) => {
  const ours = new URL(address, location.href).origin === location.origin;
  const method = (options.method ?? "GET").toUpperCase();
  if (!ours) return plainFetch(address, options);
  const headers = new Headers(options.headers);
  if (!SAFE.has(method)) headers.set("X-CSRF-Token", document.querySelector('meta[name="csrf-token"]').content);
  const answer = await plainFetch(address, { ...options, headers });
  if (answer.status === 401) signInAgain();
  if (answer.status === 403 && (await answer.clone().json()).code === "csrf") location.reload(); // signed in anew elsewhere
  return answer;
};

document.addEventListener("stream-refused", () => void fetch("/api/me").catch(() => {}));
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-sign-out]");
  if (!button) return;
  await fetch(`/api/sign-out${button.dataset.signOut}`, { method: "POST" });
  signInAgain();
});
