/* Runs ticked in the list: kept in this tab across pages and swaps until its filters change, and what the bar says of them. */
"use strict";

{
  const KEY = "selection";
  // `of`: the filters. With `all` every run they find is meant, but `runs`; else `runs`: id -> why it cannot be stopped.
  let kept = { of: null, all: false, runs: new Map() };
  let last = ""; // the id ticked last, where a range begins

  const form = () => document.getElementById("selection");
  const boxes = () => [...document.querySelectorAll("[data-select]")];
  const isTicked = (box) => kept.all !== kept.runs.has(box.value);

  function load() {
    const of = form().dataset.of;
    if (kept.of === of) return;
    kept = { of, all: false, runs: new Map() };
    last = "";
    try {
      const stored = JSON.parse(sessionStorage.getItem(KEY));
      if (stored.of === of) kept = { ...stored, runs: new Map(stored.runs) };
    } catch { /* nothing stored, or nothing to store in */ }
  }

  function store() {
    try {
      sessionStorage.setItem(KEY, JSON.stringify({ ...kept, runs: [...kept.runs] }));
    } catch { /* then it lasts as long as the page */ }
  }

  function tick(box, on) {
    if (on !== kept.all) kept.runs.set(box.value, box.dataset.why);
    else kept.runs.delete(box.value);
  }

  function draw() {
    if (!form()) return;
    load();
    for (const box of boxes()) {
      box.checked = isTicked(box);
      if (kept.runs.has(box.value)) kept.runs.set(box.value, box.dataset.why); // it may have ended meanwhile
    }
    const ticked = boxes().filter(isTicked).length;
    const head = document.getElementById("select-page");
    head.checked = ticked === boxes().length;
    head.indeterminate = ticked > 0 && !head.checked;
    drawBar(ticked);
  }

  function drawBar(ticked) {
    const { total, all } = form().dataset;
    const count = kept.all ? total - kept.runs.size : kept.runs.size;
    const part = (name) => form().querySelector(`[data-${name}]`);
    document.getElementById("bulk").classList.toggle("is-on", count > 0);
    part("count").textContent = !kept.all ? count : kept.runs.size ? `All ${all} but ${kept.runs.size}` : `All ${all}`;
    part("elsewhere").textContent = count > ticked ? ` · ${kept.all ? "" : count - ticked + " "}on other pages, until the filters change` : "";
    part("select-all").hidden = kept.all || count >= total;
    for (const [name, on] of [["ids", !kept.all], ["without", kept.all]]) {
      part(name).disabled = !on;
      part(name).value = [...kept.runs.keys()].join();
    }
    form().querySelector("input[name=all]").disabled = !kept.all;
    if (part("stop")) drawStop(part("stop"), part("not"));
  }

  function drawStop(button, note) {
    const reasons = new Map();
    for (const why of kept.all ? [] : kept.runs.values()) reasons.set(why, (reasons.get(why) || 0) + 1);
    const can = reasons.get("") || 0;
    reasons.delete("");
    button.hidden = !kept.all && !can;
    button.lastElementChild.textContent = kept.all ? "Stop…" : `Stop ${can}…`;
    note.textContent = [...reasons].map(([why, times]) => `${times} ${why}`).join(", ");
  }

  function changed() {
    store();
    draw();
  }

  document.addEventListener("click", (event) => {
    const { target, shiftKey } = event;
    if (target.matches("[data-select]")) {
      const all = boxes();
      const [from, to] = [all.findIndex((box) => box.value === last), all.indexOf(target)];
      const range = shiftKey && from >= 0 ? all.slice(Math.min(from, to), Math.max(from, to) + 1) : [target];
      for (const box of range) tick(box, target.checked);
      last = target.value;
    } else if (target.id === "select-page") {
      for (const box of boxes()) tick(box, target.checked);
    } else if (target.closest("[data-select-all]")) {
      kept.all = true;
      kept.runs.clear();
      document.querySelector("[data-clear]").focus();
    } else if (target.closest("[data-clear]")) {
      kept.all = false;
      kept.runs.clear();
      document.querySelector("table.runs [data-row]").focus();
    } else return;
    changed();
  });

  document.addEventListener("htmx:afterSwap", draw);
  window.addEventListener("pageshow", draw);
}
