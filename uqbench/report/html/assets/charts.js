// Figures, drawn by plotly.js anew whenever the colours change.

const drawn = new Map();

function draw(place, make) {
  drawn.set(place, make);
  const { traces, layout, label } = make();
  place.setAttribute("role", "img");
  place.setAttribute("aria-label", label);
  const axis = { gridcolor: colour("rule"), zerolinecolor: colour("rule"), linecolor: colour("frame"), ticks: "outside", tickcolor: colour("frame"), automargin: true };
  const whole = {
    font: { family: "system-ui, DejaVu Sans, sans-serif", size: 13, color: colour("ink") },
    paper_bgcolor: colour("page"),
    plot_bgcolor: colour("page"),
    margin: { l: 60, r: 15, t: 30, b: 50 },
    hoverlabel: { bgcolor: colour("panel"), bordercolor: colour("frame"), font: { color: colour("ink") }, align: "left" },
    hovermode: "closest",
    ...layout,
    xaxis: { ...axis, ...layout.xaxis, title: { text: layout.xaxis.title, font: { size: 13 } } },
    yaxis: { ...axis, ...layout.yaxis, title: { text: layout.yaxis.title || "", font: { size: 13 } } },
  };
  return window.Plotly.react(place, traces, whole, { displayModeBar: false, responsive: true });
}

function forget(place) {
  if (!drawn.delete(place)) return;
  window.Plotly.purge(place);
}

function redraw() {
  drawn.forEach((make, place) => draw(place, make));
}

const NARROW = 700;
window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
window.matchMedia(`(max-width: ${NARROW}px)`).addEventListener("change", redraw);

function look(method) {
  const found = data.looks[method];
  return { colour: colour(found.name), symbol: found.symbol, dash: found.dash };
}

function marker(method, open, size = 10) {
  const own = look(method);
  return { color: own.colour, symbol: open ? `${own.symbol}-open` : own.symbol, size, line: { width: open ? 2 : 1, color: open ? own.colour : colour("ink") } };
}

// Ticks at 1, 2 and 5, closer where there would be few, with the whole number beside each.
function logarithmic(values, most = 7) {
  const positive = values.filter((v) => v > 0);
  if (!positive.length) return { type: "log" };
  const ends = [Math.min(...positive) / 1.15, Math.max(...positive) * 1.15];
  const [low, high] = ends.map(Math.log10);
  const within = (steps) => {
    const found = [];
    for (let power = Math.floor(low); power <= high; power++) steps.forEach((step) => found.push(step * 10 ** power));
    return found.filter((v) => v >= ends[0] && v <= ends[1]).map((v) => Number(v.toPrecision(2)));
  };
  const choices = [[1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8], [1, 1.5, 2, 3, 5, 7], [1, 2, 5], [1]].map(within);
  const tickvals = choices.find((ticks) => ticks.length <= most) || choices[3].filter((_, k, all) => k % Math.ceil(all.length / most) === 0);
  return { type: "log", range: [low, high], tickvals, ticktext: tickvals.map((v) => (v >= 1e-3 && v < 1e5 ? String(v) : v.toExponential(0))) };
}

// Beside the chart where there is room; the table below has the same marks.
function legend(many) {
  return { showlegend: many <= 20 && window.innerWidth > NARROW, legend: { font: { size: 12 }, tracegroupgap: 0 } };
}

// Relative interval score against cost, of the rows of one comparison.
function costChart(place, table, numbers, title) {
  const at = (label) => index(table, label);
  const [method, scored, score, cost, times, pareto, relative] = ["method", "scored", "score", "cost / bare", "times", "pareto", "relative"].map(at);
  const rows = numbers.filter((n) => table.rows[n][score] !== null && table.rows[n][cost] !== null);
  const traces = [];
  const front = rows.filter((n) => table.rows[n][pareto]).map((n) => [first(table.rows[n][cost]), first(table.rows[n][score])]).sort((a, b) => a[0] - b[0]);
  const across = logarithmic(rows.map((n) => first(table.rows[n][cost])));
  const up = logarithmic(rows.flatMap((n) => table.rows[n][score]));
  if (front.length) {
    // On to the edges: what lies up and to the right is beaten.
    front.unshift([front[0][0], 10 ** up.range[1]]);
    front.push([10 ** across.range[1], front[front.length - 1][1]]);
    traces.push({ x: front.map((p) => p[0]), y: front.map((p) => p[1]), mode: "lines", name: "Pareto front", hoverinfo: "skip", line: { shape: "hv", dash: "dash", width: 1.5, color: colour("ink") } });
  }
  for (const n of rows) {
    const row = table.rows[n];
    const own = row[score];
    const open = row[scored] === "raw";
    const ends = Array.isArray(own) && own[1] !== null;
    traces.push({
      x: [first(row[cost])],
      y: [first(own)],
      mode: "markers",
      name: plain(clipped(row[method])),
      legendgroup: row[method],
      showlegend: !open || !rows.some((m) => m !== n && table.rows[m][method] === row[method]),
      marker: { ...marker(row[method], open), opacity: row[times] === "ranked" ? 1 : 0.6 },
      error_y: ends ? { type: "data", symmetric: false, array: [own[2] - own[0]], arrayminus: [own[0] - own[1]], width: 3, thickness: 1, color: look(row[method]).colour } : undefined,
      customdata: [n],
      text: [`${plain(clipped(row[method]))}, ${row[scored]}<br>score ${written(own, "number")}<br>cost ${written(row[cost], "number")}${row[times] === "ranked" ? "" : " (time not ranked)"}`],
      hovertemplate: "%{text}<extra></extra>",
    });
  }
  const which = rows.length && table.rows[rows[0]][relative] ? "interval score / calibrated constant" : "interval score";
  const names = new Set(rows.map((n) => table.rows[n][method]));
  return {
    traces,
    label: `Chart: ${which} against cost, ${title}. The table below has the same numbers. ${rows.length} points.`,
    layout: {
      xaxis: { ...across, title: "cost of a prediction / bare potential" },
      yaxis: { ...up, title: which },
      shapes: which === "interval score" ? [] : [{ type: "line", xref: "paper", x0: 0, x1: 1, y0: 1, y1: 1, line: { color: colour("frame"), width: 1 } }],
      annotations: rows.length ? [] : [{ text: "No row has both a score and a cost.", showarrow: false, xref: "paper", yref: "paper", x: 0.5, y: 0.5 }],
      ...legend(names.size),
    },
  };
}

// Bounds of one property as bars, the reference as a point and a line.
function propertyChart(place, table, numbers, bars) {
  const at = (label) => index(table, label);
  const [method, scored, value, verdict] = ["method", "scored", "value", "reference is"].map(at);
  const names = [...new Set(numbers.map((n) => table.rows[n][method]))].sort();
  const cut = (x) => Math.min(Math.max(x, bars.low), bars.high);
  const label = (name) => plain(clipped(name, place.clientWidth < NARROW ? 18 : 34));
  const traces = [];
  const silent = [];
  for (const n of numbers) {
    const row = table.rows[n];
    const raw = row[scored] === "raw";
    const y = names.indexOf(row[method]) + (raw ? -0.17 : 0.17);
    if (row[verdict] === "no answer" || row[value] === null || row[value][1] === null) {
      silent.push({ text: "no answer", x: 0.01, xref: "paper", xanchor: "left", y, showarrow: false, font: { size: 10, color: colour("muted") } });
      continue;
    }
    const text = `${plain(clipped(row[method]))}, ${row[scored]}<br>${written(row[value], "fixed")} ${plain(bars.unit)}<br>reference ${row[verdict]}`;
    const own = look(row[method]);
    traces.push({ x: [cut(row[value][1]), cut(row[value][2])], y: [y, y], mode: "lines", line: { color: own.colour, width: raw ? 3 : 8 }, hoverinfo: "skip" });
    traces.push({
      x: [cut(row[value][0])], y: [y], mode: "markers", text: [text], hovertemplate: "%{text}<extra></extra>",
      marker: { symbol: row[verdict] === "outside" ? "circle-open" : "circle", size: 8, color: colour("ink"), line: { width: 2, color: row[verdict] === "outside" ? colour("ink") : colour("page") } },
    });
  }
  const shapes = [];
  if (bars.reference !== null) {
    shapes.push({ type: "line", yref: "paper", y0: 0, y1: 1, x0: bars.reference, x1: bars.reference, line: { color: colour("ink"), width: 1, dash: "dot" } });
    traces.push({
      x: [bars.reference], y: [-1], mode: "markers", text: [`reference ${bars.reference.toFixed(bars.digits)} ± ${short(bars.error)} ${plain(bars.unit)}`], hovertemplate: "%{text}<extra></extra>",
      marker: { symbol: "diamond", size: 12, color: colour("ink") },
      error_x: bars.error === null ? undefined : { type: "data", array: [bars.error], color: colour("ink") },
    });
  }
  place.style.height = `${140 + 34 * (names.length + 1)}px`;
  return {
    traces,
    label: `Chart: bounds of ${bars.title} as bars, the reference as a point. The table below has the same numbers.`,
    layout: {
      showlegend: false,
      xaxis: { range: [bars.low, bars.high], title: plain(bars.unit), nticks: 6 },
      yaxis: { range: [names.length - 0.4, -1.6], tickvals: [-1, ...names.keys()], ticktext: ["reference", ...names.map(label)], zeroline: false, showgrid: false },
      shapes,
      annotations: silent,
    },
  };
}

// Observed against nominal coverage of one row.
function curveChart(method, one) {
  const own = look(method);
  return {
    label: `Calibration curve of ${method}: observed coverage ${percent(one.shares[Math.round(one.levels.length * 0.68)])} % at the nominal ${percent(one.levels[Math.round(one.levels.length * 0.68)])} %.`,
    traces: [
      { x: [0, 100], y: [0, 100], mode: "lines", line: { color: colour("muted"), width: 1, dash: "dot" }, hoverinfo: "skip" },
      { x: one.levels.map((p) => 100 * p), y: one.shares.map((p) => 100 * p), mode: "lines+markers", line: { color: own.colour, dash: own.dash, width: 2 }, marker: { symbol: own.symbol, size: 6, color: own.colour }, hovertemplate: "nominal %{x:.0f} %<br>observed %{y:.1f} %<extra></extra>" },
    ],
    layout: {
      showlegend: false,
      title: { text: "Calibration: above the line is too wide", font: { size: 14 } },
      xaxis: { title: "nominal coverage (%)", range: [0, 100] },
      yaxis: { title: "observed coverage (%)", range: [0, 101] },
    },
  };
}

// |error| against σ of one row; binned errors would lie on the line.
function errorChart(method, one, unit) {
  const own = look(method);
  const ends = [Math.min(...one.std), Math.max(...one.std)];
  const least = 1e-3 * Math.max(...one.error);
  const heights = one.error.map((e) => Math.max(e, least));
  return {
    label: `Error against predicted σ of ${method}, ${one.std.length} values and ${one.binned_std.length} bins.`,
    traces: [
      { x: one.std, y: heights, mode: "markers", name: "|error|", marker: { size: 5, color: colour("muted"), opacity: 0.75 }, hovertemplate: "σ %{x:.3g}<br>|error| %{y:.3g}<extra></extra>" },
      { x: ends, y: ends, mode: "lines", name: "|error| = σ", line: { color: colour("ink"), width: 1, dash: "dot" }, hoverinfo: "skip" },
      { x: one.binned_std, y: one.binned_error, mode: "lines+markers", name: "RMSE by bins of σ", line: { color: own.colour, dash: own.dash, width: 2 }, marker: { symbol: own.symbol, size: 9, color: own.colour, line: { width: 1, color: colour("ink") } }, hovertemplate: "σ %{x:.3g}<br>RMSE %{y:.3g}<extra></extra>" },
    ],
    layout: {
      title: { text: "Errors: on the line, σ is right", font: { size: 14 } },
      legend: { orientation: "h", y: -0.22, yanchor: "top" },
      xaxis: { ...logarithmic(one.std, 5), title: `predicted σ (${plain(unit)})` },
      yaxis: { ...logarithmic([...heights, ...one.binned_error], 6), title: `|error| (${plain(unit)})` },
    },
  };
}
