// The table of routes.

const STANDINGS = {
  fails: ["fails", "fail"],
  open: ["not shown yet", "hold"],
  together: ["with others", "idle"],
  shown: ["within limit", "pass"],
  uncovered: ["not judged", "idle"],
};
const WORST_FIRST = Object.keys(STANDINGS);

const rate = (route) => (route.judged > 0 ? route.differed / route.judged : null);
const hitShare = ([hits, told]) => (told > 0 ? hits / told : null);

function cacheChange(route) {
  if (!route.cache) return null;
  const [ours, theirs] = route.cache.map(hitShare);
  return ours === null || theirs === null ? null : theirs - ours;
}

const stacked = (main, note) => [element("span", { class: "main" }, main), note ? element("span", { class: "note" }, note) : null];

function rateCell(route) {
  const share = rate(route);
  if (share === null) return UNKNOWN;
  if (!route.bound) return stacked(percent(share), null);
  return stacked(percent(share), `≤ ${percent(route.bound[0])}, limit ${percent(route.bound[1])}`);
}

function changeCell(route) {
  if (!route.change) return UNKNOWN;
  const [seen, low, high] = route.change.p50;
  const to = route.change.is_to_control ? "" : ", to production";
  return stacked(change(seen), `${change(low)} to ${change(high)}${to}`);
}

function cacheCell(route) {
  const moved = cacheChange(route);
  if (moved === null) return UNKNOWN;
  const [ours, theirs] = route.cache.map(hitShare);
  return stacked(percent(theirs), `production ${percent(ours)}`);
}

function standingCell(route) {
  const [words, colour] = STANDINGS[route.standing];
  return element("span", { class: `state ${colour}`, title: route.why }, words);
}

// The highest p95 without the first interval, which is cold: else its peak would flatten all others.
function warmest({ production, candidate }) {
  const warm = [...production.slice(1), ...candidate.slice(1)];
  return Math.max(...warm, 1e-9) * 1.05;
}

// Both p95 as lines, and below them the requests that differ.
function sparkline(route) {
  const course = route.course;
  if (!course) return UNKNOWN;
  const [width, height, foot] = [120, 30, 7];
  const top = warmest(course);
  const x = (index) => (index / (course.judged.length - 1)) * width;
  const line = (values) => {
    const points = values.map((value, index) => (value === null ? null : `${x(index).toFixed(1)},${(height - foot - 1 - (value / top) * (height - foot - 3)).toFixed(1)}`));
    return points.filter((point) => point !== null).join(" ");
  };
  const step = width / course.judged.length;
  const most = Math.max(...course.differed, 1);
  const ticks = course.differed.map((differed, index) => (differed === 0 ? "" : `M${(index * step).toFixed(1)} ${height}v-${(2 + (differed / most) * (foot - 2)).toFixed(1)}`));
  const words = `p95 of production up to ${millis(Math.max(...course.production))}, of the candidate up to ${millis(Math.max(...course.candidate))}; ${count(course.differed.reduce((a, b) => a + b, 0))} requests differ`;
  return drawing("svg", { class: "spark", viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": words },
    drawing("polyline", { class: "production", points: line(course.production) }),
    drawing("polyline", { class: "candidate", points: line(course.candidate) }),
    drawing("path", { class: "differs", d: ticks.join(""), "stroke-width": Math.max(1.2, step * 0.7).toFixed(1) }));
}

function routeDetail(page) {
  return (route) => {
    const facts = [
      ["Verdict", route.why],
      ["Ways to differ", count(route.groups)],
      ["Cold requests, set apart", count(route.cold)],
    ];
    if (route.change) {
      const [seen, low, high] = route.change.p95;
      facts.push(["Change of the p95", `${change(seen)}, from ${change(low)} to ${change(high)} with 95 %`]);
    }
    for (const [side, title] of [["production", "Production"], ["candidate", "Candidate"]]) {
      if (route[side]) facts.push([`${title}: p50, p95, p99`, route[side].map(millis).join(", ")]);
    }
    return element("div", { class: "inside" },
      element("dl", { class: "figures" }, facts.map(([title, value]) => element("div", {}, element("dt", {}, title), element("dd", {}, value)))),
      element("p", { class: "actions" },
        element("button", { type: "button", disabled: route.groups === 0, onclick: () => page.showGroupsOf(route.name) }, "Show its differences"),
        element("button", { type: "button", disabled: !route.distribution, onclick: () => page.showTimesOf(route.name) }, "Show its times")));
  };
}

function routesTable(place, data, page) {
  return new Table(place, {
    name: "routes", caption: "Routes", rowKey: (route) => route.name, search: (route) => `${route.name} ${route.why}`,
    empty: "No route was seen.", detail: routeDetail(page),
    columns: [
      { key: "route", title: "Route", value: (route) => route.name, cell: (route) => path(route.name) },
      { key: "traffic", title: "Traffic", numeric: true, value: (route) => route.traffic, cell: (route) => rough(route.traffic), help: "share of all requests of production" },
      { key: "judged", title: "Judged", numeric: true, value: (route) => route.judged, cell: (route) => count(route.judged) },
      { key: "verdict", title: "Verdict", value: (route) => WORST_FIRST.indexOf(route.standing), cell: standingCell },
      { key: "differ", title: "Differ", numeric: true, value: rate, cell: rateCell, help: "share of the judged requests that differ, and the bound of those that really do" },
      { key: "median", title: "Median time", numeric: true, value: (route) => route.change?.p50[0] ?? null, cell: changeCell, help: "change of the median, with an interval of 95 %" },
      { key: "cache", title: "Cache hits", numeric: true, first: "ascending", value: cacheChange, cell: cacheCell, help: "sorted by the change against production" },
      { key: "trend", title: "Course", cell: sparkline },
    ],
    filters: [
      { key: "severity", title: "Severity", of: (route) => (route.worst === undefined ? "none" : data.severities[route.worst]),
        options: data.severities.map((severity) => [severity, severity, severity]).concat([["none", "no difference", ""]]) },
      { key: "standing", title: "Verdict", of: (route) => route.standing, options: WORST_FIRST.map((standing) => [standing, STANDINGS[standing][0], ""]) },
    ],
  });
}
