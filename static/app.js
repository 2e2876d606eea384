/* Comfort on top of pages that work without it: dialogs, menus, messages, copying. Keys are in keys.js. */
"use strict";

// Back or Forward pressed before this ran: the address is of another list than the page. Afterwards htmx sees to it.
const [asked] = performance.getEntriesByType("navigation").map((entry) => new URL(entry.name));
if (history.state?.htmx && asked?.pathname === location.pathname && asked.search !== location.search) location.reload();

const dialog = () => document.getElementById("dialog");

// A menu that is done with, or made anew: its summary keeps the focus, and is found again by its id.
function shut(menu) {
  menu.querySelector("summary").focus();
  menu.open = false;
}

// A link or button with hx-target="#dialog" brings the inside of a dialog; opening it is ours.
document.addEventListener("htmx:afterSwap", (event) => {
  if (event.target === dialog()) {
    // The dialog gives the focus back to where it was: to a menu's button, as the menu's inside is gone by then.
    const menu = document.activeElement.closest("details.menu[open]");
    if (menu) shut(menu);
    if (!dialog().open) dialog().showModal();
    const first = dialog().querySelector("[autofocus], input:not([type=hidden], [readonly]), select, textarea");
    if (first) first.focus();
  }
  const summary = event.target.querySelector("[data-focus]");
  if (summary) summary.focus();
});

document.addEventListener("click", (event) => {
  const closes = event.target.closest("[data-close]");
  if (closes && closes.closest("dialog[open]")) {
    event.preventDefault();
    closes.closest("dialog").close();
  }
  const dismissed = event.target.closest("[data-dismiss]");
  if (dismissed) dismissed.closest(".message").remove();
  if (event.target.closest("[data-print]")) window.print();
  const copies = event.target.closest("[data-copy]");
  if (copies) {
    const source = document.getElementById(copies.dataset.copy);
    navigator.clipboard.writeText(source ? source.textContent : copies.dataset.copyText || "").then(() => say("Copied."));
  }
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

// Closing gives the focus back by itself, except to a row that was swapped meanwhile.
let opener = "";
document.addEventListener("htmx:beforeRequest", (event) => {
  if (event.detail.target === dialog() && !dialog().open) opener = event.detail.elt.id;
});
document.addEventListener("close", (event) => {
  const lost = document.activeElement === document.body || dialog().contains(document.activeElement);
  const again = document.getElementById(opener);
  if (event.target === dialog() && lost && again) again.focus();
}, true);

// A menu inside a row that is swapped stays open, with the focus where it was.
let openMenus = [];
let focused = "";
document.addEventListener("htmx:beforeSwap", () => {
  openMenus = [...document.querySelectorAll("tr details.menu[open]")].map((menu) => menu.id);
  focused = document.activeElement.id;
});
document.addEventListener("htmx:afterSwap", () => {
  for (const menu of openMenus.map((id) => document.getElementById(id))) if (menu) menu.open = true;
  if (openMenus.length && document.activeElement === document.body) document.getElementById(focused)?.focus();
  openMenus = [];
});

// A number that changed gets a tint for a moment.
document.addEventListener("htmx:oobBeforeSwap", ({ detail: { target, fragment } }) => {
  const [before, after] = [target, fragment].map((part) => part.querySelectorAll(".key-number, td.num"));
  if (before.length === after.length) after.forEach((number, i) => number.classList.toggle("is-changed", number.textContent !== before[i].textContent));
});

// A menu of filters is swapped with its own button inside.
document.addEventListener("submit", (event) => {
  // Enter in a box presses the form's first button, which stands in another menu: that click has closed this one.
  const menu = document.activeElement.closest("details.menu");
  if (menu && event.target.contains(menu)) shut(menu);
}, true);

// A second press while the first is under way does nothing; the server would find the same intent anyway.
document.addEventListener("submit", (event) => {
  const form = event.target;
  // A form whose answer is a file leaves its page standing: it may be sent again.
  if (form.method !== "post" || form.hasAttribute("data-again")) return;
  if (form.dataset.sent && !form.hasAttribute("hx-post")) event.preventDefault();
  form.dataset.sent = "yes";
});
window.addEventListener("pageshow", () => document.querySelectorAll("form[data-sent]").forEach((form) => delete form.dataset.sent));

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    for (const menu of document.querySelectorAll("details.menu[open]")) shut(menu);
  }
});

// Live parts ask only while somebody looks.
let missed = 0; // polls in a row without an answer
document.addEventListener("htmx:beforeRequest", (event) => {
  const part = event.detail.elt;
  if (part.hasAttribute("data-poll") && document.hidden) event.preventDefault();
});
document.addEventListener("htmx:afterRequest", (event) => {
  const { elt, successful } = event.detail;
  if (successful) {
    missed = 0;
  } else if (elt.hasAttribute("data-poll")) {
    missed += 1;
    if (missed === 3) say("Plimsoll has not answered three times. What you see may be old.", "warning");
  } else {
    say(failure(event.detail), "error");
  }
});

// What is asked for by POST carries a token, so that pressing again cannot do it twice.
function failure({ xhr, requestConfig }) {
  if (xhr.status === 403) return "That was not allowed: your role has changed, or this page was open for too long. Reload it.";
  if (xhr.status) return `Plimsoll could not do that (${xhr.status}). The reason is in the server's log.`;
  if (requestConfig.verb === "post") return "Plimsoll has not answered: it may or may not have been done. Pressing again cannot do it twice.";
  return "Plimsoll did not answer. Nothing was changed on this page; try again.";
}

function say(text, kind = "info", urgent = false) {
  const message = document.getElementById("says").content.querySelector(`.is-${kind}`).cloneNode(true);
  message.querySelector("span").textContent = text;
  // What is behind an open dialog is neither seen nor read out.
  const within = document.querySelector("dialog[open] .dialog-body");
  if (within || urgent) message.setAttribute("role", "alert");
  (within || document.getElementById("messages")).append(message);
  fade(message);
}

// News that nobody asked for: at most one message in five seconds, and what comes meanwhile in the next.
const QUIET_MS = 5000;
const news = [];
let announced = -QUIET_MS;
function announce(text) {
  if (news.push(text) > 1) return;
  setTimeout(() => {
    announced = performance.now();
    say(news.splice(0).join(" "));
  }, announced + QUIET_MS - performance.now());
}

// Good news goes by itself, unless somebody points at it or is in it; the rest stays until it is dismissed.
function fade(message) {
  if (!message.hasAttribute("data-fades")) return;
  let timer;
  const hold = () => clearTimeout(timer);
  const go = () => {
    hold();
    if (!message.matches(":hover, :focus-within")) timer = setTimeout(() => message.remove(), 6000);
  };
  for (const name of ["pointerenter", "focusin"]) message.addEventListener(name, hold);
  for (const name of ["pointerleave", "focusout"]) message.addEventListener(name, () => setTimeout(go));
  go();
}

for (const message of document.querySelectorAll("#messages > .message")) fade(message);
