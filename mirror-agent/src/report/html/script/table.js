// A table to sort, filter and page through: of however many rows, those of one page are elements.

// Rows of a page on a desktop, and on a phone, where a row is a card.
const PAGE_ROWS = [25, 10];

// A cell of which nothing is known.
const UNKNOWN = "–";

class Table {
  // columns: { key, title, value(row), cell(row), numeric, first: "ascending" | "descending", help }
  // filters: { key, title, options: [[value, words, class]], of(row) }; search(row) is the text that is searched.
  constructor(place, { name, caption, columns, filters = [], search, rowKey, detail, empty }) {
    Object.assign(this, { place, name, caption, columns, filters, search, rowKey, detail, empty });
    this.rows = [];
    this.sorted = null;
    this.page = 0;
    this.query = "";
    this.chosen = new Map(filters.map((filter) => [filter.key, new Set()]));
    this.open = new Set();
    this.ids = new Map();
    this.build();
  }

  build() {
    const id = `${this.name}-search`;
    this.input = element("input", {
      type: "search", id, autocomplete: "off", spellcheck: "false",
      oninput: () => { this.query = this.input.value.trim().toLowerCase(); this.page = 0; this.draw(true); },
    });
    const chips = this.filters.map((filter) => this.buildFilter(filter));
    this.status = element("p", { class: "found" });
    this.body = element("div", { class: "rows" });
    this.pager = element("div", { class: "pager" });
    this.place.replaceChildren(
      element("div", { class: "controls" },
        element("label", { class: "search", for: id }, "Filter by text", this.input), chips),
      this.status, this.body, this.pager);
  }

  buildFilter(filter) {
    const chosen = this.chosen.get(filter.key);
    const chips = filter.options.map(([value, words, colour]) => element("button", {
      type: "button", class: `chip ${colour ?? ""}`, "aria-pressed": "false", "data-value": value,
      onclick: (event) => {
        if (!chosen.delete(value)) chosen.add(value);
        event.currentTarget.setAttribute("aria-pressed", String(chosen.has(value)));
        this.page = 0;
        this.draw(true);
      },
    }, words));
    return element("div", { class: "chips", role: "group", "aria-label": filter.title },
      element("span", { class: "label" }, filter.title), chips);
  }

  show(rows) {
    this.rows = rows;
    this.texts = rows.map((row) => this.search(row).toLowerCase());
    this.draw();
  }

  // Leaves only the rows that hold this text.
  seek(text) {
    this.input.value = text;
    this.query = text.toLowerCase();
    this.page = 0;
    this.draw(true);
  }

  found() {
    const words = this.query.split(/\s+/).filter(Boolean);
    const isWanted = (row, index) => words.every((word) => this.texts[index].includes(word))
      && this.filters.every((filter) => {
        const chosen = this.chosen.get(filter.key);
        return chosen.size === 0 || chosen.has(String(filter.of(row)));
      });
    const found = this.rows.filter(isWanted);
    if (this.sorted) {
      const { column, direction } = this.sorted;
      const sign = direction === "ascending" ? 1 : -1;
      found.sort((a, b) => sign * compared(column.value(a), column.value(b)));
    }
    return found;
  }

  sort(column) {
    const first = column.first ?? (column.numeric ? "descending" : "ascending");
    const other = first === "ascending" ? "descending" : "ascending";
    const isSame = this.sorted?.column === column;
    // The third time is the order of the report again.
    if (isSame && this.sorted.direction === other) this.sorted = null;
    else this.sorted = { column, direction: isSame ? other : first };
    this.page = 0;
    this.draw();
    announce(this.sorted ? `${this.caption}: sorted by ${column.title}, ${this.sorted.direction}` : `${this.caption}: in the order of the report`);
  }

  draw(isSaid = false) {
    const found = this.found();
    const most = PAGE_ROWS[isNarrow() ? 1 : 0];
    const pages = Math.max(1, Math.ceil(found.length / most));
    this.page = Math.min(this.page, pages - 1);
    const from = this.page * most;
    const shown = found.slice(from, from + most);
    const text = this.rows.length === 0 ? this.empty
      : found.length === this.rows.length ? `${count(found.length)} in all`
      : `${count(found.length)} of ${count(this.rows.length)}`;
    this.status.textContent = text;
    if (isSaid) announce(`${this.caption}: ${text}`);
    redraw(this.body, shown.length ? this.table(shown) : []);
    redraw(this.pager, pages > 1 ? this.buttons(from, shown.length, found.length, pages) : []);
  }

  table(shown) {
    const heads = this.columns.map((column) => {
      const direction = this.sorted?.column === column ? this.sorted.direction : undefined;
      return element("th", { scope: "col", role: "columnheader", class: column.numeric ? "n" : undefined, "aria-sort": direction ?? (column.value ? "none" : undefined) },
        column.value
          ? element("button", { type: "button", class: "sort", "data-key": `sort ${column.key}`, title: column.help, onclick: () => this.sort(column) }, column.title)
          : column.title);
    });
    const body = shown.flatMap((row) => this.line(row));
    return element("table", { role: "table", class: "cards-when-narrow", "aria-label": this.caption },
      element("thead", { role: "rowgroup" }, element("tr", { role: "row" }, heads)),
      element("tbody", { role: "rowgroup" }, body));
  }

  line(row) {
    const key = this.rowKey(row);
    const isOpen = this.detail !== undefined && this.open.has(key);
    const cells = this.columns.map((column, index) => {
      const cell = index === 0 && this.detail ? this.opener(row, key, isOpen, column) : column.cell(row);
      const classes = [column.numeric ? "n" : "", cell === UNKNOWN ? "unknown" : ""].join(" ").trim();
      return element(index === 0 ? "th" : "td", {
        role: index === 0 ? "rowheader" : "cell", scope: index === 0 ? "row" : undefined,
        class: classes || undefined, "data-label": column.title,
      }, cell);
    });
    const lines = [element("tr", { role: "row", class: isOpen ? "open" : undefined }, cells)];
    if (isOpen) {
      lines.push(element("tr", { role: "row", class: "detail", id: this.idOf(key) },
        element("td", { role: "cell", colspan: this.columns.length }, this.detail(row))));
    }
    return lines;
  }

  // Names of routes and places are no ids.
  idOf(key) {
    if (!this.ids.has(key)) this.ids.set(key, `${this.name}-detail-${this.ids.size}`);
    return this.ids.get(key);
  }

  opener(row, key, isOpen, column) {
    return element("button", {
      type: "button", class: "opener", "aria-expanded": String(isOpen), "data-key": `open ${key}`,
      "aria-controls": isOpen ? this.idOf(key) : undefined,
      onclick: () => {
        if (!this.open.delete(key)) this.open.add(key);
        this.draw();
      },
    }, column.cell(row));
  }

  buttons(from, shown, all, pages) {
    const go = (words, to, isOff) => element("button", {
      type: "button", "data-key": words, disabled: isOff,
      onclick: () => { this.page = to; this.draw(true); },
    }, words);
    return [
      go("First", 0, this.page === 0),
      go("Previous", this.page - 1, this.page === 0),
      element("span", {}, `${count(from + 1)}–${count(from + shown)} of ${count(all)}`),
      go("Next", this.page + 1, this.page === pages - 1),
      go("Last", pages - 1, this.page === pages - 1),
    ];
  }
}

// What is not known comes last in both directions; texts by their letters.
function compared(a, b) {
  if (a === null || a === undefined || b === null || b === undefined) {
    return (a === null || a === undefined ? 1 : 0) - (b === null || b === undefined ? 1 : 0);
  }
  return typeof a === "number" ? a - b : a < b ? -1 : a > b ? 1 : 0;
}
