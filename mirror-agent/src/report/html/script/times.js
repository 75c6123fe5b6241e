// The times of both sides: how they are distributed, and in the course of the run.

const CARDS = 4;
const COLD_SECONDS = 10;

class TimesSection {
  constructor(place) {
    this.place = place;
    this.page = 0;
    this.query = "";
    this.input = element("input", {
      type: "search", id: "times-search", autocomplete: "off", spellcheck: "false",
      oninput: () => { this.query = this.input.value.trim().toLowerCase(); this.page = 0; this.draw(); },
    });
    this.cards = element("div", { class: "plots" });
    this.pager = element("div", { class: "pager" });
    place.replaceChildren(
      element("div", { class: "controls" }, element("label", { class: "search", for: "times-search" }, "Filter by text", this.input)),
      this.cards, this.pager);
  }

  show(routes, startedAt) {
    this.startedAt = startedAt;
    // The busiest first.
    this.routes = routes.filter((route) => route.distribution).sort((a, b) => b.traffic - a.traffic || compared(a.name, b.name));
    this.draw();
  }

  seek(text) {
    this.input.value = text;
    this.query = text.toLowerCase();
    this.page = 0;
    this.draw();
  }

  draw() {
    const found = this.routes.filter((route) => route.name.toLowerCase().includes(this.query));
    const pages = Math.max(1, Math.ceil(found.length / CARDS));
    this.page = Math.min(this.page, pages - 1);
    const from = this.page * CARDS;
    const shown = found.slice(from, from + CARDS);
    this.cards.replaceChildren(...shown.map((route) => this.card(route)));
    const go = (words, by, isOff) => element("button", {
      type: "button", "data-key": words, disabled: isOff, onclick: () => { this.page += by; this.draw(); },
    }, words);
    redraw(this.pager, found.length === 0 ? element("span", {}, "No route has this text.")
      : pages === 1 ? [] : [
        go("Previous routes", -1, this.page === 0),
        element("span", {}, `${count(from + 1)}–${count(from + shown.length)} of ${count(found.length)}`),
        go("Next routes", 1, this.page === pages - 1)]);
  }

  card(route) {
    const width = Math.max(260, Math.min(620, this.place.clientWidth - 40));
    return element("article", { class: "card plot" },
      element("h3", {}, path(route.name)),
      element("p", { class: "small" }, changeWords(route)),
      distribution(route, width),
      route.course ? course(route, width, this.startedAt) : null,
      route.cache ? caches(route) : null);
  }
}

function changeWords(route) {
  const cold = route.cold > 0 ? ` ${count(route.cold)} cold requests are left out.` : "";
  if (!route.change) return `No change is known: too few requests.${cold}`;
  const [seen, low, high] = route.change.p50;
  const what = route.change.is_to_control
    ? `The candidate's time over the control's, request by request: median ${change(seen)}`
    : `The candidate's median over production's: ${change(seen)}`;
  const way = route.change.is_to_control ? "" : " It came over another way, so a control has to tell.";
  return `${what}, from ${change(low)} to ${change(high)} with 95 %, by ${count(route.change.requests)} requests.${way}${cold}`;
}

const microsOfStep = (step) => 2 ** (step / 4);

function distribution(route, width) {
  const { from, production, candidate } = route.distribution;
  const [height, left, bottom, top] = [150, 8, 24, 12];
  const steps = production.length;
  const x = (step) => left + ((step - from + 0.0) / steps) * (width - 2 * left);
  const shares = [production, candidate].map((counts) => {
    const all = counts.reduce((a, b) => a + b, 0) || 1;
    return counts.map((one) => one / all);
  });
  const most = Math.max(...shares.flat(), 1e-9);
  const y = (part) => top + (1 - part / most) * (height - bottom - top);
  const area = (counts) => {
    let path = `M${x(from).toFixed(1)} ${y(0).toFixed(1)}`;
    counts.forEach((part, index) => { path += `L${x(from + index + 0.5).toFixed(1)} ${y(part).toFixed(1)}`; });
    return `${path}L${x(from + steps).toFixed(1)} ${y(0).toFixed(1)}Z`;
  };
  const mark = (ms, side) => {
    const at = x(Math.log2(Math.max(ms * 1000, 1)) * 4);
    return drawing("line", { class: `median ${side}`, x1: at.toFixed(1), x2: at.toFixed(1), y1: top, y2: height - bottom });
  };
  const words = `Distribution of times: production ${quantileWords(route.production)}; candidate ${quantileWords(route.candidate)}`;
  return element("figure", {},
    element("figcaption", {}, "Distribution, with the medians"),
    drawing("svg", { class: "chart", viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": words },
      drawing("path", { class: "area production", d: area(shares[0]) }),
      drawing("path", { class: "area candidate", d: area(shares[1]) }),
      route.production ? mark(route.production[0], "production") : null,
      route.candidate ? mark(route.candidate[0], "candidate") : null,
      drawing("line", { class: "axis", x1: left, x2: width - left, y1: height - bottom, y2: height - bottom }),
      ticks(from, steps, x, width).map(([at, text]) => drawing("text", { x: at.toFixed(1), y: height - 8, "text-anchor": "middle" }, text))),
    element("p", { class: "small quantiles" }, `Production ${quantileWords(route.production)}. Candidate ${quantileWords(route.candidate)}.`));
}

const quantileWords = (three) => (three ? `p50 ${millis(three[0])}, p95 ${millis(three[1])}, p99 ${millis(three[2])}` : "unknown");

// 1, 2 and 5 of each power of ten, as far as they have room.
function ticks(from, steps, x, width) {
  const found = [];
  let last = -Infinity;
  for (let power = 0; power < 10; power += 1) {
    for (const digit of [1, 2, 5]) {
      const micros = digit * 10 ** power;
      const step = Math.log2(micros) * 4;
      if (step < from || step > from + steps) continue;
      const at = x(step);
      if (at - last < 58 || at < 24 || at > width - 24) continue;
      found.push([at, millis(micros / 1000).replace(/\.0+ /, " ")]);
      last = at;
    }
  }
  return found;
}

// p95 of both sides, with the cold part marked.
function course(route, width, startedAt) {
  const { from, step, production, candidate } = route.course;
  const [height, left, bottom, top] = [110, 8, 22, 16];
  const points = production.length;
  const x = (index) => left + (index / Math.max(1, points - 1)) * (width - 2 * left);
  const most = warmest(route.course);
  const y = (ms) => top + (1 - ms / most) * (height - bottom - top);
  const line = (values) => values.map((ms, index) => (ms === null ? null : `${x(index).toFixed(1)},${y(ms).toFixed(1)}`)).filter((point) => point !== null).join(" ");
  const coldEnd = x(Math.min(points - 1, Math.max(0, (startedAt + COLD_SECONDS - from) / Math.max(1, step))));
  const end = from + step * points;
  const coldPeak = Math.max(production[0] ?? 0, candidate[0] ?? 0);
  return element("figure", {},
    element("figcaption", {}, "p95 in the course of the run"),
    drawing("svg", { class: "chart", viewBox: `0 0 ${width} ${height}`, width, height, role: "img",
      "aria-label": `p95 in the course of the run, at most ${millis(most)}` },
      coldEnd > left ? drawing("rect", { class: "cold", x: left, y: top, width: Math.max(2, coldEnd - left).toFixed(1), height: height - bottom - top }) : null,
      drawing("polyline", { class: "line production", points: line(production) }),
      drawing("polyline", { class: "line candidate", points: line(candidate) }),
      drawing("line", { class: "axis", x1: left, x2: width - left, y1: height - bottom, y2: height - bottom }),
      drawing("text", { x: left, y: 11 }, `up to ${millis(most)}${coldPeak > most ? `; ${millis(coldPeak)} while cold` : ""}`),
      drawing("text", { x: left, y: height - 6 }, utc(Math.max(from, startedAt)).slice(11)),
      drawing("text", { x: width - left, y: height - 6, "text-anchor": "end" }, utc(end).slice(11))));
}

function caches(route) {
  const bar = (title, pair, side) => {
    const part = hitShare(pair);
    return element("tr", {},
      element("th", { scope: "row" }, title),
      element("td", { class: "n" }, part === null ? "–" : percent(part)),
      element("td", { class: "bar" }, drawing("svg", { viewBox: "0 0 100 6", preserveAspectRatio: "none", "aria-hidden": "true" },
        drawing("rect", { class: "track", width: 100, height: 6 }),
        drawing("rect", { class: `part ${side}`, width: ((part ?? 0) * 100).toFixed(1), height: 6 }))));
  };
  return element("figure", {},
    element("figcaption", {}, "Answers from a cache"),
    element("table", { class: "bars" }, element("tbody", {},
      bar("production", route.cache[0], "production"), bar("candidate", route.cache[1], "candidate"))));
}
