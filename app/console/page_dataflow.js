// The Dataflow page: the operators that run, how many rows and bytes each holds, how fast each gives changes, and which
// objects share it. Of one object, or of all.

import { Graph } from "./graph.js";
import { bytes, element, rows, short } from "./sql.js";

const OPERATORS = "SELECT id::text AS id, name, plan, records, bytes, changes FROM mz_internal.mz_dataflow_operators ORDER BY id";
const CHANNELS = "SELECT from_operator_id::text AS source, to_operator_id::text AS target FROM mz_internal.mz_dataflow_channels";
const EXPORTS = `SELECT e.operator_id::text AS operator, o.id::text AS id, o.name
  FROM mz_internal.mz_dataflow_exports e JOIN mz_catalog.mz_objects o ON o.id = e.object_id`;

/** All operators from which one can get to `ids` along the edges. */
export function upstream(ids, channels) {
  const found = new Set(ids);
  const above = new Map();
  for (const { source, target } of channels) above.set(target, [...(above.get(target) ?? []), source]);
  const left = [...ids];
  while (left.length) {
    for (const id of above.get(left.pop()) ?? []) {
      if (!found.has(id)) {
        found.add(id);
        left.push(id);
      }
    }
  }
  return found;
}

export class DataflowPage {
  #graph = new Graph((id) => this.#choose(id));
  #details = element("div", { class: "details", hidden: true });
  #title = element("h2");
  #about = null;
  #before = null; // { at, changes by operator }
  #state = { operators: [], channels: [], exports: [] };
  #chosen = null;

  constructor(host) {
    this.all = element("button", { onclick: () => this.show(null) }, "All objects");
    host.append(element("div", { class: "tools" }, this.#title, element("span", { class: "dim" }, "inputs above, answers below · drag, scroll, arrow keys, + − 0"),
      element("span", { class: "grow" }), this.all, element("button", { onclick: () => this.#graph.fit() }, "Fit")), this.#graph.host, this.#details);
  }

  /** The operators of an object of the catalog; null: of all. */
  async show(object) {
    this.#about = object;
    this.#chosen = null;
    this.#details.hidden = true;
    await this.refresh();
  }

  /** Called every second while the page is in sight. */
  async refresh() {
    const [operators, channels, exports] = await Promise.all([rows(OPERATORS), rows(CHANNELS), rows(EXPORTS)]);
    const at = performance.now();
    const rates = new Map();
    for (const operator of operators) {
      const before = this.#before?.changes.get(operator.id);
      if (before !== undefined) rates.set(operator.id, ((Number(operator.changes) - before) * 1000) / (at - this.#before.at));
    }
    this.#before = { at, changes: new Map(operators.map((operator) => [operator.id, Number(operator.changes)])) };
    this.#state = { operators, channels, exports, rates };
    const own = exports.filter((each) => !this.#about || each.id === this.#about.id).map((each) => each.operator);
    const wanted = upstream(own, channels);
    this.#title.textContent = this.#about ? this.#about.name : "All objects";
    const nodes = operators.filter((operator) => wanted.has(operator.id)).map((operator) => {
      const names = exports.filter((each) => each.operator === operator.id).map((each) => each.name);
      const rate = rates.get(operator.id);
      const lines = [`${short(operator.records)} rows · ${bytes(operator.bytes)}`, rate === undefined ? "" : `${short(rate)} changes/s`];
      return { id: operator.id, title: names.length ? `${operator.name}: ${names.join(", ")}` : operator.name, lines, kind: `${names.length ? "named" : ""} ${rate > 0 ? "hot" : ""}` };
    });
    this.#graph.draw(nodes, channels.map((channel) => [channel.source, channel.target]));
    if (this.#chosen !== null) this.#describe();
  }

  #choose(id) {
    this.#chosen = id;
    this.#details.hidden = false;
    this.#describe();
  }

  #describe() {
    const { operators, channels, exports } = this.#state;
    const operator = operators.find((each) => each.id === this.#chosen);
    if (!operator) {
      this.#details.hidden = true;
      return;
    }
    const sharers = [...new Set(exports.filter((each) => upstream([each.operator], channels).has(operator.id)).map((each) => each.name))];
    this.#details.replaceChildren(
      element("div", {}, element("h3", {}, "Plan"), element("pre", {}, operator.plan)),
      element("div", {}, element("h3", {}, sharers.length > 1 ? `Shared by ${sharers.length}` : "Used by"), element("pre", {}, sharers.join("\n") || "nobody")),
      element("div", {}, element("h3", {}, "State"), element("pre", {}, `${Number(operator.records).toLocaleString()} rows\n${bytes(operator.bytes)}\n${Number(operator.changes).toLocaleString()} changes given`)),
    );
  }
}
