"use strict";

// Tables marked "data-sortable" get a button in every heading that says how to sort it.
(() => {
  const collator = new Intl.Collator(undefined, { numeric: true });

  const wordOf = (row, column) => row.cells[column].textContent.trim();
  const numberOf = (row, column) => {
    const value = row.cells[column].dataset.value;
    return value === "" ? null : Number(value);
  };

  // What is not known stays at the end, whichever way the rest is sorted.
  const compare = (a, b, sign) => {
    if (a === null || b === null) return (a === null) - (b === null);
    return sign * (typeof a === "number" ? a - b : collator.compare(a, b));
  };

  const sort = (table, heading) => {
    const numeric = heading.dataset.sort === "number";
    const column = heading.cellIndex;
    const up = heading.ariaSort === "none" ? !numeric : heading.ariaSort !== "ascending";
    const read = numeric ? numberOf : wordOf;
    const rows = [...table.tBodies[0].rows].map((row) => [read(row, column), row]);
    rows.sort(([a], [b]) => compare(a, b, up ? 1 : -1));
    for (const other of table.tHead.rows[0].cells) {
      if (other.dataset.sort) other.ariaSort = "none";
    }
    heading.ariaSort = up ? "ascending" : "descending";
    table.tBodies[0].append(...rows.map(([, row]) => row));
  };

  for (const table of document.querySelectorAll("table[data-sortable]")) {
    for (const heading of table.tHead.rows[0].cells) {
      if (!heading.dataset.sort) continue;
      const button = document.createElement("button");
      button.type = "button";
      button.append(...heading.childNodes);
      button.addEventListener("click", () => sort(table, heading));
      heading.append(button);
      heading.ariaSort = "none";
    }
  }
})();
