// Statements over HTTP, and text that becomes SQL or a page.

/** The results of the statements, up to and with the first that failed. Throws only when the server cannot be reached. */
export async function run(query, signal) {
  const reply = await fetch("api/sql", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ query }),
    signal,
  });
  const body = await reply.json();
  return body.results ?? [{ error: body.error ?? { message: body.detail ?? reply.statusText, code: body.sqlstate } }];
}

/** The rows of one SELECT as objects by column name. Throws an Error with the server's words. */
export async function rows(query) {
  const [result] = await run(query);
  if (result.error) throw new Error(result.error.message);
  const names = result.desc.columns.map((column) => column.name);
  return result.rows.map((row) => Object.fromEntries(names.map((name, i) => [name, row[i]])));
}

/** A name as SQL has it, whatever is in it. */
export const quoted = (...parts) => parts.map((part) => `"${part.replaceAll('"', '""')}"`).join(".");

/** A text as a SQL literal. */
export const literal = (text) => `'${String(text).replaceAll("'", "''")}'`;

const NUMERIC = new Set([20, 21, 23, 26, 700, 701, 1700, 16460, 16462, 16464]);

/** Whether values of a column stand at its right. */
export const isNumeric = (column) => NUMERIC.has(column.type_oid);

/** A datum as the page shows it. */
export function shown(value) {
  if (value === null || value === undefined) return "NULL";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** An element with attributes and children; text is text, never markup. */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value === true) made.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

export function bytes(count) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let at = 0;
  for (count = Number(count); count >= 1024 && at < units.length - 1; at++) count /= 1024;
  return `${count >= 100 || at === 0 ? Math.round(count) : count.toFixed(1)} ${units[at]}`;
}

export function short(count) {
  count = Number(count);
  if (count >= 1e9) return `${(count / 1e9).toFixed(1)}G`;
  if (count >= 1e6) return `${(count / 1e6).toFixed(1)}M`;
  if (count >= 1e4) return `${(count / 1e3).toFixed(1)}k`;
  return count >= 10 || Number.isInteger(count) ? String(Math.round(count)) : count.toFixed(1);
}

/** What went wrong, at the bottom of the page for a while. */
export function toast(message) {
  const box = element("div", { class: "toast", role: "alert" }, message);
  document.body.append(box);
  setTimeout(() => box.remove(), 6000);
}
