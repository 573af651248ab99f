// The day's figures: another date is another page. Everything else works without this file.
"use strict";
document.getElementById("choose").addEventListener("submit", (event) => {
  event.preventDefault();
  const date = document.getElementById("date").value;
  const lang = document.body.dataset.lang;
  location.assign(`/branch?lang=${lang}&date=${encodeURIComponent(date)}`);
});
