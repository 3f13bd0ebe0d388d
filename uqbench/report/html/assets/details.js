// What lies behind a row of the scores.

function openDetails(table, number) {
  const row = table.rows[number];
  const at = (label) => row[index(table, label)];
  const dialog = document.getElementById("details");
  const title = document.getElementById("details-title");
  const body = document.getElementById("details-body");
  closeCharts(body);
  title.textContent = `${at("method")}, ${at("scored")}: ${at("observable")}, ${at("structures")}`;
  const facts = element("dl", { class: "facts" });
  table.columns.forEach((column, i) => {
    if (column.kind === "hidden" || row[i] === null || column.label === "method") return;
    facts.append(element("div", {}, element("dt", {}, column.label), element("dd", {}, written(row[i], column.kind))));
  });
  body.replaceChildren();
  const one = data.details[number];
  if (!one) {
    body.append(element("p", { class: "note" }, `This page holds curves and structures of ${Object.keys(data.details).length} rows, the best of every comparison, and this is none of them. Write a page of fewer records to see them.`), facts);
    dialog.showModal();
    title.focus();
    return;
  }
  const charts = element("div", { class: "charts" });
  body.append(charts);
  if (!one.levels) charts.append(element("p", { class: "note" }, "There is no σ, or one that is zero somewhere: no calibration curve, and no error against σ."));
  body.append(...worstStructures(table, row, one), element("h3", {}, "Scores and cost"), facts);
  dialog.showModal();
  title.focus();
  if (one.levels) {
    const places = [0, 1].map(() => element("div", { class: "chart" }));
    charts.append(...places);
    draw(places[0], () => curveChart(at("method"), one));
    draw(places[1], () => errorChart(at("method"), one, at("unit")));
  }
}

function closeCharts(body) {
  body.querySelectorAll(".chart").forEach(forget);
}

function worstStructures(table, row, one) {
  const heading = element("h3", {}, "Worst-covered structures");
  if (!one.worst.length) return [heading, element("p", { class: "note" }, one.reason)];
  const unit = row[index(table, "unit")];
  const dataset = row[index(table, "dataset")];
  const pictures = one.worst.map((worst) => data.pictures[worst.picture]);
  const head = ["structure", "kind", `|error| (${unit})`, `half-width (${unit})`, "ratio"];
  if (pictures.some(Boolean)) head.unshift("picture");
  const html = element("table", { class: "worst" }, element("caption", {}, "By the worst value of each: |error| over the half-width of its 95 % interval (or stated bounds); above 1 is outside."));
  html.append(element("thead", {}, element("tr", {}, ...head.map((text) => element("th", { scope: "col", class: "words" }, text)))));
  const lines = one.worst.map((worst, k) => {
    const picture = pictures[k];
    const name = `${dataset}, frame ${worst.frame}`;
    const line = element("tr");
    if (pictures.some(Boolean)) line.append(element("td", { class: "words" }, ...(picture ? [element("img", { src: picture.image, alt: `${name}: ${picture.formula}, ${picture.atoms} atoms, ${worst.config_type}` })] : [])));
    const where = picture ? [element("br"), element("span", { class: "interval" }, `${picture.formula}; ${picture.source}`)] : [];
    line.append(element("th", { scope: "row", class: "words" }, name, ...where), element("td", { class: "words" }, worst.config_type));
    line.append(...[worst.error, worst.half_width].map((value) => element("td", {}, short(value))));
    line.append(element("td", {}, worst.ratio === null ? "∞" : short(worst.ratio)));
    return line;
  });
  html.append(element("tbody", {}, ...lines));
  const found = [heading, element("div", { class: "scroller" }, html)];
  if (pictures.every(Boolean)) return found;
  const why = data.no_pictures[dataset] || `Only ${Object.keys(data.pictures).length} structures are drawn in one page.`;
  found.push(element("p", { class: "note" }, `Structures without a picture: ${why}`));
  return found;
}

function watchDetails() {
  const dialog = document.getElementById("details");
  document.getElementById("details-close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => closeCharts(dialog));
}
