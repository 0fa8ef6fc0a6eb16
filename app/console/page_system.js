// The System page: how much comes in, how long ticks take, how old answers are, who holds the memory, who is still
// catching up and for how long, and what did not decode. Read from /metrics and the catalog once a second.

import { bytes, element, quoted, rows, short } from "./sql.js";

const POINTS = 120;

/** The samples of the Prometheus text: [{ name, labels, value }]. */
export function samples(text) {
  const found = [];
  for (const line of text.split("\n")) {
    const match = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})?\s+(\S+)/.exec(line);
    if (!match) continue;
    const labels = Object.fromEntries([...(match[2] ?? "").matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, key, value]) => [key, value]));
    found.push({ name: match[1], labels, value: Number(match[3]) });
  }
  return found;
}

const sum = (found, name) => found.filter((each) => each.name === name).reduce((total, each) => total + each.value, 0);

class Chart {
  #values = [];
  #now = element("div", { class: "now" });
  #host = element("div");

  constructor(title, format, note = "") {
    this.format = format;
    this.card = element("div", { class: "card" }, element("h3", {}, title), this.#now, this.#host, element("div", { class: "dim" }, note));
  }

  add(value) {
    this.#values = [...this.#values, value].slice(-POINTS);
    this.#now.textContent = this.format(value);
    const most = Math.max(1e-9, ...this.#values);
    const points = this.#values.map((each, i) => `${(i * 300) / (POINTS - 1)} ${60 - (each / most) * 56}`);
    const line = `M${points.join("L")}`;
    const width = ((points.length - 1) * 300) / (POINTS - 1);
    this.#host.innerHTML = `<svg viewBox="0 0 300 62" preserveAspectRatio="none" role="img"><path class="area" d="${line}L${width} 62L0 62Z"/><path class="line" d="${line}"/></svg>`;
    this.#host.firstChild.setAttribute("aria-label", `${this.format(value)}, at most ${this.format(most)}`);
  }
}

function meter(name, share, amount, title = "") {
  return element("div", { class: "meter", title }, element("span", { class: "name" }, name),
    element("span", { class: "track" }, element("div", { class: "fill", style: `width:${Math.round(100 * Math.min(1, share))}%` })),
    element("span", { class: "amount" }, amount));
}

export class SystemPage {
  #before = null;
  #progress = new Map(); // object id -> { at, done } of the first look
  #charts = {
    ingested: new Chart("Ingestion", (value) => `${short(value)} rows/s`, "changes of tables and sources that ticks took in"),
    tick: new Chart("Tick time", (value) => `${value.toFixed(2)} ms`, "from merging what is ready to publishing it"),
    fresh: new Chart("Freshness", (value) => `${value.toFixed(1)} ms`, "how old what waits for a tick is; of an idle system, how long the last tick took"),
    ticks: new Chart("Ticks", (value) => `${short(value)} /s`),
    memory: new Chart("Memory", bytes, "operators, arrangements, histories and the heap"),
    readers: new Chart("Readers", (value) => short(value), "open subscriptions"),
  };
  #hydration = element("div");
  #memory = element("div");
  #sources = element("div");
  #errors = element("div");

  constructor(host, open) {
    this.open = open;
    const wide = (title, body) => element("div", { class: "card wide" }, element("h3", {}, title), body);
    host.append(element("div", { class: "cards" }, ...Object.values(this.#charts).map((chart) => chart.card),
      wide("Catching up", this.#hydration), wide("Sources", this.#sources), wide("Memory by object", this.#memory), wide("What did not decode", this.#errors)));
  }

  /** Once a second, whatever page is in sight: charts have no gaps. Returns the figures for the bar at the top. */
  async sample() {
    const reply = await fetch("metrics");
    const found = samples(await reply.text());
    const at = performance.now();
    const now = {
      at, ticks: sum(found, "tailrace_ticks_total"), rows: sum(found, "tailrace_tick_rows_total"), seconds: sum(found, "tailrace_tick_seconds_total"),
      sources: new Map(found.filter((each) => each.name === "tailrace_source_rows_total").map((each) => [each.labels.source, each.value])),
    };
    const before = this.#before;
    this.#before = now;
    if (!before) return null;
    const seconds = (at - before.at) / 1000;
    const ticks = now.ticks - before.ticks;
    const ms = ticks ? ((now.seconds - before.seconds) * 1000) / ticks : 0;
    const waiting = sum(found, "tailrace_source_waiting_rows");
    const rate = (now.rows - before.rows) / seconds;
    this.#charts.ingested.add(rate);
    this.#charts.tick.add(ms);
    this.#charts.fresh.add(waiting ? Math.max(ms, Date.now() - sum(found, "tailrace_last_tick_ms")) : ms);
    this.#charts.ticks.add(ticks / seconds);
    this.#charts.memory.add(sum(found, "tailrace_state_bytes") + sum(found, "tailrace_heap_bytes"));
    this.#charts.readers.add(sum(found, "tailrace_subscriptions"));
    const rates = [...now.sources].map(([name, total]) => [name, (total - (before.sources.get(name) ?? total)) / seconds, total]);
    const most = Math.max(1, ...rates.map(([, each]) => each));
    this.#sources.replaceChildren(...rates.map(([name, each, total]) => meter(name, each / most, `${short(each)}/s · ${short(total)}`)));
    if (!rates.length) this.#sources.textContent = "none";
    return { rate, ms };
  }

  /** The tables, while the page is in sight. */
  async refresh(objects) {
    const waiting = objects.filter((object) => object.hydrated === false);
    this.#hydration.replaceChildren(...waiting.map((object) => this.#wait(object)));
    if (!waiting.length) this.#hydration.textContent = "every view and index is up to date";
    const held = objects.filter((object) => Number(object.bytes) > 0).sort((a, b) => b.bytes - a.bytes).slice(0, 20);
    const most = Math.max(1, ...held.map((object) => Number(object.bytes)));
    this.#memory.replaceChildren(...held.map((object) => meter(object.name, object.bytes / most, bytes(object.bytes), `${Number(object.records).toLocaleString()} rows`)));
    await this.#refused(objects);
  }

  #wait(object) {
    const [done, total] = [Number(object.rows_done ?? 0), Number(object.rows_total ?? 0)];
    const first = this.#progress.get(object.id) ?? { at: Date.now(), done };
    this.#progress.set(object.id, first);
    const rate = (done - first.done) / Math.max(1, Date.now() - first.at);
    const left = rate > 0 ? `${Math.ceil((total - done) / rate / 1000)} s to go` : "waiting";
    return meter(object.name, total ? done / total : 0, `${short(done)} of ${short(total)} · ${left}`);
  }

  async #refused(objects) {
    const relations = objects.filter((object) => object.name.endsWith("_errors") && object.type === "source");
    const counts = await Promise.all(relations.map((object) => rows(`SELECT count(*)::text AS n FROM ${quoted(object.database, object.schema, object.name)}`)));
    const bad = relations.map((object, i) => [object, Number(counts[i][0].n)]).filter(([, n]) => n > 0);
    this.#errors.replaceChildren(...bad.map(([object, n]) => element("div", {}, element("button", { onclick: () => this.open(object) }, object.name), ` ${n.toLocaleString()} rows`)));
    if (!bad.length) this.#errors.textContent = "everything decoded";
  }
}
