// The SQL page: statements above, their answers below.

import { Editor, wordAt } from "./editor.js";
import { Graph } from "./graph.js";
import { element, isNumeric, run, shown } from "./sql.js";

const ROWS_SHOWN = 500;
const EXAMPLES = [
  ["A table, and a view of it", `CREATE TABLE sales (shop text, amount bigint);
CREATE MATERIALIZED VIEW totals AS SELECT shop, count(*), sum(amount) FROM sales GROUP BY shop;
INSERT INTO sales VALUES ('north', 10), ('south', 20);
SELECT * FROM totals;`],
  ["An auction house, generated", `CREATE SOURCE auction_house FROM LOAD GENERATOR AUCTION (TICK INTERVAL '100ms', AS OF 10000) FOR ALL TABLES;
CREATE MATERIALIZED VIEW top_sellers AS
  SELECT a.seller, count(*) AS bids, max(b.amount) AS highest FROM auctions a JOIN bids b ON b.auction_id = a.id
  GROUP BY a.seller ORDER BY bids DESC LIMIT 20;`],
  ["What there is", "SHOW OBJECTS;"],
];
const AS_JSON = "EXPLAIN PHYSICAL PLAN AS JSON FOR ";
const CHANGES = /^\s*(create|drop|alter|insert|update|delete|comment|grant|revoke)/i;

/** The boxes of a plan, as EXPLAIN ... AS JSON tells it, each with an edge to who reads it. What a With shares is one box. */
export function planGraph(plan) {
  const nodes = [];
  const edges = [];
  const shared = new Map(); // the box of what a With binds, by its name
  const walk = (node) => {
    for (const { name, plan: part } of node.parts ?? []) shared.set(name.replace(/^cte /, ""), walk(part));
    if (node.result) return walk(node.result);
    if (node.operator === "Local" && shared.has(node.name)) return shared.get(node.name);
    const id = nodes.length;
    const [, title, rest] = /^(\S+)\s*(.*)$/.exec(node.text);
    nodes.push({ id, title, lines: [...(rest ? [rest] : []), ...(node.lines ?? [])] });
    for (const input of node.inputs ?? []) edges.push([walk(input), id]);
    return id;
  };
  walk(plan);
  return { nodes, edges };
}

/** A result as a table of its first rows. */
export function table(result) {
  const { columns } = result.desc;
  const side = columns.map((column) => (isNumeric(column) ? "right" : ""));
  const body = result.rows.slice(0, ROWS_SHOWN).map((row) =>
    element("tr", {}, ...row.map((value, i) => element("td", { class: `${side[i]}${value === null ? " null" : ""}` }, shown(value)))),
  );
  const heads = columns.map((column, i) => element("th", { class: side[i], scope: "col" }, column.name));
  return element("div", { class: "table", tabindex: "0" },
    element("table", { class: "rows" }, element("thead", {}, element("tr", {}, ...heads)), element("tbody", {}, ...body)));
}

export class SqlPage {
  #answers = element("div", { class: "answers", "aria-live": "polite" });
  #running = null;

  /** `keep(query)` shows a query live; `changed()` is called when the catalog may have. */
  constructor(host, keep, changed) {
    this.keep = keep;
    this.changed = changed;
    this.button = element("button", { class: "main", id: "run", onclick: () => this.run(), title: "Ctrl+Enter" }, "Run");
    this.past = element("select", { "aria-label": "Earlier statements", onchange: () => this.#recall() });
    host.append(
      element("div", { class: "tools" }, this.button,
        element("button", { id: "live", onclick: () => this.live(), title: "Ctrl+Shift+Enter" }, "Live"),
        element("button", { id: "explain", onclick: () => this.explain(), title: "Ctrl+E" }, "Explain"),
        element("span", { class: "grow" }), this.past),
    );
    this.editor = new Editor(host, { run: () => this.run(), live: () => this.live(), explain: () => this.explain() });
    host.append(this.#answers);
    this.#list();
    const begin = ([name, text]) => element("button", { onclick: () => { this.editor.text = text; this.editor.focus(); } }, name);
    this.#answers.append(element("div", { class: "welcome" },
      element("p", {}, "Answers stand here. Ctrl+Enter runs what you write above, or begin with one of these:"),
      element("div", { class: "examples" }, ...EXAMPLES.map(begin))));
  }

  focus() { this.editor.focus(); }

  #list() {
    const options = this.editor.history.slice(0, 50).map((text, i) => element("option", { value: i }, text.replace(/\s+/g, " ").slice(0, 60)));
    this.past.replaceChildren(element("option", { value: "" }, "History"), ...options);
  }

  #recall() {
    if (this.past.value !== "") this.editor.text = this.editor.history[Number(this.past.value)];
    this.past.value = "";
    this.editor.focus();
  }

  async run() {
    if (this.#running) {
      this.#running.abort();
      return;
    }
    const { text, from } = this.editor.chosen;
    if (!text.trim()) return;
    this.editor.remember(text);
    this.#list();
    const results = await this.#ask(text);
    if (!results) return;
    this.#answers.replaceChildren(...results.map((result) => this.#answer(result)));
    const failed = results.find((result) => result.error)?.error;
    if (failed?.position) {
      this.editor.mark(wordAt(this.editor.text, failed.position + from));
      this.editor.focus();
    } else {
      this.editor.mark(null);
    }
    if (CHANGES.test(text) || text.includes(";")) this.changed();
  }

  /** The statements' results with the time that they took; null if it was called off. */
  async #ask(text) {
    this.#running = new AbortController();
    this.button.textContent = "Stop";
    const start = performance.now();
    try {
      const results = await run(text, this.#running.signal);
      this.took = performance.now() - start;
      return results;
    } catch (error) {
      const message = error.name === "AbortError" ? "stopped" : `the server does not answer: ${error.message}`;
      this.#answers.replaceChildren(this.#failure({ message }));
      return null;
    } finally {
      this.#running = null;
      this.button.textContent = "Run";
    }
  }

  #failure(error) {
    const more = [error.detail && `DETAIL: ${error.detail}`, error.hint && `HINT: ${error.hint}`].filter(Boolean);
    return element("div", { class: "answer failed", role: "alert" },
      element("div", { class: "message" }, [`${error.code ? `${error.code}  ` : ""}${error.message}`, ...more].join("\n")));
  }

  #answer(result) {
    if (result.error) return this.#failure(result.error);
    const notices = (result.notices ?? []).map((notice) => element("div", { class: "message dim" }, `${notice.severity}: ${notice.message}`));
    if (result.ok !== undefined) {
      return element("div", { class: "answer" }, element("div", { class: "message" }, result.ok), ...notices);
    }
    const count = result.rows.length;
    const cut = count > ROWS_SHOWN ? `, the first ${ROWS_SHOWN} shown` : "";
    const header = element("header", {}, element("span", {}, `${count} row${count === 1 ? "" : "s"}${cut}`),
      element("span", { class: "grow" }), element("span", {}, `${this.took.toFixed(1)} ms`));
    return element("div", { class: "answer" }, header, ...notices, table(result));
  }

  live() {
    const query = this.editor.chosen.text.trim().replace(/;\s*$/, "");
    if (query) this.keep(query);
  }

  async explain() {
    const { text, from } = this.editor.chosen;
    const query = text.trim().replace(/;\s*$/, "");
    if (!query) return;
    const results = await this.#ask(`${AS_JSON}${query};EXPLAIN PHYSICAL PLAN FOR ${query}`);
    if (!results) return;
    const [result, asText] = results;
    if (result.error) {
      this.#answers.replaceChildren(this.#failure(result.error));
      const ahead = AS_JSON.length - (text.length - text.trimStart().length);
      if (result.error.position > ahead) this.editor.mark(wordAt(this.editor.text, result.error.position - ahead + from));
      return;
    }
    const plan = asText.rows.map(([line]) => line).join("\n");
    const graph = new Graph();
    const shownText = element("details", {}, element("summary", { class: "message" }, "as text"), element("div", { class: "message" }, plan));
    this.#answers.replaceChildren(element("div", { class: "answer" }, element("header", {}, "physical plan: inputs above, the answer below"), graph.host, shownText));
    const { nodes, edges } = planGraph(JSON.parse(result.rows[0][0]).plan);
    graph.draw(nodes, edges);
  }
}
