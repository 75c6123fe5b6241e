"use strict";
// Names that all parts use: elements, numbers, texts of strangers.

const SVG = "http://www.w3.org/2000/svg";

// An element with attributes and content. Texts stay texts: nothing here reads markup.
function element(name, attributes = {}, ...content) {
  return fill(document.createElement(name), attributes, content);
}

function drawing(name, attributes = {}, ...content) {
  return fill(document.createElementNS(SVG, name), attributes, content);
}

function fill(made, attributes, content) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...content.flat().filter((part) => part !== undefined && part !== null));
  return made;
}

const isNarrow = () => window.matchMedia("(max-width: 640px)").matches;

const byId = (id) => document.getElementById(id);

const GROUPED = new Intl.NumberFormat("en-US");
const count = (number) => GROUPED.format(number);

// Three digits that say something, as in `0.1 %`.
function percent(share) {
  const number = share * 100;
  if (!Number.isFinite(number) || number === 0) return "0 %";
  const leading = Math.floor(Math.log10(Math.abs(number)));
  const places = Math.min(8, Math.max(0, 2 - leading));
  return `${String(Number(number.toFixed(places)))} %`;
}

// A share of all, where a hundredth of a percent is enough.
function rough(share) {
  if (share > 0 && share < 0.0001) return "< 0.01 %";
  return `${String(Number((share * 100).toFixed(share < 0.1 ? 2 : 1)))} %`;
}

// A change: 0.1 is `+10 %`.
function change(fraction) {
  if (fraction === null || fraction === undefined) return "?";
  const rounded = Math.round(fraction * 1000) / 1000;
  if (rounded === 0) return "0 %";
  return (rounded < 0 ? "−" : "+") + percent(Math.abs(rounded));
}

function millis(ms) {
  if (ms === null || ms === undefined || !Number.isFinite(ms)) return "–";
  if (ms >= 10000) return `${(ms / 1000).toFixed(1)} s`;
  if (ms >= 1000) return `${(ms / 1000).toFixed(2)} s`;
  if (ms >= 100) return `${ms.toFixed(0)} ms`;
  return `${ms.toFixed(ms >= 10 ? 1 : 2)} ms`;
}

const utc = (seconds) => new Date(seconds * 1000).toISOString().replace("T", " ").slice(0, 19) + " UTC";

// What moves a cursor, hides, or turns the direction of writing is shown by its number.
const HIDDEN = /[\u{0}-\u{8}\u{b}-\u{1f}\u{7f}-\u{9f}\u{ad}\u{61c}\u{180e}\u{200b}-\u{200f}\u{2028}-\u{202e}\u{2060}-\u{206f}\u{feff}\u{fff9}-\u{fffb}\u{e0000}-\u{e007f}]/gu;
const visible = (text) => text.replace(HIDDEN, (c) => `\\u{${c.codePointAt(0).toString(16)}}`);

// A text of a stranger: it does not change the direction of what stands beside it.
const foreign = (text, most = 2000) => element("bdi", {}, visible(text.length > most ? `${text.slice(0, most)}…` : text));

// A route or a place: it may break after a slash.
function path(text) {
  const parts = visible(text).split(/(?<=\/)/).slice(0, 40);
  return element("bdi", {}, parts.flatMap((part, index) => (index === 0 ? [part] : [element("wbr"), part])));
}

// Says something to who does not see the page.
function announce(text) {
  byId("announce").textContent = text;
}

// Each time is in UTC; the reader's own is shown on hover.
function localTimes(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const local = new Date(time.dateTime);
    if (Number.isNaN(local.getTime())) continue;
    time.title = `${local.toLocaleString()} (your time)`;
  }
}

// Draws anew, and gives the focus back to the element that had it, by its `data-key`.
function redraw(place, ...content) {
  const active = place.contains(document.activeElement) ? document.activeElement : null;
  const key = active?.closest("[data-key]")?.dataset.key;
  place.replaceChildren(...content.flat());
  if (key === undefined) return;
  const again = place.querySelector(`[data-key="${CSS.escape(key)}"]`);
  if (again && again !== document.activeElement) again.focus({ preventScroll: true });
}
