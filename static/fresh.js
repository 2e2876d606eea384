/* Keeps the run list fresh, and the age on a live run's page true, while somebody looks: asks for what can change, says how old it is, and takes nothing away. */
"use strict";

{
  const SLOW_S = 30; // with nothing live on the page
  let asked = performance.now();
  let pressed = false;
  let place = null; // the focused control of a row about to be swapped: [row, index]

  const poller = () => document.getElementById("live-rows");
  const controls = (row) => [...row.querySelectorAll("a, button, input, summary")];

  function words(seconds) {
    if (seconds < 5) return "just now";
    if (seconds < 60) return `${seconds} s`;
    return seconds < 3600 ? `${Math.floor(seconds / 60)} min` : `${Math.floor(seconds / 3600)} h`;
  }

  // The server says how old; the browser only counts on, so that its own clock need not be right.
  function age() {
    const part = document.querySelector("#fresh [data-age]");
    if (!part) return;
    part.since ??= performance.now() - 1000 * part.dataset.age;
    const text = words(Math.floor((performance.now() - part.since) / 1000));
    const full = text === "just now" ? text : `${text} ${"old" in part.dataset ? "old" : "ago"}`;
    const shown = part.querySelector("time") || part;
    if (shown.textContent !== full) shown.textContent = full;
  }

  function ask() {
    const seconds = Number(document.querySelector("#fresh [data-seconds]")?.dataset.seconds);
    const due = asked + 1000 * (poller()?.hasAttribute("data-live") ? seconds : Math.max(SLOW_S, seconds));
    if (!seconds || !poller()?.hasAttribute("hx-get") || document.hidden || pressed || performance.now() < due) return;
    asked = performance.now();
    const part = poller();
    // An answer is left when its list is gone, or when it comes between the two halves of a press, as its row would not
    // be there to press; the same is asked for again a moment later. An open menu is no reason: app.js opens it again,
    // and the list must not grow old. Heard at the part itself: from one that is gone nothing reaches the document.
    part.addEventListener("htmx:beforeSwap", ({ detail }) => {
      if (pressed || !part.isConnected) detail.shouldSwap = false;
    }, { once: true });
    htmx.trigger(part, "poll");
  }

  setInterval(() => {
    age();
    ask();
  }, 1000);

  document.addEventListener("pointerdown", ({ target }) => { pressed = Boolean(target.closest?.("#runs")); });
  for (const over of ["pointerup", "pointercancel"]) document.addEventListener(over, () => { pressed = false; });

  document.addEventListener("htmx:oobBeforeSwap", ({ detail }) => {
    const row = detail.target;
    if (!row.matches("#runs tbody tr")) return;
    if (row.contains(document.activeElement)) place = [row.id, controls(row).indexOf(document.activeElement)];
  });

  document.addEventListener("htmx:afterRequest", ({ detail }) => {
    if (!["live-rows", "run-poll"].includes(detail.requestConfig.elt.id)) return;
    const chip = document.querySelector("#fresh .fresh");
    if (missed >= 3 && chip) {
      chip.classList.add("is-stale");
      const word = chip.querySelector("b");
      if (word) word.textContent = "No answer";
    }
    if (!detail.successful) return;
    const row = place && document.getElementById(place[0]);
    if (row && document.activeElement === document.body) controls(row)[place[1]]?.focus();
    place = null;
    const news = [...document.querySelectorAll("#news p")].map((sentence) => sentence.textContent);
    if (news.length) announce(news.length > 3 ? `${news.length} runs have ended or begun to fail.` : news.join(" "));
    document.getElementById("news")?.replaceChildren();
  });

  // Not on submit: htmx would forget which button was pressed.
  document.addEventListener("htmx:beforeSend", ({ target }) => {
    const menu = target.closest("#freshness");
    if (menu) shut(menu);
  });

  // The button that brought the new runs is gone with them.
  document.addEventListener("htmx:afterSwap", ({ detail }) => {
    if (detail.requestConfig?.elt.id === "show-new") document.querySelector("#runs [data-row]")?.focus();
  });
}
