// A table to sort, with a choice of values for each column that is worth one.

function index(table, label) {
  return table.columns.findIndex((column) => column.label === label);
}

function decode(table) {
  const texts = table.columns.map((column) => column.kind === "text");
  for (const row of table.rows) {
    row.forEach((cell, i) => { if (texts[i]) row[i] = table.words[cell]; });
  }
}

// Values of a column that occur, sorted; numbers as numbers.
function valuesOf(table, i) {
  const order = new Intl.Collator("en", { numeric: true });
  return [...new Set(table.rows.map((row) => row[i]))].sort(order.compare);
}

function sharedLine(table, alike) {
  const told = alike.filter((i) => table.rows[0][i] !== "").map((i) => `${table.columns[i].label}: ${table.rows[0][i]}`);
  return told.length ? `Of all rows: ${told.join(" · ")}.` : "";
}

// For sorting: what is missing comes last.
function sortable(cell, kind) {
  if (kind === "text") return plain(cell);
  const value = first(cell);
  return value === null || value === undefined ? Infinity : value;
}

function fill(td, cell, column) {
  if (column.kind === "text") {
    td.textContent = clipped(cell, 500);
    td.classList.toggle("long", cell.length > 60);
    return;
  }
  const [value, interval] = parts(cell, column.kind);
  td.textContent = value;
  if (interval) td.append(element("span", { class: "interval" }, interval));
}

// A method's symbol in its colour; the colour follows the theme by itself.
function marked(method) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  const path = document.createElementNS(space, "path");
  for (const [key, value] of Object.entries({ class: "mark", viewBox: "-7 -7 14 14", width: 14, height: 14, "aria-hidden": "true" })) svg.setAttribute(key, value);
  path.setAttribute("d", SHAPES[data.looks[method].symbol]);
  path.style.fill = `var(--${data.looks[method].name})`;
  svg.append(path);
  return svg;
}

const SHAPES = {
  circle: "M5,0A5,5 0 1 1 -5,0A5,5 0 1 1 5,0Z",
  square: "M-5,-5H5V5H-5Z",
  "triangle-up": "M0,-6L6,5H-6Z",
  diamond: "M0,-6.5L6.5,0L0,6.5L-6.5,0Z",
  "triangle-down": "M0,6L6,-5H-6Z",
  cross: "M-2,-6H2V-2H6V2H2V6H-2V2H-6V-2H-2Z",
  x: "M-6,-3L-3,-6L0,-3L3,-6L6,-3L3,0L6,3L3,6L0,3L-3,6L-6,3L-3,0Z",
  star: "M0,-6.5L1.6,-2.1L6.2,-2L2.6,0.8L3.9,5.3L0,2.7L-3.9,5.3L-2.6,0.8L-6.2,-2L-1.6,-2.1Z",
};

// opens: called with a row's number when it is clicked, or its method's button is pressed.
// changed: called with the numbers of the rows that are shown, in order, whenever these change.
function showTable(table, place, opens, changed, chosen = {}) {
  const $ = window.tables.jQuery;
  const { columns, rows, name } = table;
  const filtered = columns.flatMap((column, i) => (column.filtered ? [i] : []));
  const values = new Map(filtered.map((i) => [i, valuesOf(table, i)]));
  const alike = rows.length > 1 ? filtered.filter((i) => values.get(i).length === 1) : [];
  const note = sharedLine(table, alike);
  if (note) place.append(element("p", { class: "note" }, note));
  const filters = element("div", { class: "filters", role: "group", "aria-label": `Rows of: ${table.caption}` });
  const html = element("table", { id: name, class: "display" });
  html.append(element("caption", {}, table.caption));
  place.append(filters, element("div", { class: "scroller", tabindex: "0", role: "region", "aria-label": table.caption }, html));
  const grid = $(html).DataTable({
    data: rows,
    order: [],
    pageLength: 25,
    lengthMenu: [10, 25, 100, 500],
    deferRender: true,
    autoWidth: false,
    layout: { topStart: "pageLength", topEnd: "search", bottomStart: "info", bottomEnd: "paging" },
    language: { search: "Search:", lengthMenu: "_MENU_ rows a page", emptyTable: "No row.", zeroRecords: "No row." },
    // Hidden columns come last.
    columns: columns.filter((column) => column.kind !== "hidden").map((column, i) => ({
      title: plain(column.label),
      name: column.label,
      visible: !alike.includes(i),
      searchable: column.kind === "text",
      className: NAMES[column.kind],
      type: column.kind === "text" ? "string" : "num",
      // Nothing from the data is ever written as HTML: cells are filled below, and what is searched, which DataTables
      // decodes as HTML, is escaped.
      render: (cell, type) => (type === "display" ? "" : sortable(cell, column.kind)),
      createdCell: (td, _, row) => {
        const cell = row[i];
        if (i === 0 && opens) {
          const button = element("button", { type: "button", class: "open", "aria-haspopup": "dialog" }, clipped(cell, 80));
          td.append(marked(cell), button);
        } else if (column.label === "method") {
          td.append(marked(cell), clipped(cell, 80));
        } else {
          fill(td, cell, column);
        }
      },
    })),
    createdRow: (tr, row, number) => {
      if (!opens) return;
      tr.classList.add("opens");
      tr.addEventListener("click", () => opens(number));
    },
  });
  grid.columns().every(function () {
    const header = this.header();
    const column = columns[this.index()];
    if (!header) return;
    header.setAttribute("scope", "col");
    if (column.about) header.setAttribute("title", column.about);
  });
  for (const i of filtered.filter((i) => !alike.includes(i))) {
    const select = element("select", { "data-column": columns[i].label });
    select.append(element("option", { value: "" }, "all"));
    values.get(i).forEach((value, k) => select.append(element("option", { value: String(k + 1) }, clipped(value, 60))));
    const start = values.get(i).indexOf(chosen[columns[i].label]);
    select.value = start >= 0 ? String(start + 1) : "";
    filters.append(element("label", {}, columns[i].label, select));
    const apply = () => {
      const value = select.value && values.get(i)[Number(select.value) - 1];
      grid.column(i).search.fixed("chosen", select.value ? (text, row) => row[i] === value : null);
    };
    select.addEventListener("change", () => { apply(); grid.draw(); });
    apply();
  }
  if (!filters.children.length) filters.remove();
  const shown = () => changed && changed(grid.rows({ search: "applied", order: "applied" }).indexes().toArray());
  grid.on("draw", shown);
  grid.draw();
  return grid;
}
