// Both sides beside each other, with what differs marked: JSON as a tree, texts by lines, headers by name.

const MAX_LINES = 3000;
const MAX_SHOWN = 600;
const CONTEXT = 2;
// Equal parts of this many lines and more are folded.
const FOLDED = 4;

// The answers of a side as lines; both sides together decide whether they are JSON.
function bodyLines(production, candidate) {
  const texts = [production, candidate].map((message) => message.body.text);
  if (texts.some((text) => text === null || text === undefined)) return null;
  const values = texts.map((text) => (/^\s*[[{]/.test(text) ? Reader.read(text) : null));
  if (values.every((value) => value !== null)) {
    const lines = values.map((value) => jsonLines(value));
    if (lines.every((side) => side.length <= MAX_LINES)) return { kind: "JSON", lines };
  }
  const lines = texts.map((text) => text.replace(/\n$/, "").split("\n").slice(0, MAX_LINES).map((line) => ({ depth: 0, text: line, size: 1 })));
  return { kind: "text", lines };
}

const sameLine = (a, b) => a.depth === b.depth && a.text.replace(/,$/, "") === b.text.replace(/,$/, "");

// Rows { left, right, isSame } of two lists of lines.
function sideRows([left, right]) {
  return align(left, right, sameLine).map(([i, j]) => ({
    left: i === null ? null : left[i],
    right: j === null ? null : right[j],
    isSame: i !== null && j !== null && sameLine(left[i], right[j]),
  }));
}

// Equal rows that are far from a change become one row, which opens.
function folded(rows) {
  const keep = new Array(rows.length).fill(false);
  rows.forEach((row, index) => {
    if (row.isSame) return;
    for (let i = Math.max(0, index - CONTEXT); i <= Math.min(rows.length - 1, index + CONTEXT); i += 1) keep[i] = true;
  });
  // The lines that a change lies in say where it is.
  let depth = Infinity;
  for (let i = rows.length - 1; i >= 0; i -= 1) {
    const line = rows[i].left ?? rows[i].right;
    if (keep[i] && !rows[i].isSame) depth = Math.min(depth, line.depth);
    else if (line.depth < depth && line.parts !== undefined) {
      keep[i] = true;
      depth = line.depth;
    }
  }
  const parts = [];
  for (let i = 0; i < rows.length;) {
    let end = i;
    while (end < rows.length && keep[end] === keep[i]) end += 1;
    const part = rows.slice(i, end);
    if (keep[i] || part.length < FOLDED) parts.push(...part);
    else parts.push({ folded: part });
    i = end;
  }
  return parts;
}

function bodies(production, candidate) {
  const read = bodyLines(production, candidate);
  const cut = [production, candidate].some((message) => message.body.is_cut);
  if (read === null) return digests(production, candidate);
  const parts = folded(sideRows(read.lines));
  const isEqual = parts.every((part) => part.folded || part.isSame);
  return element("div", { class: "sides-part" },
    element("h5", {}, isEqual ? "Bodies, which are equal" : `Bodies, as ${read.kind}`),
    cut ? element("p", { class: "small" }, "Only the beginning of the larger body was kept.") : null,
    sidesTable(parts, "Bodies"));
}

function digests(production, candidate) {
  const told = ({ body }) => element("div", { class: "side-cell" },
    `${count(body.bytes)} bytes that are not text, SHA-256 ${body.sha256.slice(0, 16)}…`);
  return element("div", { class: "sides-part" }, element("h5", {}, "Bodies"),
    element("div", { class: "two" }, told(production), told(candidate)));
}

function headers(production, candidate) {
  const names = new Map();
  [production, candidate].forEach((message, side) => {
    for (const [name, value] of message.headers) {
      const key = name.toLowerCase();
      if (!names.has(key)) names.set(key, [[], []]);
      names.get(key)[side].push(value);
    }
  });
  const line = (name, values) => (values.length ? { depth: 0, text: `${name}: ${values.join(", ")}`, size: 1 } : null);
  const rows = [...names].slice(0, 200).map(([name, [ours, theirs]]) => {
    const [left, right] = [line(name, ours), line(name, theirs)];
    return { left, right, isSame: left?.text === right?.text };
  });
  const first = { depth: 0, text: production.first_line, size: 1 };
  const other = { depth: 0, text: candidate.first_line, size: 1 };
  rows.unshift({ left: first, right: other, isSame: first.text === other.text });
  return element("div", { class: "sides-part" }, element("h5", {}, "Status and headers"),
    sidesTable(rows.map((row) => row), "Status and headers"));
}

// Two short values, as the comparison found them.
function values(production, candidate) {
  const line = (text) => ({ depth: 0, text, size: 1 });
  return sidesTable([{ left: line(production), right: line(candidate), isSame: false }], "Values");
}

function sidesTable(parts, caption) {
  const body = element("tbody", { role: "rowgroup" });
  let room = MAX_SHOWN;
  for (const part of parts) {
    if (room <= 0) break;
    body.append(part.folded ? foldedRow(part.folded, body) : sideRow(part));
    room -= 1;
  }
  const rest = parts.length - MAX_SHOWN;
  return element("div", { class: "sides-wrap" },
    element("table", { class: "sides-table", role: "table", "aria-label": `${caption} of both sides` },
      element("thead", { role: "rowgroup" }, element("tr", { role: "row" },
        element("th", { scope: "col", role: "columnheader" }, "Production"), element("th", { scope: "col", role: "columnheader" }, "Candidate"))),
      body),
    rest > 0 ? element("p", { class: "small" }, `${count(rest)} more lines are not shown.`) : null);
}

function sideRow({ left, right, isSame }) {
  const [ours, theirs] = isSame || !left || !right
    ? [left && [left.text, "", ""], right && [right.text, "", ""]]
    : sameEnds(left.text, right.text);
  const state = isSame ? "same" : left && right ? "changed" : left ? "gone" : "new";
  return element("tr", { class: state, role: "row" }, sideCell(left, ours, "−", state), sideCell(right, theirs, "+", state));
}

const SIGNS = { changed: "changed", gone: "gone", new: "new" };

function sideCell(line, parts, sign, state) {
  if (!line) return element("td", { class: "void", role: "cell" }, element("span", { class: "sr" }, "nothing"));
  const [before, inside, after] = parts;
  const isMarked = state !== "same";
  return element("td", { role: "cell" },
    element("span", { class: "sign", "aria-hidden": "true" }, isMarked ? sign : ""),
    isMarked ? element("span", { class: "sr" }, `${SIGNS[state]}: `) : null,
    element("code", { class: `indent-${Math.min(line.depth, 12)}` },
      state === "changed" ? [foreign(before), inside === "" ? null : element("mark", {}, foreign(inside)), foreign(after)] : foreign(line.text)));
}

function foldedRow(rows, body) {
  const first = rows[0].left;
  const row = element("tr", { class: "fold", role: "row" },
    element("td", { colspan: "2", role: "cell" },
      element("button", {
        type: "button", class: "plain",
        onclick: () => {
          const shown = rows.slice(0, MAX_SHOWN).map(sideRow);
          shown[0].querySelector("td").tabIndex = -1;
          row.replaceWith(...shown);
          shown[0].querySelector("td").focus();
        },
      }, `${count(rows.length)} equal lines`, first ? element("span", { class: `indent-${Math.min(first.depth, 12)}` }) : null)));
  return row;
}
