/* The error tree as a treegrid: one tab stop, arrows, type-ahead; branches come when they are opened, a node in the pane. */
"use strict";

{
  const TYPING_MS = 700;
  const OPEN_IN_ADDRESS = 150;
  let here = ""; // id of the node whose row has, or last had, the focus
  let chosen = null; // the row that the pane is asked for; null empties it
  let enter = false; // whether the focus is to follow into the pane
  let typed = "";
  let typedAt = -TYPING_MS;

  const grid = () => document.querySelector("[role=treegrid]");
  const pane = () => document.getElementById("error-pane");
  const level = (row) => Number(row.getAttribute("aria-level"));
  const isBranch = (row) => row.hasAttribute("aria-expanded");
  const isOpen = (row) => row.getAttribute("aria-expanded") === "true";
  const shown = () => [...grid().querySelectorAll("tbody > tr:not([hidden])")];
  const rowOf = (node) => node && document.querySelector(`.errors tr[data-node="${CSS.escape(node)}"]`);

  // Links and buttons in the rows are for people without a script, and for the mouse: the rows themselves take the focus.
  function prepare() {
    if (!grid()) return;
    for (const row of grid().querySelectorAll("tbody > tr")) {
      row.tabIndex = -1;
      for (const control of row.querySelectorAll("a, button")) control.tabIndex = -1;
    }
    const first = rowOf(here) || grid().querySelector("[aria-current]") || grid().querySelector("tbody > tr");
    if (first) first.tabIndex = 0;
  }

  function focus(row) {
    if (!row) return;
    for (const other of grid().querySelectorAll("[tabindex='0']:is(tr)")) other.tabIndex = -1;
    row.tabIndex = 0;
    here = row.dataset.node || "";
    row.focus();
  }

  // The address with what was opened and chosen; reloading it, or coming back to it, shows the same.
  function address(changes) {
    const url = new URL(location.href);
    url.hash = "";
    for (const [key, value] of Object.entries(changes)) {
      if (value) url.searchParams.set(key, value);
      else url.searchParams.delete(key);
    }
    return url;
  }

  function remember() {
    const open = [...grid().querySelectorAll("[aria-expanded=true]")].map((row) => row.dataset.node);
    const url = address({ open: open.slice(0, OPEN_IN_ADDRESS).join(".") || "none", toggle: "" });
    history.replaceState(history.state, "", url);
  }

  function* below(row) {
    for (let next = row.nextElementSibling; next && level(next) > level(row); next = next.nextElementSibling) yield next;
  }

  async function bring(row, changes, swap) {
    if (row.ariaBusy) return;
    row.ariaBusy = "true";
    const url = address({ open: "", toggle: "", node: "", layout: "", page: "", ...changes });
    await htmx.ajax("GET", url.pathname + url.search, { source: row, target: row, swap });
    row.ariaBusy = null;
    prepare();
  }

  async function toggle(row, open = !isOpen(row)) {
    if (open && below(row).next().done) await bring(row, { branch: row.dataset.node }, "afterend");
    if (open && below(row).next().done) return;
    row.setAttribute("aria-expanded", open);
    let closed = open ? Infinity : level(row); // what is deeper than this is hidden
    for (const each of below(row)) {
      if (level(each) <= closed) closed = Infinity;
      each.hidden = closed !== Infinity;
      if (closed === Infinity && isBranch(each) && !isOpen(each)) closed = level(each);
    }
    remember();
  }

  async function more(row) {
    const before = row.previousElementSibling;
    await bring(row, { branch: row.dataset.more, page: row.dataset.page }, "outerHTML");
    // A node that was looked at may have stood here already, far from its place.
    const seen = new Map();
    for (const each of grid().querySelectorAll("tr[data-node]")) {
      seen.get(each.dataset.node)?.remove();
      seen.set(each.dataset.node, each);
    }
    prepare();
    focus(before.isConnected ? before.nextElementSibling : rowOf(here));
  }

  function choose(row, into) {
    chosen = row;
    enter = into;
    htmx.trigger(pane(), "choose");
  }

  function activate(row, into) {
    if (row.dataset.more) more(row);
    else if (isBranch(row) && !into) toggle(row);
    else choose(row, into || !window.matchMedia("(min-width: 1200px)").matches);
  }

  function search(letter, at, rows, now) {
    typed = (now - typedAt < TYPING_MS ? typed : "") + letter.toLowerCase();
    typedAt = now;
    const from = rows.indexOf(at) + (typed.length > 1 ? 0 : 1);
    const said = (row) => (row.querySelector(".name") || row).textContent.trim().toLowerCase();
    focus([...rows.slice(from), ...rows.slice(0, from)].find((row) => said(row).startsWith(typed)));
  }

  function parent(row) {
    let found = row;
    while (found && level(found) >= level(row)) found = found.previousElementSibling;
    return found;
  }

  async function openSiblings(row) {
    const above = parent(row);
    const family = above ? [...below(above)] : [...grid().querySelectorAll("tbody > tr")];
    for (const each of family) if (level(each) === level(row) && isBranch(each) && !isOpen(each)) await toggle(each, true);
  }

  function press(key, row) {
    const rows = shown();
    const at = rows.indexOf(row);
    if (key === "ArrowDown") focus(rows[at + 1]);
    else if (key === "ArrowUp") focus(rows[at - 1]);
    else if (key === "Home") focus(rows[0]);
    else if (key === "End") focus(rows.at(-1));
    else if (key === "ArrowRight" && isBranch(row)) isOpen(row) ? focus(rows[at + 1]) : toggle(row, true);
    else if (key === "ArrowLeft") isBranch(row) && isOpen(row) ? toggle(row, false) : focus(parent(row));
    else if (key === "Enter") activate(row, true);
    else if (key === " ") activate(row, false);
    else if (key === "*") openSiblings(row);
    else return key === "ArrowRight";
    return true;
  }

  document.addEventListener("keydown", (event) => {
    const { key, target } = event;
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (key === "Escape" && target.closest("#error-pane")) {
      const row = document.querySelector(".errors [aria-current]");
      if (row && grid()) focus(row);
      else row?.querySelector("a").focus();
    }
    const row = target.closest("[role=treegrid] tbody > tr");
    if (!row) return;
    const isTyped = key.length === 1 && !"/?* ".includes(key) || key === " " && event.timeStamp - typedAt < TYPING_MS;
    if (isTyped) search(key, row, shown(), event.timeStamp);
    else if (!press(key, row)) return;
    event.preventDefault();
    event.stopImmediatePropagation(); // single letters are the tree's while it has the focus
  }, true);

  document.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    const reload = event.target.closest("a[data-reload]");
    const row = event.target.closest(".errors tbody > tr");
    if (reload) {
      const menu = reload.closest("details");
      if (menu) shut(menu);
      const open = new URL(reload.href).searchParams.get("open");
      if (!open && grid()) remember(); // what came opened stays open, too
      const url = address(open ? { open, toggle: "", ...(open === "none" && { node: "" }) } : {});
      htmx.ajax("GET", url.pathname + url.search, { target: "#errors", select: "#errors", swap: "outerHTML" }).then(() => {
        history.replaceState(history.state, "", url);
      });
    } else if (row) {
      if (grid()) focus(row);
      activate(row, false);
    } else if (event.target.closest("[data-close-pane]")) {
      choose(null, false);
    } else return;
    event.preventDefault();
  });

  document.addEventListener("change", ({ target }) => {
    if (target.id === "error-new") target.form.requestSubmit();
  });

  document.addEventListener("htmx:configRequest", ({ detail }) => {
    if (detail.elt.id === "error-pane") {
      const url = address({ node: chosen?.dataset.node });
      detail.path = url.pathname + url.search;
    } else if (detail.elt.matches(".error-filter")) {
      for (const [key, value] of [...detail.formData]) if (!value) detail.formData.delete(key);
    }
  });

  let had = false;
  document.addEventListener("htmx:beforeSwap", ({ detail }) => {
    if (detail.target.id === "errors") had = detail.target.contains(document.activeElement);
  });

  document.addEventListener("htmx:afterSwap", ({ detail }) => {
    if (detail.target.id === "error-pane") {
      for (const row of document.querySelectorAll(".errors [aria-current]")) row.removeAttribute("aria-current");
      chosen?.setAttribute("aria-current", "true");
      pane().closest(".error-panel").classList.toggle("has-pane", Boolean(chosen));
      if (enter) pane().focus();
      else if (!chosen && grid()) focus(rowOf(here) || grid().querySelector("[tabindex='0']"));
    }
    // What was swapped is no longer in the page when its place was taken.
    if (detail.target.id === "errors") {
      prepare();
      if (had && grid()) focus(rowOf(here) || grid().querySelector("[tabindex='0']"));
    }
  });

  document.addEventListener("DOMContentLoaded", () => {
    prepare();
    const row = grid() && new URLSearchParams(location.search).get("node") && grid().querySelector("[aria-current]");
    if (row) focus(row);
  });
}
