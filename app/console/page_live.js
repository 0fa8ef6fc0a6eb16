// The Live page: the rows of one relation or query as they are at this moment, and what is known of it.

import { Grid } from "./grid.js";
import { bytes, element, literal, quoted, rows, run, short, toast } from "./sql.js";
import { called } from "./tree.js";

const KINDS = { source: "SOURCE", table: "TABLE", view: "VIEW", "materialized-view": "MATERIALIZED VIEW", index: "INDEX", sink: "SINK", connection: "CONNECTION", secret: "SECRET" };
const WITHOUT_ROWS = ["index", "sink", "connection", "secret"];

export class LivePage {
  #grid = new Grid();
  #view = null;
  #title = element("h2", { id: "live-title" });
  #state = element("span", { class: "dim", id: "live-state" });
  #details = element("div", { class: "details", hidden: true });
  #about = null;
  #changes = 0;

  constructor(host, connection, dataflow) {
    this.connection = connection;
    this.welcome = element("p", { class: "welcome" }, "Choose one of the objects, or press Ctrl+Shift+Enter over a SELECT: its rows stand here and move as they change.");
    this.tools = element("div", { class: "tools", hidden: true }, this.#title, this.#state, element("span", { class: "grow" }),
      element("button", { onclick: () => this.#toggle(), id: "details" }, "Details"),
      element("button", { onclick: () => dataflow(this.#about), id: "to-dataflow" }, "Dataflow"));
    this.#grid.host.hidden = true;
    host.append(this.welcome, this.tools, this.#grid.host, this.#details);
  }

  /** Show an object of the catalog. */
  object(object) {
    if (WITHOUT_ROWS.includes(object.type)) {
      this.#begin(called(object), null, object);
      this.#state.textContent = "has no rows of its own";
      this.#details.hidden = false;
      this.#describe();
      return;
    }
    this.#begin(called(object), this.connection.view(quoted(object.database, object.schema, object.name)), object);
  }

  /** Show a SELECT. */
  query(text) {
    this.#begin(text.replace(/\s+/g, " ").slice(0, 80), this.connection.query(text), null);
  }

  #begin(title, view, object) {
    this.#view?.close();
    this.#view = view;
    this.#about = object;
    this.#changes = 0;
    this.welcome.hidden = true;
    this.tools.hidden = false;
    this.#grid.host.hidden = view === null;
    this.#title.textContent = title;
    this.#state.textContent = "";
    this.tools.querySelector("#details").hidden = this.tools.querySelector("#to-dataflow").hidden = object === null;
    this.#grid.show(view, "waiting for the first rows …");
    view?.addEventListener("change", ({ detail }) => {
      this.#changes += detail.reset ? 0 : detail.changes.length;
      this.#tell();
    });
    view?.addEventListener("error", ({ detail }) => {
      this.#state.replaceChildren(element("span", { class: "bad", role: "alert" }, `${detail.message}${detail.hint ? ` (${detail.hint})` : ""}`));
    });
    if (!this.#details.hidden) this.#describe();
  }

  #tell() {
    const at = new Date(this.#view.timestamp).toLocaleTimeString();
    this.#state.textContent = `${this.#view.size.toLocaleString()} rows · ${this.#changes.toLocaleString()} changes seen · as of ${at}`;
  }

  #toggle() {
    this.#details.hidden = !this.#details.hidden;
    if (!this.#details.hidden) this.#describe();
  }

  #describe() {
    if (this.#about) this.#fetch(this.#about).catch((error) => toast(error.message));
  }

  async #fetch(object) {
    const name = quoted(object.database, object.schema, object.name);
    const [columns, [made], uses, usedBy] = await Promise.all([
      rows(`SELECT name, type, nullable FROM mz_catalog.mz_columns WHERE id::text = ${literal(object.id)} ORDER BY position`),
      run(`SHOW CREATE ${KINDS[object.type]} ${name}`),
      rows(`SELECT o.name FROM mz_internal.mz_object_dependencies d JOIN mz_catalog.mz_objects o ON o.id = d.referenced_object_id WHERE d.object_id::text = ${literal(object.id)} ORDER BY 1`),
      rows(`SELECT o.name FROM mz_internal.mz_object_dependencies d JOIN mz_catalog.mz_objects o ON o.id = d.object_id WHERE d.referenced_object_id::text = ${literal(object.id)} ORDER BY 1`),
    ]);
    if (this.#about !== object) return;
    const pairs = [
      ["status", [object.status, object.error].filter(Boolean).join(": ")],
      ["rows", object.records === null ? "none held" : short(object.records)], ["memory", object.bytes === null ? "none" : bytes(object.bytes)],
      ["reads", uses.map((each) => each.name).join(", ") || "nothing"], ["is read by", usedBy.map((each) => each.name).join(", ") || "nobody"],
    ];
    this.#details.replaceChildren(
      element("div", {}, element("h3", {}, "Columns"), element("dl", {}, ...columns.flatMap((column) => [element("dt", {}, column.name), element("dd", {}, `${column.type}${column.nullable ? "" : " not null"}`)]))),
      element("div", {}, element("h3", {}, "State"), element("dl", {}, ...pairs.flatMap(([term, text]) => [element("dt", {}, term), element("dd", {}, text)]))),
      element("div", {}, element("h3", {}, "Definition"), element("pre", {}, made.error ? made.error.message : made.rows[0].at(-1))),
    );
  }
}
