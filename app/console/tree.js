// The objects of the catalog, grouped, with what state they are in. One list box: arrow keys move, Enter chooses.

import { element, rows, short } from "./sql.js";

const GROUPS = [
  ["source", "Sources"], ["table", "Tables"], ["materialized-view", "Materialized views"], ["view", "Views"],
  ["index", "Indexes"], ["sink", "Sinks"], ["connection", "Connections"], ["secret", "Secrets"],
];
const OBJECTS = `
  SELECT o.id::text AS id, o.name, o.type, s.name AS schema, d.name AS database,
         h.hydrated, h.rows_done, h.rows_total, a.records, a.bytes
  FROM mz_catalog.mz_objects o
  JOIN mz_catalog.mz_schemas s ON s.id = o.schema_id
  JOIN mz_catalog.mz_databases d ON d.id = s.database_id
  LEFT JOIN mz_internal.mz_hydration_statuses h ON h.object_id = o.id
  LEFT JOIN mz_internal.mz_arrangement_sizes a ON a.id = o.id
  ORDER BY database, schema, name`;

const DOTS = { failed: "bad", stalled: "bad", hydrating: "warn", starting: "warn" };

/**
 * Every object of users: id, name, type, schema, database, hydrated, rows_done, rows_total, records, bytes, and how it is:
 * status (as of /api/objects) and error.
 */
export async function objects() {
  const [found, reply] = await Promise.all([rows(OBJECTS), fetch("api/objects")]);
  const states = new Map(reply.ok ? (await reply.json()).items.map((item) => [full(item.database, item.schema, item.item, item.kind), item]) : []);
  for (const object of found) {
    const state = states.get(full(object.database, object.schema, object.name, object.type.replace("-", " ")));
    object.status = state?.status ?? "";
    object.error = state?.error ?? null;
  }
  return found.filter((object) => GROUPS.some(([type]) => type === object.type));
}

const full = (...parts) => JSON.stringify(parts);

/** The name that says which object is meant, as short as can be. */
export const called = (object) =>
  object.schema === "public" && object.database === "materialize" ? object.name : `${object.schema}.${object.name}`;

export class Tree {
  #objects = [];
  #at = -1;

  constructor(list, find, onchoose) {
    this.list = list;
    this.find = find;
    this.onchoose = onchoose;
    find.addEventListener("input", () => this.#draw());
    for (const host of [list, find]) host.addEventListener("keydown", (event) => this.#key(event));
  }

  show(objects) {
    this.#objects = objects;
    this.#draw();
  }

  /** The object is the one that the page is about. */
  select(id) {
    this.chosen = id;
    this.#draw();
  }

  #draw() {
    const wanted = this.find.value.toLowerCase();
    const items = [];
    for (const [type, title] of GROUPS) {
      const members = this.#objects.filter((object) => object.type === type && called(object).toLowerCase().includes(wanted));
      if (members.length) items.push(element("li", { class: "group", role: "presentation" }, title), ...members.map((object) => this.#item(object)));
    }
    if (!items.length) {
      const hint = this.#objects.length ? "nothing of that name" : "Nothing yet. CREATE SOURCE, TABLE or VIEW, and it is here.";
      items.push(element("li", { class: "empty", role: "presentation" }, hint));
    }
    this.list.replaceChildren(...items);
  }

  #item(object) {
    const waits = object.hydrated === false;
    const done = `${object.rows_done ?? 0} of ${object.rows_total ?? "?"} rows`;
    const title = waits ? `catching up: ${done}` : [object.status, object.error].filter(Boolean).join(": ");
    const dot = waits ? "warn" : (DOTS[object.status] ?? "good");
    return element("li", {
      role: "treeitem", "data-id": object.id, "aria-selected": String(object.id === this.chosen),
      onclick: () => this.onchoose(object),
    },
    element("span", { class: `dot ${dot}`, title, "aria-label": title }),
    element("span", { class: "name", title: `${object.database}.${object.schema}.${object.name}` }, called(object)),
    element("span", { class: "count" }, object.records === null || object.records === undefined ? "" : short(object.records)));
  }

  #key(event) {
    const items = [...this.list.querySelectorAll("li[data-id]")];
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (by) {
      event.preventDefault();
      this.#at = Math.max(0, Math.min(items.length - 1, this.#at + by));
      items.forEach((item, i) => (item.style.outline = i === this.#at ? "2px solid var(--accent)" : ""));
      items[this.#at]?.scrollIntoView({ block: "nearest" });
    } else if (event.key === "Enter") {
      (items[this.#at] ?? items[0])?.click();
    } else if (event.key === "Escape") {
      this.find.value = "";
      this.#draw();
      this.find.blur();
    } else {
      this.#at = event.target === this.find ? -1 : this.#at;
    }
  }
}
