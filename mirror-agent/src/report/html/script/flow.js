// The ledger as a flow: a band of requests from top to bottom, from which outcomes leave at the stage that ends them.

const ROW = 34;

class FlowSection {
  constructor(place) {
    this.place = place;
    this.picture = element("div", { class: "flow" });
    this.panel = element("div", { class: "outcome-panel", id: "outcome-panel", tabindex: "-1" });
    this.chosen = null;
    place.replaceChildren(this.picture, this.panel);
    // Another width is another picture.
    let width = 0;
    new ResizeObserver(() => {
      if (Math.abs(place.clientWidth - width) < 8 || !this.data) return;
      width = place.clientWidth;
      this.draw();
    }).observe(place);
  }

  show(data) {
    this.data = data;
    this.draw();
  }

  draw() {
    if (this.data.seen === 0) return this.place.classList.add("none");
    this.place.classList.remove("none");
    redraw(this.picture, this.drawing());
    this.drawPanel();
  }

  drawing() {
    const width = Math.max(300, Math.min(1180, this.place.clientWidth));
    const isNarrow = width < 560;
    const band = isNarrow ? 84 : 240;
    const label = band + (isNarrow ? 34 : 130);
    const scale = (requests) => (requests === 0 ? 0 : Math.max(1.5, (requests / this.data.seen) * band));
    const parts = [];
    let y = 40;
    let left = this.data.seen;
    for (const stage of this.stages()) {
      parts.push(...this.stage(stage, { y, left, scale, label, width, isNarrow }));
      left -= stage.outcomes.reduce((sum, outcome) => sum + outcome.count, 0);
      y += this.heightOf(stage);
    }
    const head = drawing("text", { x: 0, y: 16, class: "flow-head" }, `${count(this.data.seen)} requests${isNarrow ? "" : ` seen${this.captureWords()}`}`);
    return drawing("svg", { viewBox: `0 0 ${width} ${y}`, width, height: y, role: "group", "aria-label": "Flow of the requests from the kernel to their outcomes" }, head, parts);
  }

  captureWords() {
    const words = this.data.capture.map(([what, number]) => `${count(number)} ${what}`);
    return words.length ? ` – kernel: ${words.join(", ")}` : "";
  }

  stages() {
    const stages = this.data.stages.map((stage) => ({ ...stage }));
    if (this.data.in_flight > 0) {
      const last = stages[stages.length - 1];
      last.outcomes = [...last.outcomes, { name: "not ended yet", count: this.data.in_flight, tone: "left_out", meaning: "these requests are still on their way", groups: [], more: 0 }];
    }
    return stages;
  }

  heightOf(stage) {
    return 30 + stage.outcomes.length * ROW + 8;
  }

  stage(stage, { y, left, scale, label, width, isNarrow }) {
    const ended = stage.outcomes.reduce((sum, outcome) => sum + outcome.count, 0);
    const rest = left - ended;
    const height = this.heightOf(stage);
    const parts = [];
    let right = scale(left);
    stage.outcomes.forEach((outcome, index) => {
      const thick = Math.min(right, scale(outcome.count));
      const row = y + 30 + index * ROW + ROW / 2;
      parts.push(this.outcome(outcome, { from: right - thick, to: right, y, row, label, width, isNarrow }));
      right -= thick;
    });
    if (rest > 0) parts.unshift(drawing("rect", { class: "band", x: 0, y, width: scale(rest).toFixed(1), height }));
    parts.push(drawing("text", { class: "stage-name", x: label, y: y + 18 }, stage.name),
      isNarrow ? null : drawing("text", { class: "stage-what", x: label + 110, y: y + 18 }, stage.what));
    return parts.filter((part) => part !== null);
  }

  outcome(outcome, { from, to, y, row, label, width, isNarrow }) {
    const half = Math.min(to - from, 20) / 2;
    const end = label - 8;
    const path = `M${from} ${y}L${to} ${y}C${to} ${row - half} ${to} ${row - half} ${end} ${row - half}`
      + `L${end} ${row + half}C${from} ${row + half} ${from} ${row + half} ${from} ${y}Z`;
    const shareWords = rough(outcome.count / this.data.seen);
    const counted = label + 330;
    const room = Math.floor((width - counted - 24) / 7.2);
    const isChosen = this.chosen === outcome.name;
    const choose = () => {
      this.chosen = isChosen ? null : outcome.name;
      this.draw();
      if (this.chosen) this.panel.scrollIntoView({ block: "nearest" });
    };
    return drawing("g", {
      role: "button", tabindex: "0", class: `outcome ${outcome.tone}${isChosen ? " chosen" : ""}`, "aria-expanded": String(isChosen),
      "aria-controls": "outcome-panel", "data-key": outcome.name,
      onclick: choose,
      onkeydown: (event) => {
        if (event.key !== "Enter" && event.key !== " ") return;
        event.preventDefault();
        choose();
      },
    },
    drawing("path", { class: "ribbon", d: path }),
    drawing("rect", { class: "target", x: label - 6, y: row - ROW / 2 + 2, width: Math.max(10, width - label + 4), height: ROW - 4, rx: 6 }),
    drawing("text", { x: label, y: row + (isNarrow ? -1 : 5) }, `${shortened(visible(outcome.name), isNarrow ? 30 : 34)} `),
    drawing("text", { class: "flow-count", x: isNarrow ? label : counted, y: row + (isNarrow ? 13 : 5), "text-anchor": isNarrow ? "start" : "end" }, `${count(outcome.count)}  ·  ${shareWords} `),
    isNarrow || room < 20 ? null : drawing("text", { class: "flow-meaning", x: counted + 18, y: row + 5 }, shortened(visible(outcome.meaning), room)));
  }

  drawPanel() {
    const outcome = this.stages().flatMap((stage) => stage.outcomes).find((one) => one.name === this.chosen);
    redraw(this.panel, outcome ? outcomePanel(outcome, () => { this.chosen = null; this.draw(); }) : []);
  }
}

const shortened = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

function outcomePanel(outcome, close) {
  const lines = outcome.groups.map((group) => element("tr", { role: "row" },
    element("th", { scope: "row", role: "rowheader", "data-label": "Route" }, path(group.route)),
    element("td", { class: "n", role: "cell", "data-label": "Requests" }, count(group.count)),
    element("td", { role: "cell", "data-label": "Reason" }, group.reason ? foreign(group.reason) : "–"),
    element("td", { role: "cell", "data-label": "Examples" }, element("ul", { class: "plain" }, group.examples.map(outcomeExample)))));
  const head = ["Route", "Requests", "Reason", "Examples"].map((title, index) => element("th", { scope: "col", role: "columnheader", class: index === 1 ? "n" : undefined }, title));
  return element("article", { class: "card" },
    element("div", { class: "command-head" }, element("h3", {}, foreign(outcome.name), ` – ${count(outcome.count)} requests`),
      element("button", { type: "button", "data-key": "close", onclick: close }, "Close")),
    element("p", {}, foreign(outcome.meaning)),
    lines.length ? element("table", { role: "table", class: "cards-when-narrow", "aria-label": `Routes and reasons of ${outcome.name}` },
      element("thead", { role: "rowgroup" }, element("tr", { role: "row" }, head)), element("tbody", { role: "rowgroup" }, lines)) : null,
    outcome.more > 0 ? element("p", { class: "small" }, `and ${count(outcome.more)} more in report.json`) : null);
}

function outcomeExample(example) {
  const [connection, index] = example.at;
  return element("li", {}, element("code", {}, foreign(example.request)),
    element("span", { class: "note" }, `connection ${connection}, request ${index + 1}`),
    example.reason ? element("span", { class: "note" }, foreign(example.reason)) : null);
}
