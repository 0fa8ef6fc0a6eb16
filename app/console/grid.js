// A live view as rows on the screen. Only the rows in sight exist as elements; a row is placed by a transform, so that one
// that moves slides. Law: what stands there is the view as of the last "change" that was drawn, in the order chosen.

import { element, isNumeric, shown } from "./sql.js";

const HEIGHT = 28;
const SPARE = 6; // rows beyond both edges
const WIDTH = { least: 70, most: 420, character: 8, padding: 26 };

export class Grid {
  #view = null;
  #columns = [];
  #widths = [];
  #order = []; // keys as they stand
  #placed = new Map(); // key -> element of a row in sight
  #sort = null; // { at, down }
  #dirty = false;
  #changed = new Map(); // key -> row before, of what is not drawn yet
  #reset = true;
  #listener = (event) => this.#take(event.detail);
  #observer;

  constructor() {
    this.head = element("div", { class: "head", role: "row" });
    this.space = element("div", { class: "space", role: "rowgroup" });
    this.note = element("div", { class: "empty" });
    this.scroll = element("div", { class: "scroll", tabindex: "0", onscroll: () => this.#draw() }, this.head, this.space);
    this.host = element("div", { class: "grid", role: "grid", "aria-label": "Rows" }, this.scroll, this.note);
    this.#observer = new ResizeObserver(() => this.#draw());
    this.#observer.observe(this.scroll);
  }

  /** Show a LiveView (static/tailrace.js), in place of what was shown. */
  show(view, note = "") {
    this.#view?.removeEventListener("change", this.#listener);
    this.#view = view;
    this.#columns = [];
    this.#sort = null;
    this.#clear();
    this.note.textContent = note;
    view?.addEventListener("change", this.#listener);
    if (view?.timestamp) this.#take({ changes: [], reset: true });
  }

  get order() { return this.#order; }

  #clear() {
    this.#order = [];
    this.#placed.clear();
    this.space.replaceChildren();
    this.head.replaceChildren();
    this.#changed.clear();
    this.#reset = true;
  }

  #take({ changes, reset }) {
    this.#reset ||= reset;
    for (const { key, before } of changes) if (!this.#changed.has(key)) this.#changed.set(key, before);
    if (this.#dirty) return;
    this.#dirty = true;
    requestAnimationFrame(() => {
      this.#dirty = false;
      if (this.#view) this.#update();
    });
  }

  #update() {
    if (this.#columns.length === 0) this.#adopt(this.#view.columns);
    const kept = new Set(this.#order);
    if (this.#reset || this.#changed.size) this.#arrange();
    const changed = this.#changed;
    const twins = this.#reset ? new Map() : this.#twins(kept);
    this.#changed = new Map();
    this.host.classList.toggle("still", this.#reset);
    this.note.textContent = this.#view.size === 0 ? "no rows" : "";
    this.#draw(this.#reset ? null : { changed, kept, twins });
    this.#reset = false;
  }

  /** Where no key is known a changed row is one that goes and one that comes: those that begin alike are shown as one. */
  #twins(kept) {
    const gone = new Map();
    for (const [key, before] of this.#changed) {
      if (before !== undefined && !this.#view.has(key)) gone.set(this.#first(before), key);
    }
    const found = new Map();
    for (const key of this.#changed.keys()) {
      const row = this.#view.get(key);
      const twin = row !== undefined && !kept.has(key) ? gone.get(this.#first(row)) : undefined;
      if (twin !== undefined && this.#placed.has(twin)) {
        found.set(key, this.#changed.get(twin));
        const placed = this.#placed.get(twin);
        this.#placed.delete(twin);
        this.#placed.set(key, placed);
      }
    }
    return found;
  }

  #first(row) { return row[this.#columns[0]?.name]; }

  #adopt(columns) {
    this.#columns = columns;
    this.#widths = columns.map((column) => this.#widthOf(column));
    this.#heading();
  }

  #widthOf(column) {
    let longest = column.name.length + 2;
    let left = 200;
    for (const row of this.#view.values()) {
      longest = Math.max(longest, shown(row[column.name]).length);
      if (--left === 0) break;
    }
    return Math.max(WIDTH.least, Math.min(WIDTH.most, longest * WIDTH.character + WIDTH.padding));
  }

  #heading() {
    this.head.replaceChildren(
      ...this.#columns.map((column, at) =>
        element("button", {
          role: "columnheader",
          class: isNumeric(column) ? "right" : "",
          style: `width:${this.#widths[at]}px`,
          "aria-sort": this.#sort?.at === at ? (this.#sort.down ? "descending" : "ascending") : null,
          onclick: () => this.#sortBy(at),
        }, column.name),
      ),
    );
  }

  #sortBy(at) {
    this.#sort = this.#sort?.at !== at ? { at, down: false } : this.#sort.down ? null : { at, down: true };
    this.#heading();
    this.#arrange();
    this.host.classList.remove("still");
    this.#draw();
  }

  #arrange() {
    const view = this.#view;
    const by = this.#sort ? [this.#sort.at, ...this.#columns.keys()] : [...this.#columns.keys()];
    const kinds = by.map((at) => [this.#columns[at].name, isNumeric(this.#columns[at])]);
    const down = this.#sort?.down ? -1 : 1;
    const compare = ([, a], [, b]) => {
      for (let i = 0; i < kinds.length; i++) {
        const [name, numeric] = kinds[i];
        const [x, y] = [a[name], b[name]];
        if (x === y) continue;
        const way = i === 0 ? down : 1;
        if (x === null) return 1;
        if (y === null) return -1;
        const order = numeric ? Number(x) - Number(y) : shown(x) < shown(y) ? -1 : shown(x) > shown(y) ? 1 : 0;
        if (order) return order * way;
      }
      return 0;
    };
    this.#order = [...view.entries()].sort(compare).map(([key]) => key);
    this.space.style.height = `${this.#order.length * HEIGHT}px`;
    this.space.style.width = `${this.#widths.reduce((a, b) => a + b, 0)}px`;
  }

  /** Place the rows in sight. `since`: what changed since they were drawn before. */
  #draw(since = null) {
    if (!this.#view) return;
    const first = Math.max(0, Math.floor(this.scroll.scrollTop / HEIGHT) - SPARE);
    const last = Math.min(this.#order.length, Math.ceil((this.scroll.scrollTop + this.scroll.clientHeight) / HEIGHT) + SPARE);
    const wanted = new Set(this.#order.slice(first, last));
    for (const [key, row] of this.#placed) {
      if (wanted.has(key)) continue;
      this.#placed.delete(key);
      if (since && !this.#view.has(key)) {
        row.classList.add("gone");
        setTimeout(() => row.remove(), 300);
      } else {
        row.remove();
      }
    }
    for (let at = first; at < last; at++) {
      const key = this.#order[at];
      const row = this.#placed.get(key);
      if (row) {
        row.style.transform = `translateY(${at * HEIGHT}px)`;
        if (since?.changed.has(key)) this.#fill(row, key, since.twins.get(key) ?? since.changed.get(key));
      } else {
        const made = element("div", { class: "row", role: "row", style: `transform:translateY(${at * HEIGHT}px)` });
        this.#fill(made, key);
        if (since && !since.kept.has(key)) made.classList.add("come");
        this.#placed.set(key, made);
        this.space.append(made);
      }
    }
  }

  /** The cells of a row; those that differ from the row before flash. */
  #fill(row, key, before) {
    const now = this.#view.get(key);
    this.#columns.forEach((column, at) => {
      const text = shown(now[column.name]);
      const kind = `cell${isNumeric(column) ? " right" : ""}${now[column.name] === null ? " null" : ""}`;
      const old = row.children[at];
      if (!old) {
        row.append(element("div", { class: kind, role: "gridcell", style: `width:${this.#widths[at]}px` }, text));
      } else if (old.textContent !== text || (before !== undefined && shown(before[column.name]) !== text)) {
        // A new element, so that the animation begins anew.
        old.replaceWith(
          element("div", { class: `${kind} flash`, role: "gridcell", style: `width:${this.#widths[at]}px` }, text),
        );
      }
    });
  }
}
