"use strict";

// Tables marked "data-sortable" get a button in every heading that says how to sort it,
// long ones with words a field that leaves only the rows with some of them, and all of
// them a link that saves the rows shown as a file.
(() => {
  const LONG_FROM = 8;
  const collator = new Intl.Collator(undefined, { numeric: true });
  const words = JSON.parse(document.getElementById("table-words").textContent);

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

  const makeSortable = (table) => {
    for (const heading of table.tHead.rows[0].cells) {
      if (!heading.dataset.sort) continue;
      const button = document.createElement("button");
      button.type = "button";
      button.append(...heading.childNodes);
      button.addEventListener("click", () => sort(table, heading));
      heading.append(button);
      heading.ariaSort = "none";
    }
  };

  // Every word must be somewhere in the row, in any case.
  const filter = (table, wanted, told) => {
    const parts = wanted.toLocaleLowerCase().split(/\s+/).filter(Boolean);
    const rows = [...table.tBodies[0].rows];
    for (const row of rows) {
      const text = row.textContent.toLocaleLowerCase();
      row.hidden = !parts.every((part) => text.includes(part));
    }
    const shown = rows.filter((row) => !row.hidden).length;
    told.textContent = parts.length
      ? words.shown.replace("{shown}", shown).replace("{total}", rows.length)
      : "";
  };

  const addFilter = (table, tools) => {
    const field = document.createElement("input");
    field.type = "search";
    field.placeholder = words.filter;
    field.setAttribute("aria-label", `${words.filter}: ${table.caption.textContent}`);
    field.setAttribute("aria-controls", table.id);
    const told = document.createElement("span");
    told.className = "soft";
    told.setAttribute("role", "status");
    field.addEventListener("input", () => filter(table, field.value, told));
    tools.append(field, told);
  };

  // No cell may be a formula, as in the files that the server makes.
  const cell = (text) => {
    const plain = /^[=+\-@\t\r]/.test(text) && Number.isNaN(Number(text)) ? `'${text}` : text;
    return /[",\n]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
  };
  // Figures as they were reckoned with, times as anybody's spreadsheet reads them.
  const said = (one) =>
    (one.querySelector("time")?.dateTime ?? one.dataset.value ?? one.textContent)
      .replace(/\s+/g, " ")
      .trim();
  const columnsOf = (table) =>
    [...table.tHead.rows[0].cells].filter((heading) => !heading.querySelector(".sr"));

  const fileOf = (table) => {
    const columns = columnsOf(table).map((heading) => heading.cellIndex);
    const rows = [...table.tBodies[0].rows].filter((row) => !row.hidden);
    const lines = [table.tHead.rows[0], ...rows].map((row) =>
      columns.map((column) => cell(said(row.cells[column]))).join(","),
    );
    return new Blob(["\ufeff", lines.join("\r\n"), "\r\n"], { type: "text/csv" });
  };

  const addFile = (table, tools) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "file";
    button.textContent = words.file;
    button.setAttribute("aria-label", `${words.file}: ${table.caption.textContent}`);
    button.addEventListener("click", () => {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(fileOf(table));
      link.download = `${table.id.replace(/-table$/, "")}.csv`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    });
    tools.append(button);
  };

  for (const table of document.querySelectorAll("table[data-sortable]")) {
    makeSortable(table);
    const tools = document.createElement("div");
    tools.className = "tools";
    const hasWords = table.tHead.querySelector('[data-sort="text"]') !== null;
    if (hasWords && table.tBodies[0].rows.length >= LONG_FROM) addFilter(table, tools);
    addFile(table, tools);
    (table.closest(".scroll") ?? table).before(tools);
  }
})();
