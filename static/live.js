/* A run that has not ended: its parts are swapped one by one, and what somebody is using stays until it is let go. */
"use strict";

function inUse(part) {
  const focus = document.activeElement, chosen = document.getSelection();
  if (part.querySelector("details.menu[open]")) return true;
  if (part.contains(focus) && !focus.id) return true; // by its id htmx finds it again
  if (!chosen.isCollapsed && chosen.containsNode(part, true)) return true;
  return [...part.querySelectorAll(".table-wrap")].some((table) => table.scrollTop || table.scrollLeft);
}

let kept = false;
document.addEventListener("htmx:oobBeforeSwap", (event) => {
  const { target, fragment } = event.detail;
  if (inUse(target)) {
    kept = true;
    event.preventDefault();
    return;
  }
  for (const { id } of target.querySelectorAll("details[open][id]")) {
    const again = fragment.querySelector(`#${id}`);
    if (again) again.open = true;
  }
});

// Only what changed is worth words.
let told = document.getElementById("run-poll").dataset.told;
document.addEventListener("htmx:load", ({ detail: { elt } }) => {
  if (elt.id !== "run-poll") return;
  if (elt.dataset.told !== told) {
    told = elt.dataset.told;
    if (elt.hasAttribute("data-urgent")) say(elt.dataset.say, "error", true);
    else announce(elt.dataset.say);
  }
  const ended = document.getElementById("run-ended");
  if (ended && kept) ended.hidden = false;
  kept = false;
});
