"use strict";
// What all other scripts of the page use: its data, elements, numbers, and the state in the address.
document.documentElement.classList.add("js");
let behind = "#tables"; // the address of what the panel of a cell hides
const DATA = JSON.parse(document.getElementById("data").textContent);

/** An element; children are elements or plain texts, never markup. */
function el(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

/** The same for drawings. */
function svg(name, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

function fill(element, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key.startsWith("--")) element.style.setProperty(key, value);
    else if (value === true) element.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(key, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
}

/** A labelled choice: options are [value, text]. */
function choice(label, options, value, onchange) {
  const select = el("select", { onchange: () => onchange(select.value) });
  for (const [key, text] of options) select.append(el("option", { value: key }, text));
  select.value = value;
  return el("label", {}, label, select);
}

/** A value as tables show it. */
function shown(value, key, signed = false) {
  if (value === null || value === undefined) return "–";
  const text = value.toFixed(DATA.metrics[key]?.unit === "dB" ? 2 : 3);
  return ((signed && value > 0 ? "+" : "") + text).replace("-", "−");
}

function heading(key) {
  const metric = DATA.metrics[key];
  const arrow = { higher: " ↑", lower: " ↓", none: "" }[metric.direction];
  return metric.title + arrow + (metric.unit ? ` (${metric.unit})` : "");
}

/** Below 0 if a is worse than b, by the metric's direction; what has no value comes last. */
function worse(key, a, b) {
  if (a === null || b === null) return (a === null) - (b === null);
  return DATA.metrics[key].direction === "lower" ? b - a : a - b;
}

const mean = (values) => (values.length ? values.reduce((sum, v) => sum + v, 0) / values.length : null);
const table = (id) => DATA.tables.find((t) => t.id === id);
const rowName = (row) =>
  [row.subject, row.method].filter(Boolean).join(": ") + (row.ablation ? ` ${row.ablation}` : "");

const three = (n) => Number(n.toPrecision(3));

/** Numbers with a unit that a reader can take in. */
const human = {
  count: (n) => (n >= 1e9 ? `${three(n / 1e9)} G` : n >= 1e6 ? `${three(n / 1e6)} M` : n >= 1e4 ? `${three(n / 1e3)} k` : String(n)),
  bytes: (n) => (n >= 1e9 ? `${three(n / 1e9)} GB` : `${three(n / 1e6)} MB`),
  seconds: (n) => (n >= 5400 ? `${three(n / 3600)} h` : n >= 90 ? `${three(n / 60)} min` : `${three(n)} s`),
  rate: (n) => `${three(n)} fps`,
};

/** The state in the address: a view, and what is chosen in it. */
function address() {
  const [view, query = ""] = location.hash.slice(1).split("?");
  return { view, query: new URLSearchParams(query) };
}

function link(view, query = {}) {
  const kept = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const text = new URLSearchParams(kept).toString().replaceAll("%2F", "/").replaceAll("%40", "@").replaceAll("%2C", ",");
  return `#${view}${text ? `?${text}` : ""}`;
}

/** Writes the state into the address without a step in the history. */
function note(view, query) {
  behind = link(view, query);
  history.replaceState(null, "", behind);
}
