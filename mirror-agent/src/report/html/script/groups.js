// The table of differences, and what opens below a row.

const STATES = {
  fails: ["fails the run", "fail"],
  undecided: ["undecided", "hold"],
  noted: ["real, allowed", "info"],
  counted: ["counted", "idle"],
  chance: ["chance so far", "idle"],
  varies: ["varies by nature", "idle"],
  no_evidence: ["no evidence", "idle"],
};
const BY_STATE = Object.keys(STATES);

const groupKey = (group) => `${group.route} ${group.place} ${group.kind} ${group.state}`;
const share = (group) => (group.of ? group.count / group.of : null);

function groupsTable(place, data, page) {
  return new Table(place, {
    name: "groups", caption: "Differences", rowKey: groupKey, empty: "No answers differ.",
    search: (group) => `${group.place} ${group.route} ${group.kind} ${group.severity} ${group.why}`,
    detail: (group) => groupDetail(group, page),
    columns: [
      { key: "place", title: "Place", value: (group) => group.place, cell: (group) => path(group.place) },
      { key: "severity", title: "Severity", value: (group) => data.severities.indexOf(group.severity), cell: severityCell },
      { key: "route", title: "Route", value: (group) => group.route, cell: (group) => path(group.route) },
      { key: "answers", title: "Answers", numeric: true, value: (group) => group.count, cell: (group) => count(group.count) },
      { key: "share", title: "Share", numeric: true, value: share, cell: (group) => (share(group) === null ? UNKNOWN : percent(share(group))), help: "share of the route's compared answers" },
      { key: "state", title: "Noise and verdict", value: (group) => BY_STATE.indexOf(group.state), cell: stateCell },
    ],
    filters: [
      { key: "severity", title: "Severity", of: (group) => group.severity, options: data.severities.map((severity) => [severity, severity, severity]) },
      { key: "state", title: "State", of: (group) => group.state, options: BY_STATE.map((state) => [state, STATES[state][0], ""]) },
    ],
  });
}

function severityCell(group) {
  const pill = element("span", { class: `pill ${group.severity}` }, group.severity);
  return group.kind === group.severity ? pill : [pill, element("span", { class: "note" }, group.kind)];
}

function stateCell(group) {
  const [words, colour] = STATES[group.state];
  return element("span", { class: `state ${colour}`, title: group.why }, words);
}

function groupDetail(group, page) {
  return element("div", { class: "inside" },
    element("p", { class: "why" }, foreign(group.why)),
    group.examples.length === 0 ? element("p", { class: "small" }, "No example is in this page; report.json may have some.") : null,
    group.examples.map((example) => exampleCard(example, group.place, page)),
    group.rule ? suggestion(group.rule) : element("p", { class: "small" }, "No rule is suggested for it."));
}

function exampleCard(example, place, page) {
  const whole = element("div", { class: "answers" });
  const stored = page.answers.get(example.answers);
  const commands = element("div", { class: "commands" });
  const show = (answers) => {
    whole.replaceChildren(headers(answers.production, answers.mirror), bodies(answers.production, answers.mirror));
    commands.replaceChildren(curls(example, answers, page));
  };
  commands.append(curls(example, stored, page));
  if (stored) show(stored);
  else if (page.isLive && example.answers !== undefined) {
    const button = element("button", { type: "button", onclick: async () => {
      button.disabled = true;
      const answers = await page.fetchAnswers(example.answers);
      if (answers) show(answers);
      else button.textContent = "The answers are not kept any more";
    } }, "Show both answers in full");
    whole.append(button);
  }
  return element("article", { class: "example" },
    element("h4", {}, example.label),
    element("p", { class: "request" }, element("code", {}, foreign(example.request))),
    element("div", { class: "sides-part" }, element("h5", {}, "What differs: ", foreign(place)), values(example.production, example.candidate)),
    whole,
    commands,
    element("p", { class: "small" }, exampleWords(example)));
}

function exampleWords(example) {
  const [connection, index] = example.at;
  const words = [`connection ${connection}, request ${index + 1} of it`];
  if (example.times > 1) words.push(`${count(example.times)} times in this answer`);
  if (example.id) words.push(`id ${example.id}`);
  const parts = [words.join("; ")];
  if (example.trace) parts.push("; trace ", element("code", { class: "trace" }, foreign(example.trace)));
  return parts;
}

// A command for each side. Those of the page were quoted for a shell where the page was made.
function curls(example, stored, page) {
  const full = stored?.curl;
  const short = example.curl && ["production", "candidate"].map((side) => example.curl.start + joined(page.addresses[side], example.curl.target));
  const commands = full ?? short;
  if (!commands) return element("p", { class: "small" }, "The request was not kept whole, so there is no command that sends it again.");
  const writes = example.curl?.writes ?? !/^(GET|HEAD|OPTIONS) /.test(example.request);
  return element("div", {},
    writes ? element("p", { class: "warning" }, "It may write: sent again to production, it may do again what it did.") : null,
    element("div", { class: "two" }, ["Production", "Candidate"].map((side, index) => element("div", { class: "command" },
      element("div", { class: "command-head" }, element("span", {}, `curl to ${side.toLowerCase()}`),
        copyButton(commands[index], `Copy curl to ${side.toLowerCase()}`)),
      element("code", { class: "shell", tabindex: "0", role: "group", "aria-label": `curl to ${side.toLowerCase()}` }, visible(commands[index]))))),
    full ? null : element("p", { class: "small" }, "Set $PRODUCTION to production's address first. Headers and body are not in these commands."));
}

// Two quoted words of the shell as one.
const joined = (address, target) => (address.endsWith("'") ? address.slice(0, -1) + target.slice(1) : address + target);

function suggestion(rule) {
  return element("div", { class: "rule" },
    element("div", { class: "command-head" }, element("span", {}, "Suggested rule, for --compare-rule or the file"), copyButton(rule.rule, "Copy the rule")),
    element("code", { class: "shell", tabindex: "0", role: "group", "aria-label": "Suggested rule" }, visible(rule.rule)),
    element("p", { class: "small" }, foreign(rule.evidence)));
}

function copyButton(text, words) {
  const button = element("button", { type: "button", class: "copy", "aria-label": words, onclick: async () => {
    button.textContent = (await copied(text)) ? "Copied" : "Select it and copy";
    announce(button.textContent);
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  } }, "Copy");
  return button;
}

// A page that was opened from a file may not be allowed to use the clipboard's own interface.
async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = element("textarea", { "aria-hidden": "true", class: "sr" });
    area.value = text;
    document.body.append(area);
    area.select();
    const isDone = document.execCommand("copy");
    area.remove();
    return isDone;
  }
}
