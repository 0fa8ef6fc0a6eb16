// The console: four pages around one connection. The address says what is shown (#sql, #live/<id>, #dataflow/<id>,
// #system), so that it can be bookmarked and the browser's back works.

import { connect } from "../static/tailrace.js";
import { DataflowPage } from "./page_dataflow.js";
import { LivePage } from "./page_live.js";
import { SqlPage } from "./page_sql.js";
import { SystemPage } from "./page_system.js";
import { element, short, toast } from "./sql.js";
import { Tree, objects } from "./tree.js";

const SECOND_MS = 1000;
const PAGES = ["sql", "live", "dataflow", "system"];
const $ = (id) => document.getElementById(id);

const connection = connect();
let known = [];
let figures = null;
let shown = null; // the address that is shown

const go = (page, id = null) => (location.hash = id === null ? page : `${page}/${id}`);
const tree = new Tree($("tree"), $("find"), (object) => go(shown?.page === "dataflow" ? "dataflow" : "live", object.id));
const live = new LivePage($("page-live"), connection, (object) => go("dataflow", object?.id ?? null));
const dataflow = new DataflowPage($("page-dataflow"));
const system = new SystemPage($("page-system"), (object) => go("live", object.id));
const sql = new SqlPage($("page-sql"), keep, () => refresh());

function keep(query) {
  go("live");
  live.query(query);
}

/** The drawer of objects on narrow screens; wider ones always show them. */
function drawer(open) {
  $("side").classList.toggle("open", open);
  $("objects").setAttribute("aria-expanded", String(open));
}

/** Show what the address says. */
async function route() {
  drawer(false);
  const [page, id] = location.hash.slice(1).split("/");
  const next = { page: PAGES.includes(page) ? page : "sql", id: id ?? null };
  const moved = shown?.page !== next.page || shown?.id !== next.id;
  shown = next;
  for (const name of PAGES) {
    $(`page-${name}`).classList.toggle("shown", name === next.page);
    document.querySelector(`[data-page=${name}]`).setAttribute("aria-selected", String(name === next.page));
  }
  if (next.id !== null) tree.select(next.id);
  if (!moved) return;
  const object = known.find((each) => each.id === next.id);
  if (next.page === "live" && object) live.object(object);
  if (next.page === "dataflow") await guarded(() => dataflow.show(object ?? null));
  if (next.page === "sql") sql.focus();
}

/** What talks to the server may fail while it restarts: the dot at the top says so, once. */
async function guarded(work) {
  try {
    return await work();
  } catch (error) {
    if (connection.state === "open") toast(error.message);
    return null;
  }
}

async function refresh() {
  const found = await guarded(objects);
  if (!found) return;
  const fresh = known.length === 0;
  known = found;
  tree.show(known);
  if (fresh && shown?.id) {
    shown = null;
    await route();
  }
}

function pulse() {
  const words = { open: "live", connecting: "connecting …", waiting: "connection lost, trying again …", closed: "closed" };
  const dot = { open: "good", connecting: "warn", waiting: "bad", closed: "bad" };
  const rates = figures && connection.state === "open" ? `${short(figures.rate)} rows/s · tick ${figures.ms.toFixed(2)} ms` : "";
  const told = (text) => element("span", { class: "told" }, text);
  $("pulse").replaceChildren(told(rates), element("span", { class: `dot ${dot[connection.state]}`, id: "connection", "data-state": connection.state }), told(words[connection.state]));
}

async function second() {
  if (!document.hidden && connection.state === "open") {
    figures = await guarded(() => system.sample());
    await refresh();
    if (shown?.page === "dataflow") await guarded(() => dataflow.refresh());
    if (shown?.page === "system") await guarded(() => system.refresh(known));
    pulse();
  }
  setTimeout(second, SECOND_MS);
}

function keys(event) {
  const typing = event.target.matches("input, textarea, select");
  if (event.altKey && "1234".includes(event.key)) {
    const page = PAGES[Number(event.key) - 1];
    if (page !== shown?.page) event.target.blur(); // the next key is not for what is hidden by then
    go(page);
  } else if (!typing && event.key === "/") {
    drawer(true);
    $("find").focus();
  }
  else if (!typing && event.key === "?") $("help").showModal();
  else return;
  event.preventDefault();
}

function theme(next) {
  document.documentElement.dataset.theme = next;
  localStorage.setItem("tailrace.theme", next);
}

const kept = localStorage.getItem("tailrace.theme");
if (kept) theme(kept);
$("theme").addEventListener("click", () => {
  const dark = (document.documentElement.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  theme(dark ? "light" : "dark");
});
$("objects").addEventListener("click", () => drawer(!$("side").classList.contains("open")));
document.querySelector("main").addEventListener("pointerdown", () => drawer(false));
$("keys").addEventListener("click", () => $("help").showModal());
for (const tab of document.querySelectorAll("[data-page]")) tab.addEventListener("click", () => go(tab.dataset.page));
addEventListener("keydown", keys);
addEventListener("hashchange", () => route());
connection.addEventListener("state", () => {
  pulse();
  if (connection.state === "open") refresh();
});
pulse();
route();
second();
