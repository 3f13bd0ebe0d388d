// The page, from the data in it.

const data = JSON.parse(document.getElementById("data").textContent);

function section(title) {
  const place = element("section", {}, element("h2", {}, title));
  document.getElementById("sections").append(place);
  return place;
}

// A chart of one of several comparisons; the choice is among those that have rows in the table.
function chooser(place, label, titles, redraw) {
  const select = element("select");
  const more = element("span", { class: "note" });
  place.append(element("label", { class: "chooser" }, label, select, more));
  const chart = element("div", { class: "chart" });
  place.append(chart);
  select.addEventListener("change", () => redraw(chart, Number(select.value)));
  let offered = "";
  return (numbers) => {
    const there = [...new Set(numbers)];
    chart.hidden = !there.length;
    if (!there.length) return;
    const now = there.includes(Number(select.value)) && select.value !== "" ? select.value : String(there[0]);
    if (offered !== there.join()) {
      select.replaceChildren(...there.slice(0, MOST_OFFERED).map((k) => element("option", { value: String(k) }, clipped(titles[k], 120))));
      offered = there.join();
      more.textContent = there.length > MOST_OFFERED ? `The first ${MOST_OFFERED} of ${there.length}; choose fewer rows of the table to see others.` : "";
    }
    select.value = now;
    if (select.value === "") select.selectedIndex = 0;
    redraw(chart, Number(select.value));
  };
}

const MOST_OFFERED = 500;

function rowsOf(table) {
  const found = new Map();
  const at = index(table, "comparison");
  table.rows.forEach((row, n) => {
    if (!found.has(row[at])) found.set(row[at], []);
    found.get(row[at]).push(n);
  });
  return found;
}

function showScores(table) {
  const place = section("Scores");
  const groups = rowsOf(table);
  const update = chooser(place, "Sharpness against cost of", data.comparisons, (chart, k) =>
    draw(chart, () => costChart(chart, table, groups.get(k), data.comparisons[k])));
  place.append(element("p", { class: "note" }, "Lower left is better. Open: raw; filled: calibrated; dashed: Pareto front of rows whose times rank. A click on a point opens its details."));
  const chart = place.querySelector(".chart");
  const at = index(table, "comparison");
  const kinds = new Set(table.rows.map((row) => row[index(table, "observable")]));
  const start = { structures: "test", observable: ["forces", "energy"].find((kind) => kinds.has(kind)) };
  showTable(table, place, (n) => openDetails(table, n), (shown) => update(shown.map((n) => table.rows[n][at])), start);
  if (chart.on) chart.on("plotly_click", (event) => {
    const n = event.points[0].data.customdata;
    if (n) openDetails(table, n[0]);
  });
  if (data.without_details) place.append(element("p", { class: "note" }, `${data.without_details} rows have no curves and structures behind them: the page holds those of the first ${Object.keys(data.details).length}, the best of every comparison.`));
}

function showProperties(table) {
  const place = section("Simulation results");
  const groups = rowsOf(table);
  const show = (chart, k) => draw(chart, () => propertyChart(chart, table, groups.get(k), data.bars[k]));
  const update = chooser(place, "Bounds and reference of", data.bars.map((bars) => bars.title), show);
  const select = place.querySelector("select");
  place.append(element("p", { class: "note" }, "Bars: stated bounds, raw (thin) and scaled by κ (thick), cut at the edge where they are far longer than most. Point: prediction, open where the reference is outside. Diamond and dotted line: the reference."));
  const at = index(table, "comparison");
  const open = (n) => {
    const k = table.rows[n][at];
    if (![...select.options].some((option) => option.value === String(k))) select.append(element("option", { value: String(k) }, data.bars[k].title));
    select.value = String(k);
    select.dispatchEvent(new Event("change"));
    select.focus();
    select.scrollIntoView({ block: "start" });
  };
  showTable(table, place, open, (shown) => update(shown.map((n) => table.rows[n][at])));
}

const SHOW = { scores: showScores, properties: showProperties, panels: (t) => showTable(t, section("Over many materials")), failures: (t) => showTable(t, section("Failures")) };

function start() {
  const { ok, failed } = data.counts;
  document.getElementById("counts").textContent = `${ok} cells scored, ${failed} failed, ${data.counts["not applicable"]} not applicable, ${data.problems.length} problems. ${data.gpu}`;
  watchDetails();
  for (const table of data.tables) {
    decode(table);
    SHOW[table.name](table);
  }
  if (data.problems.length) {
    section("Problems").append(element("ul", {}, ...data.problems.slice(0, 200).map((text) => element("li", {}, text))));
  }
  document.body.dataset.ready = "yes";
}

start();
