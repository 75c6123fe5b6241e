// Puts the parts together, and draws them again when a live run has something new.

class Page {
  constructor(data) {
    this.isLive = document.documentElement.dataset.live !== undefined;
    this.answers = new Map();
    this.data = {};
    this.routes = routesTable(byId("routes-drawn"), data, this);
    this.groups = groupsTable(byId("differences-drawn"), data, this);
    this.times = byId("times-drawn") && new TimesSection(byId("times-drawn"));
    this.flow = new FlowSection(byId("requests-drawn"));
    for (const part of document.querySelectorAll(".static")) part.remove();
    this.take(data);
  }

  // Members that are left out stay as they were.
  take(data) {
    Object.assign(this.data, data);
    this.addresses = this.data.addresses;
    for (const stored of data.answers ?? []) this.answers.set(stored.number, stored);
    if (data.markup) this.redrawMarkup(data.markup);
    if (data.routes) {
      this.routes.show(data.routes);
      this.times?.show([...data.routes], this.data.started_at);
    }
    if (data.groups) this.groups.show(data.groups);
    if (data.stages) this.flow.show(this.data);
    localTimes(document);
  }

  // Made by the agent's templates, which escape all texts; its policy lets no script in it run.
  redrawMarkup(markup) {
    for (const name of ["decision", "why", "snapshots", "figures"]) {
      if (markup[name] === undefined) continue;
      const place = byId(name);
      const open = new Set([...place.querySelectorAll("details[open] > summary")].map((one) => one.textContent));
      const template = document.createElement("template");
      template.innerHTML = markup[name];
      for (const summary of template.content.querySelectorAll("details > summary")) summary.parentElement.open = open.has(summary.textContent);
      place.replaceChildren(template.content);
    }
    if (markup.title) document.title = markup.title;
    if (markup.icon) document.querySelector("link[rel=icon]").href = markup.icon;
  }

  showGroupsOf(route) {
    this.groups.seek(route);
    byId("differences-title").scrollIntoView();
    this.groups.input.focus({ preventScroll: true });
  }

  showTimesOf(route) {
    this.times.seek(route);
    byId("times-title").scrollIntoView();
    this.times.input.focus({ preventScroll: true });
  }

  async fetchAnswers(number) {
    const response = await fetch(`/answers/${number}`).catch(() => null);
    if (!response?.ok) return null;
    const stored = await response.json();
    this.answers.set(number, stored);
    return stored;
  }

  listen() {
    const state = byId("live-state");
    const button = byId("pause");
    const show = () => {
      // A page that may only watch has no button.
      if (!button) return;
      button.textContent = this.data.paused ? "Resume" : "Pause";
      button.setAttribute("aria-pressed", String(Boolean(this.data.paused)));
    };
    button?.addEventListener("click", async () => {
      button.disabled = true;
      const response = await fetch(this.data.paused ? "/resume" : "/pause", { method: "POST" }).catch(() => null);
      button.disabled = false;
      if (!response?.ok) return announce("The agent did not do it.");
      this.data.paused = !this.data.paused;
      show();
    });
    const source = new EventSource("/events");
    source.addEventListener("open", () => { state.textContent = "live"; });
    source.addEventListener("error", () => { state.textContent = "connection lost, trying again"; });
    source.addEventListener("message", (event) => {
      this.take(JSON.parse(event.data));
      state.textContent = `live, as of ${(this.data.as_of ?? "").slice(11, 19)} UTC`;
      show();
    });
    show();
  }
}

const page = new Page(JSON.parse(byId("data").textContent));
// The block has been read, and is large.
byId("data").remove();
if (page.isLive) page.listen();
document.documentElement.dataset.ready = "";
performance.mark("ready");
