/* The matrix of the history: the arrow keys walk its cells, which are one stop of the Tab key. */
"use strict";

for (const matrix of document.querySelectorAll("table.matrix")) {
  const rows = [...matrix.tBodies].flatMap((body) => [...body.rows]).concat([...(matrix.tFoot?.rows || [])]);
  // Each row's days by their column; where nothing ran there is no link, and the walk passes over it.
  const grid = rows.map((row) => [...row.cells].map((cell) => (cell.matches("td:not(.after)") ? cell.querySelector("a") : null)));
  const links = grid.flat().filter(Boolean);
  for (const link of links) link.tabIndex = -1;
  // Today's first verdict: the newest day with one, as far up as possible.
  const newest = Math.max(...grid.flatMap((row) => row.map((link, at) => (link ? at : -1))));
  const start = grid.map((row) => row[newest]).find(Boolean);
  if (start) start.tabIndex = 0;

  function go(link) {
    if (!link) return;
    for (const each of links) each.tabIndex = each === link ? 0 : -1;
    link.focus();
    link.closest("td").scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  function aim(key, row, at, ctrl) {
    const next = (line, from, step) => {
      for (let place = from + step; place >= 0 && place < line.length; place += step) if (line[place]) return line[place];
      return null;
    };
    if (key === "ArrowRight" || key === "ArrowLeft") return next(grid[row], at, key === "ArrowRight" ? 1 : -1);
    if (key === "ArrowDown" || key === "ArrowUp") return next(grid.map((line) => line[at]), row, key === "ArrowDown" ? 1 : -1);
    if (key === "Home") return ctrl ? links[0] : next(grid[row], -1, 1);
    if (key === "End") return ctrl ? links.at(-1) : next(grid[row], grid[row].length, -1);
    return undefined;
  }

  matrix.addEventListener("keydown", (event) => {
    const row = grid.findIndex((line) => line.includes(event.target));
    if (row < 0 || event.altKey || event.metaKey || event.shiftKey) return;
    const to = aim(event.key, row, grid[row].indexOf(event.target), event.ctrlKey);
    if (to === undefined) return;
    event.preventDefault();
    go(to);
  });
}
