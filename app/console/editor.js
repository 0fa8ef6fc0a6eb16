// The SQL editor: a text area over the same text in colours, with a history that outlives the page.

import { element } from "./sql.js";

const WORDS = new Set(
  `all alter and any array as asc begin between by case cast close coalesce commit connection copy create cross cursor
  database declare default delete desc discard distinct drop else end envelope except execute exists explain false fetch
  filter following for format from full generator group having if in index inner insert intersect interval into is join
  json key lateral left like limit list load map materialized mutually natural not null nulls of offset on or order outer
  over partition plan preceding prepare primary progress range recursive reset right rollback row rows schema secret select
  set show sink snapshot source subscribe table tail temporary then to true type unbounded union unique update up using
  values view when where window with`.split(/\s+/),
);
const TOKEN =
  /(--[^\n]*|\/\*[\s\S]*?(?:\*\/|$))|('(?:[^']|'')*(?:'|$)|\$\$[\s\S]*?(?:\$\$|$))|("(?:[^"]|"")*(?:"|$))|(\b\d+(?:\.\d+)?(?:e[+-]?\d+)?\b)|([A-Za-z_]\w*)/gi;
const KEPT = 200;

/** The text as spans of colour; characters `wrong` (from, to) are underlined. */
export function coloured(text, wrong = null) {
  const parts = [];
  const plain = (from, to, kind) => {
    if (from >= to) return;
    if (wrong && from < wrong[1] && to > wrong[0]) {
      plain(from, Math.max(from, wrong[0]), kind);
      const [a, b] = [Math.max(from, wrong[0]), Math.min(to, wrong[1])];
      parts.push(element("span", { class: `${kind ?? ""} wrong` }, text.slice(a, b)));
      plain(b, to, kind);
    } else {
      parts.push(kind ? element("span", { class: kind }, text.slice(from, to)) : text.slice(from, to));
    }
  };
  let at = 0;
  for (const match of text.matchAll(TOKEN)) {
    plain(at, match.index, null);
    at = match.index + match[0].length;
    const [, comment, string, name, number, word] = match;
    const kind = comment ? "c" : string ? "s" : number ? "n" : word && !name && WORDS.has(word.toLowerCase()) ? "k" : null;
    plain(match.index, at, kind);
  }
  plain(at, text.length, null);
  return parts;
}

/** From which to which character an error at `position` (from 1) is: the word there, or one character. */
export function wordAt(text, position) {
  const begin = Math.min(position - 1, Math.max(0, text.length - 1));
  const word = /^(\w+|"[^"]*"|'[^']*'|\S)/.exec(text.slice(begin));
  return [begin, begin + (word ? word[0].length : 1)];
}

export class Editor {
  #area;
  #back;
  #history;
  #at;
  #draft = "";
  #wrong = null;

  /** `actions` are run, live and explain, called for their keys. */
  constructor(host, actions) {
    this.#history = JSON.parse(localStorage.getItem("tailrace.history") ?? "[]");
    this.#at = this.#history.length;
    this.#back = element("pre", { "aria-hidden": "true" });
    this.#area = element("textarea", {
      id: "sql", spellcheck: "false", autocapitalize: "off", autocomplete: "off", "aria-label": "SQL statements",
      oninput: () => this.mark(null),
      onscroll: () => this.#follow(),
      onkeydown: (event) => this.#key(event, actions),
    });
    host.append(element("div", { class: "editor" }, this.#back, this.#area));
    this.text = localStorage.getItem("tailrace.draft") ?? "";
  }

  get text() { return this.#area.value; }
  set text(text) {
    this.#area.value = text;
    this.mark(null);
  }

  /** What is to run, and where it begins in the text: the selection, or all. */
  get chosen() {
    const { selectionStart: from, selectionEnd: to, value } = this.#area;
    return from < to ? { text: value.slice(from, to), from } : { text: value, from: 0 };
  }

  focus() { this.#area.focus(); }

  /** Underline characters of the text, and put the cursor there. */
  mark(wrong) {
    this.#wrong = wrong;
    localStorage.setItem("tailrace.draft", this.text);
    this.#back.replaceChildren(...coloured(this.text, this.#wrong), "\n");
    if (wrong) this.#area.setSelectionRange(wrong[0], wrong[0]);
    this.#follow();
  }

  /** Keep a text that ran. */
  remember(text) {
    if (this.#history.at(-1) !== text) this.#history.push(text);
    this.#history = this.#history.slice(-KEPT);
    this.#at = this.#history.length;
    localStorage.setItem("tailrace.history", JSON.stringify(this.#history));
  }

  /** The texts that ran, the latest first. */
  get history() { return this.#history.toReversed(); }

  #follow() {
    this.#back.scrollTop = this.#area.scrollTop;
    this.#back.scrollLeft = this.#area.scrollLeft;
  }

  #go(by) {
    if (this.#at === this.#history.length) this.#draft = this.text;
    this.#at = Math.max(0, Math.min(this.#history.length, this.#at + by));
    this.text = this.#at === this.#history.length ? this.#draft : this.#history[this.#at];
  }

  #key(event, actions) {
    const control = event.ctrlKey || event.metaKey;
    const action =
      control && event.key === "Enter" ? (event.shiftKey ? actions.live : actions.run)
      : control && event.key.toLowerCase() === "e" ? actions.explain
      : control && event.key === "ArrowUp" ? () => this.#go(-1)
      : control && event.key === "ArrowDown" ? () => this.#go(1)
      : null;
    if (action) {
      event.preventDefault();
      action();
    } else if (event.key === "Escape") {
      this.#area.blur(); // Tab stays a way out of the editor
    }
  }
}
