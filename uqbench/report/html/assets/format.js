// Values as text, and elements whose content is always text.

const NONE = "–";
const NAMES = { text: "words", number: "number", count: "number", share: "number", fixed: "number" };

function short(value) {
  if (value === null || value === undefined) return NONE;
  if (value === 0) return "0";
  const size = Math.floor(Math.log10(Math.abs(value)));
  if (size < -4 || size >= 6) return value.toExponential(2);
  return value.toFixed(Math.max(0, (size >= 2 ? 3 : 2) - size));
}

function first(cell) {
  return Array.isArray(cell) ? cell[0] : cell;
}

function percent(value) {
  return value === null || value === undefined ? NONE : (100 * value).toFixed(1);
}

// A value and, in brackets, its interval; what is fixed ends in its number of decimals.
function parts(cell, kind) {
  if (kind === "fixed" && cell !== null) return parts(cell.slice(0, 3), { digits: cell[3] });
  const fixed = (value) => (value === null ? NONE : value.toFixed(kind.digits));
  const form = { share: percent, count: (value) => (value === null ? NONE : String(value)) }[kind] || (kind.digits === undefined ? short : fixed);
  if (!Array.isArray(cell)) return [form(cell), ""];
  const [value, low, high] = cell;
  return [form(value), low === null || high === null ? "" : ` [${form(low)}, ${form(high)}]`];
}

function written(cell, kind) {
  return kind === "text" ? cell : parts(cell, kind).join("");
}

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

// Labels of charts: plotly.js reads tags in them, so there are none.
function plain(text) {
  return String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

function clipped(text, most = 40) {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}
