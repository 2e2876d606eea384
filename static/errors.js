/* The error tree: the chosen row keeps its mark when only the pane is swapped; Escape in the pane leads back to the row. */
"use strict";

document.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target.id !== "error-pane") return;
  const chosen = new URLSearchParams(location.search).get("node") || event.detail.requestConfig.parameters?.node;
  const asked = new URL(event.detail.pathInfo.requestPath, location.href).searchParams.get("node") || chosen;
  for (const row of document.querySelectorAll(".error-tree a[data-node]")) {
    if (row.dataset.node === asked) row.setAttribute("aria-current", "true");
    else row.removeAttribute("aria-current");
  }
  event.detail.target.closest(".error-panel").classList.add("has-pane");
  event.detail.target.focus({ preventScroll: window.matchMedia("(min-width: 1200px)").matches });
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || !event.target.closest("#error-pane")) return;
  const row = document.querySelector(".error-tree [aria-current]");
  if (row) row.focus();
});
