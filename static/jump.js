/* Jump to…: the arrow keys walk the places found while the letters stay in the field. */
"use strict";

{
  let eager = false; // Enter was pressed before the answer to the last letter came

  const field = () => document.querySelector("#dialog [role=combobox]");
  const options = () => [...document.querySelectorAll("#jump-results a")];

  function choose(option) {
    for (const each of options()) each.setAttribute("aria-selected", String(each === option));
    if (option) field().setAttribute("aria-activedescendant", option.id);
    else field().removeAttribute("aria-activedescendant");
    option?.scrollIntoView({ block: "nearest" });
  }

  function isCurrent() {
    const found = document.querySelector("#jump-results [data-typed]");
    return !found || found.dataset.typed === field().value.trim();
  }

  document.addEventListener("htmx:afterSwap", ({ target }) => {
    if (!field() || !target.querySelector("#jump-results, [data-typed]") && target.id !== "jump-results") return;
    choose(options()[0]);
    // An answer to fewer letters may come first: what was typed since is on its way.
    if (!eager || !isCurrent()) return;
    eager = false;
    options()[0]?.click();
  });

  document.addEventListener("keydown", (event) => {
    const { key, target } = event;
    if (target !== field() || event.isComposing) return;
    const all = options();
    const at = all.findIndex((each) => each.getAttribute("aria-selected") === "true");
    if (key === "ArrowDown") choose(all[(at + 1) % all.length]);
    else if (key === "ArrowUp") choose(all[(at + all.length - 1) % all.length] || all.at(-1));
    else if (key === "Enter" && isCurrent()) all[at]?.click();
    else if (key === "Enter") eager = true;
    else eager = false;
    if (["ArrowDown", "ArrowUp", "Enter"].includes(key)) event.preventDefault();
  });

  document.addEventListener("pointermove", ({ target }) => {
    const option = target.closest("#jump-results [role=option][href]");
    if (option && option.getAttribute("aria-selected") !== "true") choose(option);
  });
}
