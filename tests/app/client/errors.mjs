// What cannot be subscribed to rejects `ready`; a view that fails comes back when it has healed.
import assert from "node:assert";
import { connect } from "../../../app/static/tailrace.js";

const url = process.argv[2];
const sql = (query) =>
  fetch(`${url}/api/sql`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ query }),
  });
const event = (target, type) => new Promise((done) => target.addEventListener(type, done, { once: true }));

await sql(`CREATE TABLE js_e (k int); CREATE MATERIALIZED VIEW js_ev AS SELECT 1 / k AS x FROM js_e; INSERT INTO js_e VALUES (1)`);
const tailrace = connect(url);
const nowhere = tailrace.view("nowhere");
await assert.rejects(nowhere.ready, { code: "42P01" });
const view = await tailrace.view("js_ev").ready;
assert.equal(view.size, 1);
const failed = event(view, "error");
await sql("INSERT INTO js_e VALUES (0)");
assert.equal((await failed).detail.code, "22012");
assert.equal(view.size, 1);
const healed = event(view, "change");
await sql("DELETE FROM js_e WHERE k = 0; INSERT INTO js_e VALUES (-1)");
const { detail } = await healed;
assert.equal(detail.reset, false);
assert.deepEqual(detail.changes.map(({ after }) => after), [{ x: "-1" }]);
assert.equal(view.size, 2);
tailrace.close();
