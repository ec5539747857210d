// Follows /status.json: builds the tables' rows anew, keeps them up to date, and plots what changed
// between two answers. Texts only ever go into text nodes and attributes.
"use strict";
(() => {

const POLL_MS = 2000;
const LIMIT_MS = 8000;    // an answer that takes longer counts as none
const WINDOWS = [60, 120, 300]; // seconds that a plot shows: the least that holds all, at most the last
const RATE_OVER = 10;     // seconds that a rate is the mean of
const JUDGED_OVER = 60;   // seconds that errors are judged by

const $ = (id) => document.getElementById(id);

let started = null; // when the process that was asked began; another one counts from 0

// ---- words ----

const count = (n) => Math.round(n).toLocaleString("en-US");
const plural = (n, word) => `${count(n)} ${word}${n === 1 ? "" : "s"}`;
const clock = (ms) => new Date(ms).toLocaleTimeString([], { hour12: false });

function rate(perSecond) {
  return perSecond >= 100 ? count(perSecond) : String(Number(perSecond.toPrecision(3)));
}

function percent(share) {
  return `${Number((share * 100).toPrecision(2))} %`;
}

function latency(seconds) {
  const ms = seconds * 1000;
  return seconds >= 1 ? `${Number(seconds.toFixed(2))} s`
    : `${Number(ms.toFixed(ms >= 10 ? 0 : ms >= 1 ? 1 : 2))} ms`;
}

function duration(seconds) {
  const s = Math.max(0, Math.floor(seconds));
  const two = (unit, name, smaller, word) => {
    const rest = Math.floor(s % unit / smaller);
    return `${Math.floor(s / unit)} ${name}${rest ? ` ${rest} ${word}` : ""}`;
  };
  return seconds > 0 && seconds < 1 ? `${Math.ceil(seconds * 1000)} ms` : s < 60 ? `${s} s`
    : s < 3600 ? two(60, "min", 1, "s") : s < 86400 ? two(3600, "h", 60, "min")
    : two(86400, "d", 3600, "h");
}

const statuses = (by) =>
  Object.entries(by).map(([code, n]) => `${code === "0" ? "no answer" : code}: ${count(n)}`).join(", ");

// ---- elements ----

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

const h = (tag, attributes = {}, ...children) =>
  fill(document.createElement(tag), attributes, children);

const svg = (tag, attributes = {}, ...children) =>
  fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);

// What did not change is left alone, so that nothing is read out, selected or drawn anew.
function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function set(element, name, value) {
  if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
}

function show(element, shown) {
  if (element.hidden === shown) element.hidden = !shown;
}

const cell = (...children) => h("td", { role: "cell" }, ...children);
const labelled = (label, ...children) => h("td", { role: "cell", "data-label": label }, ...children);
const sub = () => h("span", { class: "sub" });

// One child for each item: those that stay are updated in place.
function sync(parent, views, items, make) {
  const names = new Set(items.map((item) => item.name));
  for (const [name, view] of views) {
    if (names.has(name)) continue;
    view.element.remove();
    views.delete(name);
  }
  let before = null;
  for (const item of items) {
    if (!views.has(item.name)) views.set(item.name, make(item.name));
    const view = views.get(item.name);
    const place = before ? before.nextElementSibling : parent.querySelector("[data-name]");
    if (place !== view.element) before ? before.after(view.element) : place ? place.before(view.element) : parent.append(view.element);
    before = view.element;
    view.update(item);
  }
}

// ---- figures over time ----

// The time that this share of the requests did not exceed, estimated inside its bucket.
function quantile(buckets, bounds, share) {
  const rank = share * buckets.reduce((sum, n) => sum + n, 0);
  let below = 0;
  for (let i = 0; i < bounds.length; i++) {
    if (buckets[i] > 0 && below + buckets[i] >= rank) {
      const from = i ? bounds[i - 1] : 0;
      return from + (bounds[i] - from) * (rank - below) / buckets[i];
    }
    below += buckets[i];
  }
  return bounds[bounds.length - 1];
}

// The last sample that is that old; the oldest one if none is.
function sampleBefore(samples, seconds) {
  const limit = samples[samples.length - 1].t - seconds;
  let found = samples[0];
  for (const sample of samples) {
    if (sample.t > limit) break;
    found = sample;
  }
  return found;
}

// Counters of one route, or of all: the last minute as it came, and the points of the plots.
class Series {
  samples = [];
  points = [];

  add(sample, bounds) {
    this.samples.push(sample);
    while (this.samples.length > 2 && this.samples[1].t < sample.t - JUDGED_OVER) this.samples.shift();
    const old = sampleBefore(this.samples, RATE_OVER);
    if (old === sample) return;
    const requests = sample.requests - old.requests;
    const buckets = sample.buckets.map((n, i) => n - old.buckets[i]);
    const point = { t: sample.t, rate: requests / (sample.t - old.t) };
    point.errors = requests > 0 ? (sample.errors - old.errors) / requests : null;
    for (const [name, share] of [["p50", 0.5], ["p90", 0.9], ["p99", 0.99]])
      point[name] = buckets.some((n) => n > 0) ? quantile(buckets, bounds, share) : null;
    this.points.push(point);
    while (this.points[0].t < sample.t - WINDOWS[WINDOWS.length - 1]) this.points.shift();
  }

  // Requests and errors of the last minute.
  judged() {
    const last = this.samples[this.samples.length - 1], old = sampleBefore(this.samples, JUDGED_OVER);
    return { requests: last.requests - old.requests, errors: last.errors - old.errors };
  }
}

// ---- plots ----

const plots = new WeakMap();
const WIDTH = 300, HEIGHT = 60;

// 1, 2 or 5 times a power of ten, at or above the value.
function roundUp(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((n) => n * power).find((n) => n >= value * 0.999);
}

function path(points, name, span, max) {
  const end = points[points.length - 1]?.t;
  let d = "", pen = false;
  for (const point of points) {
    if (point[name] === null) { pen = false; continue; }
    const at = `${(WIDTH - (end - point.t) / span * WIDTH).toFixed(1)} ${(HEIGHT - point[name] / max * (HEIGHT - 2)).toFixed(1)}`;
    d += pen ? `L${at}` : `M${at}L${at}`;
    pen = true;
  }
  return d;
}

// The way down to the ground and back, for each unbroken piece.
function area(line) {
  return line.split("M").slice(1).map((piece) => {
    const xs = piece.split("L").map((at) => at.split(" ")[0]);
    return `M${piece}L${xs[xs.length - 1]} ${HEIGHT}L${xs[0]} ${HEIGHT}Z`;
  }).join("");
}

// kind: what is plotted, its words, and the least that the scale reaches up to.
const KINDS = {
  rate: { title: "Requests", names: ["rate"], least: 1, scale: (v) => `${rate(v)} /s`,
    words: (p) => [[null, `${rate(p.rate)} /s`]] },
  errors: { title: "Errors", names: ["errors"], least: 0.01, most: 1, scale: percent,
    words: (p) => [[null, p.errors === null ? "–" : percent(p.errors)]] },
  latency: { title: "Latency", names: ["p50", "p90", "p99"], least: 0.001, scale: latency,
    words: (p) => KINDS.latency.names.map((n) => [n, p[n] === null ? "–" : latency(p[n])]) },
};
const NOTHING = { rate: 0, errors: null, p50: null, p90: null, p99: null };

class Plot {
  constructor(kind) {
    this.kind = KINDS[kind];
    this.values = this.kind.names.map(() => h("b"));
    this.when = sub();
    this.now = h("div", { class: "now" });
    this.kind.names.forEach((name, i) =>
      this.now.append(this.kind.names.length > 1
        ? h("span", { class: `key ${name}` }, `${name} `, this.values[i]) : this.values[i]));
    this.now.append(" ", this.when);
    this.lines = this.kind.names.map((name) => svg("path", { class: `line ${name}` }));
    this.area = svg("path", { class: `area ${this.kind.names[0]}` });
    this.hair = svg("path", { class: "hair" });
    this.max = h("span", { class: "max", "aria-hidden": "true" });
    this.since = h("span");
    this.drawing = h("div", { class: "plot", role: "img" },
      svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" },
        svg("path", { class: "grid", d: `M0 2H${WIDTH}M0 ${HEIGHT}H${WIDTH}` }),
        ...(this.lines.length > 1 ? [] : [this.area]), ...this.lines, this.hair), this.max);
    this.scale = h("div", { class: "scale", "aria-hidden": "true" }, this.since, h("span", {}, "now"));
    plots.set(this.drawing, this);
    this.points = [];
    this.span = WINDOWS[0];
    this.pointed = null;
  }

  get parts() { return [this.now, this.drawing]; }

  update(points) {
    this.points = points;
    const { names, least, most } = this.kind;
    const last = points[points.length - 1] ?? NOTHING, lasts = points.length ? last.t - points[0].t : 0;
    this.span = WINDOWS.find((seconds) => seconds >= lasts) ?? WINDOWS[WINDOWS.length - 1];
    const highest = Math.max(least, ...points.flatMap((point) => names.map((name) => point[name] ?? 0)));
    const max = Math.min(roundUp(highest), most ?? Infinity);
    names.forEach((name, i) => set(this.lines[i], "d", path(points, name, this.span, max)));
    if (this.lines.length === 1) set(this.area, "d", area(this.lines[0].getAttribute("d")));
    say(this.max, this.kind.scale(max));
    say(this.since, `${duration(this.span)} ago`);
    set(this.drawing, "aria-label", `${this.kind.title} of the last ${duration(this.span)}, up to ${this.kind.scale(highest)}; now ${this.kind.words(last).map(([name, text]) => `${name ?? ""} ${text}`.trim()).join(", ")}`);
    this.read();
  }

  // Shows the figures of the moment under the pointer, or those of now.
  read() {
    const end = this.points[this.points.length - 1];
    let point = end ?? NOTHING;
    if (this.pointed !== null && end) {
      const t = end.t - this.span * (1 - this.pointed);
      for (const one of this.points) if (Math.abs(one.t - t) < Math.abs(point.t - t)) point = one;
    }
    const past = point !== end && end !== undefined;
    set(this.hair, "d", this.pointed === null || !end ? "" : `M${(WIDTH - (end.t - point.t) / this.span * WIDTH).toFixed(1)} 0V${HEIGHT}`);
    this.kind.words(point).forEach(([, text], i) => say(this.values[i], text));
    say(this.when, past ? clock(Date.parse(started) + point.t * 1000) : "");
  }

  point(share) {
    this.pointed = share;
    this.read();
  }
}

function followPointer() {
  let current = null;
  const leave = () => { current?.point(null); current = null; };
  document.addEventListener("pointermove", (event) => {
    const drawing = event.target.closest?.(".plot"), plot = plots.get(drawing);
    if (plot !== current) leave();
    if (!plot) return;
    current = plot;
    const box = drawing.getBoundingClientRect();
    plot.point(Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)));
  });
  document.addEventListener("pointerout", (event) => { if (!event.relatedTarget) leave(); });
}

// ---- providers ----

function toneOf(p) {
  return !p.ready ? "fails" : !p.token ? "idle" : p.failure ? "warns" : "well";
}

function lifeOf(token) {
  const share = (seconds) => Math.max(0, Math.min(100, seconds / token.lifetime * 100));
  const left = share(token.expires_in);
  return { left, notch: share(token.expires_in - token.refresh_in), due: token.refresh_in > 0 };
}

class Provider {
  constructor(name) {
    this.name = name;
    this.preset = sub();
    this.badge = h("span");
    this.why = h("p", { class: "why" });
    this.retry = h("p", { class: "sub" });
    this.left = svg("rect", { class: "left", height: 8 });
    this.notch = svg("path", { class: "notch" });
    this.life = svg("svg", { viewBox: "0 0 100 8", preserveAspectRatio: "none", role: "img" },
      svg("rect", { class: "track", width: 100, height: 8 }), this.left, this.notch);
    this.rest = h("b");
    this.times = sub();
    this.waiting = h("span");
    this.rejected = sub();
    this.buttons = ["refresh", "forget"].map((order) => this.button(order));
    this.history = new History(name);
    this.element = h("tbody", { role: "rowgroup", "data-name": name },
      h("tr", { role: "row" },
        h("th", { scope: "row", role: "rowheader" }, name, " ", this.preset),
        cell(this.badge, this.why, this.retry),
        cell(this.life, this.rest, " ", this.times),
        cell(this.waiting, " ", this.rejected),
        cell(h("div", { class: "orders" }, ...this.buttons))),
      h("tr", { role: "row", class: "history" },
        h("td", { role: "cell", colspan: 5 }, this.history.element)));
  }

  button(order) {
    const title = order === "refresh" ? "Refresh" : "Forget";
    const button = h("button", { type: "button", "aria-label": `${title} the token of ${this.name}` }, title);
    button.addEventListener("click", () => give(order, this.name));
    return button;
  }

  update(p) {
    const tone = toneOf(p), retry = p.failure?.retry_in;
    say(this.preset, p.preset ? `preset ${p.preset}` : "");
    set(this.badge, "class", `badge ${tone}`);
    say(this.badge, p.state);
    say(this.why, p.failure?.reason ?? "");
    show(this.why, Boolean(p.failure));
    say(this.retry, retry ? `next attempt in ${duration(retry)} at the earliest` : "");
    show(this.retry, Boolean(retry));
    this.showToken(p.token, tone);
    say(this.waiting, `${count(p.waiters)} waiting`);
    say(this.rejected, `${count(p.rejections)} refused by an API`);
    this.history.update(p);
  }

  showToken(token, tone) {
    const there = token !== null && token.expires_in > 0;
    this.life.toggleAttribute("hidden", !there);
    show(this.rest, there);
    this.element.dataset.generation = there ? token.generation : "";
    if (!there) {
      say(this.times, "no token");
      return;
    }
    const { left, notch, due } = lifeOf(token);
    set(this.life, "class", `life ${tone}`);
    set(this.life, "aria-label", `${Math.round(left)} % of its life left`);
    set(this.left, "width", left.toFixed(1));
    set(this.notch, "d", due || notch > 0 ? `M${notch.toFixed(1)} 0v8` : "");
    say(this.rest, `${duration(token.expires_in)} left`);
    say(this.times, `of ${duration(token.lifetime)}${due ? ` · renewal due in ${duration(token.refresh_in)}` : ""} · ${duration(token.age)} old`);
  }
}

class History {
  constructor(name) {
    this.words = h("span");
    this.ticks = h("span", { class: "ticks", "aria-hidden": "true" });
    this.body = h("tbody", { role: "rowgroup" });
    this.table = h("table", { role: "table" },
      h("caption", {}, `The last token requests of ${name}`),
      h("thead", { role: "rowgroup" }, h("tr", { role: "row" },
        ...["When", "By", "Result", "Took", "Brought"].map((title) =>
          h("th", { scope: "col", role: "columnheader" }, title)))),
      this.body);
    this.element = h("details", {}, h("summary", {}, this.words, this.ticks), this.table);
    this.latest = undefined;
  }

  update(p) {
    const events = p.history, total = Object.values(p.requests).reduce((sum, n) => sum + n, 0);
    const failed = total - p.requests.success;
    const ago = events.length ? `, the last at ${clock(Date.parse(events[0].at))}` : " so far";
    say(this.words, `${plural(total, "token request")}${failed ? `, ${count(failed)} failed` : ""}${ago}`);
    show(this.table, events.length > 0);
    if (this.latest === total) return;
    this.latest = total;
    this.ticks.replaceChildren(...events.toReversed().map((e) => h("i", { class: e.result === "success" ? "well" : "fails" })));
    this.body.replaceChildren(...events.map((e) => this.row(e)));
  }

  row(e) {
    const texts = [clock(Date.parse(e.at)), e.by === "grant" ? "grant" : "refresh token", e.result,
      latency(e.duration), e.result === "success" ? `a token for ${duration(e.lifetime)}` : e.reason];
    return h("tr", { role: "row" }, ...texts.map((text) => h("td", { role: "cell" }, text)));
  }
}

// ---- routes ----

const all = new Series();
const overall = [];
const series = new Map();

class Route {
  constructor(name) {
    this.plots = ["rate", "errors", "latency"].map((kind) => new Plot(kind));
    this.match = sub();
    this.token = sub();
    this.requests = sub();
    this.errors = sub();
    this.mean = sub();
    this.active = h("span");
    this.others = sub();
    const [requests, errors, times] = this.plots;
    this.element = h("tr", { role: "row", "data-name": name },
      h("th", { scope: "row", role: "rowheader" }, name, " ", this.match, " ", this.token),
      labelled("Requests", ...requests.parts, this.requests),
      labelled("Errors", ...errors.parts, this.errors),
      labelled("Latency", ...times.parts, this.mean),
      labelled("Upstream connections", this.active, " ", this.others));
  }

  update(r) {
    const bad = Object.entries(r.by_status).filter(([code]) => code === "0" || code >= "500");
    say(this.match, `${r.host ?? ""}${r.path} → ${r.upstream}`);
    say(this.token, r.provider ? `token of ${r.provider}` : "without a token");
    say(this.requests, `${count(r.requests)} since the start`);
    say(this.errors, r.errors ? statuses(Object.fromEntries(bad)) : "none since the start");
    say(this.mean, r.latency ? `${latency(r.latency.mean)} on average since the start` : "");
    say(this.active, `${count(r.connections.active)} active`);
    say(this.others, `${count(r.connections.idle)} idle, ${count(r.connections.connecting)} connecting`);
    const { points } = series.get(r.name);
    this.plots.forEach((plot) => plot.update(points));
  }
}

function showOverall() {
  if (!overall.length) {
    for (const kind of ["rate", "errors", "latency"]) overall.push(new Plot(kind));
    $("overall").append(...overall.map((plot) => h("div", {}, h("h2", {}, plot.kind.title), ...plot.parts, plot.scale)));
    show($("overall"), true);
  }
  overall.forEach((plot) => plot.update(all.points));
}

function addSamples(doc) {
  const t = doc.uptime, bounds = doc.latency_bounds;
  const sum = { t, requests: 0, errors: 0, buckets: new Array(bounds.length + 1).fill(0) };
  for (const r of doc.routes) {
    const sample = { t, requests: r.requests, errors: r.errors, buckets: r.latency?.buckets ?? sum.buckets.map(() => 0) };
    if (!series.has(r.name)) series.set(r.name, new Series());
    series.get(r.name).add(sample, bounds);
    sum.requests += r.requests;
    sum.errors += r.errors;
    sum.buckets = sum.buckets.map((n, i) => n + sample.buckets[i]);
  }
  all.add(sum, bounds);
}

function forgetSamples() {
  series.clear();
  all.samples = [];
  all.points = [];
}

// ---- verdict ----

const VERDICTS = {
  well: { text: "All is well", colour: "1a7f4b" },
  warns: { text: "Needs attention", colour: "b26a00" },
  fails: { text: "Failing", colour: "c0362c" },
};

// What the counters say; the rest comes with the document.
function troubledRoutes(doc) {
  return doc.routes.flatMap(({ name }) => {
    const { requests, errors } = series.get(name).judged();
    if (errors < 5 || errors < requests * 0.05) return [];
    return [{ failing: errors >= requests * 0.5,
      text: `Route ${name}: ${count(errors)} of the last minute's ${plural(requests, "request")} failed.` }];
  });
}

function showVerdict(doc) {
  const concerns = [...doc.concerns, ...troubledRoutes(doc)].sort((a, b) => b.failing - a.failing);
  const tone = concerns.some((c) => c.failing) ? "fails" : concerns.length ? "warns" : "well";
  const { text, colour } = VERDICTS[tone], icon = document.querySelector("link[rel=icon]");
  set(document.body, "class", tone);
  say($("verdict"), text);
  document.title = `${text} – bearerd ${location.host}`;
  set(icon, "href", icon.getAttribute("href").replace(/%23\w+/, `%23${colour}`));
  const list = $("concerns");
  concerns.forEach((c, i) => {
    const item = list.children[i] ?? list.appendChild(h("li"));
    set(item, "class", c.failing ? "fails" : "warns");
    say(item, c.text);
  });
  while (list.children.length > concerns.length) list.lastElementChild.remove();
}

// ---- the rest ----

function showFigures(doc) {
  const reload = doc.last_reload;
  say($("facts"), `Version ${doc.version} · up ${duration(doc.uptime)} · ${doc.configuration}${reload ? ` · last reload at ${clock(Date.parse(reload.at))}${reload.successful ? "" : " failed"}` : ""}`);
  say($("moment"), `as of ${clock(Date.parse(doc.now))}`);
  say($("in-flight"), count(doc.requests_in_flight));
  say($("clients"), count(doc.client_connections));
  say($("workers"), count(doc.workers));
  say($("dropped"), count(doc.access_log_lines_dropped));
  say($("files"), `${count(doc.process.open_fds)} of ${count(doc.process.max_fds)}`);
  say($("memory"), `${count(doc.process.resident_bytes / 1048576)} MiB`);
  say($("cpu"), duration(doc.process.cpu));
}

class Caller {
  constructor(name) {
    this.statuses = h("td", { role: "cell", class: "words" });
    this.requests = h("td", { role: "cell" });
    this.element = h("tr", { role: "row", "data-name": name },
      h("th", { scope: "row", role: "rowheader" }, name), this.statuses, this.requests);
  }

  update(c) {
    say(this.statuses, statuses(c.by_status));
    say(this.requests, count(c.requests));
  }
}

const errorViews = new Map();

function showErrors(doc) {
  const items = Object.entries(doc.own_errors).map(([name, n]) => ({ name, n }));
  sync($("errors").tBodies[0], errorViews, items.length ? items : [{ name: "none", n: 0 }], (name) => {
    const value = h("td", { role: "cell" });
    return { element: h("tr", { role: "row", "data-name": name }, h("th", { scope: "row", role: "rowheader" }, name), value),
      update: (item) => say(value, count(item.n)) };
  });
}

// ---- following ----

const providerViews = new Map();
const routeViews = new Map();
const callerViews = new Map();
let paused = false, timer = null, asked = 0, answered = null;

// The server's rows give way to those that can be kept up to date.
function takeOver() {
  for (const body of [...$("providers").tBodies]) body.remove();
  $("routes").tBodies[0].replaceChildren();
  $("callers").tBodies[0].replaceChildren();
  $("errors").tBodies[0].replaceChildren();
  show($("orders"), true);
  show($("live"), true);
}

function showAll(doc) {
  if (started === null) takeOver();
  if (started !== doc.started) forgetSamples();
  started = doc.started;
  addSamples(doc);
  showVerdict(doc);
  showFigures(doc);
  showOverall();
  sync($("providers"), providerViews, doc.providers, (name) => new Provider(name));
  sync($("routes").tBodies[0], routeViews, doc.routes, (name) => new Route(name));
  sync($("callers").tBodies[0], callerViews, doc.callers, (name) => new Caller(name));
  show($("callers-part"), doc.callers.length > 0);
  showErrors(doc);
  answered = Date.now();
}

function showLost(lost) {
  document.body.classList.toggle("lost", lost);
  if (lost) say($("lost"), `bearerd does not answer${answered ? `; what is shown is of ${clock(answered)}` : ""}. It is asked again and again.`);
  show($("lost"), lost);
}

async function load() {
  const answer = await fetch("status.json", { cache: "no-store", signal: AbortSignal.timeout(LIMIT_MS) });
  return answer.ok ? answer.json() : null;
}

async function poll() {
  clearTimeout(timer);
  const turn = ++asked;
  const doc = await load().catch(() => null);
  if (turn !== asked) return; // a later one is under way
  try {
    if (doc) showAll(doc);
    showLost(!doc);
  } finally {
    if (!paused && !document.hidden) timer = setTimeout(poll, POLL_MS);
  }
}

function pause() {
  paused = !paused;
  say($("pause"), paused ? "Resume" : "Pause");
  if (paused) clearTimeout(timer);
  else poll();
}

// ---- orders ----

const ORDERS = {
  refresh: { method: "POST", path: "refresh", yes: "Refresh", look: "primary",
    text: "A new token is asked for at once, whatever back-off or limit says. Requests go on with the present one meanwhile." },
  forget: { method: "DELETE", path: "token", yes: "Forget", look: "danger",
    text: "The present token is dropped at once. The next request waits until there is a new one." },
};

let settle = null;

// Resolves to whether the person agreed.
function ask(title, text, yes, look) {
  const agree = $("ask-yes");
  say($("ask-title"), title);
  say($("ask-text"), text);
  say(agree, yes);
  set(agree, "class", look);
  $("ask").showModal();
  $("ask-no").focus();
  return new Promise((resolve) => { settle = resolve; });
}

// Not by the dialog's close event, which may come when the next question is already asked.
function decide(agreed) {
  $("ask").close();
  settle(agreed);
}

function report(tone, text) {
  set($("said"), "class", `notice ${tone}`);
  show($("said"), true);
  say($("said"), text);
}

async function outcome(name, order, answer) {
  if (!answer.ok) {
    const problem = await answer.json().catch(() => ({}));
    return report("fails", problem.detail ?? `bearerd answered with status ${answer.status}.`);
  }
  if (order === "forget") return report("well", `${name}: the token is dropped.`);
  const { token } = await answer.json();
  return report("well", `${name}: a new token, number ${token.generation}, good for ${duration(token.expires_in)}.`);
}

async function give(order, name) {
  const { method, path: place, yes, look, text } = ORDERS[order];
  if (!await ask(`${yes} the token of ${name}?`, text, yes, look)) return;
  const { buttons } = providerViews.get(name) ?? { buttons: [] };
  const focused = document.activeElement;
  for (const button of buttons) button.disabled = true;
  report("well", `${name}: under way …`);
  try {
    await outcome(name, order, await fetch(`providers/${encodeURIComponent(name)}/${place}`, { method }));
  } catch {
    report("fails", "bearerd does not answer; nobody knows whether the order arrived.");
  }
  for (const button of buttons) button.disabled = false;
  if (buttons.includes(focused)) focused.focus();
  poll();
}

// ---- begin ----

$("pause").addEventListener("click", pause);
$("ask-no").addEventListener("click", () => decide(false));
$("ask-yes").addEventListener("click", () => decide(true));
$("ask").addEventListener("cancel", () => settle(false)); // Escape, which also closes it
document.addEventListener("visibilitychange", () => { if (!document.hidden && !paused) poll(); });
followPointer();
poll();

})();
