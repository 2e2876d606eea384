/* The run list's filter bar: numbers for a menu that opens, finding among its options, arrow keys, and the phone's sheet. */
"use strict";

{
  const isShown = (element) => !element.closest("[hidden]");

  document.addEventListener("toggle", ({ target }) => {
    if (!target.open || !target.matches("details[data-facet]")) return;
    htmx.trigger(target, "counts");
    // Where fingers type, a focused field would bring up the keyboard over the options.
    if (matchMedia("(hover: hover)").matches) target.querySelector("[data-find]").focus();
  }, true);

  // A field with an address of its own asks the server, as there are more options than the menu lists.
  document.addEventListener("input", ({ target }) => {
    if (!target.matches("[data-find]:not([hx-get])")) return;
    const menu = target.closest("details");
    const wanted = target.value.trim().toLowerCase();
    for (const option of menu.querySelectorAll("div.option:has([type=checkbox])")) {
      option.hidden = !option.querySelector("label").textContent.toLowerCase().includes(wanted);
    }
    menu.querySelector("[data-nothing]").hidden = Boolean(menu.querySelector("div.option:not([hidden])"));
  });

  document.addEventListener("keydown", (event) => {
    const { key, target } = event;
    const menu = target.closest("details[data-facet][open]");
    if (!menu || !target.matches("[data-find], [type=checkbox]")) return;
    const finds = target.matches("[data-find]");
    const step = { ArrowDown: 1, ArrowUp: -1, Enter: finds ? 1 : 0 }[key];
    if (!step) return;
    event.preventDefault();
    const stops = [...menu.querySelectorAll("[data-find], [type=checkbox]")].filter(isShown);
    stops[stops.indexOf(target) + step]?.focus();
  });

  // What is chosen in the menus while an answer is on its way is not in that answer, and outlasts it.
  let chosenSince = false;
  for (const name of ["input", "change", "toggle"]) {
    document.addEventListener(name, ({ type, target }) => {
      if (target.closest("#facets") && (type !== "toggle" || target.open)) chosenSince = true;
    }, true);
  }
  document.addEventListener("htmx:beforeRequest", ({ detail }) => {
    if (detail.target.id === "runs") chosenSince = false;
  });
  document.addEventListener("htmx:oobBeforeSwap", (event) => {
    if (event.detail.target.id === "facets" && chosenSince) event.preventDefault();
  });

  document.addEventListener("htmx:afterRequest", ({ target }) => {
    const foot = target.matches("[data-facet]") && target.querySelector("[data-show]");
    if (foot) document.getElementById("sheet-count").textContent = foot.dataset.show;
  });

  document.addEventListener("change", ({ target }) => {
    // In the sheet one more choice among others, which its own button applies.
    if (target.matches("[data-submits]") && !target.closest("#facets:popover-open")) target.form.requestSubmit();
    // A moving time and dates exclude each other: choosing one lets the other go.
    if (!target.closest("#filters") || !target.value) return;
    if (target.name === "started") for (const end of target.form.querySelectorAll("[name=from], [name=to]")) end.value = "";
    if (target.name === "from" || target.name === "to") target.form.querySelector("[name=started][value='']").checked = true;
  });

  function showTab() {
    const tab = document.querySelector(".view-tabs [aria-current]");
    if (tab) tab.parentElement.scrollLeft = tab.offsetLeft - 48;
  }
  showTab();
  document.addEventListener("htmx:afterSwap", showTab);

  document.addEventListener("submit", ({ target }) => {
    const sheet = target.querySelector("#facets:popover-open");
    if (sheet) sheet.hidePopover();
  }, true);
}
