/* Keys for what the page also offers to the eye: each presses the link or button that names it in data-key. */
"use strict";

{
  const PREFIX_MS = 1500;
  let prefixed = -PREFIX_MS; // when `g` was pressed
  let current = ""; // the id of the link that names the current row

  const focusedRow = () => document.activeElement.closest("tr");
  const row = () => focusedRow() || document.getElementById(current)?.closest("tr");

  function press(key, within = document) {
    const control = within && [...within.querySelectorAll("[data-key]")].find((each) => each.dataset.key === key);
    control?.click();
    return Boolean(control);
  }

  function move(step) {
    const names = [...document.querySelectorAll("table [data-row]")];
    const at = names.indexOf(row()?.querySelector("[data-row]"));
    names[Math.max(at + step, 0)]?.focus();
    return names.length > 0;
  }

  function focusSearch() {
    const field = document.querySelector("[data-search]");
    field?.focus();
    return Boolean(field);
  }

  function tick(shiftKey) {
    const box = focusedRow()?.querySelector("[data-select]");
    box?.dispatchEvent(new MouseEvent("click", { bubbles: true, cancelable: true, shiftKey }));
    return Boolean(box);
  }

  function toBar() {
    const first = [...document.querySelectorAll("#bulk.is-on :is(button, summary)")].find((each) => !each.hidden);
    first?.focus();
    return Boolean(first);
  }

  function act({ key, repeat, timeStamp }) {
    if (key === "j" || key === "k") return move(key === "j" ? 1 : -1);
    if (repeat) return false;
    if (key === "g") prefixed = timeStamp;
    if (key === "/") return focusSearch();
    if (key === "x" || key === "X") return tick(key === "X");
    if (key === "b") return toBar();
    if (key === "?") return press(key);
    // Of a list only the row that is seen to be current: nobody is to stop a run that they did not mean.
    if (key === "s" || key === "r") return press(key, document.getElementById("run-head") || focusedRow());
    return false;
  }

  document.addEventListener("focusin", ({ target }) => {
    const name = target.closest("tr")?.querySelector("[data-row]");
    if (name) current = name.id;
  });

  // A row that was swapped while its dialog was open may have lost the button that opened it.
  document.addEventListener("close", () => {
    if (document.activeElement === document.body) document.getElementById(current)?.focus();
  }, true);

  document.addEventListener("keydown", (event) => {
    const { key, target, timeStamp } = event;
    if ((event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey && key.toLowerCase() === "k") {
      // Everywhere, inside fields too, but never in the way of a dialog that asks before it acts.
      const open = document.querySelector("dialog[open]");
      if (event.repeat || (open && (open.id !== "dialog" || open.querySelector("form"))) || press("Ctrl K")) event.preventDefault();
      return;
    }
    if (key === "Enter" && (event.ctrlKey || event.metaKey)) {
      if (event.repeat || press("Ctrl Enter", document.querySelector("dialog[open]") || document)) event.preventDefault();
      return;
    }
    if (!document.body.hasAttribute("data-shortcuts") || document.querySelector("dialog[open]")) return;
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (target.closest("input:not([data-select]), select, textarea, [contenteditable]")) return;
    const second = timeStamp - prefixed < PREFIX_MS && key !== "Shift";
    if (second) prefixed = -PREFIX_MS;
    if (second ? press(`g ${key}`) : act(event)) event.preventDefault();
  });
}
