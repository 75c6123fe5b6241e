// JSON as it was written: numbers keep their digits, members their order, also those of one name. `null` where a text is not JSON.

const MAX_DEPTH = 200;
const MAX_VALUES = 50000;

class Reader {
  constructor(text) {
    this.text = text;
    this.at = 0;
    this.values = 0;
  }

  static read(text) {
    const reader = new Reader(text);
    try {
      const value = reader.value(0);
      reader.space();
      return reader.at === text.length ? value : null;
    } catch (error) {
      if (error instanceof NotJson) return null;
      throw error;
    }
  }

  space() {
    while (" \t\r\n".includes(this.text[this.at] ?? "x")) this.at += 1;
  }

  // { kind: "object" | "list" | "plain", text, members: [[name, value]], items }
  value(depth) {
    this.values += 1;
    if (depth > MAX_DEPTH || this.values > MAX_VALUES) throw new NotJson();
    this.space();
    const first = this.text[this.at];
    if (first === "{") return this.object(depth);
    if (first === "[") return this.list(depth);
    return { kind: "plain", text: this.token() };
  }

  object(depth) {
    const members = this.between("}", () => {
      this.space();
      const name = this.token();
      if (!name.startsWith('"')) throw new NotJson();
      this.expect(":");
      return [name, this.value(depth + 1)];
    });
    return { kind: "object", members };
  }

  list(depth) {
    return { kind: "list", items: this.between("]", () => this.value(depth + 1)) };
  }

  between(end, part) {
    const parts = [];
    this.at += 1;
    this.space();
    if (this.text[this.at] === end) {
      this.at += 1;
      return parts;
    }
    for (;;) {
      parts.push(part());
      this.space();
      const next = this.text[this.at];
      this.at += 1;
      if (next === end) return parts;
      if (next !== ",") throw new NotJson();
    }
  }

  expect(sign) {
    this.space();
    if (this.text[this.at] !== sign) throw new NotJson();
    this.at += 1;
  }

  token() {
    TOKEN.lastIndex = this.at;
    const found = TOKEN.exec(this.text);
    if (found === null) throw new NotJson();
    this.at = TOKEN.lastIndex;
    return found[0];
  }
}

class NotJson extends Error {}

const TOKEN = /"(?:[^"\\\u0000-\u001f]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;

// The value as lines of text, each with its depth. `size` lines belong to one value, so that equal ones can be folded.
function jsonLines(value, name = "", depth = 0, end = "", lines = []) {
  const label = name === "" ? "" : `${name}: `;
  const start = lines.length;
  if (value.kind === "plain") {
    lines.push({ depth, text: label + value.text + end, size: 1 });
    return lines;
  }
  const isList = value.kind === "list";
  const parts = isList ? value.items.map((item) => ["", item]) : value.members;
  const [open, close] = isList ? "[]" : "{}";
  if (parts.length === 0) {
    lines.push({ depth, text: label + open + close + end, size: 1 });
    return lines;
  }
  lines.push({ depth, text: label + open, size: 0, parts: parts.length, isList, close: close + end });
  parts.forEach(([part, inner], index) => jsonLines(inner, part, depth + 1, index < parts.length - 1 ? "," : "", lines));
  lines.push({ depth, text: close + end, size: 1 });
  lines[start].size = lines.length - start;
  return lines;
}
